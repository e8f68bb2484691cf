"""What a check made out, as values: which files of the repository are not whole, which blobs are lost by it, and what those take away.

A blob is *lost* when no whole copy of it is in any pack that an index names. The codes are closed: `CODES`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from holdfast.model.entry import display_path
from holdfast.model.jobs import Finding, Severity
from holdfast.repository._format.index import IndexedPack
from holdfast.repository._format.pack import BlobType, PackedBlob
from holdfast.repository._format.snapshot import Snapshot
from holdfast.repository.facts import facts_of

CODES = (
    "index-damaged",
    "snapshot-damaged",
    "pack-missing",
    "pack-size",
    "pack-unreadable",
    "pack-damaged",
    "pack-header",
    "blob-damaged",
    "tree-missing",
    "tree-damaged",
    "node-damaged",
    "chunk-missing",
    "pack-unused",
)
_BLOBS_NAMED = 100
_FILES_NAMED = 10
_POINTS_NAMED = 5


class BlobKey(NamedTuple):
    type: BlobType
    id: bytes

    @property
    def is_tree(self) -> bool:
        """The listing of a folder, not a chunk."""
        return self.type is BlobType.TREE


def blob_key(blob_id: bytes, *, is_tree: bool) -> BlobKey:
    return BlobKey(BlobType.TREE if is_tree else BlobType.DATA, blob_id)


@dataclass(frozen=True)
class BadPack:
    """A pack that is not what the index says. `bad`: the blobs that cannot be read from it; the others can."""

    id: bytes
    code: str
    message: str
    blobs: tuple[PackedBlob, ...]
    bad: frozenset[BlobKey]

    @property
    def is_gone(self) -> bool:
        return self.code == "pack-missing"


@dataclass(frozen=True)
class KnownSnapshot:
    id: bytes
    snapshot: Snapshot

    @property
    def title(self) -> str:
        facts = facts_of(self.snapshot)
        label = facts.label if facts else f"{self.snapshot.hostname}:{','.join(self.snapshot.paths or ())}"
        return f"{label} of {self.snapshot.time[:19].replace('T', ' ')}, {self.id.hex()[:8]}"


class LostFile(NamedTuple):
    """A path of a point that needs a lost blob. `snapshot` is its place in `Diagnosis.snapshots`; a lost tree is that folder's."""

    snapshot: int
    path: bytes


@dataclass
class Diagnosis:
    """Gathered by a check. `found`: packs that no index names, by their headers, counted in all else. `trees`: those that cannot be read,
    with code and reason. `chunks`: those that no index names. `reach`: of each snapshot in `snapshots`, the lost blobs it needs; empty
    where nothing is lost. `files`: some of the paths that need a lost blob."""

    indexes: dict[str, str] = field(default_factory=dict)
    bad_snapshots: dict[str, str] = field(default_factory=dict)
    packs: list[BadPack] = field(default_factory=list)
    unindexed: list[bytes] = field(default_factory=list)
    found: list[IndexedPack] = field(default_factory=list)
    trees: dict[bytes, tuple[str, str]] = field(default_factory=dict)
    chunks: dict[bytes, str] = field(default_factory=dict)
    nodes: list[tuple[bytes, str]] = field(default_factory=list)
    elsewhere: set[BlobKey] = field(default_factory=set)
    snapshots: list[KnownSnapshot] = field(default_factory=list)
    reach: list[frozenset[BlobKey]] = field(default_factory=list)
    files: dict[BlobKey, list[LostFile]] = field(default_factory=dict)

    @property
    def in_bad_packs(self) -> set[BlobKey]:
        return {key for pack in self.packs for key in pack.bad}

    @property
    def lost(self) -> set[BlobKey]:
        named = {BlobKey(BlobType.TREE, tree) for tree in self.trees} | {BlobKey(BlobType.DATA, chunk) for chunk in self.chunks}
        return (self.in_bad_packs | named) - self.elsewhere

    @property
    def is_whole(self) -> bool:
        return not (self.indexes or self.bad_snapshots or self.packs or self.trees or self.chunks or self.nodes)


def findings_of(diagnosis: Diagnosis) -> tuple[Finding, ...]:
    """The diagnosis for people, worst first by kind: what leads to content, packs, blobs, what is only left over."""
    teller = _Teller(diagnosis)
    return tuple(
        finding
        for part in (teller.indexes(), teller.snapshots(), teller.packs(), teller.trees(), teller.chunks(), teller.unused())
        for finding in part
    )


class _Teller:
    def __init__(self, diagnosis: Diagnosis) -> None:
        self._diagnosis = diagnosis
        self._lost = diagnosis.lost

    def indexes(self) -> Iterator[Finding]:
        for name, message in sorted(self._diagnosis.indexes.items()):
            yield _error("index-damaged", message, f"index/{name}", "a repair makes it anew from the packs")

    def snapshots(self) -> Iterator[Finding]:
        for name, message in sorted(self._diagnosis.bad_snapshots.items()):
            yield _error("snapshot-damaged", message, f"snapshots/{name}", "a repair writes it anew if the owner's catalog has its content")

    def packs(self) -> Iterator[Finding]:
        for pack in sorted(self._diagnosis.packs, key=lambda pack: pack.id):
            place = f"data/{pack.id.hex()}"
            lost = pack.bad & self._lost
            yield _error(pack.code, _with_sum(pack, len(lost)), place, _HINT if lost else _HINT_SPARE, self._affected(lost))
            if pack.is_gone:
                continue
            for key in sorted(pack.bad)[:_BLOBS_NAMED]:
                spare = "" if key in self._lost else "; another pack has it"
                message = f"blob {key.id.hex()} is not what its id says{spare}"
                yield _error("blob-damaged", message, place, _HINT if not spare else _HINT_SPARE, self._affected({key}))

    def trees(self) -> Iterator[Finding]:
        told = self._diagnosis.in_bad_packs
        for tree, (code, message) in sorted(self._diagnosis.trees.items()):
            key = BlobKey(BlobType.TREE, tree)
            if key not in told:
                yield _error(code, message, f"tree {tree.hex()}", _HINT, self._affected({key}))
        for tree, message in self._diagnosis.nodes:
            yield _error("node-damaged", message, f"tree {tree.hex()}", _HINT)

    def chunks(self) -> Iterator[Finding]:
        for chunk, message in sorted(self._diagnosis.chunks.items()):
            key = BlobKey(BlobType.DATA, chunk)
            yield _error("chunk-missing", message, f"chunk {chunk.hex()}", _HINT, self._affected({key}))

    def unused(self) -> Iterator[Finding]:
        for pack in sorted(self._diagnosis.unindexed):
            yield Finding(
                code="pack-unused",
                severity=Severity.INFO,
                message="no index names this pack; a run that was cut off left it",
                path=f"data/{pack.hex()}",
                hint="a prune removes it",
            )

    def _affected(self, keys: Collection[BlobKey]) -> tuple[str, ...]:
        if not keys:
            return ()
        return tuple(affected_lines(self._diagnosis, frozenset(keys)))


def affected_lines(diagnosis: Diagnosis, keys: frozenset[BlobKey]) -> Iterator[str]:
    """Points first, newest first, then files; of many the first."""
    hit = [number for number, reach in enumerate(diagnosis.reach) if not reach.isdisjoint(keys)]
    hit.sort(key=lambda number: diagnosis.snapshots[number].snapshot.time_ns, reverse=True)
    yield from _first([f"point {diagnosis.snapshots[number].title}" for number in hit], _POINTS_NAMED, "points")
    paths = dict.fromkeys(display_path(file.path) for key in sorted(keys) for file in diagnosis.files.get(key, ()))
    yield from _first([f"file {path}" for path in paths], _FILES_NAMED, "files")


def _first(lines: Sequence[str], most: int, what: str) -> Iterable[str]:
    return lines if len(lines) <= most else [*lines[:most], f"and {len(lines) - most} more {what}"]


_HINT = "run `holdfast repository repair NAME --dry-run` to see what can be mended, and from which copy"
_HINT_SPARE = "nothing is lost; `holdfast repository repair NAME` puts it in order"


def _with_sum(pack: BadPack, lost: int) -> str:
    return f"{pack.message}; of its {len(pack.blobs)} blobs {lost} are lost"


def _error(code: str, message: str, path: str, hint: str, affected: tuple[str, ...] = ()) -> Finding:
    return Finding(code=code, severity=Severity.ERROR, message=message, path=path, hint=hint, affected=affected)

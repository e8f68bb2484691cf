"""What differs between two trees of a dataset, measured as `model.anomalies` judges it: counts first, content only of what looks odd.

Nothing of this is on the way of a delivery. How well a file compresses stands in the index; of those that compressed and no longer do, and
of those that were replaced by files of a name made of theirs, a few are opened, old and new, and looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from holdfast.core.clock import ns_of
from holdfast.core.errors import StoreError
from holdfast.model.anomalies import Window
from holdfast.model.entry import Kind, display_path
from holdfast.model.file_types import LEAST_BYTES, is_noise, is_telling
from holdfast.repository._format.pack import BlobType
from holdfast.repository._format.seal import OVERHEAD
from holdfast.repository._format.text import time_ns
from holdfast.repository._format.tree import DecodedNode, RawNode, decode_node
from holdfast.repository.catalog.blob_table import BlobTable
from holdfast.repository.interior import Interior
from holdfast.repository.packs.trees import Trees

MOST_LOOKED_AT = 200_000
"""A window with more differences is judged by the first of them."""
MOST_OPENED = 48
_BATCH = 500
_NOISE_RATIO = 0.95
_RISE = 0.3
_PATHS = 20
_A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class _Pair:
    """A file before and after: of one path, or replaced under a name made of its own (`path` is the new one)."""

    path: bytes
    old: DecodedNode
    new: DecodedNode


@dataclass
class _Differences:
    changed: list[_Pair] = field(default_factory=list)
    added: list[tuple[bytes, DecodedNode]] = field(default_factory=list)
    removed: list[tuple[bytes, DecodedNode]] = field(default_factory=list)


@dataclass(frozen=True)
class Measured:
    """`paths`: some of the files that are encrypted, renamed or removed, for display."""

    window: Window
    paths: tuple[str, ...]


def measure(interior: Interior, old: bytes, new: bytes, *, at: datetime, files: int) -> Measured:
    """From tree `old` to tree `new`, captured at `at`; `files` are in the older. Raises what reading the repository raises."""
    trees = Trees(interior.storage, interior.blobs)
    found = _differences(trees, old, new)
    moved = _moved(found)
    gone = [(path, node) for path, node in found.removed if path not in moved]
    replaced = list(_replaced(gone, found.added))
    odd = _odd_ones(interior.blobs, [*found.changed, *replaced])
    encrypted, opened = _encrypted(interior, odd)
    # Only so many are opened; the others are taken to be as those were.
    count = len(encrypted) if opened >= len(odd) else round(len(encrypted) * len(odd) / opened)
    renamed = [after for before, after in moved.items() if _ending(before) != _ending(after)]
    began_ns = ns_of(at - _A_DAY)
    taken = {pair.path for pair in replaced}
    removed = [path for path, node in gone if _changed_ns(node) < began_ns] if len(found.added) < len(gone) / 2 else []
    window = Window(
        at=at,
        files=files,
        added=len(found.added),
        changed=len(found.changed) + len(taken),
        encrypted=count,
        renamed=len(renamed),
        removed=len(removed),
    )
    return Measured(window, tuple(display_path(path) for path in [*encrypted, *renamed, *removed][:_PATHS]))


def _differences(trees: Trees, old: bytes, new: bytes) -> _Differences:
    found = _Differences()
    for count, difference in enumerate(trees.differences(old, new)):
        if count >= MOST_LOOKED_AT:
            break
        before, after = _file(difference.old), _file(difference.new)
        if before is not None and after is not None:
            if before.content != after.content:
                found.changed.append(_Pair(difference.path, before, after))
        elif after is not None:
            found.added.append((difference.path, after))
        elif before is not None:
            found.removed.append((difference.path, before))
    return found


def _file(raw: RawNode | None) -> DecodedNode | None:
    if raw is None or raw.kind != Kind.FILE.value:
        return None
    return decode_node(raw)


def _changed_ns(node: DecodedNode) -> int:
    return time_ns(node.node.mtime)


def _moved(found: _Differences) -> dict[bytes, bytes]:
    """Old path to new one, of files that are elsewhere with the same content. Of several that are alike each is the one of its name, or
    else of its ending: a folder that was moved has given no file another name."""
    moved: dict[bytes, bytes] = {}
    taken: set[bytes] = set()
    for likeness in (_name, _ending, _nothing):
        places: dict[tuple[bytes, tuple[bytes, ...]], list[bytes]] = {}
        for path, node in found.added:
            if node.content and path not in taken:
                places.setdefault((likeness(path), node.content), []).append(path)
        for path, node in found.removed:
            if path not in moved and (there := places.get((likeness(path), node.content))):
                moved[path] = there.pop()
                taken.add(moved[path])
    return moved


def _replaced(gone: Iterable[tuple[bytes, DecodedNode]], added: Sequence[tuple[bytes, DecodedNode]]) -> Iterable[_Pair]:
    """Files that went while one came beside them whose name is theirs and an ending, or has another ending."""
    beside: dict[bytes, tuple[bytes, DecodedNode]] = {}
    for path, node in added:
        beside.setdefault(_stem(path), (path, node))
    for path, node in gone:
        # `a.txt` became `a.txt.locked`, or `a.locked`.
        came = beside.get(path) or beside.get(_stem(path))
        if came is not None:
            yield _Pair(came[0], node, came[1])


def _stem(path: bytes) -> bytes:
    folder, _, name = path.rpartition(b"/")
    stem, dot, _ = name.rpartition(b".")
    return folder + b"/" + (stem if dot and stem else name)


def _name(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]


def _ending(path: bytes) -> bytes:
    """What a name says of the type of its file: nothing where it has no dot. Numbers and days at its end say none: those come and go as
    logs are rotated (`a.log`, `a.log.1`, `a.log-20260101`)."""
    stem, _, ending = _name(path).rstrip(b"-.0123456789").rpartition(b".")
    return ending.lower() if stem else b""


def _nothing(path: bytes) -> bytes:
    return b""


def _odd_ones(blobs: BlobTable, pairs: Sequence[_Pair]) -> list[_Pair]:
    """Those whose new content hardly compresses, or far less than the old one."""
    ratios = _Ratios(blobs)
    ratios.learn(chunk for pair in pairs for node in (pair.old, pair.new) for chunk in node.content[:_BATCH])
    odd = []
    for pair in pairs:
        old, new = ratios.of(pair.old), ratios.of(pair.new)
        if old is not None and new is not None and (new >= _NOISE_RATIO or new - old >= _RISE):
            odd.append(pair)
    return odd


class _Ratios:
    """How much of a file is left when it is compressed, by what the index says of its chunks."""

    def __init__(self, blobs: BlobTable) -> None:
        self._blobs = blobs
        self._sizes: dict[bytes, tuple[int, int]] = {}

    def learn(self, chunks: Iterable[bytes]) -> None:
        wanted = list(dict.fromkeys(chunks))
        for start in range(0, len(wanted), _BATCH):
            for chunk, place in self._blobs.places(wanted[start : start + _BATCH], BlobType.DATA).items():
                stored = place.blob.length - OVERHEAD
                self._sizes[chunk] = (stored, place.blob.raw_bytes or stored)

    def of(self, node: DecodedNode) -> float | None:
        """None where it is too small to tell, or not known."""
        known = [self._sizes[chunk] for chunk in node.content if chunk in self._sizes]
        plain = sum(size for _, size in known)
        return sum(size for size, _ in known) / plain if plain >= LEAST_BYTES else None


def _encrypted(interior: Interior, odd: Sequence[_Pair]) -> tuple[list[bytes], int]:
    """Of some of these, those whose content meant something before and is noise now; and how many were opened."""
    found = []
    chosen = odd if len(odd) <= MOST_OPENED else odd[:: -(-len(odd) // MOST_OPENED)]
    for pair in chosen:
        after, before = _head(interior, pair.new), _head(interior, pair.old)
        if is_noise(after) and is_telling(before):
            found.append(pair.path)
    return found, len(chosen)


def _head(interior: Interior, node: DecodedNode) -> bytes:
    """The first chunk; nothing where it cannot be had, which is for others to find out."""
    place = interior.blobs.place(node.content[0], BlobType.DATA) if node.content else None
    if place is None:
        return b""
    try:
        return interior.storage.load_blob(place)
    except StoreError:
        return b""

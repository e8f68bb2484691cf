"""Points written anew without what is lost: the files that need a lost chunk go, a folder whose listing is lost stays and is empty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256

from msgspec.structs import replace as replace_struct

from holdfast.backend.backend import FileType
from holdfast.core.errors import RepositoryDamaged, StoreError
from holdfast.model.entry import display_path
from holdfast.model.maintenance import Step
from holdfast.repository._format.pack import BlobType
from holdfast.repository._format.snapshot import Snapshot, encode_snapshot
from holdfast.repository._format.tree import RawNode, decode_node, encode_tree, split_tree, with_subtree
from holdfast.repository.diagnosis import BlobKey, Diagnosis, KnownSnapshot
from holdfast.repository.facts import PREFIX, facts_of, tags_of
from holdfast.repository.packs.blob_writer import BlobWriter
from holdfast.repository.packs.inventory import Inventory
from holdfast.repository.packs.storage import Storage

_FILES_NAMED = 20
REPAIRED = "repaired"
"""A tag of points that had to be written anew without what was lost."""


@dataclass(frozen=True)
class Rewritten:
    """A new snapshot, not yet in the store, and the one it takes the place of."""

    old: KnownSnapshot
    snapshot: Snapshot
    dropped: tuple[str, ...]
    dropped_count: int


@dataclass
class _Result:
    tree: bytes
    dropped: list[str] = field(default_factory=list)
    count: int = 0


class DamageRemoval:
    """Plans and writes the trees; the caller flushes `writer` before it saves a snapshot."""

    def __init__(self, storage: Storage, inventory: Inventory, diagnosis: Diagnosis, writer: BlobWriter) -> None:
        self._storage = storage
        self._inventory = inventory
        self._diagnosis = diagnosis
        self._lost = frozenset(diagnosis.lost)
        self._writer = writer
        self._known: dict[bytes, _Result] = {}

    def rewritten(self) -> Iterator[Rewritten]:
        for number, known in enumerate(self._diagnosis.snapshots):
            if self._diagnosis.reach[number]:
                result = self._tree(known.snapshot.tree_id, b"")
                yield Rewritten(known, _without(known, result.tree), tuple(result.dropped[:_FILES_NAMED]), result.count)

    def _tree(self, tree: bytes, path: bytes) -> _Result:
        """Depth is that of the folders, which the host bounds far below the interpreter's limit."""
        found = self._known.get(tree)
        if found is None:
            found = self._known[tree] = self._rewrite(tree, path)
        return found

    def _rewrite(self, tree: bytes, path: bytes) -> _Result:
        nodes = self._nodes(tree)
        if nodes is None:
            empty = self._save(encode_tree(()))
            return _Result(empty, [f"all in {display_path(path or b'/')}"], 1)
        result = _Result(tree)
        out: list[bytes] = []
        for node in nodes:
            below = path + b"/" + node.name
            if node.subtree is not None:
                inner = self._tree(node.subtree, below)
                result.dropped += inner.dropped[: _FILES_NAMED - len(result.dropped)]
                result.count += inner.count
                out.append(node.raw if inner.tree == node.subtree else with_subtree(node, inner.tree))
            elif self._is_whole(node):
                out.append(node.raw)
            else:
                result.count += 1
                result.dropped += [display_path(below)] if len(result.dropped) < _FILES_NAMED else []
        if result.count:
            result.tree = self._save(encode_tree(out))
        return result

    def _is_whole(self, node: RawNode) -> bool:
        try:
            decoded = decode_node(node)
        except RepositoryDamaged:
            return False
        return decoded is None or not any(BlobKey(BlobType.DATA, chunk) in self._lost for chunk in decoded.content)

    def _nodes(self, tree: bytes) -> list[RawNode] | None:
        if BlobKey(BlobType.TREE, tree) in self._lost:
            return None
        for place in self._inventory.trees.places(tree, self._inventory.pack_ids):
            try:
                return split_tree(self._storage.load_blob(place))
            except StoreError:
                continue
        return None

    def _save(self, plain: bytes) -> bytes:
        tree = sha256(plain).digest()
        self._writer.add_plain(BlobType.TREE, tree, plain)
        return tree


def _without(known: KnownSnapshot, tree: bytes) -> Snapshot:
    """The same point with another tree: one revision on, so that of the two it counts; `original` names the one before."""
    old = known.snapshot
    facts = facts_of(old)
    others = [tag for tag in old.tags or () if facts is None or not tag.startswith(PREFIX)]
    others += [] if REPAIRED in others else [REPAIRED]
    tags = tuple(others) if facts is None else tags_of(replace(facts, revision=facts.revision + 1), others)
    return replace_struct(old, tree=tree.hex(), tags=tags, original=old.original or known.id.hex())


def save_rewritten(storage: Storage, rewritten: Rewritten) -> Step:
    """The new snapshot is durable before the old one goes: a crash between leaves both, of which the higher revision counts."""
    snapshot_id = storage.save_document(FileType.SNAPSHOT, encode_snapshot(rewritten.snapshot))
    storage.backend.remove(FileType.SNAPSHOT, rewritten.old.id.hex())
    files = ", ".join(rewritten.dropped) + (", ..." if rewritten.dropped_count > len(rewritten.dropped) else "")
    return Step(
        code="point-rewritten",
        message=f"{rewritten.old.title} is now {snapshot_id.hex()[:8]}, was {rewritten.old.id.hex()}; without {files}",
        count=rewritten.dropped_count,
        path=f"snapshots/{snapshot_id.hex()}",
    )

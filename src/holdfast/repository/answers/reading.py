"""Reading out of a repository: one point for restores and mirrors, the difference of two points for cascades."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from holdfast.core.errors import RepositoryDamaged, UnknownName
from holdfast.model.change import Change, Part, Payload, Put, Remove, Segment
from holdfast.model.entry import ChunkRef, Entry, Kind, display_path, walk_key
from holdfast.model.reading import Answer, Listed, LostFolder
from holdfast.model.stream import Compression, Outgoing, Withdrawn, offered_by
from holdfast.repository.answers.point_walk import PointWalk
from holdfast.repository.damage_met import Read
from holdfast.repository.interior import Interior
from holdfast.repository.packs.chunks import Chunks
from holdfast.repository.packs.known_places import KnownPlaces
from holdfast.repository.packs.trees import Descent, Difference, Trees
from holdfast.repository.past_state import PastState

SEGMENT_BYTES = 8 << 20
SEGMENT_CHANGES = 2_000
_BATCH = 500
_KNOWN_FOLDERS = 50_000


class TreeReader:
    """A `PointReader` on one tree. Holds the session lock until `close`, so that no prune takes what is being read. Damage that it meets
    is recorded. `state`: the tree is a moment's, of which not all is in packs. `total_bytes`: what its files hold
    together, 0 = not known."""

    def __init__(self, interior: Interior, tree: bytes, read: Read, state: PastState | None = None, *, total_bytes: int = 0) -> None:
        self._interior = interior
        self._tree = tree
        self._total_bytes = total_bytes
        self._held_trees = state.reached_by if state is not None else (tree,)
        self._met = interior.damage_met(read)
        self._trees = Trees(interior.storage, interior.blobs, self._met, state.beside if state is not None else None)
        self._known = KnownPlaces(interior.blobs)
        self._chunks = Chunks(interior.storage, self._known, self._met)
        interior.enter(at_once=True)
        interior.blobs.in_use.hold_trees(self._held_trees)
        self._closed = False
        self._folders = {b"/": tree}

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        return self._trees.walk(self._tree, paths)

    def listing(self, paths: Sequence[bytes] = ()) -> Iterator[Listed]:
        interior = self._interior
        walk = PointWalk(interior.storage, interior.blobs, self._known, self._trees)
        if not paths or b"/" in paths:
            for listed in walk.below(self._tree, b""):
                yield replace(listed, total_bytes=self._total_bytes)
            return
        last: bytes | None = None
        descent = Descent(self._trees, self._tree)
        for path in sorted(set(paths), key=walk_key):
            if last is not None and path.startswith(last + b"/"):
                continue
            last = path
            try:
                node = descent.node_at(path)
            except RepositoryDamaged as error:
                yield Listed((), lost=(LostFolder(path, error.message),))
                continue
            if node is None:
                raise UnknownName(f"{display_path(path)} is not in this point", hint="look with `holdfast ls POINT`")
            yield from walk.of(node, path)

    def children(self, folders: Sequence[bytes]) -> Iterator[Entry]:
        """As `PointReader.children`. Folders below one that was listed are found at once."""
        self._met.settle_now_and_then()
        for folder in folders:
            yield from self._children(folder)

    def _children(self, folder: bytes) -> Iterator[Entry]:
        tree = self._folders.get(folder)
        if tree is None:
            yield from self._children_by_path(folder)
            return
        for entry, subtree in self._trees.folder(tree, b"" if folder == b"/" else folder):
            if subtree is not None:
                self._know(entry.path, subtree)
            yield entry

    def _children_by_path(self, folder: bytes) -> Iterator[Entry]:
        node = self._trees.node_at(self._tree, folder)
        if node is not None and node.subtree is not None:
            self._know(folder, node.subtree)
            yield from self._children(folder)
        else:
            yield from self._trees.children(self._tree, folder)

    def _know(self, folder: bytes, tree: bytes) -> None:
        if len(self._folders) >= _KNOWN_FOLDERS:
            self._folders = {b"/": self._tree}
        self._folders[folder] = tree

    def payloads(self, ids: Sequence[bytes]) -> Iterator[Payload]:
        self._interior.lock.settle()
        return self._chunks.payloads(ids)

    def answers(self, questions: Iterable[Sequence[bytes]]) -> Iterator[Answer]:
        self._interior.lock.settle()
        return self._chunks.answers(questions)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._met.settle()
            self._interior.blobs.in_use.let_go(self._held_trees)
            self._interior.leave()


class StoredChunks:
    """A `ChunkSource` over the packs: frames leave as they are stored, and nothing is ever withdrawn."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks

    def payloads(self, ids: Sequence[bytes], compression: Compression) -> Iterator[Payload | Withdrawn]:
        return self._chunks.payloads(ids)


def parents_of(roots: Sequence[bytes]) -> frozenset[bytes]:
    """The folders above these paths, without the root of all."""
    found = set()
    for root in roots:
        end = root.rfind(b"/")
        while end > 0:
            found.add(root[:end])
            end = root.rfind(b"/", 0, end)
    return frozenset(found)


@dataclass(frozen=True)
class Step:
    """From tree `base` (None = nothing) to `tree`, as commit `run`. `parents`: folders that are named even where they are equal. `within`:
    paths that alone count, with the folders above them; None = everything."""

    run: int
    base: bytes | None
    tree: bytes
    parents: frozenset[bytes]
    within: tuple[bytes, ...] | None = None


def outgoing_between(interior: Interior, step: Step, read: Read) -> Iterator[Outgoing]:
    """Its segments, under the session lock until the iterator ends or is closed. Raises `RepositoryDamaged`, which is recorded: a point
    that is not whole is not handed on."""
    interior.enter()
    met = interior.damage_met(read)
    base, tree, run = step.base, step.tree, step.run
    try:
        source = StoredChunks(Chunks(interior.storage, interior.blobs, met))
        trees = Trees(interior.storage, interior.blobs, met)
        changes = _changes(trees, trees.differences(base, tree, step.parents, step.within))
        with interior.blobs.in_use.reading((tree,) if base is None else (base, tree)):
            for segment in segments_of(changes):
                yield Outgoing(segment, (run,) * len(segment.changes), (run,) * len(segment.parts), source)
    finally:
        met.settle()
        interior.leave()


def _changes(trees: Trees, differences: Iterator[Difference]) -> Iterator[Change]:
    while batch := list(islice(differences, _BATCH)):
        present = [(d.path[: d.path.rfind(b"/")], d.new) for d in batch if d.new is not None]
        entries = iter(trees.entries_of(present))
        for difference in batch:
            entry = next(entries) if difference.new is not None else None
            if entry is not None:
                yield Put(entry)
            elif difference.old is not None:
                yield Remove(difference.path)


def segments_of(changes: Iterator[Change]) -> Iterator[Segment]:
    """Cut changes into segments; the chunks of files larger than a segment go ahead as parts. An empty stream gives no segment."""
    number = 0
    pending: list[Change] = []
    carried: set[bytes] = set()
    size = 0
    for change in changes:
        weight = sum(ref.size_bytes for ref in change.entry.chunks) if isinstance(change, Put) else 0
        if pending and (size + weight > SEGMENT_BYTES or len(pending) >= SEGMENT_CHANGES):
            yield _segment(number, pending, carried)
            number, pending, size = number + 1, [], 0
        if isinstance(change, Put) and weight > SEGMENT_BYTES:
            for part in parts_of(change.entry):
                yield Segment(number=number, parts=(part,), offered=tuple(dict.fromkeys(part.chunks)))
                number += 1
            carried.add(change.entry.path)
            weight = 0
        pending.append(change)
        size += weight
    if pending:
        yield _segment(number, pending, carried)


def _segment(number: int, changes: list[Change], carried: set[bytes]) -> Segment:
    bare = Segment(number=number, changes=tuple(changes))
    segment = Segment(number=number, changes=bare.changes, offered=offered_by(bare, carried))
    carried.clear()
    return segment


def parts_of(entry: Entry) -> Iterator[Part]:
    """A large file's chunks in runs of at most a segment's bytes."""
    assert entry.kind is Kind.FILE
    run: list[ChunkRef] = []
    offset = size = 0
    for ref in entry.chunks:
        if run and size + ref.size_bytes > SEGMENT_BYTES:
            yield Part(entry.path, offset, tuple(run))
            offset, size, run = offset + size, 0, []
        run.append(ref)
        size += ref.size_bytes
    if run:
        yield Part(entry.path, offset, tuple(run))

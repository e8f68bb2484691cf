"""All entries below a tree, many at a time, with the places of their chunks: for restores.

The trees of neighbouring folders are read together, and the index is asked once for all their chunks.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256

from holdfast.core.errors import RepositoryDamaged
from holdfast.model.entry import Entry
from holdfast.model.reading import Listed, LostFolder
from holdfast.repository._format.pack import BlobType, plain_of
from holdfast.repository._format.seal import OVERHEAD
from holdfast.repository._format.tree import DecodedNode, RawNode, decode_node, decode_tree, entry_of
from holdfast.repository.catalog.blob_table import BlobTable, Place
from holdfast.repository.packs.chunks import opened, runs_of
from holdfast.repository.packs.known_places import KnownPlaces
from holdfast.repository.packs.storage import Storage
from holdfast.repository.packs.trees import Trees

_LISTED_ENTRIES = 2_000
_LISTED_CHUNKS = 100_000
# Folders that are read ahead together: so many, but no more than so many bytes of trees.
_AHEAD = 64
_AHEAD_BYTES = 1 << 20
# A place's number is its pack's, then its offset in it, which the format keeps below 4 GiB.
_OFFSET_BITS = 32


@dataclass
class _Run:
    """Entries of one folder, the places of their chunks, and the tree of the last one if that is a folder."""

    entries: list[Entry] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    subtree: bytes | None = None


@dataclass
class _Folder:
    """A folder being walked. `left` are its folders not yet opened, `ahead` those of them that are read already, both in order."""

    runs: Iterator[_Run]
    left: deque[tuple[bytes, bytes]]
    ahead: deque[_Folder] = field(default_factory=deque)


class PointWalk:
    """For one thread. Where chunks lie is `known` afterwards. A folder whose tree cannot be had is named as lost, the others go on."""

    def __init__(self, storage: Storage, blobs: BlobTable, known: KnownPlaces, trees: Trees) -> None:
        self._storage = storage
        self._blobs = blobs
        self._known = known
        self._trees = trees
        self._lost: list[LostFolder] = []

    def of(self, raw: RawNode, path: bytes) -> Iterator[Listed]:
        """A path and what is below it; nothing of a kind that is never captured."""
        node = decode_node(raw)
        if node is None:
            return
        sizes, places = self._chunks([node])
        yield Listed([entry_of(node, path[: path.rfind(b"/")], sizes)], [places[chunk] for chunk in node.content])
        if node.subtree is not None:
            yield from self.below(node.subtree, path)

    def below(self, tree: bytes, path: bytes) -> Iterator[Listed]:
        """What is in the folder `path` (b"" = the root of all) and below it, in walk order."""
        entries: list[Entry] = []
        places = array("Q")
        stack = [self._open([(tree, path)])[0]]
        while stack:
            folder = stack[-1]
            run = next(folder.runs, None)
            if run is None:
                stack.pop()
                continue
            entries += run.entries
            places.extend(run.places)
            if run.subtree is not None:
                stack.append(self._next_of(folder))
            if len(entries) >= _LISTED_ENTRIES or len(places) >= _LISTED_CHUNKS:
                yield Listed(entries, places, self._taken())
                entries, places = [], array("Q")
        if entries or self._lost:
            yield Listed(entries, places, self._taken())

    def _taken(self) -> list[LostFolder]:
        lost, self._lost = self._lost, []
        return lost

    def _next_of(self, folder: _Folder) -> _Folder:
        if not folder.ahead:
            folder.ahead.extend(self._open([folder.left.popleft() for _ in range(min(_AHEAD, len(folder.left)))], folder.left))
        return folder.ahead.popleft()

    def _open(self, wanted: Sequence[tuple[bytes, bytes]], left: deque[tuple[bytes, bytes]] | None = None) -> list[_Folder]:
        """Folders by (tree, path); those at the end that would be too much at once are put back to the front of `left`."""
        trees = self._blobs.places(list({tree for tree, _ in wanted}), BlobType.TREE)
        size = count = 0
        for tree, _ in wanted:
            size += trees[tree].blob.plain_bytes if tree in trees else 0
            if count and left is not None and size > _AHEAD_BYTES:
                break
            count += 1
        if left is not None:
            left.extendleft(reversed(wanted[count:]))
        loaded = self._load({tree for tree, _ in wanted[:count]}, trees)
        decoded = [(path, self._decoded(loaded[tree], path)) for tree, path in wanted[:count]]
        sizes, places = self._chunks([node for _, nodes in decoded for node in nodes])
        return [_folder(path, nodes, sizes, places) for path, nodes in decoded]

    def _decoded(self, loaded: bytes | RepositoryDamaged, path: bytes) -> Sequence[DecodedNode]:
        """The nodes of a tree; none where it is lost, which is noted."""
        try:
            if isinstance(loaded, bytes):
                return decode_tree(loaded)
            reason = loaded.message
        except RepositoryDamaged as error:
            reason = error.message
        self._lost.append(LostFolder(path or b"/", reason))
        return ()

    def _load(self, wanted: AbstractSet[bytes], places: Mapping[bytes, Place]) -> dict[bytes, bytes | RepositoryDamaged]:
        """The plain bytes of each tree, or why it cannot be had: neighbours in one read, where none of them is damaged."""
        loaded: dict[bytes, bytes | RepositoryDamaged] = {}
        for run in runs_of(places[tree] for tree in wanted if tree in places):
            with suppress(RepositoryDamaged):
                loaded.update(self._read(run))
        if len(loaded) < len(wanted):
            loaded.update(self._trees.load_many([tree for tree in wanted if tree not in loaded]))
        return loaded

    def _read(self, run: Sequence[Place]) -> dict[bytes, bytes]:
        plains = {}
        for place, data in zip(run, opened(self._storage, run), strict=True):
            plain = plain_of(data, place.blob.raw_bytes)
            if sha256(plain).digest() != place.blob.id:
                raise RepositoryDamaged(
                    f"tree {place.blob.id.hex()} in pack {place.pack.hex()} has other content",
                    hint="run `holdfast repository check NAME`",
                )
            plains[place.blob.id] = plain
        return plains

    def _chunks(self, nodes: Sequence[DecodedNode]) -> tuple[dict[bytes, int], dict[bytes, int]]:
        """Plain length and place of each chunk these nodes name; 0 for those in no index."""
        sizes = {chunk: 0 for node in nodes for chunk in node.content}
        places = sizes.copy()
        for chunk, pack, offset, length, raw in self._known.rows(list(sizes)):
            sizes[chunk] = raw or length - OVERHEAD
            places[chunk] = pack << _OFFSET_BITS | offset
        return sizes, places


def _folder(path: bytes, nodes: Sequence[DecodedNode], sizes: dict[bytes, int], places: dict[bytes, int]) -> _Folder:
    runs = [_Run()]
    left: deque[tuple[bytes, bytes]] = deque()
    entries, found = runs[0].entries, runs[0].places
    for node in nodes:
        entries.append(entry_of(node, path, sizes))
        for chunk in node.content:
            found.append(places[chunk])
        if node.subtree is not None:
            left.append((node.subtree, path + b"/" + node.name))
            runs[-1].subtree = node.subtree
            runs.append(_Run())
            entries, found = runs[-1].entries, runs[-1].places
    return _Folder(iter(runs), left)

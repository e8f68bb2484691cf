"""Reading trees: load, walk in walk order, compare two of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from holdfast.core.errors import RepositoryDamaged, RepositoryMissing, StoreError, UnknownName
from holdfast.model.entry import ChunkRef, Entry, Kind, display_path, is_below, walk_key
from holdfast.repository._format.pack import BlobType
from holdfast.repository._format.tree import DecodedNode, RawNode, decode_node, decode_tree, entry_of, split_tree, without_subtree
from holdfast.repository.catalog.blob_table import BlobTable, Place
from holdfast.repository.packs.damage_watch import DamageWatch, Unwatched
from holdfast.repository.packs.storage import Storage

OnLost = Callable[[bytes, RepositoryDamaged], None]
"""Told of a folder whose listing cannot be had, and why."""


class Difference(NamedTuple):
    """One path that differs between two trees; None on the side where it is not."""

    path: bytes
    old: RawNode | None
    new: RawNode | None


class Trees:
    """Trees of one repository. A path's folder b"" is the root of all. Of a tree that is damaged in one pack the copy in another is
    taken, where the watch knows of one. `beside`: the plain bytes of trees that are in no pack."""

    def __init__(
        self, storage: Storage, blobs: BlobTable, watch: DamageWatch | None = None, beside: Mapping[bytes, bytes] | None = None
    ) -> None:
        self._storage = storage
        self._blobs = blobs
        self._watch = watch or Unwatched()
        self._beside = beside if beside is not None else {}

    def with_beside(self, beside: Mapping[bytes, bytes]) -> Trees:
        """The same, and these."""
        return Trees(self._storage, self._blobs, self._watch, beside)

    def load(self, tree_id: bytes) -> list[RawNode]:
        """The nodes of one tree; raises `RepositoryDamaged` when it is not there or not whole."""
        return split_tree(self._plain(tree_id))

    def _plain(self, tree_id: bytes) -> bytes:
        if (plain := self._beside.get(tree_id)) is not None:
            return plain
        place = self._blobs.place(tree_id, BlobType.TREE)
        if place is None:
            raise self._in_no_index(tree_id)
        return self._at(place)

    def _at(self, place: Place) -> bytes:
        try:
            return self._storage.load_blob(place)
        except RepositoryDamaged as error:
            damage = error
        except (RepositoryMissing, StoreError) as error:
            damage = RepositoryDamaged(f"tree {place.blob.id.hex()}: {error.message}", hint="run `holdfast repository check NAME`")
        other = self._watch.damaged(place, damage.message)
        if other is None:
            raise damage
        return self._at(other)

    def load_many(self, tree_ids: Sequence[bytes]) -> Iterator[tuple[bytes, bytes | RepositoryDamaged]]:
        """The plain bytes of each tree, or why it cannot be had, in pack order."""
        places = self._blobs.places(tree_ids, BlobType.TREE)
        for tree_id in tree_ids:
            if (plain := self._beside.get(tree_id)) is not None:
                places.pop(tree_id, None)
                yield tree_id, plain
            elif tree_id not in places:
                yield tree_id, self._in_no_index(tree_id)
        for place in sorted(places.values(), key=lambda place: (place.pack, place.blob.offset)):
            try:
                yield place.blob.id, self._at(place)
            except RepositoryDamaged as error:
                yield place.blob.id, error

    def _in_no_index(self, tree_id: bytes) -> RepositoryDamaged:
        reason = f"tree {tree_id.hex()} is in no index"
        self._watch.missing(BlobType.TREE, tree_id, reason)
        return RepositoryDamaged(reason, hint="run `holdfast repository check NAME`")

    def entries_of(self, nodes: Sequence[tuple[bytes, RawNode]]) -> list[Entry | None]:
        """The entries of (folder, node) pairs, sizes looked up together; None for kinds we never capture."""
        decoded: list[DecodedNode | None] = [decode_node(node) for _, node in nodes]
        sizes = self._sizes([node for node in decoded if node is not None])
        return [entry_of(node, folder, sizes) if node is not None else None for (folder, _), node in zip(nodes, decoded, strict=True)]

    def _sizes(self, nodes: Sequence[DecodedNode]) -> dict[bytes, int]:
        return self._blobs.sizes(list({chunk for node in nodes for chunk in node.content}))

    def node_at(self, root: bytes, path: bytes) -> RawNode | None:
        """The node of a path; None when it is not there."""
        return Descent(self, root).node_at(path)

    def content_at(self, root: bytes, path: bytes, unsealed: Mapping[bytes, int]) -> tuple[ChunkRef, ...]:
        """What the file at this path consists of; nothing where there is no file, or where it has chunks that are in no index. `unsealed`:
        the sizes of chunks that are in none yet."""
        node = self.node_at(root, path)
        decoded = None if node is None else decode_node(node)
        if decoded is None:
            return ()
        sizes = {**self._sizes([decoded]), **unsealed} if unsealed else self._sizes([decoded])
        if not all(chunk in sizes for chunk in decoded.content):
            return ()
        return tuple([ChunkRef(chunk, sizes[chunk]) for chunk in decoded.content])

    def walk(self, root: bytes, paths: Sequence[bytes] = (), after: bytes = b"", on_lost: OnLost | None = None) -> Iterator[Entry]:
        """Entries at or below these paths (none = all), in walk order, each once, those up to `after` left out.

        Raises `UnknownName` when a named path is not there. With `on_lost` a folder below them whose listing is lost ends nothing else;
        without it `RepositoryDamaged` is raised.
        """
        after_key = walk_key(after) if after else b""
        if not paths or b"/" in paths:
            yield from self._below(root, b"", after_key, on_lost)
            return
        last: bytes | None = None
        for path in sorted(set(paths), key=walk_key):
            if last is not None and path.startswith(last + b"/"):
                continue
            last = path
            node = self.node_at(root, path)
            if node is None:
                raise UnknownName(f"{display_path(path)} is not in this point", hint="look with `holdfast ls POINT`")
            folder = path[: path.rfind(b"/")]
            if walk_key(path) > after_key:
                yield from (entry for entry in self.entries_of([(folder, node)]) if entry is not None)
            if node.subtree is not None:
                yield from self._below(node.subtree, path, after_key, on_lost)

    def children(self, root: bytes, folder: bytes, after: bytes = b"") -> Iterator[Entry]:
        """The direct children of a folder, those up to path `after` left out; of another kind of file, itself."""
        if folder == b"/":
            folder, tree = b"", root
        else:
            node = self.node_at(root, folder)
            if node is None:
                raise UnknownName(f"{display_path(folder)} is not in this point", hint="look with `holdfast ls POINT`")
            if node.subtree is None:
                yield from (e for e in self.entries_of([(folder[: folder.rfind(b"/")], node)]) if e is not None and not after)
                return
            tree = node.subtree
        for entry, _ in self.folder(tree, folder):
            if not after or walk_key(entry.path) > walk_key(after):
                yield entry

    def folder(self, tree: bytes, folder: bytes, on_lost: OnLost | None = None) -> list[tuple[Entry, bytes | None]]:
        """The entries of one folder with their subtrees; none where it is lost and somebody is told, else `RepositoryDamaged` is raised."""
        try:
            nodes = decode_tree(self._plain(tree))
        except RepositoryDamaged as error:
            if on_lost is None:
                raise
            on_lost(folder or b"/", error)
            return []
        sizes = self._sizes(nodes)
        return [(entry_of(node, folder, sizes), node.subtree) for node in nodes]

    def _below(self, tree: bytes, folder: bytes, after_key: bytes, on_lost: OnLost | None = None) -> Iterator[Entry]:
        stack = [iter(self.folder(tree, folder, on_lost))]
        while stack:
            step = next(stack[-1], None)
            if step is None:
                stack.pop()
                continue
            entry, subtree = step
            key = walk_key(entry.path) if after_key else b"\xff"
            if key > after_key:
                yield entry
            elif after_key != key and not after_key.startswith(key + b"\x00"):
                continue
            if subtree is not None:
                stack.append(iter(self.folder(subtree, entry.path, on_lost)))

    def differences(
        self,
        old: bytes | None,
        new: bytes | None,
        always: frozenset[bytes] = frozenset(),
        within: tuple[bytes, ...] | None = None,
    ) -> Iterator[Difference]:
        """Paths whose own facts differ between two trees (None = empty), in walk order; equal subtrees are not opened.

        Folders in `always` are named even if they are equal. With `within` only what lies at or below these paths is compared, and the
        folders that lead there: what stands in their place and is no folder counts as nothing.
        """
        stack = [(b"", self._pairs(old, new))]
        while stack:
            folder, pairs = stack[-1]
            pair = next(pairs, None)
            if pair is None:
                stack.pop()
                continue
            name, left, right = pair
            path = folder + b"/" + name
            if within is not None and not any(is_below(path, root) for root in within):
                if not any(is_below(root, path) for root in within):
                    continue
                left, right = (node if is_folder(node) else None for node in (left, right))
            named = path in always
            if left is not None and right is not None and left.raw == right.raw and not named:
                continue
            if named or left is None or right is None or without_subtree(left) != without_subtree(right):
                yield Difference(path, left, right)
            below_left = left.subtree if left is not None else None
            below_right = right.subtree if right is not None else None
            if below_left != below_right or (named and below_right is not None):
                stack.append((path, self._pairs(below_left, below_right)))

    def _pairs(self, old: bytes | None, new: bytes | None) -> Iterator[tuple[bytes, RawNode | None, RawNode | None]]:
        """Both folders' children by name."""
        left = {node.name: node for node in self.load(old)} if old is not None else {}
        right = {node.name: node for node in self.load(new)} if new is not None else {}
        for name in sorted(left.keys() | right.keys()):
            yield name, left.get(name), right.get(name)


def is_folder(node: RawNode | None) -> bool:
    return node is not None and node.kind == Kind.DIRECTORY.value


class Descent:
    """Finds the nodes of many paths below one tree. The folders on the way of the last one are still there for the next, so that in walk
    order each folder is loaded once: a tree of thousands of entries takes milliseconds."""

    def __init__(self, trees: Trees, root: bytes) -> None:
        self._trees = trees
        self._root = root
        self._way: list[tuple[bytes, dict[bytes, RawNode]]] = []

    def node_at(self, path: bytes) -> RawNode | None:
        """None when it is not there. Raises `RepositoryDamaged`."""
        tree: bytes | None = self._root
        node: RawNode | None = None
        for depth, name in enumerate(path[1:].split(b"/")):
            if tree is None:
                return None
            node = self._children(depth, tree).get(name)
            if node is None:
                return None
            tree = node.subtree
        return node

    def _children(self, depth: int, tree: bytes) -> dict[bytes, RawNode]:
        if depth == len(self._way) or self._way[depth][0] != tree:
            del self._way[depth:]
            self._way.append((tree, {child.name: child for child in self._trees.load(tree)}))
        return self._way[depth][1]

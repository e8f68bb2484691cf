"""Building a tree from changes in walk order, merged with the tree before. Memory is one folder for each level.

Nodes nobody touched are copied as they stand, with all they hold; a folder that comes out equal keeps its blob.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from hashlib import sha256
from operator import attrgetter

from msgspec.structs import replace

from holdfast.core.errors import ProtocolError, RepositoryDamaged
from holdfast.model.entry import ChunkRef, Entry, Kind, check_path, name_of, walk_key
from holdfast.repository._format.tree import RawNode, decode_node, encode_node, encode_tree, with_subtree, without_subtree
from holdfast.repository.catalog.version_table import Ended, NewVersion
from holdfast.repository.packs.trees import Trees, is_folder
from holdfast.repository.splices import FEWEST_CHUNKS, Piece, spliced

_NO_TREE = bytes(32)
_node_name = attrgetter("name")


class _Folder:
    """An open folder. `entry` = new facts, else `node` = the old ones; neither for the root of all."""

    __slots__ = ("changed", "entry", "loaded", "node", "old", "out", "path", "position", "tree")

    def __init__(self, path: bytes, tree: bytes | None, *, node: RawNode | None = None, entry: Entry | None = None) -> None:
        self.path = path
        self.tree = tree
        self.node = node
        self.entry = entry
        self.loaded = False
        self.old: list[RawNode] = []
        self.position = 0
        self.out: list[bytes] = []
        self.changed = tree is None


class TreeBuilder:
    """`full`: what is not put does not exist; the tree before then only serves to find what stayed equal, and for `keep`.

    `ended` and `new` gather what changed for the catalog, `replaced` the trees of folders that have others now; the caller takes them
    away. Raises `ProtocolError` when the changes break the
    contract of the stream, `RepositoryDamaged` when the tree before cannot be read (a full commit goes on without it).
    """

    def __init__(self, trees: Trees, add_tree: Callable[[bytes, bytes], None], before: bytes | None, *, full: bool) -> None:
        self._trees = trees
        self._add_tree = add_tree
        self._full = full
        self._stack = [_Folder(b"", before)]
        self._last_key: bytes | None = None
        self.ended: list[Ended] = []
        self.new: list[NewVersion] = []
        self.replaced: list[bytes] = []

    def put(self, entry: Entry, *, anew: bool = False, pieces: tuple[Piece, ...] | None = None) -> None:
        """`anew`: what was at the path and below it before is gone. `pieces`: the entry's chunks, by those the file had before."""
        path = entry.path
        if not self._in_order(path):
            return
        folder, _, name = path.rpartition(b"/")
        parent = self._stack[-1]
        # Mostly it lies in the folder that is on top.
        if folder != parent.path:
            if not self._enter(path):
                raise ProtocolError(f"a change below a folder that was never put: {path!r}")
            parent = self._stack[-1]
        # A new folder has nothing to compare with.
        old = self._advance(parent, name) if parent.tree is not None or not parent.loaded else None
        if anew and old is not None:
            parent.changed = True
            self.ended.append(Ended(path))
            old = None
        if entry.kind is Kind.DIRECTORY:
            self._put_folder(entry, old)
            return
        if pieces is not None:
            entry = replace(entry, chunks=spliced([ChunkRef(chunk, 0) for chunk in _chunks_of(old)], pieces))
        node = encode_node(entry)
        if old is None or old.raw != node:
            parent.changed = True
            self.new.append(NewVersion(entry, old is not None, _chunks_of(old) if len(entry.chunks) >= FEWEST_CHUNKS else ()))
            if is_folder(old):
                self.ended.append(Ended(entry.path, below_only=True))
        parent.out.append(node)

    def remove(self, path: bytes) -> None:
        """What is not there, or went with its folder, is nothing."""
        if self._in_order(path) and self._enter(path):
            parent = self._stack[-1]
            if self._advance(parent, name_of(path)) is not None:
                parent.changed = True
                self.ended.append(Ended(path))

    def keep(self, path: bytes) -> None:
        """Leave what was there before: its new state could not be had."""
        if self._in_order(path) and self._enter(path):
            parent = self._stack[-1]
            old = self._advance(parent, name_of(path))
            if old is not None:
                parent.out.append(old.raw)

    def finish(self) -> bytes:
        """The root tree's id; it and all below have gone to `add_tree` or were there before."""
        while len(self._stack) > 1:
            self._leave()
        return self._close(self._stack[0])

    def _in_order(self, path: bytes) -> bool:
        """False for the root of all, which has no node in a restic tree."""
        # Paths below a folder that was checked need no second look at its part of them.
        folder, slash, name = path.rpartition(b"/")
        if not slash or folder != self._stack[-1].path or not name or name in (b".", b"..") or len(name) > 255 or b"\x00" in name:
            check_path(path)
        key = walk_key(path)
        if self._last_key is not None and key <= self._last_key:
            raise ProtocolError(f"changes are not in walk order at {path!r}")
        self._last_key = key
        return path != b"/"

    def _enter(self, path: bytes) -> bool:
        """Make the parent of `path` the top of the stack; False when there is no such folder."""
        parent = path[: path.rfind(b"/")]
        while len(self._stack) > 1 and parent != self._stack[-1].path and not parent.startswith(self._stack[-1].path + b"/"):
            self._leave()
        while (top := self._stack[-1]).path != parent:
            if self._full:
                return False
            end = parent.find(b"/", len(top.path) + 1)
            child = parent if end < 0 else parent[:end]
            node = self._advance(top, name_of(child))
            if node is None or node.subtree is None:
                if node is not None:
                    top.out.append(node.raw)
                return False
            self._stack.append(_Folder(child, node.subtree, node=node))
        return True

    def _put_folder(self, entry: Entry, old: RawNode | None) -> None:
        subtree = old.subtree if old is not None else None
        if old is None or subtree is None or without_subtree(old) != encode_node(entry, _NO_TREE):
            self.new.append(NewVersion(entry, old is not None))
        self._stack.append(_Folder(entry.path, subtree, node=old, entry=entry))

    def _load(self, folder: _Folder) -> None:
        folder.loaded = True
        if folder.tree is None:
            return
        try:
            folder.old = self._trees.load(folder.tree)
        except RepositoryDamaged:
            if not self._full:
                raise
            # Everything is being put again; what cannot be read any more is simply not there to compare with.
            folder.changed = True
            folder.tree = None
            self.ended.append(Ended(folder.path, below_only=True))

    def _advance(self, folder: _Folder, name: bytes) -> RawNode | None:
        """Pass the old nodes before `name`, and take the one of that name."""
        if not folder.loaded:
            self._load(folder)
        old, position = folder.old, folder.position
        if position < len(old) and old[position].name < name:
            before, position = position, bisect_left(old, name, position, key=_node_name)
            self._pass(folder, old[before:position])
        found = None
        if position < len(old) and old[position].name == name:
            found = old[position]
            position += 1
        folder.position = position
        return found

    def _pass(self, folder: _Folder, nodes: Sequence[RawNode]) -> None:
        """Old nodes that no change named."""
        if not self._full:
            folder.out += [node.raw for node in nodes]
        elif nodes:
            folder.changed = True
            self.ended += [Ended(folder.path + b"/" + node.name) for node in nodes]

    def _leave(self) -> None:
        folder = self._stack.pop()
        subtree = self._close(folder)
        if folder.entry is not None:
            raw = encode_node(folder.entry, subtree)
        else:
            assert folder.node is not None
            raw = with_subtree(folder.node, subtree)
        parent = self._stack[-1]
        if folder.node is None or folder.node.raw != raw:
            parent.changed = True
        parent.out.append(raw)

    def _close(self, folder: _Folder) -> bytes:
        """The id of the folder's tree."""
        if not folder.loaded:
            if folder.tree is not None and not self._full:
                return folder.tree
            self._load(folder)
        self._pass(folder, folder.old[folder.position :])
        if not folder.changed and folder.tree is not None:
            return folder.tree
        plain = encode_tree(folder.out)
        tree = sha256(plain).digest()
        if folder.tree is not None:
            self.replaced.append(folder.tree)
        self._add_tree(tree, plain)
        return tree


def _chunks_of(node: RawNode | None) -> tuple[bytes, ...]:
    decoded = decode_node(node) if node is not None else None
    return decoded.content if decoded is not None else ()

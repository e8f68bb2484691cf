"""All differences of two trees with what moved among them: known by content and inode.

An inode alone says little, since the next file may get the number of one that was removed. So a file moved when its content is the same
(the same inode is taken first, then the same name); a folder when all in it is the same, or when it has the same inode and half of what
was in it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Iterable
from hashlib import sha256

from holdfast.model.entry import Kind, walk_key
from holdfast.repository._format.tree import DecodedNode, encode_tree
from holdfast.repository.answers.tree_differences import Row, TwoTrees, differs, subtree_of

_CHUNKS_AS_ONE = 16
# All empty folders are alike: that says nothing.
_EMPTY = sha256(encode_tree(())).digest()


class TooMany(Exception):
    """More differs than is held at once."""


class _Single:
    """A path that is in one of the trees only. `path` is where it is there, `shown` where a row of it stands."""

    __slots__ = ("is_used", "key", "node", "path", "shown")

    def __init__(self, path: bytes, shown: bytes, node: DecodedNode) -> None:
        self.path = path
        self.key = walk_key(path)
        self.shown = shown
        self.node = node
        self.is_used = False

    @property
    def inode(self) -> Hashable | None:
        facts = self.node.node
        return (facts.device_id, facts.inode) if facts.inode else None


class _Singles:
    """In walk order, those that are used left out."""

    def __init__(self, some: Iterable[_Single]) -> None:
        self.all = sorted((each for each in some if not each.is_used), key=_key)
        self._keys = [each.key for each in self.all]

    def folders(self) -> list[_Single]:
        return [each for each in self.all if each.node.subtree is not None]

    def below(self, folder: _Single) -> list[_Single]:
        return self.all[bisect_left(self._keys, folder.key + b"\x00") : bisect_left(self._keys, folder.key + b"\x01")]

    def use(self, folder: _Single) -> None:
        """The folder and all below it."""
        folder.is_used = True
        for each in self.below(folder):
            each.is_used = True


class Comparison:
    """One use. `most`: so many differing paths are held."""

    def __init__(self, trees: TwoTrees, most: int) -> None:
        self._trees = trees
        self._left = most
        self._rows: list[Row] = []
        self._gone: list[_Single] = []
        self._come: list[_Single] = []

    def rows(self) -> list[Row]:
        """In walk order. Raises `TooMany`."""
        self._walk(self._trees.old.tree, self._trees.new.tree, b"", b"")
        gone: list[_Single] = []
        come: list[_Single] = []
        while self._gone or self._come:
            # First whole folders as they are: most that move are among them, and need not be opened.
            while self._pair_folders(_Singles(self._gone), _Singles(self._come)):
                pass
            more_gone, more_come = self._opened()
            gone, come = gone + more_gone, come + more_come
            self._pair_folders(_Singles(gone), _Singles(come))
        self._pair_others(_Singles(gone).all, _Singles(come).all)
        self._rows += [Row(each.shown, each.path, each.node, None) for each in gone if not each.is_used]
        self._rows += [Row(each.shown, each.path, None, each.node) for each in come if not each.is_used]
        return sorted(self._rows, key=lambda row: walk_key(row.path))

    def _walk(self, old: bytes | None, new: bytes | None, old_path: bytes, path: bytes) -> None:
        waiting = [(old, new, old_path, path)]
        while waiting:
            old, new, old_path, path = waiting.pop()
            for pair in self._trees.pairs(old, new, old_path, path):
                was, at = old_path + b"/" + pair.name, path + b"/" + pair.name
                if pair.new is None and pair.old is not None:
                    self._gone.append(self._single(was, at, pair.old))
                elif pair.old is None and pair.new is not None:
                    self._come.append(self._single(at, at, pair.new))
                else:
                    self._add(Row(at, was, pair.old, pair.new))
                    below = subtree_of(pair.old), subtree_of(pair.new)
                    if below[0] != below[1]:
                        waiting.append((*below, was, at))

    def _single(self, path: bytes, shown: bytes, node: DecodedNode) -> _Single:
        self._spend(node)
        return _Single(path, shown, node)

    def _add(self, row: Row) -> None:
        if row.is_moved or differs(row.old, row.new):
            for node in (row.old, row.new):
                self._spend(node)
            self._rows.append(row)

    def _spend(self, node: DecodedNode | None) -> None:
        self._left -= 1 + len(node.content) // _CHUNKS_AS_ONE if node is not None else 0
        if self._left < 0:
            raise TooMany

    def _opened(self) -> tuple[list[_Single], list[_Single]]:
        """Everything at and below what is gone and what has come."""
        gone = self._all_below(self._gone, is_old=True)
        come = self._all_below(self._come, is_old=False)
        self._gone, self._come = [], []
        return gone, come

    def _all_below(self, tops: Iterable[_Single], *, is_old: bool) -> list[_Single]:
        side = self._trees.old if is_old else self._trees.new
        found: list[_Single] = []
        waiting = [each for each in tops if not each.is_used]
        while waiting:
            each = waiting.pop()
            found.append(each)
            if each.node.subtree is not None:
                waiting += [
                    self._single(each.path + b"/" + child.name, each.shown + b"/" + child.name, child)
                    for child in side.children(each.node.subtree, each.path) or ()
                ]
        return found

    def _pair_folders(self, gone: _Singles, come: _Singles) -> bool:
        """Whether any moved; what is in those is compared, and is none of these any more."""
        by_inode: dict[Hashable, _Single] = {}
        by_tree: dict[Hashable, _Single] = {}
        for was in gone.folders():
            by_tree.setdefault(was.node.subtree, was)
            if was.inode is not None:
                by_inode.setdefault(was.inode, was)
        by_tree.pop(_EMPTY, None)
        found = False
        for now in come.folders():
            if now.is_used or (old := self._origin(now, by_inode, by_tree, gone)) is None:
                continue
            found = True
            gone.use(old)
            come.use(now)
            self._add(Row(now.shown, old.path, old.node, now.node, is_moved=True))
            if old.node.subtree != now.node.subtree:
                self._walk(old.node.subtree, now.node.subtree, old.path, now.path)
        return found

    def _origin(self, now: _Single, by_inode: dict[Hashable, _Single], by_tree: dict[Hashable, _Single], gone: _Singles) -> _Single | None:
        for was in (by_inode.get(now.inode), by_tree.get(now.node.subtree)):
            # What was in it and moved away by itself is told already.
            if was is not None and not was.is_used and self._is_alike(was, now) and not any(each.is_used for each in gone.below(was)):
                return was
        return None

    def _is_alike(self, was: _Single, now: _Single) -> bool:
        if was.node.subtree == now.node.subtree:
            return True
        before = {child.name: child for child in self._trees.old.children(was.node.subtree, was.path) or ()}
        after = self._trees.new.children(now.node.subtree, now.path) or ()
        same = sum(1 for child in after if child.name in before and _is_same(before[child.name], child))
        return same > 0 and same * 2 >= min(len(before), len(after))

    def _pair_others(self, gone: list[_Single], come: list[_Single]) -> None:
        were = [(key, each) for each in gone if (key := _content_key(each.node)) is not None]
        for alike in (_inode_of, _name_of, _nothing_of):
            found: dict[Hashable, list[_Single]] = defaultdict(list)
            for key, was in reversed(were):
                if not was.is_used:
                    found[key, alike(was)].append(was)
            for now in come:
                if now.is_used or (key := _content_key(now.node)) is None:
                    continue
                if candidates := found.get((key, alike(now))):
                    was = candidates.pop()
                    was.is_used = now.is_used = True
                    self._add(Row(now.shown, was.path, was.node, now.node, is_moved=True))


def _content_key(node: DecodedNode) -> Hashable | None:
    """What two files have in common when one is the other at another path; None for folders, and where nothing can say it."""
    if node.kind is Kind.DIRECTORY:
        return None
    if node.content:
        return node.content
    facts = node.node
    return (node.kind, facts.device_id, facts.inode, facts.mtime, facts.linktarget, facts.device) if facts.inode else None


def _key(each: _Single) -> bytes:
    return each.key


def _inode_of(each: _Single) -> Hashable:
    return each.inode


def _name_of(each: _Single) -> Hashable:
    return each.node.name


def _nothing_of(_each: _Single) -> Hashable:
    return ()


def _is_same(old: DecodedNode, new: DecodedNode) -> bool:
    return old.node == new.node or (old.kind is new.kind and old.node.inode == new.node.inode != 0)

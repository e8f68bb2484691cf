"""What differs between two trees, by walking both together; equal subtrees are not opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from holdfast.core.errors import RepositoryDamaged
from holdfast.model.differences import Change, Fact
from holdfast.model.entry import Kind, name_of, walk_key
from holdfast.repository._format.tree import DecodedNode, decode_tree, unix_mode
from holdfast.repository.packs.trees import Trees

MOST_LOST = 100

TellLost = Callable[[bytes, str], None]
"""Told of a folder of this side whose listing cannot be had, and why."""


class Row(NamedTuple):
    """A path that differs; None on the side where it is not. `old_path` is another than `path` for what moved, and for all in a folder that
    did."""

    path: bytes
    old_path: bytes
    old: DecodedNode | None
    new: DecodedNode | None
    is_moved: bool = False

    @property
    def change(self) -> Change:
        if self.old is None:
            return Change.ADDED
        if self.new is None:
            return Change.REMOVED
        return Change.MOVED if self.is_moved else Change.CHANGED


class Pair(NamedTuple):
    """A child of two folders, by name."""

    name: bytes
    old: DecodedNode | None
    new: DecodedNode | None


class TreeSide:
    """One of the two trees."""

    def __init__(self, tree: bytes, trees: Trees, lost: TellLost) -> None:
        self.tree = tree
        self._trees = trees
        self._lost = lost

    def children(self, tree: bytes | None, path: bytes) -> list[DecodedNode] | None:
        """Of the folder `path`; nothing for no tree, None where they are lost, which is told."""
        if tree is None:
            return []
        ((_, plain),) = self._trees.load_many([tree])
        try:
            if isinstance(plain, bytes):
                return decode_tree(plain)
            reason = plain.message
        except RepositoryDamaged as error:
            reason = error.message
        self._lost(path or b"/", reason)
        return None

    def node_at(self, path: bytes) -> DecodedNode | None:
        """None when it is not there, or on a lost way."""
        tree: bytes | None = self.tree
        node: DecodedNode | None = None
        at = b""
        for name in path[1:].split(b"/"):
            node = next((child for child in self.children(tree, at) or () if child.name == name), None)
            if node is None:
                return None
            tree, at = node.subtree, at + b"/" + name
        return node


class TwoTrees(NamedTuple):
    old: TreeSide
    new: TreeSide

    def pairs(self, old: bytes | None, new: bytes | None, old_path: bytes, path: bytes) -> list[Pair]:
        """The children of two folders (None = there is none) that are not equal, in order. None of a folder that is lost on a side: nobody
        knows what became of them."""
        before, after = self.old.children(old, old_path), self.new.children(new, path)
        if before is None or after is None:
            return []
        left, right = ({node.name: node for node in nodes} for nodes in (before, after))
        found = (Pair(name, left.get(name), right.get(name)) for name in sorted(left.keys() | right.keys()))
        return [pair for pair in found if pair.old is None or pair.new is None or pair.old.node != pair.new.node]

    def rows(self, path: bytes, after: bytes) -> Iterator[Row]:
        """Every difference at or below a path (b"" = everywhere) in walk order, those up to `after` left out: nothing is known as moved."""
        after_key = walk_key(after) if after else b""
        for pair, subtrees in self._beginning(path):
            stack: list[tuple[bytes, Iterator[Pair]]] = []
            folder = path[: path.rfind(b"/")] if path else b""
            if pair is not None:
                stack.append((folder, iter([pair])))
            else:
                stack.append((path, iter(self.pairs(*subtrees, path, path))))
            while stack:
                folder, left = stack[-1]
                step = next(left, None)
                if step is None:
                    stack.pop()
                    continue
                at = folder + b"/" + step.name
                key = walk_key(at)
                if key > after_key:
                    if differs(step.old, step.new):
                        yield Row(at, at, step.old, step.new)
                elif after_key != key and not after_key.startswith(key + b"\x00"):
                    continue
                below = subtree_of(step.old), subtree_of(step.new)
                if below[0] != below[1]:
                    stack.append((at, iter(self.pairs(*below, at, at))))

    def _beginning(self, path: bytes) -> Iterator[tuple[Pair | None, tuple[bytes | None, bytes | None]]]:
        if not path:
            yield None, (self.old.tree, self.new.tree)
            return
        old, new = self.old.node_at(path), self.new.node_at(path)
        if (old or new) is not None:
            yield Pair(name_of(path), old, new), (None, None)


def subtree_of(node: DecodedNode | None) -> bytes | None:
    return node.subtree if node is not None else None


def differs(old: DecodedNode | None, new: DecodedNode | None) -> bool:
    """Whether that is worth a row. That a folder's time is another is said by what changed in it."""
    if old is None or new is None:
        return old is not new
    facts = facts_between(old, new)
    return bool(facts) and not (facts == (Fact.TIME,) and new.kind is Kind.DIRECTORY)


def facts_between(old: DecodedNode, new: DecodedNode) -> tuple[Fact, ...]:
    """What a restore would make otherwise: not when it was looked at, nor which inode it had."""
    a, b = old.node, new.node
    found = (
        (Fact.TYPE, old.kind is not new.kind),
        (Fact.CONTENT, (old.kind is Kind.FILE or new.kind is Kind.FILE) and (old.content != new.content or a.size != b.size)),
        (Fact.TARGET, (a.linktarget, a.linktarget_raw) != (b.linktarget, b.linktarget_raw)),
        (Fact.DEVICE, a.device != b.device),
        (Fact.MODE, unix_mode(a.mode) != unix_mode(b.mode)),
        (Fact.OWNER, (a.uid, a.gid, a.user, a.group) != (b.uid, b.gid, b.user, b.group)),
        (Fact.TIME, a.mtime != b.mtime),
        (Fact.ATTRIBUTES, _attributes(old) != _attributes(new)),
    )
    return tuple(fact for fact, is_other in found if is_other)


def _attributes(node: DecodedNode) -> tuple[object, ...]:
    odd = node.node.generic_attributes.xattrs if node.node.generic_attributes is not None else ()
    return tuple((each.name, each.value) for each in node.node.extended_attributes or ()), odd

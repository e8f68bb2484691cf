"""What turned one tree into another, as the catalog wants to know it: many trees read at a time, equal ones not at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from holdfast.core.errors import RepositoryDamaged
from holdfast.repository._format.tree import RawNode, split_tree, without_subtree
from holdfast.repository._format.tree_facts import NodeFacts, facts_of_node, facts_of_tree
from holdfast.repository.packs.trees import Trees

# So many trees are asked for at a time, and a folder more than this is not read before what was read is used.
_TREES_AT_ONCE = 256


class TreeChange(NamedTuple):
    """One path's new facts, or with `had` but without facts, one that is gone with all below it. `had_below`: what was below it before is
    gone; without `had` that is all that is said."""

    path: bytes
    facts: NodeFacts | None
    had: bool
    had_below: bool


class _Folder(NamedTuple):
    """A folder to compare; `old` None = it is new with all it holds."""

    path: bytes
    old: bytes | None
    new: bytes


def tree_changes(trees: Trees, old: bytes | None, new: bytes) -> Iterator[list[TreeChange]]:
    """Folder by folder, a folder itself before what it holds, else in no order.

    What cannot be read counts as empty; `RepositoryDamaged` is raised at the end, of the first of it.
    """
    damage: RepositoryDamaged | None = None
    waiting = [_Folder(b"", old, new)] if old != new else []
    while waiting:
        some = waiting[-_TREES_AT_ONCE:]
        del waiting[-_TREES_AT_ONCE:]
        wanted = {tree for folder in some for tree in (folder.old, folder.new) if tree is not None}
        plains: dict[bytes, bytes] = {}
        for tree, plain in trees.load_many(list(wanted)):
            if isinstance(plain, RepositoryDamaged):
                damage = damage or plain
            else:
                plains[tree] = plain
        for folder in some:
            try:
                changes, below = _compared(folder, plains)
            except RepositoryDamaged as error:
                damage = damage or error
                continue
            waiting += below
            yield changes
    if damage is not None:
        raise damage


def _compared(folder: _Folder, plains: dict[bytes, bytes]) -> tuple[list[TreeChange], list[_Folder]]:
    path, old, new = folder
    if new not in plains:
        return [], []
    if old is None:
        nodes = facts_of_tree(plains[new])
        return (
            [TreeChange(path + b"/" + node.name, node, False, False) for node in nodes if node.kind is not None],
            [_Folder(path + b"/" + node.name, None, node.subtree) for node in nodes if node.subtree is not None],
        )
    if old not in plains:
        # Whatever was there counts as gone, so that nothing is left that is not so any more.
        changes, below = _compared(_Folder(path, None, new), plains)
        return [TreeChange(path, None, False, True), *changes], below
    before = {node.name: node for node in split_tree(plains[old])}
    changes, below = [], []
    for node in split_tree(plains[new]):
        was = before.pop(node.name, None)
        if was is not None and was.raw == node.raw:
            continue
        at = path + b"/" + node.name
        if was is None or without_subtree(was) != without_subtree(node):
            changes.append(_change(at, was, node))
        if node.subtree is not None and (was is None or was.subtree != node.subtree):
            below.append(_Folder(at, was.subtree if was is not None else None, node.subtree))
    changes += [TreeChange(path + b"/" + name, None, True, True) for name in before]
    return changes, below


def _change(path: bytes, was: RawNode | None, node: RawNode) -> TreeChange:
    facts = facts_of_node(node)
    ends_below = was is not None and was.subtree is not None and node.subtree is None
    return TreeChange(path, facts if facts.kind is not None else None, was is not None, ends_below)

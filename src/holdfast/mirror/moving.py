"""Carrying out renames of the source as renames. Every step may be repeated: a tree is known by its inode, wherever a crash left it.

First all trees leave their old places: where nothing stands in the way straight to the new one, else to `tmp/mN`. Then each comes to its
new place when the put of that place is carried out, and what the source no longer has of it is taken out there.
"""

from __future__ import annotations

import stat
from collections.abc import Callable

from holdfast.mirror.moves import Hints, MovedTree, Moves
from holdfast.mirror.records import Records
from holdfast.mirror.removals import Removals
from holdfast.mirror.rows import Staged
from holdfast.mirror.target import TEMP, Contents, Target
from holdfast.model.entry import Kind


def plan_moves(target: Target, contents: Contents, hints: Hints) -> Moves:
    """Of what the hints say, that which the staged changes bear out: all that is at the old place and at the new one is gone or another
    thing after this commit, and what stands at the old place is what this mirror put there."""
    trees = []
    device, hinted = target.side.stat(TEMP), hints.trees()
    target.records.foresee_entries([*hinted, *hinted.values()])
    target.records.foresee_staged([*hinted, *hinted.values()])
    for new, old in hinted.items():
        recorded, staged = target.records.entry(old), target.records.staged_at(new)
        if recorded is None or staged is None or staged.entry is None or staged.entry.kind is not recorded.entry.kind:
            continue
        if staged.file != recorded.file:
            continue
        relative = target.at(old)
        found = target.writer.stat(relative)
        if found is None or device is None or found.st_dev != device.st_dev or not contents.is_ours(recorded, relative, found):
            continue
        if _is_left(target.records, old) and _is_left(target.records, new):
            trees.append(MovedTree(old, new, found.st_ino))
    return Moves(trees)


def _is_left(records: Records, root: bytes) -> bool:
    """Whether nothing that the mirror has at and below this key stays there as it is."""
    top = records.entry(root)
    if top is None or top.entry.kind is not Kind.DIRECTORY:
        # Nothing is below.
        return top is None or not _stays(top.file, records.staged_at(root))
    covered = b""
    for key, file, staged in records.with_staged(root):
        if covered and key.startswith(covered):
            continue
        if staged is None or _stays(file, staged):
            return False
        if staged.entry is None or staged.entry.kind is not Kind.DIRECTORY:
            # What was below a folder that is none any more is gone with it, named or not.
            covered = key + b"\x00"
    return True


def _stays(file: int | None, staged: Staged | None) -> bool:
    """Whether what is there, with this content, is still there after the commit."""
    return staged is None or staged.what == "keep" or (staged.file is not None and staged.file == file)


class Moving:
    """The moves of one commit being carried out."""

    def __init__(self, target: Target, removals: Removals, moves: Moves) -> None:
        self._target = target
        self._removals = removals
        self._moves = moves
        self._arrived: set[bytes] = set()
        self._temps = {tree.new: b"%b/m%d" % (TEMP, number) for number, tree in enumerate(moves.trees)}

    def leave(self, touched: set[bytes]) -> None:
        """All away from their old places. `touched` gets the folders whose names change."""
        for tree in self._moves.trees:
            old, new = self._target.at(tree.old), self._target.at(tree.new)
            touched.update((_parent(old), _parent(new)))
            if not self._is_at(tree, old):
                continue
            there = self._target.writer.stat(new)
            if there is not None and there.st_ino == tree.inode:
                # Two names of one file, of which one is left.
                self._target.writer.remove(old)
            elif there is None and self._moves.is_plain(tree) and self._has_folder(new):
                self._target.writer.move(old, new)
                self._arrived.add(tree.new)
            else:
                self._target.writer.move(old, self._temps[tree.new], into=self._target.side)

    def _is_at(self, tree: MovedTree, relative: bytes) -> bool:
        found = self._target.writer.stat(relative)
        return found is not None and found.st_ino == tree.inode

    def _has_folder(self, relative: bytes) -> bool:
        parent = self._target.writer.stat(_parent(relative))
        return parent is not None and stat.S_ISDIR(parent.st_mode)

    def come(self, tree: MovedTree, kind: Kind, make_way: Callable[[bytes], None]) -> None:
        """To its new place, and out of it what the source no longer has. `kind`: of what moves. `make_way` takes away what stands there."""
        new = self._target.at(tree.new)
        if tree.new not in self._arrived and not self._is_at(tree, new):
            temp = self._temps[tree.new]
            if self._target.side.stat(temp) is None:
                # Somebody took it away in this instant; what is missing then is told when the commit ends.
                return
            make_way(new)
            self._target.side.move(temp, new, into=self._target.writer)
        for key, _, _ in self._target.records.with_staged(tree.old) if kind is Kind.DIRECTORY else ():
            if not self._moves.is_of(tree, key):
                continue
            there = tree.new + key[len(tree.old) :]
            staged = self._target.records.staged_at(there)
            if (staged is None or staged.what != "put") and self._target.writer.stat(self._target.at(there)) is not None:
                self._removals.take_out(self._target.at(there), key)


def _parent(relative: bytes) -> bytes:
    return relative.rpartition(b"/")[0]

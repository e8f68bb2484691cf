"""What was moved, as the kernel told, beside what the state knows: whose content need not be read again, and what receivers may rename.

A rename changes the ctime of what it renames and of nothing below. So a file below a folder that was moved is the recorded one when all of
its fingerprint fits, and a file that was moved itself when all but its ctime does.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from holdfast.capture.ports import Moved
from holdfast.capture.roots import parents_of
from holdfast.capture.rows import FILE_CODE, OF_VERSION, decode_entry, signed
from holdfast.model.change import Move
from holdfast.model.entry import Entry, is_below, parent_of, walk_key

Covers = Callable[[bytes, os.stat_result], int]
"""The datasets to which something with this status belongs at this path, by the classifications."""


class Moves:
    """The moves of one run. `reader` is a connection of its own, on which the rows stay as they were before the run."""

    def __init__(self, moves: Sequence[Moved], reader: sqlite3.Connection) -> None:
        self._moves = tuple(move for move in moves if not _overlap(move))
        self._reader = reader
        self._to = _by_path(move.path for move in self._moves)
        self._from = _by_path(move.moved_from for move in self._moves)
        # Ends of moves at a folder and above it, since many names of one are asked for one after the other.
        self._to_above: dict[bytes, tuple[bytes, ...]] = {}
        self._from_above: dict[bytes, tuple[bytes, ...]] = {}
        if self._moves:
            # From its first question on a transaction sees nothing of what others write.
            reader.execute("BEGIN")
            reader.execute("SELECT 1 FROM meta").fetchone()

    def recorded(self, path: bytes) -> Entry | None:
        """The version of a file that was recorded where it was before; None where it was not moved, or has to be read anyway."""
        if not self._moves:
            return None
        before, _ = self._origin(path, len(self._moves))
        if before == path:
            return None
        found = self._reader.execute("SELECT kind, flags, record, ctime FROM rows WHERE key = ?", (walk_key(before),)).fetchone()
        if found is None or found[0] != FILE_CODE or found[1] & OF_VERSION:
            return None
        entry = decode_entry(found[2])
        # What a database holds is not known by its own stamps alone.
        return None if entry.unstable or entry.ctime_ns != found[3] else entry

    def is_same(self, recorded: Entry, found: Entry) -> bool:
        """Whether what was found is that version: then its content is known."""
        _, by_own_name = self._origin(found.path, len(self._moves))
        return (
            (recorded.kind, recorded.device, recorded.inode, recorded.size_bytes, recorded.mtime_ns)
            == (found.kind, found.device, found.inode, found.size_bytes, found.mtime_ns)
        ) and (by_own_name or recorded.ctime_ns == found.ctime_ns)

    def confirmed(self, covers: Covers) -> dict[int, tuple[Move, ...]]:
        """By dataset bit, in order, those whose ends both belong to it and that led the recorded inode to where it is now.

        Moves that touch one another (a swap has three) are confirmed together or not at all. What was made since the last run, and is no
        folder, is nothing that a receiver has: that it was moved says nothing, and keeps no other move from being told.
        """
        told = [(move, mask) for number, move in enumerate(self._moves) if (mask := self._bits(number, covers)) is not None]
        bits = [mask for _, mask in told]
        for members in _groups(move for move, _ in told).values():
            common = bits[members[0]]
            for number in members:
                common &= bits[number]
            for number in members:
                bits[number] = common
        found: dict[int, list[Move]] = {}
        for (move, _), mask in zip(told, bits, strict=True):
            for place in range(mask.bit_length()):
                if mask >> place & 1:
                    found.setdefault(1 << place, []).append(Move(move.moved_from, move.path))
        return {bit: tuple(moves) for bit, moves in found.items()}

    def _bits(self, number: int, covers: Covers) -> int | None:
        """The datasets that know what was moved and to which both ends of this move belong; None for a file that is new."""
        move = self._moves[number]
        origin, _ = self._origin(move.moved_from, number)
        row = self._reader.execute("SELECT members, kind, inode FROM rows WHERE key = ?", (walk_key(origin),)).fetchone()
        now = self._now(move.path, number)
        with suppress(OSError):
            status = os.lstat(now)
            if row is None and status.st_ino == move.inode and not stat.S_ISDIR(status.st_mode):
                return None
            if row is None or row[2] != signed(move.inode):
                return 0
            if status.st_ino == move.inode and status.st_mode >> 12 == row[1]:
                bits = int(row[0])
                for end in {move.path, now} | ({move.moved_from} - {origin}):
                    bits &= covers(end, status)
                return bits
        return 0

    def _origin(self, path: bytes, before: int) -> tuple[bytes, bool]:
        """Where what is at `path` after the first `before` moves was before all of them, and whether it was moved by its own name."""
        by_own_name = False
        while True:
            numbers = [_last(self._to[end], before) for end in _ends(path, self._to, self._to_above)]
            before = max(numbers, default=-1)
            if before < 0:
                return path, by_own_name
            move = self._moves[before]
            by_own_name = by_own_name or path == move.path
            path = _moved(path, move.path, move.moved_from)

    def _now(self, path: bytes, after: int) -> bytes:
        """Where what is at `path` after move `after` is after all of them."""
        while True:
            numbers = [_first(self._from[end], after) for end in _ends(path, self._from, self._from_above)]
            after = min(numbers, default=len(self._moves))
            if after >= len(self._moves):
                return path
            path = _moved(path, self._moves[after].moved_from, self._moves[after].path)


def _by_path(paths: Iterable[bytes]) -> dict[bytes, list[int]]:
    found: dict[bytes, list[int]] = {}
    for number, path in enumerate(paths):
        found.setdefault(path, []).append(number)
    return found


def _ends(path: bytes, ends: Mapping[bytes, list[int]], above: dict[bytes, tuple[bytes, ...]]) -> tuple[bytes, ...]:
    """Those of the ends that the path is or lies below. `above`: what was found for folders before."""
    folder = parent_of(path)
    if folder not in above:
        above[folder] = tuple(end for end in (folder, *parents_of(folder)) if end in ends)
    return (path, *above[folder]) if path in ends and path != folder else above[folder]


def _last(numbers: list[int], before: int) -> int:
    """The greatest below `before`, else -1."""
    place = bisect_left(numbers, before)
    return numbers[place - 1] if place else -1


def _first(numbers: list[int], after: int) -> int:
    """The least above `after`, else more than any."""
    place = bisect_right(numbers, after)
    return numbers[place] if place < len(numbers) else 1 << 62


def _moved(path: bytes, old: bytes, new: bytes) -> bytes:
    if path == old or path.startswith(old + b"/"):
        return new + path[len(old) :]
    return path


def _overlap(move: Moved) -> bool:
    return is_below(move.path, move.moved_from) or is_below(move.moved_from, move.path)


def _groups(moves: Iterable[Moved]) -> Mapping[int, list[int]]:
    """Moves whose ends are the same, or one below another's, by the first of each group."""
    leads: list[int] = []
    holders: dict[bytes, int] = {}

    def lead(number: int) -> int:
        while leads[number] != number:
            leads[number] = leads[leads[number]]
            number = leads[number]
        return number

    moves = tuple(moves)
    for number, move in enumerate(moves):
        leads.append(number)
        for end in (move.moved_from, move.path):
            leads[lead(holders.setdefault(end, number))] = lead(number)
    for end, number in holders.items():
        for above in parents_of(end):
            if above in holders:
                leads[lead(holders[above])] = lead(number)
    groups: dict[int, list[int]] = {}
    for number in range(len(moves)):
        groups.setdefault(lead(number), []).append(number)
    return groups

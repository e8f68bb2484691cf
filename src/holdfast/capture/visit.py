"""A walk that looks only at some places: what it finds there it judges as a walk of everything would.

Folders on the way to a place are looked at by name and not listed; their rows are read for what they say of memberships, and nothing else
is read or touched. A folder on the way that is unknown to a dataset it belongs to, is another folder than the recorded one, or gets or
loses a CACHEDIR.TAG, is walked as a whole: then nothing that is recorded below it can be relied on. One that is there no more, or is no
folder now (a symbolic link is never followed), takes all rows below it along.

Of selective datasets, folders on the way join when they lead to something new. One that leads to nothing any more stays until the next walk
of everything, because only that sees all that is in it.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Generator, Iterator

from holdfast.capture.classify import CACHE_TAG
from holdfast.capture.findings import Notes, unreadable
from holdfast.capture.frame import END, GONE, ROWS_BETWEEN, SOCKET_CODE, Frame, RowHead
from holdfast.capture.ledger import Act, Handover, Ledger
from holdfast.capture.places import Places
from holdfast.capture.roots import Target, Top, WalkPlan
from holdfast.capture.rows import DIRECTORY_CODE, signed
from holdfast.capture.stubs import LINK_CODE
from holdfast.capture.walk import Walk
from holdfast.host.database_files import BESIDE
from holdfast.model.entry import is_below, walk_key

_MEMBERS_BELOW = "SELECT key FROM rows WHERE key >= ? AND key < ? AND members & ? ORDER BY key"
# A name that cannot be is not there.
_GONE = GONE | {errno.ENAMETOOLONG}


class Visit(Walk):
    """One first pass over `places`. `run` once, then read `tally` and the ledger."""

    def __init__(self, plan: WalkPlan, places: Places, targets: tuple[Target, ...], reader: sqlite3.Connection, notes: Notes) -> None:
        super().__init__(WalkPlan(plan.tops, plan.specials, (), plan.cut_inodes, plan.stubs), targets, reader, notes)
        self._places = places
        # Of folders on the way to what moved: what `_covers` found there, and that nothing below belongs to anybody (None).
        self._ways: dict[bytes, Frame | None] = {}

    @property
    def starts_from_nothing(self) -> bool:
        """Never: what is known lies beside the places."""
        return False

    def _steps(self, ledger: Ledger | Handover, beat: Callable[[], None], before_write: Callable[[], None]) -> Iterator[None]:
        self._ledger, self._beat, self._before_write = ledger, beat, before_write
        for top in self._plan.tops:
            if not self._places.concern(top.path):
                continue
            key = walk_key(top.path)
            self._seek(key)
            try:
                status = os.lstat(top.path) if top.root else os.stat(top.path)
            except OSError:
                # As in a walk of everything: only with `accept`, or for a folder above such a root.
                self._flush(key + (b"\x01" if top.root else b"\x00"), top.root | top.parent)
                continue
            if top.root:
                yield from self._tree(top, key, status)
            else:
                self._parent(top, key, status)
        self._ledger.flush()
        if isinstance(ledger, Ledger):
            self._note_emptied(ledger)

    def _parent(self, top: Top, key: bytes, status: os.stat_result) -> None:
        row = self._take(key)
        if top.path in self._places.below or top.parent & ~(row[1] if row is not None else 0):
            self._judge(row, key, top.parent, status, Act.PARENT)

    def _begin(self, frame: Frame) -> bool:
        path = frame.prefix
        names = self._places.names.get(path, ())
        if self._is_whole(frame, names):
            return self._enter(frame)
        self._beat()
        self._pass(frame)
        frame.names = iter(names)
        frame.asked = path in self._places.below
        stays = frame.row[1] & frame.lead if frame.row is not None else 0
        frame.members, frame.lead = frame.members | stays, frame.lead & ~stays
        if frame.asked and not frame.lead:
            self._judge(frame.row, frame.key, frame.members, frame.status, Act.CAPTURE)
        self._stack.append(frame)
        return True

    def _pass(self, frame: Frame) -> None:
        """Go through a folder without listing it."""
        path = frame.prefix
        frame.prefix = path if path == b"/" else path + b"/"
        self._open(frame, path, True)

    def covers(self, path: bytes, status: os.stat_result) -> int:
        """The datasets to which something with this status belongs at this path, or would if it leads to anything; 0 where no folders lead
        there. Rows are not asked."""
        top = next((top for top in self._plan.tops if top.root and is_below(path, top.path)), None)
        if top is None:
            return 0
        if top.path == path:
            return top.root | top.parent
        try:
            return self._covers(top, path, status)
        except OSError:
            return 0

    def _covers(self, top: Top, path: bytes, status: os.stat_result) -> int:
        folder, _, name = path.rpartition(b"/")
        frame = self._way(top, folder or b"/")
        if frame is None:
            return 0
        if status.st_mode >> 12 != DIRECTORY_CODE:
            return self._choose(frame, name, status)
        child, _ = self._child(frame, name, b"", status)
        return child.members | child.lead

    def _way(self, top: Top, folder: bytes) -> Frame | None:
        """The folder, gone through from the top. Raises `OSError`."""
        if folder in self._ways:
            return self._ways[folder]
        frame: Frame | None
        if folder == top.path:
            rules = self._rules_below(top.root, top.path, ())
            frame = Frame(b"", None, os.lstat(top.path), top.path, iter(()), top.root, top.root | top.parent, 0, rules, {}, True, top.root)
        else:
            frame = self._way_below(top, folder)
        if frame is not None:
            self._pass(frame)
        self._ways[folder] = frame
        return frame

    def _way_below(self, top: Top, folder: bytes) -> Frame | None:
        above, _, name = folder.rpartition(b"/")
        way = self._way(top, above or b"/")
        if way is None:
            return None
        status = os.lstat(folder)
        frame, parent = self._child(way, name, b"", status)
        return frame if status.st_mode >> 12 == DIRECTORY_CODE and (frame.mask or parent) else None

    def _is_whole(self, frame: Frame, names: tuple[bytes, ...]) -> bool:
        """Whether all that is in the folder has to be looked at."""
        if self._stack and self._stack[-1].names is None:
            return True
        row = frame.row
        if self._places.below.get(frame.prefix) or (row is None and frame.members) or CACHE_TAG in names:
            return True
        return row is not None and (row[3] != DIRECTORY_CODE or row[7] != signed(frame.status.st_ino) or frame.members & ~row[1] != 0)

    def _scan(self, frame: Frame) -> bool:
        return super()._scan(frame) if frame.names is None else self._look(frame)

    def _look(self, frame: Frame) -> bool:
        """Go on in a folder on the way up to the next folder to enter; False at its end."""
        prefix, mask = frame.key + b"\x00", frame.mask
        for name in frame.names or ():
            key = prefix + name
            self._seek(key)
            try:
                status = os.lstat(frame.prefix + name)
            except OSError as error:
                if error.errno in _GONE:
                    self._flush(key + b"\x01", mask)
                else:
                    frame.kept |= mask
                    self._notes.add(unreadable(frame.prefix + name, error), mask)
                continue
            kind = status.st_mode >> 12
            if kind == DIRECTORY_CODE:
                if self._folder(frame, name, key, status):
                    return True
            elif not (kind == LINK_CODE and self._row[0] == key and self._stub(frame, frame.prefix + name, status)):
                bits = mask if frame.plain else self._choose(frame, name, status)
                if mask & self._databases and name.endswith(BESIDE) and self._is_beside(frame, key, bits, status):
                    frame.kept |= bits
                elif kind != SOCKET_CODE:
                    frame.kept |= bits
                    self._judge(self._take(key), key, bits, status, Act.CAPTURE)
                elif bits:
                    self._skip_socket(frame.prefix + name, bits)
            self._flush(key + b"\x01", mask)
        return False

    def _leave(self, frame: Frame) -> None:
        if frame.names is None:
            super()._leave(frame)
            return
        members = frame.members | (frame.kept & frame.lead)
        if self._stack:
            self._stack[-1].kept |= members
        if frame.lead and (frame.asked or frame.kept & frame.lead):
            self._judge(frame.row, frame.key, members, frame.status, Act.CAPTURE)

    def _seek(self, key: bytes) -> None:
        """The rows at and below a path are the next ones. What was left of those before stays as it is."""
        self._rows.close()
        self._rows = self._below(key)
        self._row = next(self._rows, END)

    def _below(self, key: bytes) -> Generator[RowHead, None, None]:
        yield from self._reader.execute(ROWS_BETWEEN, (key, key + b"\x01"))

    def _note_emptied(self, ledger: Ledger) -> None:
        """Roots of which something was removed and under which nothing is any more; those walked as a whole are noted already."""
        for bit, target in self._targets.items():
            if not self.tally.removed_from(bit):
                continue
            for root in target.roots:
                if (bit, root) not in self.tally.empty and self._is_emptied(bit, walk_key(root), ledger):
                    self.tally.empty.append((bit, root))
                    self.tally.emptied.append((bit, root))

    def _is_emptied(self, bit: int, root: bytes, ledger: Ledger) -> bool:
        """Verdicts and rows side by side, mostly no further than to the first row."""
        low, high = root + b"\x00", root + b"\x01"
        removed = False
        for verdict in ledger:
            if low <= verdict.key < high:
                if verdict.members & bit:
                    return False
                removed = removed or bool(verdict.gone & ~verdict.strayed & bit)
        if not removed:
            return False
        gone = (verdict.key for verdict in ledger if low <= verdict.key < high and verdict.gone & bit)
        ahead = next(gone, None)
        for (key,) in self._reader.execute(_MEMBERS_BELOW, (low, high, bit)):
            while ahead is not None and ahead < key:
                ahead = next(gone, None)
            if ahead != key:
                return False
        return True

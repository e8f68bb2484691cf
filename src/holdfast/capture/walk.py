"""The first pass: walk the file system beside the state's rows and write down what differs. Opens no file, emits nothing.

Both sides come in walk order, so the comparison is a merge: a row that the walk has passed without meeting its path is gone. What is gone
counts as *removed* for a dataset when the dataset still covers the folder it was in, and as *left* when it does not. Because this pass is
complete before anything is emitted, the vanished-source guard judges the whole run, and no receiver ever sees a mass removal in progress.
Where the state knows nothing, nothing can be removed, and the verdicts may be taken while the walk goes on.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator, Iterator
from operator import attrgetter

from holdfast.capture.beside import Beside, is_same_database
from holdfast.capture.choosing import choose_folder
from holdfast.capture.classify import CACHE_TAG, is_cache_folder, text_of
from holdfast.capture.databases import foreign
from holdfast.capture.findings import Notes, Pulse, socket_skipped, unreadable
from holdfast.capture.frame import END, GONE, ROWS_BETWEEN, SOCKET_CODE, Frame, RowHead, Rules, Tally
from holdfast.capture.ledger import Act, Handover, Ledger, Verdict
from holdfast.capture.roots import Special, Target, Top, WalkPlan
from holdfast.capture.rows import ARCHIVED, DIRECTORY_CODE, FILE_CODE, signed
from holdfast.capture.stubs import LINK_CODE
from holdfast.host.database_files import BESIDE
from holdfast.host.sight import IN_PLACE, Sight
from holdfast.model.entry import path_of, walk_key
from holdfast.model.orders import SIDE_FOLDER

_BY_NAME = attrgetter("name")


class Walk:
    """One first pass. `run` once, then read `tally` and the ledger; or take its `verdicts` while it goes on, see `starts_from_nothing`."""

    def __init__(
        self, plan: WalkPlan, targets: tuple[Target, ...], reader: sqlite3.Connection, notes: Notes, sight: Sight = IN_PLACE
    ) -> None:
        self.tally = Tally()
        self._plan = plan
        self._targets = {target.bit: target for target in targets}
        self._requested = sum(self._targets)
        self._caches = sum(target.bit for target in targets if target.classifier.exclude_caches)
        self._one_file_system = sum(target.bit for target in targets if target.classifier.one_file_system)
        self._selective = sum(target.bit for target in targets if target.classifier.selective)
        self._databases = sum(target.bit for target in targets if target.classifier.databases)
        self._notes, self._sight = notes, sight
        self._reader = reader
        self._knows_rows = True
        self._rows = self._stream(reader)
        self._row = next(self._rows, END)
        self._stack: list[Frame] = []

    @property
    def starts_from_nothing(self) -> bool:
        """The state has no row below any root, and no verdict will come late: all of them come in walk order."""
        return self._row is END and not self._selective

    def run(self, ledger: Ledger, pulse: Pulse, before_write: Callable[[], None]) -> None:
        """`before_write` looks at the disk of the ledger. Raises `Cancelled`, `NoSpace`."""
        # Closed here, while its connection still is open, however the walk ends.
        try:
            for _ in self._steps(ledger, lambda: pulse.beat("scan", self.tally.files, 0, 0), before_write):
                pass
        finally:
            self._rows.close()

    def verdicts(self) -> Iterator[Verdict]:
        """Instead of `run`, of a walk that starts from nothing: its verdicts, each folder's as soon as it is done."""
        handover = Handover()
        self._knows_rows = False
        for _ in self._steps(handover, lambda: None, lambda: None):
            yield from handover.take()
        yield from handover.take()

    def _steps(self, ledger: Ledger | Handover, beat: Callable[[], None], before_write: Callable[[], None]) -> Iterator[None]:
        self._ledger, self._beat, self._before_write = ledger, beat, before_write
        for top in self._plan.tops:
            key = walk_key(top.path)
            self._flush(key, 0)
            try:
                status = os.lstat(self._sight.real(top.path)) if top.root else os.stat(self._sight.real(top.path))
            except OSError:
                # Only with `accept`, or for a folder above such a root: what is in the state is removed.
                self._flush(key + (b"\x01" if top.root else b"\x00"), top.root | top.parent)
                continue
            if not top.root:
                self._judge(self._take(key), key, top.parent, status, Act.PARENT)
            else:
                yield from self._tree(top, key, status)
        self._flush(b"\xff", 0)
        self._ledger.flush()

    def _tree(self, top: Top, key: bytes, status: os.stat_result) -> Iterator[None]:
        rules = self._rules_below(top.root, top.path, ())
        self.tally.reached.update((bit, top.path) for bit in self._targets if bit & top.root)
        kind = status.st_mode >> 12
        if kind != DIRECTORY_CODE:
            if kind == SOCKET_CODE:
                self._skip_socket(top.path, top.root)
            else:
                self._judge(self._take(key), key, top.root | top.parent, status, Act.CAPTURE)
            self._flush(key + b"\x01", top.root)
            return
        self._begin(Frame(key, self._take(key), status, top.path, iter(()), top.root, top.root | top.parent, 0, rules, {}, True, top.root))
        while self._stack:
            if not self._scan(self._stack[-1]):
                self._leave(self._stack.pop())
            yield

    def _scan(self, frame: Frame) -> bool:
        """Go on in a folder up to the next folder to enter; False at its end. This is the hot loop: flat on purpose."""
        prefix, mask, plain, requested, tally = frame.key + b"\x00", frame.mask, frame.plain, self._requested, self.tally
        databases, frozen = mask & self._databases, bool(self._sight)
        for entry in frame.entries:
            name = entry.name
            key = prefix + name
            if self._row[0] < key:
                self._flush(key, mask)
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError as error:
                self._cannot_look(frame, key, error)
                continue
            kind = status.st_mode >> 12
            if kind == DIRECTORY_CODE:
                if frozen:
                    status = self._sight.folder(frame.prefix + name, status)
                if self._folder(frame, name, key, status):
                    return True
                continue
            if kind == LINK_CODE and self._row[0] == key and self._stub(frame, frame.prefix + name, status):
                continue
            bits = mask if plain else self._choose(frame, name, status)
            if databases and name.endswith(BESIDE) and self._is_beside(frame, key, bits, status):
                continue
            row = self._row
            if row[0] == key:
                if kind == SOCKET_CODE:
                    self._flush(key + b"\x00", mask)
                else:
                    self._row = next(self._rows, END)
                    if (
                        row[5] == status.st_mtime_ns
                        and row[6] == status.st_ctime_ns
                        and row[1] & requested == bits
                        and (row[4] == status.st_size or kind != FILE_CODE)
                        and row[3] == kind
                        and row[2] == 0
                        and row[7] == status.st_ino
                    ):
                        tally.files += kind == FILE_CODE
                        frame.kept |= bits
                        continue
            else:
                row = None  # type: ignore[assignment]
            if kind == SOCKET_CODE:
                if bits:
                    self._skip_socket(frame.prefix + name, bits)
                continue
            frame.kept |= bits
            self._judge(row, key, bits, status, Act.CAPTURE)
        return False

    def _folder(self, frame: Frame, name: bytes, key: bytes, status: os.stat_result) -> bool:
        """Enter a folder, or pass it by. True when it was entered."""
        below, parent = self._child(frame, name, key, status)
        below.row = self._take(key)
        if below.mask or parent:
            return self._begin(below)
        self._judge(below.row, key, below.members, status, Act.CAPTURE)
        frame.kept |= below.members
        self._flush(key + b"\x01", 0)
        return False

    def _child(self, frame: Frame, name: bytes, key: bytes, status: os.stat_result) -> tuple[Frame, int]:
        """A folder as the folder above sees it, and the datasets with a root below it."""
        path = frame.prefix + name
        mask, lead, rules = frame.mask, frame.mask & self._selective, frame.rules
        member, root, parent = mask & ~lead, 0, 0
        if not frame.plain:
            mask, member, lead = choose_folder(frame, name, self._selective)
            special = frame.specials.get(name)
            if special is not None:
                root, parent = special.root & ~special.cut, special.parent & ~special.cut
                if root:
                    rules = self._rules_below(root, path, tuple(rule for rule in rules if not rule[0].bit & root))
                    self.tally.reached.update((bit, path) for bit in self._targets if bit & root)
        if name.startswith(SIDE_FOLDER):  # What a restore replaced, until it is forgotten: no data of anybody's.
            mask = member = lead = 0
        if self._plan.cut_inodes:
            cut = self._plan.cut_inodes.get((self._sight.device(status.st_dev), status.st_ino), 0)
            mask, member, lead, root, parent = mask & ~cut, member & ~cut, lead & ~cut, root & ~cut, parent & ~cut
        if status.st_dev != frame.status.st_dev:
            # A mount point: the folder belongs, what is mounted on it does not, unless it is a root of its own.
            mask &= ~self._one_file_system
        mask, members = mask | root, member | root | parent
        return Frame(key, None, status, path, iter(()), mask, members, lead & ~members, rules, {}, True, root), parent

    def _begin(self, frame: Frame) -> bool:
        """Go on with a folder that was met. False when nothing below it can be looked at."""
        return self._enter(frame)

    def _enter(self, frame: Frame) -> bool:
        """List the folder and put it on the stack. What is below one that cannot be listed stays as it was."""
        path = frame.prefix
        self._beat()
        frame.prefix = path if path == b"/" else path + b"/"
        try:
            with os.scandir(self._sight.real(path)) as listing:
                entries = sorted(listing, key=_BY_NAME)
        except OSError as error:
            members = frame.members | (frame.row[1] & frame.lead if frame.row else 0)
            self._judge(frame.row, frame.key, members, frame.status, Act.CAPTURE)
            if self._stack:
                self._stack[-1].kept |= members
            if error.errno not in GONE:
                self._notes.add(unreadable(path, error), frame.mask)
                self._keep(frame.key + b"\x01")
            return False
        frame.entries = iter(entries)
        self._open(frame, path, any(entry.name == CACHE_TAG for entry in entries))
        if frame.root:
            frame.removed_before = dict(self.tally.removed)
        if not frame.lead:
            self._judge(frame.row, frame.key, frame.members, frame.status, Act.CAPTURE)
        self._stack.append(frame)
        return True

    def _open(self, frame: Frame, path: bytes, may_be_cache: bool) -> None:
        """What holds in the folder."""
        frame.specials = self._plan.specials.get(path, frame.specials)
        if may_be_cache and frame.mask & self._caches:
            self._leave_out_cache(frame, path)
        frame.rules = tuple(rule for rule in frame.rules if rule[0].bit & frame.mask)
        frame.plain = not frame.rules and not frame.specials

    def _leave(self, frame: Frame) -> None:
        self._flush(frame.key + b"\x01", frame.mask)
        members = frame.members | (frame.kept & frame.lead)
        if self._stack:
            self._stack[-1].kept |= members
        if frame.lead:  # Only now it is known whether it leads to anything.
            self._judge(frame.row, frame.key, members, frame.status, Act.CAPTURE)
        if frame.root:
            path = frame.prefix if frame.prefix == b"/" else frame.prefix[:-1]
            for bit in self._targets:
                before = sum(count for bits, count in frame.removed_before.items() if bits & bit)
                if bit & frame.root & ~frame.kept:
                    self.tally.empty.append((bit, path))
                    if self.tally.removed_from(bit) > before:
                        self.tally.emptied.append((bit, path))

    def _leave_out_cache(self, frame: Frame, path: bytes) -> None:
        """Of a cache folder only the tag is kept, as restic does."""
        tagged, read_bytes = is_cache_folder(self._sight.real(path))
        self._notes.add_read(read_bytes)
        if tagged:
            out = frame.mask & self._caches
            frame.mask &= ~out
            special = Special(add=out)
            frame.specials = {**frame.specials, CACHE_TAG: special}

    def _choose(self, frame: Frame, name: bytes, status: os.stat_result) -> int:
        """The datasets that a path belongs to, which is no folder."""
        mask = frame.mask
        path = frame.prefix + name
        for target, skip, rules in frame.rules:
            text = text_of(path[skip:])
            if (
                (rules.excluded is not None and rules.excluded(text))
                or (rules.included is not None and not rules.included(text))
                or not target.classifier.wants(name, status)
            ):
                mask &= ~target.bit
        special = frame.specials.get(name)
        if special is not None:
            if special.root:
                self.tally.reached.update((bit, path) for bit in self._targets if bit & special.root)
            mask = (mask | special.root | special.add) & ~special.cut
        return mask

    def _judge(self, row: RowHead | None, key: bytes, bits: int, status: os.stat_result, act: Act) -> None:
        """Write down what the second pass has to do with a path that is there."""
        kind = status.st_mode >> 12
        size = status.st_size if kind == FILE_CODE else 0
        if kind == FILE_CODE and bits:
            self.tally.files += 1
        gone = 0
        changed = True
        if row is not None:
            gone = row[1] & self._requested & ~bits
            changed = (
                row[2] != 0
                or row[3] != kind
                or row[4] != size
                or row[5] != status.st_mtime_ns
                or row[6] != status.st_ctime_ns
                or row[7] != signed(status.st_ino)
            ) and not (bits & self._databases and is_same_database(row, self._sight.real(path_of(key)), status))
            if not changed and not gone and not bits & ~row[1]:
                return
        if not bits and not gone:
            return
        read = bits != 0 and changed
        if read:
            self.tally.to_read[bits] = self.tally.to_read.get(bits, 0) + size
        linked = kind == FILE_CODE and status.st_nlink > 1
        device, inode = (signed(status.st_dev), signed(status.st_ino)) if linked else (0, 0)
        self._add(Verdict(key, act if read else Act.MEMBERS, bits, gone, gone, kind, size, device, inode, int(row is not None)))

    def _is_beside(self, frame: Frame, key: bytes, bits: int, status: os.stat_result) -> bool:
        """Whether the path lies beside a database that is captured, as its log or index; then all is said of it."""
        found = Beside.find(path_of(key), self._sight, self._notes.add_read)
        if found is None:
            return False
        wanted = bits & self._databases & (frame.mask if frame.plain else self._choose(frame, found.name, found.status))
        if not wanted:
            return False
        if not found.is_database:
            if found.is_index and found.has_log:
                self._notes.add(foreign(found.main), wanted)
            return False
        row = self._take(key)
        known = found.row(self._reader) if self._knows_rows else None
        if found.is_index:
            self._judge(row, key, bits & ~wanted, status, Act.CAPTURE)
        elif found.is_unchanged(known):
            if row is not None:
                self._judge(row, key, bits, status, Act.CAPTURE)
        else:
            for verdict in found.verdicts(known, wanted, (key, bits, row[1] & self._requested if row is not None else None), status):
                self._add(verdict)
        return True

    def _flush(self, limit: bytes, covered: int) -> None:
        """Rows before `limit` were not met. For datasets in `covered` their path was removed, for others it left the classification."""
        row = self._row
        while row[0] < limit:
            gone = row[1] & self._requested
            if gone:
                self._add(Verdict(row[0], Act.GONE, 0, gone, gone & ~covered, row[3], 0, 0, 0, 1))
                removed = gone & covered
                if removed and not row[2] & ARCHIVED:
                    self.tally.removed[removed] = self.tally.removed.get(removed, 0) + 1
            row = next(self._rows, END)
        self._row = row

    def _keep(self, limit: bytes) -> None:
        """Rows before `limit` stay as they are."""
        while self._row[0] < limit:
            self._row = next(self._rows, END)

    def _take(self, key: bytes) -> RowHead | None:
        """The row of a path, if there is one."""
        row = self._row
        if row[0] != key:
            return None
        self._row = next(self._rows, END)
        return row

    def _add(self, verdict: Verdict) -> None:
        if self._ledger.add(verdict):
            self._before_write()
            self._beat()

    def _stub(self, frame: Frame, path: bytes, status: os.stat_result) -> bool:
        """Whether the link stands for the file of the next row, which then stays as it is."""
        if not self._plan.stubs.stand_for(self._row, path, self._sight.real(path), status):
            return False
        self.tally.files += 1
        frame.kept |= self._row[1] & frame.mask
        self._row = next(self._rows, END)
        return True

    def _cannot_look(self, frame: Frame, key: bytes, error: OSError) -> None:
        if error.errno not in GONE:
            frame.kept |= frame.mask
            self._notes.add(unreadable(frame.prefix + key[len(frame.key) + 1 :], error), frame.mask)
            self._keep(key + b"\x01")

    def _skip_socket(self, path: bytes, bits: int) -> None:
        self._notes.add(socket_skipped(path), bits)

    def _rules_below(self, bits: int, path: bytes, others: Rules) -> Rules:
        skip = len(path) if path == b"/" else len(path) + 1
        fresh = tuple(
            (target, skip, target.classifier.below(path))
            for bit, target in self._targets.items()
            if bit & bits and not target.classifier.plain
        )
        return others + fresh

    def _stream(self, reader: sqlite3.Connection) -> Generator[RowHead, None, None]:
        for low, high in self._plan.intervals:
            yield from reader.execute(ROWS_BETWEEN, (low, high))

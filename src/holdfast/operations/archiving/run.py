"""One run of an archive operation, after the dataset was captured and its receivers have the commit.

For each page of files that are old enough: every receiver that archives puts the very states the source captured into its lineage, and says
so when they are sealed and every byte of them was read back. Only what all of them say so of is let go of.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from holdfast.capture.rows import Row, is_copied
from holdfast.capture.state import CaptureState
from holdfast.core.clock import Clock
from holdfast.core.entropy import Entropy
from holdfast.core.errors import ErrorFacts, HoldfastError, UsageError
from holdfast.core.ids import ActionId
from holdfast.delivery.archiving import RemoteArchive
from holdfast.model.archiving import Stub, ToArchive, Verdict, digest_of, parse_stub, stub_target
from holdfast.model.entry import Entry, is_below
from holdfast.model.jobs import Counters, Finding
from holdfast.model.rules import ArchiveRule, DatasetRule, Delivery
from holdfast.operations.archiving.book import ArchiveBook, Copied, Move
from holdfast.operations.archiving.choosing import Recalled, all_lack, never_recalled, old_files
from holdfast.operations.archiving.findings import aside, changed, database, in_use, no_stub, not_stored, several_names, stays, unreadable
from holdfast.operations.archiving.letting_go import PRIVATE, Leaving, Outcome, let_go
from holdfast.operations.connecting import Dial
from holdfast.operations.running import Cancellation
from holdfast.wire.data_messages import OpenArchive

_MOST_FINDINGS = 100
_PRIVATE_BYTES = 12


@dataclass(frozen=True)
class ArchiveOrder:
    """`receivers`: where it is archived: all of them, or nothing is let go of."""

    dataset: DatasetRule
    rule: ArchiveRule
    receivers: tuple[tuple[Delivery, ActionId], ...]

    @property
    def roots(self) -> tuple[bytes, ...]:
        return tuple(os.path.normpath(os.fsencode(path)) for path in self.dataset.classification.paths)


@dataclass(frozen=True, kw_only=True)
class ArchiveTools:
    """`recall`: where the recall mount of this machine is."""

    clock: Clock
    entropy: Entropy
    state: CaptureState
    book: ArchiveBook
    dial_read: Dial
    recall: bytes
    recalled: Recalled = never_recalled
    told: Callable[[int, int], None] = lambda files, size_bytes: None


@dataclass
class ArchiveResult:
    """`files`, `size_bytes`: what was archived. `gone`: of those, what is no more on the source."""

    files: int = 0
    size_bytes: int = 0
    gone: int = 0
    error: ErrorFacts | None = None
    findings: list[Finding] = field(default_factory=list)
    findings_total: int = 0

    @property
    def counters(self) -> Counters:
        return Counters(files=self.files, removed=self.gone, stored_bytes=0, read_bytes=self.size_bytes)


def archive(order: ArchiveOrder, tools: ArchiveTools, cancellation: Cancellation) -> ArchiveResult:
    """Raises `Cancelled`, and `StoreError` or `NoSpace` of state and book; what a receiver does wrong is in the result."""
    run = _Run(order, tools, cancellation)
    try:
        run.execute()
    except HoldfastError as error:
        cancellation.check()
        run.result.error = error.facts()
    finally:
        run.close()
    return run.result


class _Run:
    def __init__(self, order: ArchiveOrder, tools: ArchiveTools, cancellation: Cancellation) -> None:
        self.result = ArchiveResult()
        self._order, self._tools, self._cancellation = order, tools, cancellation
        self._owners: list[RemoteArchive] = []
        self._closing: list[Callable[[], None]] = []
        self._said: Counter[str] = Counter()
        # One time for all: what is archived in one run is one folder of the lineage.
        self._archived_ns = tools.clock.now_ns()

    def execute(self) -> None:
        state, order = self._tools.state, self._order
        lacking = self._not_copied if order.rule.leave == "copy" else all_lack
        for rows, entries in old_files(state, order.dataset.id, order.rule, self._archived_ns, self._tools.recalled, lacking):
            self._cancellation.check()
            page = self._look(rows, entries)
            if page:
                self._connect()
                self._archive(page)
                self._tools.told(self.result.files, self.result.size_bytes)

    def close(self) -> None:
        for close in self._closing:
            close()

    def _connect(self) -> None:
        """At the first file: most runs find none that is due."""
        if self._owners:
            return
        if not self._order.receivers:
            raise UsageError("nothing archives this dataset", hint="activate the flow again")
        for delivery, action in self._order.receivers:
            channel = self._tools.dial_read(delivery.receiver)
            self._closing.append(channel.close)
            self._cancellation.on_cancel(channel.close)
            self._owners.append(RemoteArchive(channel, OpenArchive(dataset=self._order.dataset.id, action=action)))

    def _look(self, rows: Sequence[Row], entries: Sequence[Entry]) -> list[Entry]:
        """Those that are what was captured. Others were changed since, and their turn comes when they were captured again."""
        found: list[Entry] = []
        stubs: list[bytes] = []
        for row, entry in zip(rows, entries, strict=True):
            try:
                status = os.lstat(entry.path)
            except OSError:
                continue
            if stat.S_ISLNK(status.st_mode):
                if self._is_stub(entry.path):
                    stubs.append(entry.path)
            elif status.st_nlink > 1:
                self._say(several_names(entry.path))
            elif is_copied(row, entry):
                self._say(database(entry.path))
            elif not self._is_as_captured(row, status):
                continue
            elif self._root_of(entry.path) is not None and self._can_be_left(entry):
                found.append(entry)
        if stubs:
            self._tools.state.archivable.note_stubbed(stubs)
        return found

    @staticmethod
    def _is_as_captured(row: Row, status: os.stat_result) -> bool:
        return (status.st_size, status.st_mtime_ns, status.st_ctime_ns) == (row.size, row.mtime_ns, row.ctime_ns)

    def _not_copied(self, rows: Sequence[Row]) -> Sequence[Row]:
        return self._tools.book.not_copied(self._order.dataset.id, rows)

    def _is_stub(self, path: bytes) -> bool:
        try:
            return parse_stub(self._tools.recall, os.readlink(path)) is not None
        except OSError:
            return False

    def _root_of(self, path: bytes) -> bytes | None:
        return max((root for root in self._order.roots if is_below(path, root)), key=len, default=None)

    def _can_be_left(self, entry: Entry) -> bool:
        if self._order.rule.leave == "stub":
            try:
                self._target(entry.path)
            except ValueError as error:
                self._say(no_stub(entry.path, error))
                return False
        return True

    def _target(self, path: bytes) -> bytes:
        return stub_target(self._tools.recall, Stub(dataset=self._order.dataset.id, archived_ns=self._archived_ns, path=path))

    def _archive(self, page: Sequence[Entry]) -> None:
        asked = [ToArchive(each.path, each.size_bytes, each.mtime_ns, digest_of(ref.id for ref in each.chunks)) for each in page]
        good = [True] * len(page)
        for owner in self._owners:
            for place, verdict in enumerate(owner.put(self._archived_ns, asked)):
                if verdict is not Verdict.ARCHIVED:
                    good[place] = False
                    self._refused(page[place], verdict)
        archived = [entry for entry, is_good in zip(page, good, strict=True) if is_good]
        self.result.files += len(archived)
        self.result.size_bytes += sum(entry.size_bytes for entry in archived)
        if self._order.rule.leave == "copy":
            self._tools.book.note_copies(self._order.dataset.id, map(_copied, archived))
        elif archived:
            self._let_go(archived)

    def _let_go(self, archived: Sequence[Entry]) -> None:
        tools = self._tools
        leaving = [each for entry in archived if (each := self._leaving(entry)) is not None]
        moves = [each.move for each in leaving]
        tools.book.begin(moves)
        if self._order.rule.leave == "nothing":
            # Said before it is so: a scan that finds nothing there must know why.
            tools.state.archivable.note_archived([move.path for move in moves])
            tools.state.make_durable()
        stubbed: list[bytes] = []
        with closing(let_go(leaving)) as outcomes:
            for each, outcome in outcomes:
                if outcome is Outcome.GONE:
                    self.result.gone += 1
                    stubbed += [each.move.path] if each.move.target else []
                else:
                    self._stayed(each.move, outcome)
        if stubbed:
            tools.state.archivable.note_stubbed(stubbed)
        tools.book.end(moves)

    def _leaving(self, entry: Entry) -> Leaving | None:
        """None = its folder is gone, and it with it: a later run sees where to."""
        root = self._root_of(entry.path)
        assert root is not None
        private = entry.path[: entry.path.rfind(b"/") + 1] + PRIVATE + self._tools.entropy.token_bytes(_PRIVATE_BYTES).hex().encode()
        target = self._target(entry.path) if self._order.rule.leave == "stub" else b""
        try:
            status = os.stat(entry.path[: entry.path.rfind(b"/")] or b"/")
        except OSError:
            self._say(changed(entry.path))
            return None
        # The device is as it is now: numbers of devices change when a machine starts anew.
        move = Move(entry.path, private, root, target, status.st_dev, entry.inode)
        return Leaving(move, entry.size_bytes, entry.mtime_ns, entry.ctime_ns, entry.chunks)

    def _refused(self, entry: Entry, verdict: Verdict) -> None:
        self._say(unreadable(entry.path) if verdict is Verdict.UNREADABLE else not_stored(entry.path, verdict))

    def _stayed(self, move: Move, outcome: Outcome) -> None:
        match outcome:
            case Outcome.IN_USE:
                self._say(in_use(move.path))
            case Outcome.CHANGED | Outcome.MISSING:
                self._say(changed(move.path))
            case Outcome.UNABLE:
                self._say(stays(move.path))
            case Outcome.ASIDE:
                self._say(aside(move))
            case Outcome.GONE:
                pass

    def _say(self, finding: Finding) -> None:
        self.result.findings_total += 1
        self._said[finding.code] += 1
        if self._said[finding.code] <= _MOST_FINDINGS:
            self.result.findings.append(finding)


def _copied(entry: Entry) -> Copied:
    return Copied(entry.path, entry.size_bytes, entry.mtime_ns, entry.inode)

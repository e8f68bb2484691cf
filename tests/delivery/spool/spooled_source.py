"""A source that spools for one receiver, the receiver, and what a list says of both."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from holdfast.core.errors import HoldfastError
from holdfast.core.ids import PointId
from holdfast.delivery.session import DeliverySession
from holdfast.delivery.spool.bundles import begin_of as begin_of_bundle
from holdfast.delivery.spool.bundles import commit_of as commit_of_bundle
from holdfast.delivery.spool.run_file import RunFile
from holdfast.delivery.spool.spool import Spool
from holdfast.delivery.spool.writing import Recorded, SpoolSession
from holdfast.model.change import Begin, Commit, Cursor, Mark
from holdfast.model.entry import Entry
from holdfast.model.gaps import GapReason
from holdfast.testing.deliveries import EPOCH, RECEIVER, SOURCE, ServedDelivery, begin_of, commit_of, opening_of
from holdfast.testing.memory_action import MemoryAction
from holdfast.testing.memory_channel import memory_pair
from holdfast.testing.virtual_clock import SeededEntropy
from tests.delivery.row_source import Edit, Source

KEY = b"k" * 32
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def time_of(seq: int) -> datetime:
    return FIRST + timedelta(seconds=seq)


class NothingRecorded:
    """A source that does not know what its receiver has."""

    def chunks_before(self, path: bytes) -> frozenset[bytes]:
        del path
        return frozenset()


@dataclass
class Spooling:
    """`states`: all files after each run. `passed`: runs whose states nobody keeps, so that they went in one with later ones."""

    folder: Path
    share_bytes: int = 1 << 30
    per_segment: int = 2
    source: Source = field(default_factory=Source)
    receiver: MemoryAction = field(default_factory=MemoryAction)
    states: dict[int, dict[bytes, Entry]] = field(default_factory=dict)
    marked: set[int] = field(default_factory=set)
    sealed: MemoryAction = field(default_factory=MemoryAction)
    passed: set[int] = field(default_factory=set)
    seed: int = 0
    recorded: Recorded = field(default_factory=NothingRecorded)

    def __post_init__(self) -> None:
        self.spool = self.open()

    def open(self, *, is_patient: bool = True) -> Spool:
        self.seed += 1
        seal, entropy = (KEY, "delivery"), SeededEntropy(self.seed)
        return Spool(self.folder / "spool", seal, entropy, lambda: self.share_bytes, is_patient=is_patient)

    def crash(self) -> None:
        self.spool = self.open()

    # Runs

    def first(self, changes: list[Edit]) -> None:
        """A run that the receiver gets at once, for good."""
        self.edit(changes)
        self._send(begin_of(self.source.run), self.commit())
        self.seal()

    def edit(self, changes: list[Edit], *, marked: bool = False) -> None:
        self.source.edit(changes)
        self.states[self.source.run] = self.source.files()
        self.marked |= {self.source.run} if marked else set()

    def commit(self) -> Commit:
        seq = self.source.run
        mark = Mark(operation="live", kind="live", point=PointId(f"{seq:032x}"))
        return msgspec.structs.replace(commit_of(seq), captured_at=time_of(seq), marks=(mark,) if seq in self.marked else ())

    def keep(self) -> bool:
        """The newest run goes into the spool; False when it does not take it."""
        base = self.spool.cursor
        begin = begin_of(self.source.run, base.seq if base is not None else None)
        try:
            session = SpoolSession(self.spool, begin, self.recorded, "auto", RECEIVER)
        except HoldfastError:
            self.spool.missed(time_of(self.source.run))
            return False
        try:
            for outgoing in self.source.segments(self.per_segment):
                session.send(outgoing)
            session.commit(msgspec.structs.replace(self.commit(), gaps=self.spool.gaps(begin.roots, time_of(begin.seq))))
        except HoldfastError:
            session.abort()
            self.spool.is_closed = True
            self.spool.missed(time_of(self.source.run))
            return False
        return True

    # The receiver

    def send(self, most: int = 1 << 30, together: int = 1, *, is_killed: bool = False) -> None:
        """It is there: so many unsent runs go to it, up to so many `together` as one. `is_killed`: in the midst of the first."""
        self.align()
        while most > 0 and (runs := self.spool.next_bundle(min(most, together), joining=together > 1)):
            most = 0 if is_killed else most - len(runs)
            self._send(begin_of_bundle(runs), commit_of_bundle(runs), runs, is_killed=is_killed)
            self.passed |= set() if is_killed else {run.seq for run in runs[:-1]}
            self.spool.sent_or_not()
            self.align()

    def catch_up(self) -> None:
        """The newest state, as a receiver gets it that has got all of the spool."""
        self.align()
        assert not self.spool.has_unsent
        position = self.receiver.position
        if position is not None and position.seq == self.source.run:
            return
        begin = begin_of(self.source.run, position.seq if position is not None else None)
        self._send(begin, msgspec.structs.replace(self.commit(), gaps=self.spool.gaps(begin.roots, time_of(begin.seq))))
        self.spool.healed()
        self.align()

    def align(self) -> None:
        self.spool.align(self.receiver.position, self.sealed.position)

    def seal(self) -> None:
        """What it has outlives its disk."""
        self.sealed = copy.deepcopy(self.receiver)

    def lose_journal(self) -> None:
        """It has only what was sealed."""
        self.receiver = copy.deepcopy(self.sealed)

    def _send(self, begin: Begin, commit: Commit, runs: Sequence[RunFile] = (), *, is_killed: bool = False) -> None:
        here, there = memory_pair(SOURCE, RECEIVER)
        served = ServedDelivery(there, [self.receiver])
        session = DeliverySession(here)
        session.open(opening_of(self.receiver.id))
        session.begin(begin, [self.receiver.id])
        for outgoing in self.spool.outgoing(runs) if runs else self.source.segments(self.per_segment):
            session.send(outgoing)
        if is_killed:
            session.abort()
            served.wait()
            return
        (acknowledgement,) = session.commit(commit)
        assert acknowledgement.error is None
        session.close()
        assert served.wait() == []
        assert self.receiver.entries == self.states[begin.seq]
        for path, entry in self.receiver.entries.items():
            assert self.receiver.content(path) == b"".join(self.source.plain[ref.id] for ref in entry.chunks)

    # What must be true in the end

    def check_told(self) -> None:
        """The receiver has every run, or a gap says that it has not; and every point that was kept."""
        had = {commit.seq for commit in self.receiver.commits}
        gaps = [gap for commit in self.receiver.commits for gap in commit.gaps]
        assert all(gap.reason is GapReason.THINNED for gap in gaps)
        assert not self.passed & self.marked
        for seq in set(self.states) - had - self.passed:
            assert any(gap.since <= time_of(seq) < gap.until for gap in gaps), (seq, had, gaps)
        assert self.receiver.position == Cursor(EPOCH, self.source.run)

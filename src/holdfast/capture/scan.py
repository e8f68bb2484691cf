"""Capture by scan: one walk over the union of the requested datasets' roots, every changed file read once for all of them.

Two passes. The first (`comparison`) compares the file system with the state and writes its verdicts to a ledger on disk; it opens no file.
Then the vanished-source guard judges each dataset. Only then the second (`emission`) reads and emits. A dataset that is refused keeps its
rows as they are; the other datasets of the request go on.

Where the state knows nothing (a first run), nothing can have vanished, so both passes run side by side, and what the guard still
has to say at the end of the walk (a root was unmounted meanwhile) ends the whole run; the next one is no first one and judges one by one.

The first pass may also be made before the run (`Capture.compare`), beside small runs of the same datasets.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from holdfast.capture.chunking import Granularity, require_compiled
from holdfast.capture.comparison import Compared, Comparison, Scratch
from holdfast.capture.databases import Databases
from holdfast.capture.emission import Emission
from holdfast.capture.findings import OnProgress, Pulse, clock_set_back
from holdfast.capture.ledger import Ledger, Verdict
from holdfast.capture.moves import Moves
from holdfast.capture.passing import Passed, Tools
from holdfast.capture.places import check_places
from holdfast.capture.ports import CaptureRequest, CaptureResult, DatasetTotals
from holdfast.capture.reader import Captured, Reader, Reading
from holdfast.capture.roots import Target
from holdfast.capture.segments import Segments
from holdfast.capture.state import CaptureState
from holdfast.core.clock import MOST_AHEAD, Clock, utc
from holdfast.core.errors import SourceVanished, UsageError
from holdfast.core.ids import DatasetId, Epoch
from holdfast.host.database_copy import DatabaseCopier
from holdfast.host.disk import check_free
from holdfast.host.metadata import Names
from holdfast.model.change import Move
from holdfast.model.jobs import Counters
from holdfast.model.rules import DatasetRule
from holdfast.model.stream import Outgoing

HOME_RESERVE_BYTES = 256 * 1024 * 1024
READ_THREADS = 2


class Capture:
    """Captures the datasets of one node against its state. `home_reserve_bytes` is what must stay free on the disk of the state. `scratch`
    names its throw-away files: two of the same name make no runs at once."""

    def __init__(self, state: CaptureState, *, clock: Clock, home_reserve_bytes: int = HOME_RESERVE_BYTES, scratch: str = "") -> None:
        require_compiled()
        self._state = state
        self._clock = clock
        self._home_reserve_bytes = home_reserve_bytes
        self._scratch = Scratch(state.path, scratch)
        self._names = Names()

    def compare(
        self, datasets: tuple[DatasetRule, ...], *, on_progress: OnProgress | None = None, cancelled: Callable[[], bool] | None = None
    ) -> Compared:
        """The first pass of a run of everything, before the run. Raises what `Compared` raises."""
        request = CaptureRequest(datasets, {})
        with self._state.errors():
            return Compared(self._comparison(request), self._state, Pulse(self._clock, on_progress, cancelled))

    def run(
        self,
        request: CaptureRequest,
        *,
        on_progress: OnProgress | None = None,
        cancelled: Callable[[], bool] | None = None,
        compared: Compared | None = None,
        prepared: Mapping[bytes, Captured] = MappingProxyType({}),
    ) -> ScanRun:
        """Begin a run: gives it its number; the work is done by iterating. `on_progress(phase, done_files, done_bytes, total_bytes)` is
        called at most ten times a second, phase `scan` or `read`. When `cancelled()` says so the iteration raises `Cancelled`.

        `compared`: the first pass of exactly these datasets, walked; of no use where some receiver is a stranger (`strange`). `prepared`:
        large files that were read already.
        """
        if not request.datasets:
            raise UsageError("a capture of no datasets", hint="name at least one dataset")
        if request.places is None and request.moves:
            raise UsageError("a capture with moves and no places", hint="name the ends of each move as places")
        if request.places is not None:
            if not request.scan:
                raise UsageError("a capture of places that reads nothing", hint="leave `scan` as it is")
            check_places(request.places)
        check_free(self._state.path.parent, self._home_reserve_bytes)
        around = _Around(self._clock, Pulse(self._clock, on_progress, cancelled), self._names, self._home_reserve_bytes, prepared)
        if compared is None or request.strange or not request.scan or set(compared.comparison.slots) != {r.id for r in request.datasets}:
            return ScanRun(self._state, request, around, self._comparison(request), None)
        return ScanRun(self._state, request, around, compared.comparison, compared.ledger)

    def _comparison(self, request: CaptureRequest) -> Comparison:
        return Comparison(self._state, request, self._clock, self._scratch, self._home_reserve_bytes)


@dataclass(frozen=True)
class _Around:
    clock: Clock
    pulse: Pulse
    names: Names
    reserve_bytes: int
    prepared: Mapping[bytes, Captured]


_EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
"""A clock that shows less is itself the wrong one: it lost its battery, and nobody has set it yet."""


class ScanRun:
    """`CaptureRun` by scan. `reader` counts the files it opened. `ledger`: the verdicts, where the comparison was made before."""

    def __init__(
        self, state: CaptureState, request: CaptureRequest, around: _Around, comparison: Comparison, ledger: Ledger | None
    ) -> None:
        self._state, self._request, self._around = state, request, around
        self._comparison, self._ledger = comparison, ledger
        self._slots, self._notes = comparison.slots, comparison.notes
        self._epoch = state.epoch
        self._run = state.next_run() if request.scan else state.run
        self._captured_at = self._moment()
        self._passed = Passed()
        self._offered_bytes = 0
        self._started = self._complete = False
        self.reader = Reader(around.clock, around.names, self._notes.add_read, request.sight)
        self._copier = DatabaseCopier(comparison.scratch.databases, around.clock, around.reserve_bytes)
        self._copier.sweep()

    @property
    def run(self) -> int:
        return self._run

    @property
    def epoch(self) -> Epoch:
        """That of the state when the run began: another run may find that it needs a new one meanwhile."""
        return self._epoch

    @property
    def captured_at(self) -> datetime:
        return self._captured_at

    @property
    def refused(self) -> Mapping[DatasetId, SourceVanished]:
        """Datasets the guard left out, and why. Final when the first item was given, of a first run at its end."""
        return self._comparison.refused

    @property
    def linked(self) -> frozenset[int]:
        """See `CaptureRun`."""
        return frozenset(self._passed.linked)

    @property
    def moves(self) -> Mapping[DatasetId, tuple[Move, ...]]:
        """See `CaptureRun`."""
        return self._comparison.moves

    def expected_bytes(self, dataset: DatasetId, base: int | None) -> int | None:
        """See `CaptureRun`. Costs a look at all rows where the receiver is behind."""
        if not self._comparison.walk_is_over:
            return None
        bit = 1 << self._slots[dataset]
        lowest, before = -1 if base is None else base, self._run if self._request.scan else self._run + 1
        behind = self._state.lacking.size_bytes((lowest, before), bit) if lowest < before - 1 else 0
        return behind + sum(size for bits, size in self._comparison.tally.to_read.items() if bits & bit)

    def __iter__(self) -> Generator[Mapping[DatasetId, Outgoing], None, None]:
        if self._started:
            raise UsageError("a capture run is iterated once", hint="begin another run")
        self._started = True
        # Who asks only when there is something to send still hears how it was before the walk.
        self._comparison.moves  # noqa: B018
        with (
            self._state.errors(),
            self._state.running(self._run, sum(1 << slot for slot in self._slots.values())),
            ThreadPoolExecutor(READ_THREADS, thread_name_prefix="capture") as pool,
        ):
            yield from self._scan(pool) if self._request.scan else self._catch_up(pool)
            if self._request.places is None:
                # Of places `finish` does it: a small run waits for the disk once.
                self._state.make_durable()
            self._complete = True

    def result(self) -> CaptureResult:
        """Only after the iteration came to its end; raises `UsageError` before."""
        if not self._complete:
            raise UsageError("the capture has not come to its end", hint="iterate it to the end first")
        counters = Counters(
            files=self._comparison.tally.files,
            changed=self._passed.changed,
            removed=self._passed.removed,
            read_bytes=self._notes.read_bytes,
            offered_bytes=self._offered_bytes,
        )
        captured = {id: 1 << slot for id, slot in self._slots.items() if id not in self.refused}
        counted = self._state.totals(sum(captured.values()))
        totals = {
            id: DatasetTotals(
                sum(files for members, (files, _) in counted.items() if members & bit),
                sum(size for members, (_, size) in counted.items() if members & bit),
                self._notes.warnings(bit),
            )
            for id, bit in captured.items()
        }
        notes = self._notes
        return CaptureResult(
            run=self._run,
            captured_at=self._captured_at,
            totals=totals,
            counters=counters,
            findings=notes.findings,
            findings_total=notes.total,
            refused=dict(self.refused),
            suspects=tuple(self._passed.suspects),
            linked=self.linked,
            read_until=utc(self._around.clock.now_ns()) if self._request.sight.taken_ns is None else None,
        )

    def _moment(self) -> datetime:
        """Now, later than the newest commit of each dataset, unless that is of a clock that was wrong; of a catch-up, the time of the
        newest commit. Of a clock that was set back by less than `MOST_AHEAD` times go on a little later than the newest commit's; by more,
        that would give one time to all runs of many days, and keep rules would leave one point of them."""
        newest = {id: commit.captured_at for id in self._slots if (commit := self._state.newest_commit(id)) is not None}
        began_ns = self._comparison.began_ns if self._ledger is not None else self._around.clock.now_ns()
        moment = utc(began_ns if self._request.sight.taken_ns is None else self._request.sight.taken_ns)
        if not self._request.scan:
            return max(newest.values(), default=moment)
        ahead = {id: at for id, at in newest.items() if _EARLIEST <= moment < at - MOST_AHEAD}
        if ahead:
            self._notes.add(clock_set_back(moment, max(ahead.values())), sum(1 << self._slots[id] for id in ahead))
        return max([moment, *(at + timedelta(microseconds=1) for id, at in newest.items() if id not in ahead)])

    def _scan(self, pool: ThreadPoolExecutor) -> Iterator[Mapping[DatasetId, Outgoing]]:
        check_free(self._state.path.parent, self._around.reserve_bytes)
        if self._ledger is not None:
            yield from self._settle(pool, self._ledger)
            return
        comparison = self._comparison
        looked = comparison.look()
        with closing(Ledger(comparison.scratch.verdicts)) as ledger, closing(self._state.reader()) as reader:
            walk = comparison.walk(looked, reader)
            if walk.starts_from_nothing and not self._request.strange:
                comparison.tally = walk.tally
                yield from self._settle(pool, comparison.verdicts(walk))
                return
            comparison.run(walk, ledger, self._around.pulse)
            reader.close()
            yield from self._settle(pool, ledger)

    def _settle(self, pool: ThreadPoolExecutor, verdicts: Iterable[Verdict]) -> Iterator[Mapping[DatasetId, Outgoing]]:
        """The second pass."""
        comparison = self._comparison
        if comparison.walk_is_over:
            comparison.record_roots()
        kept = tuple(target for target, _ in comparison.look() if target.rule.id not in self.refused)
        first = not comparison.walk_is_over
        yield from self._emit(pool, kept, verdicts, self._run)
        if first:
            comparison.record_roots()
        for target in kept if self._request.places is None else ():
            for path in set(target.recorded) - set(target.roots):
                self._state.drop_root(self._slots[target.rule.id], path)

    def _catch_up(self, pool: ThreadPoolExecutor) -> Iterator[Mapping[DatasetId, Outgoing]]:
        targets = tuple(target for target, _ in self._comparison.look())
        self._comparison.judge_strange(targets)
        yield from self._emit(pool, tuple(target for target in targets if target.rule.id not in self.refused), (), self._run + 1)

    def _emit(
        self, pool: ThreadPoolExecutor, targets: tuple[Target, ...], verdicts: Iterable[Verdict], before: int
    ) -> Iterator[Mapping[DatasetId, Outgoing]]:
        bits = sum(target.bit for target in targets)
        bases = {target.bit: (target.rule.id, self._request.bases.get(target.rule.id)) for target in targets}
        segments = Segments(bases)
        lowest = {bit: -1 if base is None else base for bit, (_, base) in bases.items()}
        with closing(self._state.reader()) as snapshot:
            tools = Tools(
                state=self._state,
                run=self._run,
                walked=self._comparison.walked,
                bits=bits,
                databases=sum(target.bit for target in targets if target.classifier.databases),
                segments=segments,
                reader=self.reader,
                copies=Databases(self._copier, self._around.names, Reading(self._notes.add_read, self._request.sight)),
                notes=self._notes,
                pulse=self._around.pulse,
                pool=pool,
                granularity=_granularity(targets),
                moves=Moves(self._request.moves, snapshot),
                before_write=self._comparison.check_disk,
                prepared=self._around.prepared,
                reads_anew=self._request.scan and self._request.places is None and not self._request.sight,
            )
            emission = Emission(tools, lambda: sum(self._comparison.tally.to_read.values()) if self._comparison.walk_is_over else None)
            self._passed = emission.passed
            yield from emission.emit(verdicts, self._state.lacking.rows(lowest, before))
        self._offered_bytes = segments.offered_bytes


def _granularity(targets: tuple[Target, ...]) -> Callable[[int], Granularity]:
    """Of a path's datasets the finest that is asked for (the compiler refuses two that differ)."""
    fine = sum(target.bit for target in targets if target.rule.classification.granularity == "fine")
    coarse = sum(target.bit for target in targets if target.rule.classification.granularity == "coarse")
    return lambda members: "fine" if members & fine else "coarse" if members & coarse else "auto"

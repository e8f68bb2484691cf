"""Capture by scan: one walk over the union of the requested datasets' roots, every changed file read once for all of them.

Two passes. The first (`walk`) compares the file system with the state and writes its verdicts to a ledger on disk; it opens no file.
Then the vanished-source guard judges each dataset. Only then the second (`emission`) reads and emits. A dataset that is refused keeps its
rows as they are; the other datasets of the request go on.

Where the state knows nothing (a first run), nothing can have vanished, so both passes run side by side, and what the guard still
has to say at the end of the walk (a root was unmounted meanwhile) ends the whole run; the next one is no first one and judges one by one.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta

from holdfast.capture.chunking import Granularity, require_compiled
from holdfast.capture.classify import Classifier
from holdfast.capture.databases import Databases
from holdfast.capture.emission import Emission
from holdfast.capture.findings import Notes, OnProgress, Pulse
from holdfast.capture.frame import Tally
from holdfast.capture.guard import (
    LEAST_REMOVED,
    Identity,
    changed_meanwhile,
    count_moved,
    judge_empty,
    judge_losses,
    judge_roots,
    look_at_roots,
    not_reached,
    strangely_empty,
)
from holdfast.capture.ledger import Ledger, Verdict
from holdfast.capture.moves import Moves
from holdfast.capture.passing import Passed, Tools
from holdfast.capture.places import check_places, plan_places, with_databases
from holdfast.capture.ports import CaptureRequest, CaptureResult, DatasetTotals, Place
from holdfast.capture.reader import Reader, Reading
from holdfast.capture.roots import Target, WalkPlan, normal_roots, plan_walk, ways_to
from holdfast.capture.segments import Segments
from holdfast.capture.state import CaptureState
from holdfast.capture.visit import Visit
from holdfast.capture.walk import Walk
from holdfast.core.clock import Clock, utc
from holdfast.core.errors import SourceVanished, UsageError
from holdfast.core.ids import DatasetId, Epoch
from holdfast.host.database_copy import DatabaseCopier
from holdfast.host.disk import check_free
from holdfast.host.metadata import Names
from holdfast.host.snapshots import own_folders
from holdfast.model.change import Move
from holdfast.model.jobs import Counters
from holdfast.model.stream import Outgoing

_Looked = list[tuple[Target, dict[bytes, Identity | OSError]]]
HOME_RESERVE_BYTES = 256 * 1024 * 1024
READ_THREADS = 2


class Capture:
    """Captures the datasets of one node against its state. `home_reserve_bytes` is what must stay free on the disk of the state."""

    def __init__(self, state: CaptureState, *, clock: Clock, home_reserve_bytes: int = HOME_RESERVE_BYTES) -> None:
        require_compiled()
        self._state = state
        self._clock = clock
        self._home_reserve_bytes = home_reserve_bytes
        self._names = Names()

    def run(
        self, request: CaptureRequest, *, on_progress: OnProgress | None = None, cancelled: Callable[[], bool] | None = None
    ) -> ScanRun:
        """Begin a run: gives it its number; the work is done by iterating. `on_progress(phase, done_files, done_bytes, total_bytes)` is
        called at most ten times a second, phase `scan` or `read`. When `cancelled()` says so the iteration raises `Cancelled`.
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
        return ScanRun(
            self._state, request, self._clock, Pulse(self._clock, on_progress, cancelled), (self._names, self._home_reserve_bytes)
        )


class ScanRun:
    """`CaptureRun` by scan. `reader` counts the files it opened."""

    def __init__(self, state: CaptureState, request: CaptureRequest, clock: Clock, pulse: Pulse, surroundings: tuple[Names, int]) -> None:
        self._state, self._request, self._clock, self._pulse = state, request, clock, pulse
        self._names, self._reserve_bytes = surroundings
        self._slots = {rule.id: state.ensure_slot(rule.id) for rule in request.datasets}
        self._run = state.next_run() if request.scan else state.run
        self._captured_at = self._moment()
        self._refused: dict[DatasetId, SourceVanished] = {}
        self._notes = Notes()
        self._passed = Passed()
        self._tally = Tally()
        self._offered_bytes = 0
        self._looked: _Looked | None = None
        self._moves: Mapping[DatasetId, tuple[Move, ...]] | None = None
        self._started = self._complete = False
        self._walk_is_over = not request.scan
        self.reader = Reader(clock, self._names, self._notes.add_read, request.sight)
        self._copier = DatabaseCopier(state.path.with_name(state.path.name + "-databases"), clock, self._reserve_bytes)
        self._copier.sweep()

    @property
    def run(self) -> int:
        return self._run

    @property
    def epoch(self) -> Epoch:
        return self._state.epoch

    @property
    def captured_at(self) -> datetime:
        return self._captured_at

    @property
    def refused(self) -> Mapping[DatasetId, SourceVanished]:
        """Datasets the guard left out, and why. Final when the first item was given, of a first run at its end."""
        return self._refused

    @property
    def moves(self) -> Mapping[DatasetId, tuple[Move, ...]]:
        """See `CaptureRun`."""
        if self._moves is None:
            self._moves = self._confirm() if self._request.moves else {}
        return self._moves

    def _confirm(self) -> Mapping[DatasetId, tuple[Move, ...]]:
        try:
            looked = self._look()
        except SourceVanished:
            # The iteration says so.
            return {}
        with closing(self._state.reader()) as reader, closing(self._state.reader()) as snapshot:
            walk = self._walk(looked, reader)
            found = Moves(self._request.moves, snapshot).confirmed(walk.covers) if isinstance(walk, Visit) else {}
        return {target.rule.id: found[target.bit] for target, _ in looked if target.bit in found}

    def expected_bytes(self, dataset: DatasetId, base: int | None) -> int | None:
        """See `CaptureRun`. Costs a look at all rows where the receiver is behind."""
        if not self._walk_is_over:
            return None
        bit = 1 << self._slots[dataset]
        lowest, before = -1 if base is None else base, self._run if self._request.scan else self._run + 1
        behind = self._state.lacking.size_bytes((lowest, before), bit) if lowest < before - 1 else 0
        return behind + sum(size for bits, size in self._tally.to_read.items() if bits & bit)

    def __iter__(self) -> Generator[Mapping[DatasetId, Outgoing], None, None]:
        if self._started:
            raise UsageError("a capture run is iterated once", hint="begin another run")
        self._started = True
        # Who asks only when there is something to send still hears how it was before the walk.
        self._moves = self.moves
        with (
            self._state.errors(),
            self._state.running(self._run),
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
            files=self._tally.files,
            changed=self._passed.changed,
            removed=self._passed.removed,
            read_bytes=self._notes.read_bytes,
            offered_bytes=self._offered_bytes,
        )
        captured = {id: 1 << slot for id, slot in self._slots.items() if id not in self._refused}
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
            refused=dict(self._refused),
            suspects=tuple(self._passed.suspects),
            linked=frozenset(self._passed.linked),
        )

    def _moment(self) -> datetime:
        """Now, later than the newest commit of each dataset; of a catch-up, the time of the newest commit."""
        newest = [commit.captured_at for id in self._slots if (commit := self._state.newest_commit(id)) is not None]
        moment = utc(self._clock.now_ns() if self._request.sight.taken_ns is None else self._request.sight.taken_ns)
        if not newest:
            return moment
        return max(moment, max(newest) + timedelta(microseconds=1)) if self._request.scan else max(newest)

    def _look(self) -> _Looked:
        """The roots are looked at once, before anything else."""
        if self._looked is None:
            self._looked = self._targets()
        return self._looked

    def _targets(self) -> _Looked:
        """The datasets whose roots are as they should be, with what was found there."""
        accepted = []
        for rule in self._request.datasets:
            slot = self._slots[rule.id]
            classifier = Classifier(rule.classification, self._clock.now_ns())
            target = Target(rule, 1 << slot, classifier, normal_roots(rule.classification.paths), self._state.roots(slot))
            found = look_at_roots(target)
            problem = judge_roots(target, found, self._request.accept)
            if problem is not None:
                self._refused[rule.id] = problem
                continue
            for finding in classifier.findings:
                self._notes.add(finding, target.bit)
            accepted.append((target, found))
        self._require_some()
        return accepted

    def _scan(self, pool: ThreadPoolExecutor) -> Iterator[Mapping[DatasetId, Outgoing]]:
        check_free(self._state.path.parent, self._reserve_bytes)
        looked = self._look()
        with closing(Ledger(self._state.path.with_name(self._state.path.name + "-verdicts"))) as ledger:
            with closing(self._state.reader()) as reader:
                walk = self._walk(looked, reader)
                self._tally = walk.tally
                alongside = walk.starts_from_nothing and not self._request.strange
                if not alongside:
                    walk.run(ledger, self._pulse, self._before_write)
                    self._judge_all(looked, ledger)
            kept = tuple(target for target, _ in looked if target.rule.id not in self._refused)
            yield from self._emit(pool, kept, self._walked(walk, looked) if alongside else ledger, self._run)
            for target in kept if self._request.places is None else ():
                for path in set(target.recorded) - set(target.roots):
                    self._state.drop_root(self._slots[target.rule.id], path)

    def _walk(self, looked: _Looked, reader: sqlite3.Connection) -> Walk:
        """Of everything, or of the places; then also of all that is below roots that are new here, or to be judged for being empty."""
        targets = tuple(target for target, _ in looked)
        plan = self._plan(targets)
        if self._request.places is None:
            return Walk(plan, targets, reader, self._notes, self._request.sight)
        whole = {
            path
            for target, found in looked
            for path, identity in found.items()
            if path not in target.recorded or isinstance(identity, OSError) or target.rule.id in self._request.strange
        }
        places: Iterable[Place] = self._request.places
        if any(target.classifier.databases for target in targets):
            places = with_databases(places)
        return Visit(plan, plan_places(places, plan.tops, whole), targets, reader, self._notes)

    def _walked(self, walk: Walk, looked: _Looked) -> Iterator[Verdict]:
        """The verdicts of a first run, while the walk goes on. Raises what the guard has to say at its end."""
        refused = len(self._refused)
        yield from walk.verdicts()
        self._judge_all(looked, ())
        if len(self._refused) > refused:
            raise next(reversed(self._refused.values()))

    def _catch_up(self, pool: ThreadPoolExecutor) -> Iterator[Mapping[DatasetId, Outgoing]]:
        targets = tuple(target for target, _ in self._targets())
        for target in targets:
            if target.rule.id in self._request.strange and self._state.count_members(target.bit) <= len(ways_to(target.roots)):
                self._refused[target.rule.id] = strangely_empty(target, target.roots[0])
        self._require_some()
        yield from self._emit(pool, tuple(target for target in targets if target.rule.id not in self._refused), (), self._run + 1)

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
                bits=bits,
                databases=sum(target.bit for target in targets if target.classifier.databases),
                segments=segments,
                reader=self.reader,
                copies=Databases(self._copier, self._names, Reading(self._notes.add_read, self._request.sight)),
                notes=self._notes,
                pulse=self._pulse,
                pool=pool,
                granularity=_granularity(targets),
                moves=Moves(self._request.moves, snapshot),
                before_write=self._before_write,
            )
            emission = Emission(tools, lambda: sum(self._tally.to_read.values()) if self._walk_is_over else None)
            self._passed = emission.passed
            yield from emission.emit(verdicts, self._state.lacking.rows(lowest, before))
        self._offered_bytes = segments.offered_bytes

    def _before_write(self) -> None:
        check_free(self._state.path.parent, self._reserve_bytes)

    def _plan(self, targets: tuple[Target, ...]) -> WalkPlan:
        cuts: dict[bytes, int] = {}
        inodes: dict[tuple[int, int], int] = {}
        for target in targets:
            for path in (*normal_roots(target.rule.exclude_paths), *own_folders(target.roots)):
                cuts[path] = cuts.get(path, 0) | target.bit
                try:
                    status = os.stat(path)
                except OSError:
                    continue
                inode = (status.st_dev, status.st_ino)
                inodes[inode] = inodes.get(inode, 0) | target.bit
        everybody = sum(target.bit for target in targets)
        state = os.fsencode(self._state.path.absolute())
        for suffix in (b"", b"-wal", b"-shm", b"-verdicts", b"-databases"):
            # The state changes with every run; capturing it would never come to rest.
            cuts[state + suffix] = everybody
        plan = plan_walk(targets, cuts)
        return WalkPlan(plan.tops, plan.specials, plan.intervals, inodes)

    def _judge_all(self, looked: _Looked, verdicts: Iterable[Verdict]) -> None:
        self._walk_is_over = True
        for target, found in looked:
            self._judge(target, found, verdicts)
        self._require_some()
        self._record_roots(looked)

    def _judge(self, target: Target, found: Mapping[bytes, Identity | OSError], verdicts: Iterable[Verdict]) -> None:
        tally = self._tally
        problem = changed_meanwhile(target, found)
        if problem is None and self._request.places is None:
            unreached = [path for path, now in found.items() if not isinstance(now, OSError) and (target.bit, path) not in tally.reached]
            problem = not_reached(target, unreached[0]) if unreached else None
        if problem is None and not self._request.accept:
            many = tally.removed_from(target.bit) >= LEAST_REMOVED
            moved = count_moved(verdicts, self.moves.get(target.rule.id, ()), target.bit) if many else 0
            problem = judge_losses(target, tally, self._state.count_members(target.bit) if many else 0, moved)
            if problem is None and target.rule.id in self._request.strange:
                problem = judge_empty(target, tally)
        if problem is not None:
            self._refused[target.rule.id] = problem

    def _record_roots(self, looked: _Looked) -> None:
        for target, found in looked:
            if target.rule.id in self._refused:
                continue
            for path, identity in found.items():
                slot = self._slots[target.rule.id]
                if isinstance(identity, OSError):
                    # Accepted as gone: whatever comes in its place is welcome.
                    self._state.drop_root(slot, path)
                elif target.recorded.get(path) != identity:
                    self._state.set_root(slot, path, identity)

    def _require_some(self) -> None:
        if len(self._refused) == len(self._slots):
            raise next(iter(self._refused.values()))


def _granularity(targets: tuple[Target, ...]) -> Callable[[int], Granularity]:
    """Of a path's datasets the finest that is asked for (the compiler refuses two that differ)."""
    fine = sum(target.bit for target in targets if target.rule.classification.granularity == "fine")
    coarse = sum(target.bit for target in targets if target.rule.classification.granularity == "coarse")
    return lambda members: "fine" if members & fine else "coarse" if members & coarse else "auto"

"""Capturing and sending in one run: what the capture gives goes to every delivery, and its end is the commit of all.

A small run of much is made in stages (`following.stages`), each a capture and a commit of its own. The next begins as soon as the one
before is on its way, and only of the last is waited for: an action that did not take one takes none that builds on it. As long as more
is due by then (`RunTools.more`), that is the next stage.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

from holdfast.capture.joining import joined
from holdfast.capture.ports import CaptureRequest, CaptureResult, CaptureRun
from holdfast.core.errors import Cancelled, ErrorFacts, HoldfastError, SourceVanished
from holdfast.core.ids import DatasetId, Epoch
from holdfast.delivery.fanout import DeliveryResult, FanOut, FanOutSession, Turn
from holdfast.delivery.overflow import Overflow
from holdfast.model.change import Commit, Move
from holdfast.model.stream import Outgoing
from holdfast.operations.following.session_pool import LINGER_S
from holdfast.operations.following.stages import parts_of, stages_of
from holdfast.operations.run_lanes import DatasetRun, Lane, first_error
from holdfast.operations.run_order import RunOrder, RunTools, SmallRun
from holdfast.operations.run_plan import gaps_for, looks_at_all, marked_by, marks_for
from holdfast.operations.run_progress import LanesProgress, RunProgress
from holdfast.operations.running import Cancellation
from holdfast.operations.spooling.lanes import RunSpools

Steps = Iterator[Mapping[DatasetId, Outgoing]]
_LOOK_S = 0.05


@dataclass(frozen=True)
class Around:
    """What belongs to the run. `let_go` hears which lanes have ended while others go on, see `RunTools.let_go`."""

    progress: RunProgress
    spools: RunSpools
    let_go: Callable[[Sequence[Lane]], None]


class Sending:
    """Of one run. After `send`: what was `captured` in `capture_s`, whether it was `is_empty` (nobody need hear of it), and the `error`."""

    def __init__(
        self, order: RunOrder, tools: RunTools, cancellation: Cancellation, around: Around, datasets: Sequence[DatasetRun]
    ) -> None:
        self._datasets = datasets
        self._order, self._tools, self._cancellation = order, tools, cancellation
        self._progress, self._spools, self._let_go = around.progress, around.spools, around.let_go
        self._wanted: Sequence[DatasetRun] = ()
        self._lanes: Sequence[Lane] = ()
        self._captures: list[CaptureResult] = []
        self._fan: FanOut | None = None
        self._sent: Mapping[DatasetId, Commit] = {}
        # Delivery ids of which it is known how they ended.
        self._settled: set[str] = set()
        self._due = {} if order.small is None else order.small.due
        self.captured: CaptureResult | None = None
        self.capture_s = 0.0
        self.is_empty = False
        self.error: ErrorFacts | None = None

    def send(self, request: CaptureRequest, wanted: Sequence[DatasetRun], lanes: Sequence[Lane]) -> None:
        """What one dataset or one receiver does wrong stays with it. Raises `Cancelled`, and what the state raises."""
        self._wanted, self._lanes = wanted, lanes
        results: Mapping[str, DeliveryResult] = {}
        is_vanished = False
        try:
            is_whole = all(map(self._send_stage, self._stages(request)))
            self._tell_captured(is_whole=is_whole)
            if self._fan is not None:
                results = self._commit(self._fan)
        except SourceVanished:
            is_vanished = True
        finally:
            self._tell_captured(is_whole=False)
            # Whatever did not come to its end is forgotten by its receiver. Nobody left to send to: the run stays unfinished, and what
            # it read is kept for the next one.
            if self._fan is not None:
                results = results or self._fan.abort(Cancelled("the run was not finished"))
        if self._fan is not None:
            self._ended(results)
        elif not is_vanished:
            # Whatever was told changed nothing of what is captured: no receiver need hear of it.
            self.is_empty = True
            for lane in lanes:
                lane.current = frozenset(lane.live_actions)

    def _stages(self, request: CaptureRequest) -> Iterator[CaptureRequest]:
        small = self._order.small
        if small is None or not self._lanes or not self._may_be_empty() or self._spools.is_any:
            yield request
            return
        roots = [os.fsencode(path) for each in self._wanted for path in each.rule.classification.paths]
        stages = stages_of(small, roots, os.path.lexists)
        while stages:
            for stage in stages:
                yield replace(request, places=stage.places, moves=stage.moves)
            more = self._more()
            stages = () if more is None else parts_of(more)
            self._due = self._due if more is None else more.due

    def _more(self) -> SmallRun | None:
        """While all is well: who was left out, or did not take something, is told of this run's places only. As long as receivers have
        earlier stages to put in place, nobody waits for the end of this one."""
        if len(self._wanted) < len(self._datasets) or any(lane.error for lane in self._all_lanes()):
            return None
        return self._tools.more(self._is_early)

    def _is_early(self) -> bool:
        self._cancellation.check()
        return self._fan is not None and self._fan.has_earlier(_LOOK_S)

    def _send_stage(self, request: CaptureRequest) -> bool:
        """False: nobody is left who takes it, or what comes next cannot build on what was sent."""
        if self._fan is not None:
            commits = self._commits()
            request = replace(request, bases={id_: commits[id_].seq for id_ in commits}, strange=frozenset())
            request = replace(request, datasets=tuple(rule for rule in request.datasets if rule.id in commits))
            if not request.datasets:
                return False
        started_s = self._tools.clock.monotonic_s()
        capture = self._tools.capture.run(
            request,
            on_progress=self._progress.captured,
            cancelled=lambda: self._cancellation.requested,
            compared=self._tools.compared,
            prepared=self._tools.prepared,
        )
        known = len(self._captures)
        # Closed whatever happens: an iteration that nobody ends holds the state against the next run.
        with closing(iter(capture)) as steps:
            try:
                is_sent = self._send_steps(capture, self._tools.noted(capture, steps))
            except SourceVanished as vanished:
                for dataset in self._wanted:
                    dataset.error = capture.refused.get(dataset.rule.id, vanished).facts()
                raise
            finally:
                self.capture_s += self._tools.clock.monotonic_s() - started_s
                if len(self._captures) == known and capture.linked:
                    self._tools.broken_off(capture.linked)
        return is_sent

    def _send_steps(self, capture: CaptureRun, steps: Steps) -> bool:
        if self._may_be_empty():
            first = next(steps, None)
            if first is None:
                self._captures.append(capture.result())
                return True
            steps = chain((first,), steps)
        if self._fan is None:
            self._fan = self._opened(capture)
        elif not self._go_on(self._fan, capture):
            return False
        fan = self._fan
        for outgoing in steps:
            self._cancellation.check()
            if not fan.is_live:
                break
            fan.send(outgoing)
        if not fan.is_live:
            return False
        result = capture.result()
        self._captures.append(result)
        for dataset in self._wanted:
            self._finish(dataset, capture.epoch, result)
        self._cancellation.check()
        return True

    def _commit(self, fan: FanOut) -> Mapping[str, DeliveryResult]:
        self._progress.capture_is_over()
        # Also where nobody is left who takes them: what was captured whole and is kept by nobody is missed.
        self._sent = self._commits()
        if not fan.is_live:
            return {}
        self._cancellation.check()
        fan.close(self._sent, self._spools.own_commits(self._all_lanes(), self._sent))
        later = {lane.delivery.id for lane in self._lanes if self._may_end_later(lane)}
        results = fan.wait(fan.figures().keys() - later)
        if self._order.small is not None:
            fan.wait_a_while(later, LINGER_S)
        if late := {id_ for id_, figures in fan.figures().items() if id_ in later and figures.is_live}:
            results |= fan.wait(later - late)
            first = [lane for lane in self._all_lanes() if lane.delivery.id not in late]
            self._settle(first, results)
            self._let_go(first)
        return results | fan.wait(later)

    def _may_end_later(self, lane: Lane) -> bool:
        """Small runs that are made meanwhile send nothing there: what they capture comes with the next run that does. A small run itself
        waits for those for whom a spool keeps what they do not take."""
        if self._tools.let_go is None:
            return False
        if self._order.small is None:
            return lane.delivery.mode != "continuous"
        return not self._spools.may_keep(lane.delivery.id)

    def _settle(self, lanes: Sequence[Lane], results: Mapping[str, DeliveryResult]) -> None:
        """How these ended, each once: of what ended first small runs may know more by now."""
        lanes = [lane for lane in lanes if lane.delivery.id not in self._settled]
        self._settled.update(lane.delivery.id for lane in lanes)
        for lane in lanes:
            if lane.delivery.id in results:
                lane.ended(results[lane.delivery.id])
        self._spools.ended(lanes, results, self._sent)

    def _ended(self, results: Mapping[str, DeliveryResult]) -> None:
        self._settle(self._all_lanes(), results)
        if any(lane.error is not None for lane in self._lanes):
            # Being cancelled closes the channels: no fault of the receivers, and nothing to try again.
            self._cancellation.check()
        if self.captured is None or not self.captured.is_whole:
            self.error = first_error(self._lanes)

    def _may_be_empty(self) -> bool:
        """Whether this run makes no commit when it finds nothing."""
        small = self._order.small
        marked = any(marked_by(each.rule, each.due, [lane.delivery for lane in each.lanes]) for each in self._wanted)
        return small is not None and not small.gaps and not marked

    def _tell_captured(self, *, is_whole: bool) -> None:
        """Once, if there is anything to tell."""
        if self._captures:
            self.captured = joined(self._captures, is_whole=is_whole)
            self._captures = []
            self._tools.captured(self.captured)

    def _finish(self, dataset: DatasetRun, epoch: Epoch, captured: CaptureResult) -> None:
        """The dataset's commit, remembered durably; in a catch-up it is an old one and remembered already."""
        if dataset.rule.id in captured.refused:
            dataset.error = captured.refused[dataset.rule.id].facts()
            dataset.commit = None
        if self._order.catch_up or dataset.error is not None:
            return
        small, totals = self._order.small, captured.totals[dataset.rule.id]
        healed = None if small is None else small.gaps.get(dataset.rule.id, ())
        dataset.commit = Commit(
            dataset=dataset.rule.id,
            epoch=epoch,
            seq=captured.run,
            captured_at=captured.captured_at,
            marks=marks_for(dataset.rule, dataset.due, [lane.delivery for lane in dataset.lanes], self._tools.entropy),
            files=totals.files,
            size_bytes=totals.size_bytes,
            warnings=totals.warnings,
            zone=self._tools.zone,
            continuous=small is not None,
            gaps=gaps_for(dataset.rule, healed, captured, self._due.get(dataset.rule.id)),
            scanned=captured.run if looks_at_all(healed) else self._scanned_before(dataset.rule.id, epoch),
        )
        self._tools.state.finish(dataset.commit)

    def _scanned_before(self, dataset: DatasetId, epoch: Epoch) -> int:
        """See `Commit`. Carried from commit to commit, because a receiver may get a scan's changes with a later small run only."""
        before = self._tools.state.newest_commit(dataset)
        return before.scanned if before is not None and before.epoch == epoch else 0

    def _commits(self) -> dict[DatasetId, Commit]:
        return {dataset.rule.id: dataset.commit for dataset in self._wanted if dataset.commit is not None}

    def _opened(self, capture: CaptureRun) -> FanOut:
        sessions = {**self._spools.begin(capture.epoch, capture.run, self._tools.hostname, partial(self._moves_for, capture))}
        for lane in self._lanes:
            commit = self._commits().get(lane.dataset) if self._order.catch_up else None
            seq = capture.run if commit is None else commit.seq
            try:
                session = lane.begin(capture.epoch, seq, self._tools.hostname, self._moves_for(capture, lane.dataset, lane.base_seq))
                room = self._tools.overflow if self._may_end_later(lane) else None
                overflow = None if room is None else Overflow(room, lane.delivery.compression)
                patience_s = self._spools.patience_s(lane.delivery.id)
                sessions[lane.delivery.id] = FanOutSession(lane.dataset, session, patience_s, session.sheet, overflow)
            except HoldfastError as error:
                lane.error = error.facts()
        fan = FanOut(sessions, clock=self._tools.clock, on_wait=self._progress.tick)
        self._cancellation.on_cancel(lambda: _abort(fan))
        self._progress.follow(LanesProgress(self._lanes, fan, capture.expected_bytes, self._tools.clock))
        return fan

    def _go_on(self, fan: FanOut, capture: CaptureRun) -> bool:
        """The commit that was captured last ends, and that of this capture begins. False where there is no building on it, as the state
        has got another epoch meanwhile."""
        commits, turns = self._commits(), dict[str, Turn]()
        for lane in self._lanes:
            commit = commits.get(lane.dataset)
            if commit is None or lane.error is not None:
                continue
            if commit.epoch != capture.epoch:
                return False
            moves = self._moves_for(capture, lane.dataset, commit.seq)
            turns[lane.delivery.id] = lane.turn(commit, capture.run, self._tools.hostname, moves)
        fan.turn(turns)
        return True

    def _moves_for(self, capture: CaptureRun, dataset: DatasetId, base_seq: int | None) -> tuple[Move, ...]:
        """Only for who stands at the commit before: others saw nothing where it moved from."""
        newest = self._tools.state.newest_commit(dataset)
        return capture.moves.get(dataset, ()) if newest is not None and base_seq == newest.seq else ()

    def _all_lanes(self) -> list[Lane]:
        return [lane for dataset in self._datasets for lane in dataset.lanes]


def _abort(fan: FanOut) -> None:
    fan.abort(Cancelled("the job was cancelled"))

"""One source run: capture the datasets once, send each delivery what it lacks, make the commit, keep the record.

Order of the ends, chosen so that a crash anywhere leaves both sides in agreement: the source finishes the run durably *before* any receiver
hears the commit. A crash between the two leaves receivers behind a run the source knows, and the next session catches them up. The other
order could leave a receiver ahead of a source that never finished the run and would give the same number to other content.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from holdfast.capture.ports import CaptureRequest, CaptureResult
from holdfast.capture.scan import Capture
from holdfast.capture.state import CaptureState
from holdfast.core.clock import Clock, now
from holdfast.core.entropy import Entropy
from holdfast.core.errors import ErrorFacts, HoldfastError, SourceVanished, facts_of
from holdfast.core.ids import ActionId, DatasetId, Epoch
from holdfast.model.change import Begin, Commit
from holdfast.model.jobs import Counters, Finding, Job, Severity, State, Task
from holdfast.model.rules import DatasetRule, Delivery
from holdfast.operations.run_lanes import Dial, Lane, connect_all, first_error
from holdfast.operations.run_plan import concerned, marks_for, state_of
from holdfast.operations.running import Cancellation, Delivered, Meter, News

MAX_FINDINGS = 1_000

HookRunner = Callable[[DatasetRule, str], None]
"""Runs the dataset's hook of a phase (`before`, `after`); raises `HookFailed` or `OutsideLimits`. Not called where no hook is named."""


@dataclass(frozen=True, kw_only=True)
class RunOrder:
    """What to run. `operations` per dataset are the due ones; a delivery that carries none of them is left alone.

    `catch_up`: no scan; receivers that are behind get the newest finished run.
    """

    job: Job
    datasets: tuple[DatasetRule, ...]
    deliveries: tuple[Delivery, ...]
    operations: Mapping[DatasetId, tuple[str, ...]]
    generation: int
    accept: bool = False
    catch_up: bool = False


@dataclass(frozen=True, kw_only=True)
class RunTools:
    """What a run works with. `dial` opens a Deliver channel, `dial_read` a Read channel to a receiver. `zone` is this machine's IANA zone."""

    clock: Clock
    entropy: Entropy
    state: CaptureState
    capture: Capture
    dial: Dial
    dial_read: Dial
    hook: HookRunner
    news: News
    zone: str
    hostname: str


def run_datasets(order: RunOrder, tools: RunTools, cancellation: Cancellation) -> Job:
    """The ended job. Raises only `Cancelled` and what nobody foresaw; everything else is in the job and its tasks."""
    run = _Run(order, tools, cancellation)
    try:
        return run.execute()
    finally:
        run.close()


@dataclass
class _DatasetRun:
    """One dataset of the run; `error` = it takes no part any more."""

    rule: DatasetRule
    due: tuple[str, ...]
    lanes: list[Lane] = field(default_factory=list)
    commit: Commit | None = None
    hooked: bool = False
    error: ErrorFacts | None = None

    @property
    def wanted(self) -> bool:
        return self.error is None and any(lane.behind_actions for lane in self.lanes)


class _Run:
    def __init__(self, order: RunOrder, tools: RunTools, cancellation: Cancellation) -> None:
        self._order = order
        self._tools = tools
        self._cancellation = cancellation
        self._meter = Meter(order.job.id, tools.clock, tools.news.progress)
        self._findings: list[Finding] = []
        self._findings_total = 0
        self._captured: CaptureResult | None = None
        self._capture_s = 0.0
        self._datasets = [self._dataset_run(rule) for rule in order.datasets]

    def execute(self) -> Job:
        try:
            for dataset in self._datasets:
                self._before(dataset)
            self._attempt()
        finally:
            for dataset in self._datasets:
                self._after(dataset)
        for dataset in self._datasets:
            self._record(dataset)
        return self._ended()

    def close(self) -> None:
        for lane in self._lanes():
            lane.close()

    def _attempt(self) -> None:
        """Capture and deliver; when one dataset's source vanished, again without it."""
        while any(dataset.error is None for dataset in self._datasets):
            lanes = [lane for dataset in self._datasets if dataset.error is None for lane in dataset.lanes]
            connect_all(lanes, self._tools.dial, self._order.generation, self._cancellation)
            try:
                self._capture_and_send()
            except SourceVanished as vanished:
                if not self._drop_vanished(vanished):
                    raise
                continue
            return

    def _capture_and_send(self) -> None:
        self._settle_state()
        self._plan_catch_up()
        wanted = [dataset for dataset in self._datasets if dataset.wanted]
        if not wanted:
            return
        lanes = [lane for dataset in wanted for lane in dataset.lanes if lane.behind_actions]
        started_s = self._tools.clock.monotonic_s()
        capture = self._tools.capture.run(self._request(wanted, lanes))
        fan = self._fan(lanes, capture)
        try:
            for outgoing in capture:
                self._cancellation.check()
                fan.send(outgoing)
                self._count(outgoing)
            self._captured = capture.result()
            self._capture_s = self._tools.clock.monotonic_s() - started_s
            for dataset in wanted:
                self._finish(dataset, capture.epoch, self._captured)
            self._cancellation.check()
            fan.finish({dataset.rule.id: dataset.commit for dataset in wanted if dataset.commit is not None})
        except BaseException:
            fan.stop()
            raise

    def _settle_state(self) -> None:
        """Make the state fit for the cursors the receivers stated: rebuilt where it was lost, under a new epoch where it is an old copy."""
        state = self._tools.state
        for dataset in self._datasets:
            if dataset.error is None and state.is_new(dataset.rule.id):
                rebuild_from_receivers(dataset.lanes, self._tools, self._cancellation)
        cursors = [cursor for dataset in self._datasets for lane in dataset.lanes for cursor in lane.cursors]
        if any(state.is_behind(cursor) for cursor in cursors):
            state.renew_epoch()

    def _plan_catch_up(self) -> None:
        """Without a scan the commit is the newest finished one, and only those behind it get it."""
        if not self._order.catch_up:
            return
        state = self._tools.state
        for dataset in self._datasets:
            newest = state.newest_commit(dataset.rule.id)
            dataset.commit = None if newest is None else msgspec.structs.replace(newest, epoch=state.epoch)
            for lane in dataset.lanes:
                lane.skip_current(dataset.commit)

    def _request(self, wanted: Sequence[_DatasetRun], lanes: Sequence[Lane]) -> CaptureRequest:
        bases: dict[DatasetId, int | None] = {}
        for lane in lanes:
            base = lane.choose_base(self._tools.state)
            before = bases.get(lane.dataset, base)
            bases[lane.dataset] = None if base is None or before is None else min(base, before)
        return CaptureRequest(
            datasets=tuple(dataset.rule for dataset in wanted), bases=bases, accept=self._order.accept, scan=not self._order.catch_up
        )

    def _finish(self, dataset: _DatasetRun, epoch: Epoch, captured: CaptureResult) -> None:
        """The dataset's commit, remembered durably; in a catch-up it is an old one and remembered already."""
        if dataset.commit is not None:
            return
        totals = captured.totals[dataset.rule.id]
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
        )
        self._tools.state.finish(dataset.commit)

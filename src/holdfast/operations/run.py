"""One source run: capture the datasets once, send each delivery what it lacks, make the commit, keep the record.

Order of the ends, chosen so that a crash anywhere leaves both sides in agreement: the source finishes the run durably *before* any receiver
hears the commit. A crash between the two leaves receivers behind a run the source knows, and the next session catches them up. The other
order could leave a receiver ahead of a source that never finished the run and would give the same number to other content.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from holdfast.capture.ports import CaptureRequest
from holdfast.core.clock import now, ns_of
from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import ActionId, DatasetId
from holdfast.model.change import Amount, Commit
from holdfast.model.jobs import Finding, Job, State, Task
from holdfast.model.rules import DatasetRule, Delivery
from holdfast.operations.connecting import Connector, connect_all
from holdfast.operations.run_lanes import CAPTURE_NEEDED, DatasetRun, Lane, first_error, receiver_findings
from holdfast.operations.run_order import RunOrder, RunTools
from holdfast.operations.run_plan import CAPTURE, MAX_FINDINGS, answered, concerned, lowest_base, state_of
from holdfast.operations.run_progress import RunProgress
from holdfast.operations.run_quiet import Quiet
from holdfast.operations.run_rebuild import rebuild_lost_state
from holdfast.operations.run_sending import Around, Sending
from holdfast.operations.running import Cancellation, Delivered, Meter
from holdfast.operations.spooling.lanes import RunSpools


def run_datasets(order: RunOrder, tools: RunTools, cancellation: Cancellation) -> Job:
    """The ended job. Raises `Cancelled`, `NoSpace` or `SourceError` of the state, and what nobody foresaw; everything else is in the job
    and its tasks."""
    run = _Run(order, tools, cancellation)
    try:
        with tools.state.errors():
            return run.execute()
    finally:
        run.close()


class _Run:
    def __init__(self, order: RunOrder, tools: RunTools, cancellation: Cancellation) -> None:
        self._order = order
        self._tools = tools
        self._cancellation = cancellation
        self._progress = RunProgress(Meter(order.job.id, tools.clock, tools.news.progress))
        self._findings: list[Finding] = list(tools.state.findings)
        self._error: ErrorFacts | None = None
        self._known_anew: set[DatasetId] = set()
        self._told: set[str] = set()
        # Deliveries whose sessions this run is done with, and those that wait for it meanwhile.
        self._released: set[str] = set()
        self._lingering: set[str] = set()
        self._spools = RunSpools(tools.keepers, tools.state, is_small=order.small is not None, is_catch_up=order.catch_up)
        self._datasets = [self._dataset_run(rule) for rule in order.datasets]
        around = Around(self._progress, self._spools, self._let_go)
        self._sending = Sending(order, tools, cancellation, around, self._datasets)
        self._quiet = Quiet(order.datasets, tools.hook, tools.snapshots, is_scan=order.is_scan)

    def execute(self) -> Job:
        try:
            errors = self._quiet.begin(self._cancellation.check)
            for dataset in self._datasets:
                dataset.error = errors.get(dataset.rule.id)
            self._attempt()
        finally:
            self._quiet.end()
            self._findings += self._quiet.findings
        for dataset in self._datasets:
            self._record(dataset, [lane for lane in dataset.lanes if not self._sending.is_empty or self._is_owed(lane)])
        return self._ended()

    def close(self) -> None:
        self._spools.close()
        for lane in self._lanes():
            self._release(lane)

    def _release(self, lane: Lane) -> None:
        """Once: afterwards the session may be another run's."""
        pool = self._tools.pool if self._order.small is not None else None
        if lane.delivery.id not in self._released:
            self._released.add(lane.delivery.id)
            if pool is None or not lane.keep(pool):
                lane.close()
            if pool is not None and lane.delivery.id in self._lingering:
                pool.has_ended(lane.delivery.id)

    def _let_go(self, ended: Sequence[Lane]) -> None:
        """From now on small runs may be made: whatever is theirs, too, has been told and is free by then. The others of a small run are
        none of theirs until it has ended."""
        ids = {lane.delivery.id for lane in ended}
        for dataset in self._datasets:
            self._record(dataset, [lane for lane in dataset.lanes if lane.delivery.id in ids])
        for lane in ended:
            self._release(lane)
        self._spools.close()
        late: dict[DatasetId, ErrorFacts] = {}
        if self._order.small is not None and self._tools.pool is not None:
            for lane in self._lanes():
                if lane.delivery.id not in self._released:
                    self._lingering.add(lane.delivery.id)
                    late[lane.dataset] = self._tools.pool.lingers(lane.delivery.id).facts()
        if self._tools.let_go is not None:
            self._tools.let_go(late)

    def _is_owed(self, lane: Lane) -> bool:
        """Of a run that found nothing: whether an action that does not take what it lacks must be told of, so that it is tried again."""
        return (lane.session is not None and lane.error is None) or not self._spools.keeps(lane.delivery.id)

    def _attempt(self) -> None:
        """Connect, capture, deliver. What one dataset or one receiver does wrong stays with it."""
        lanes = [lane for dataset in self._datasets if dataset.error is None for lane in dataset.lanes]
        order, tools = self._order, self._tools
        connector = Connector(
            dial=tools.dial,
            generation=order.generation,
            clock=tools.clock,
            pool=tools.pool,
            adopt=order.adopt,
            by_hand=order.is_by_hand,
            is_hasty=self._is_hasty,
            waiting=self._spools.waiting,
        )
        connect_all(lanes, connector, self._cancellation)
        self._settle_state()
        self._plan_catch_up()
        for lane in lanes:
            self._spools.join(lane)
        wanted = [dataset for dataset in self._datasets if self._is_wanted(dataset)]
        for dataset in self._datasets:
            if order.small is not None and dataset not in wanted and dataset.error is None:
                self._spools.left_out(dataset.lanes, order.small.places)
        lanes = [lane for dataset in wanted for lane in dataset.lanes if lane.behind_actions]
        if not lanes and not any(self._spools.takes(dataset.rule.id) for dataset in wanted):
            self._error = first_error(self._lanes())
            return
        self._sending.send(self._request(wanted, lanes), wanted, lanes)
        self._error = self._sending.error

    def _is_hasty(self, delivery: str) -> bool:
        """Small runs wait for the one that is made; a point is there for the repositories."""
        return self._order.small is not None and (self._order.is_in_no_list or not self._spools.may_keep(delivery))

    def _is_wanted(self, dataset: DatasetRun) -> bool:
        """A dataset whose receivers are all away is captured with the others, for them to catch up; a catch-up serves only who is there.

        One of which nothing is known waits for a receiver: what that holds is what guards against a source that was emptied meanwhile.
        """
        if dataset.error is not None:
            return False
        if self._order.catch_up:
            return any(lane.behind_actions for lane in dataset.lanes)
        if self._spools.takes(dataset.rule.id):
            return True
        if self._order.small is not None:
            return any(lane.live_actions for lane in dataset.lanes)
        return any(lane.live_actions for lane in dataset.lanes) or not self._tools.state.is_new(dataset.rule.id)

    def _settle_state(self) -> None:
        """Make the state fit for the cursors the receivers stated: rebuilt where it was lost, under a new epoch where it is an old copy."""
        state = self._tools.state
        for dataset in self._datasets:
            if dataset.error is None and state.is_new(dataset.rule.id):
                finding = rebuild_lost_state(dataset.rule, dataset.lanes, self._tools.dial_read, state, self._cancellation)
                self._findings += [finding] if finding is not None else []
                self._known_anew |= {dataset.rule.id} if not state.is_new(dataset.rule.id) else set()
        cursors = [cursor for dataset in self._datasets for lane in dataset.lanes for cursor in lane.cursors]
        if any(state.is_behind(cursor) for cursor in cursors):
            state.renew_epoch()

    def _plan_catch_up(self) -> None:
        """Without a scan the commit is the newest finished one, and only those behind it get it. Where the state knows none, or holds more
        than it (a later run did not finish, or another policy captured the same files), there is no such commit to be had.
        """
        if not self._order.catch_up:
            return
        state = self._tools.state
        for dataset in self._datasets:
            newest = state.newest_commit(dataset.rule.id)
            dataset.commit = None if newest is None else msgspec.structs.replace(newest, epoch=state.epoch)
            for lane in dataset.lanes:
                lane.skip_current(dataset.commit)
            behind = any(lane.behind_actions for lane in dataset.lanes)
            if behind and (newest is None or state.has_changed_since(newest)):
                dataset.commit = None
                for lane in dataset.lanes:
                    lane.refuse_behind(CAPTURE_NEEDED)

    def _request(self, wanted: Sequence[DatasetRun], lanes: Sequence[Lane]) -> CaptureRequest:
        bases: dict[DatasetId, int | None] = {}
        for lane in lanes:
            base = lane.choose_base(self._tools.state)
            before = bases.get(lane.dataset, base)
            bases[lane.dataset] = lowest_base((base, before))
        for id_, base in self._spools.bases():
            bases[id_] = lowest_base((base, bases.get(id_, base)))
        for dataset in wanted:
            # Nobody listens: what changes now is found and kept, nothing old is looked up.
            bases.setdefault(dataset.rule.id, self._tools.state.run)
        epoch = self._tools.state.epoch
        small = self._order.small
        strange = {lane.dataset for lane in lanes for cursor in lane.cursors if cursor is not None and cursor.epoch != epoch}
        return CaptureRequest(
            datasets=tuple(dataset.rule for dataset in wanted),
            bases=bases,
            accept=self._order.accept,
            scan=not self._order.catch_up,
            places=None if small is None else small.places,
            moves=() if small is None else small.moves,
            strange=frozenset(strange - self._known_anew),
            sight=self._quiet.sight,
        )

    def _dataset_run(self, rule: DatasetRule) -> DatasetRun:
        due = self._order.operations.get(rule.id, ())
        dataset = DatasetRun(rule, due)
        for delivery in self._order.deliveries:
            if delivery.dataset == rule.id and self._concerns(delivery, due):
                dataset.lanes.append(Lane(rule, delivery))
        return dataset

    def _concerns(self, delivery: Delivery, due: Sequence[str]) -> bool:
        if self._order.small is not None:
            return delivery.mode == "continuous" and delivery.id not in self._order.small.closed
        return self._order.catch_up or any(name in due for name in delivery.operations)

    def _lanes(self) -> list[Lane]:
        return [lane for dataset in self._datasets for lane in dataset.lanes]

    def _record(self, dataset: DatasetRun, lanes: Sequence[Lane]) -> None:
        """Tells what each action made of the commit, once, and forgets the removals that all of them have passed."""
        lanes = [lane for lane in lanes if lane.delivery.id not in self._told]
        self._told.update(lane.delivery.id for lane in lanes)
        commit = dataset.commit
        if commit is None:
            self._record_missing(dataset, lanes)
            return
        for lane in lanes:
            for action in lane.delivery.actions:
                self._tell(lane, action, commit.captured_at, self._operations(dataset, lane, action, commit))
        everyone = {delivery.id for delivery in self._order.deliveries if delivery.dataset == dataset.rule.id}
        if everyone == {lane.delivery.id for lane in dataset.lanes if lane.has_passed()}:
            self._tools.state.drop_tombstones(dataset.rule.id, commit.seq)

    def _record_missing(self, dataset: DatasetRun, lanes: Sequence[Lane]) -> None:
        """A dataset that was left out while others were not, or that has no commit to catch up to: its actions are told one by one. Where
        nothing was found for anybody, who takes part has what the newest commit had: whatever was wrong with it before is over."""
        if self._sending.captured is None and not (self._order.catch_up or self._order.is_in_no_list):
            return
        newest = self._tools.state.newest_commit(dataset.rule.id) if self._sending.is_empty else None
        for lane in lanes:
            lane.error = dataset.error or lane.error
            for action in lane.delivery.actions:
                if lane.result_of(action) is not None:
                    self._tell(lane, action, None, concerned(lane.delivery, action, dataset.due))
                elif newest is not None:
                    self._tell(lane, action, newest.captured_at, concerned(lane.delivery, action, dataset.due))

    def _operations(self, dataset: DatasetRun, lane: Lane, action: ActionId, commit: Commit) -> tuple[str, ...]:
        if not self._order.catch_up:
            return concerned(lane.delivery, action, dataset.due)
        return answered(dataset.rule, lane.delivery, action, commit)

    def _amount(self, lane: Lane, error: ErrorFacts | None) -> Amount | None:
        """What this run adds to the backlog of an action that did not get it. A catch-up adds nothing."""
        captured = self._sending.captured
        if error is None or captured is None or self._order.catch_up:
            return None
        return self._tools.state.changed_in(lane.dataset, captured.run)

    def _tell(self, lane: Lane, action: ActionId, captured_at: datetime | None, operations: tuple[str, ...]) -> None:
        self._tools.news.delivered(
            Delivered(
                dataset=lane.dataset,
                delivery=lane.delivery.id,
                action=action,
                operations=operations,
                captured_at_ns=0 if captured_at is None else ns_of(captured_at),
                error=(error := lane.result_of(action)),
                spooled=lane.is_spooled and error is not None,
                amount=self._amount(lane, error),
            )
        )

    def _ended(self) -> Job:
        error = next((dataset.error for dataset in self._datasets if dataset.error is not None), self._error)
        tasks = self._tasks()
        captured = self._sending.captured
        findings = [*self._findings, *(captured.findings if captured else ()), *receiver_findings(self._lanes())]
        total = len(findings) + (captured.findings_total - len(captured.findings) if captured else 0)
        return msgspec.structs.replace(
            self._order.job,
            state=state_of(tasks, findings, error),
            ended_at=now(self._tools.clock),
            tasks=tasks,
            findings=tuple(findings[:MAX_FINDINGS]),
            findings_total=total,
            error=error,
        )

    def _tasks(self) -> tuple[Task, ...]:
        tasks = []
        captured = self._sending.captured
        if captured is not None:
            duration_s = self._sending.capture_s
            tasks.append(Task(name=CAPTURE, state=State.SUCCEEDED, counters=captured.counters, duration_s=duration_s))
        for dataset in self._datasets:
            tasks += dataset.tasks(is_captured=captured is not None or self._order.is_part)
        return tuple(tasks)

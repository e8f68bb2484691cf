"""Decides what runs and when, and keeps the records of it. No I/O of its own but the journal; time and workers are given.

All due datasets of the node go into one job (`queue`). Jobs that share a dataset run one after another.
A dataset whose receiver is away is brought up to date without another capture when the receiver may be back (`retries`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from holdfast.core.clock import Clock, now, ns_of, utc
from holdfast.core.errors import ErrorFacts, UnknownName
from holdfast.core.ids import DatasetId, JobId
from holdfast.model.jobs import ENDED, Event, Finding, Job, Severity, State
from holdfast.model.node_status import Protection
from holdfast.model.promises import complete, labels_in, last_part, promises_of
from holdfast.model.questions import AskTrigger
from holdfast.model.rules import Rules
from holdfast.node.planning.busy import busy_of
from holdfast.node.planning.first_runs import first_run
from holdfast.node.planning.held_restores import HeldRestores, after_break
from holdfast.node.planning.housekeeping import Housekeeping
from holdfast.node.planning.openings import first_opening
from holdfast.node.planning.outcomes import (
    acknowledged_rows,
    after_cascade,
    after_run,
    is_known,
    not_made,
    open_retries,
    state_of_rest,
    subjects_of,
    uncaptured_rows,
    with_capture,
    with_error_time,
)
from holdfast.node.planning.protections import due_operations, judge, reconcile
from holdfast.node.planning.queue import Queue
from holdfast.node.planning.retries import Retries, Retry
from holdfast.node.planning.starting import Room, Starting
from holdfast.node.planning.trying_again import ask_again, subjects_named
from holdfast.node.records.job_book import JobBook, Role, Signature
from holdfast.node.records.journal import Journal, ProtectionRow, Request
from holdfast.node.workers.messages import Acknowledged, CancelJob, PointsMade, RunCascade, RunDatasets, ToWorker

HOME_RESERVE_BYTES = 256 * 1024 * 1024
_ROOM_RECHECK_S = 2.0  # whoever makes room waits for it to be seen
_LOW = {
    Room.LOW: "less than 256 MiB are free where this node keeps its records: no capture is started",
    Room.NONE: "no room is left where this node keeps its records: they are in memory, and nothing but a prune is started",
}

Send = Callable[[Role, ToWorker], bool]
"""Hands a message to a worker; False = it is not up now."""


class Scheduler:
    """Call `tick` at start, after every other call, and when `next_wake` comes."""

    def __init__(self, book: JobBook, journal: Journal, send: Send, free_bytes: Callable[[], int], *, clock: Clock) -> None:
        self._book = book
        self._journal = journal
        self._send = send
        self._free_bytes = free_bytes
        self._clock = clock
        self._rules: Rules | None = None
        self._rows: dict[tuple[str, str, str], ProtectionRow] = {row.key: row for row in journal.protections()}
        self._retries = Retries(book.entropy)
        self._queue = Queue(book)
        self._starting = Starting(book, send, clock=clock)
        self.held = HeldRestores(book, send)
        self._housekeeping = Housekeeping(book, journal, clock=clock)
        self._last_state: dict[str, State] = {}
        self.room = Room.ENOUGH
        self.closing = False

    @property
    def findings(self) -> tuple[Finding, ...]:
        if self.room is Room.ENOUGH:
            return ()
        hint = "free some space on the file system of the node's home"
        return (Finding(code="low-disk", severity=Severity.ERROR, message=_LOW[self.room], hint=hint),)

    def recover(self) -> None:
        """Take up the journal's unfinished jobs: what waited waits again, what ran has failed and is tried again, a restore goes on."""
        for unfinished in self._journal.unfinished():
            error = ErrorFacts("worker-died", "the node stopped while this ran", "it is tried again by itself", True)
            if self.held.take_up(unfinished, error):
                continue
            ended = self._book.end(unfinished.job, State.FAILED, error)
            self._journal.record_job(ended)
            if isinstance(unfinished.request, RunDatasets | RunCascade):
                self._learn(ended, unfinished.request, was_attempt=False)

    def set_rules(self, rules: Rules) -> None:
        known = set() if self._rules is None else {cascade.id for cascade in self._rules.cascades}
        self._rules = rules
        self._book.set_rules(rules)
        self._queue.set_rules(rules)
        self._housekeeping.set_rules(rules)
        self._rows, removed = reconcile(rules, self._rows, self._clock.now_ns())
        self._journal.put_protections(self._rows.values(), removed)
        self._retries.forget_windows(self._clock.now_ns())
        self._retries.keep_only({promise.cascade or promise.delivery.dataset for promise in promises_of(rules)})
        for live in self._book.queued:
            if not is_known(rules, live.request):
                facts = ErrorFacts("cancelled", "the rules no longer name this", "activate the flow again if it should run")
                self._book.update(self._book.end(live.job, State.CANCELLED, facts))
        # Points may have been made while nobody listened, or before the cascade was drawn.
        looks = tuple(Retry(subject=cascade.id, kind="cascade") for cascade in rules.cascades if cascade.id not in known)
        now_ns = self._clock.now_ns()
        for retry in (*open_retries(rules, self._rows), *looks):
            if not self._retries.knows(retry.subject):
                self._retries.failed(retry, now_ns, was_attempt=False)

    def tick(self) -> None:
        """Queue what is due, start what can start; before it, write what had no room."""
        self._journal.catch_up()
        if self.closing:
            return
        if self._rules is not None:
            self._plan_due(self._rules)
            self._plan_retries(self._rules)
            self._housekeeping.plan()
        self._check_disk()
        if self._rules is not None:
            self._starting.start(self._rules, self.room)

    def next_wake(self) -> datetime | None:
        """The next moment at which `tick` has something to do by itself; None = only when something happens."""
        if self._rules is None:
            return None
        moment = now(self._clock)
        wakes = [due for due in due_operations(self._rules, self._rows, moment).values() if due > moment]
        retry_ns = self._retries.next_ns(self._busy_subjects())
        if retry_ns is not None:
            wakes.append(utc(retry_ns))
        for live in self._book.queued:
            opens = self._starting.opens_at(self._rules, live.request, moment)
            if opens is not None and opens > moment:
                wakes.append(opens)
        if (run_at := self._starting.next_run_at()) is not None and run_at > moment:
            wakes.append(run_at)
        if (care := self._housekeeping.next_wake()) is not None:
            wakes.append(care)
        if self.room is not Room.ENOUGH or self._journal.is_behind:
            wakes.append(moment + timedelta(seconds=_ROOM_RECHECK_S))
        return min(wakes, default=None)

    def trigger(self, ask: AskTrigger) -> tuple[JobId, ...]:
        """Queue these now. Raises `UnknownName` when the rules have none of it."""
        rules = self._rules
        known = {} if rules is None else {dataset.id: dataset for dataset in rules.datasets}
        chosen: dict[DatasetId, tuple[str, ...]] = {}
        for dataset in ask.datasets:
            if rules is not None and dataset in known:
                asked = ask.operations or tuple(operation.name for operation in known[dataset].operations)
                if operations := complete(rules, dataset, asked):
                    chosen[dataset] = operations
        cascades = [] if rules is None else [cascade for cascade in rules.cascades if cascade.id in ask.cascades]
        if not chosen and not cascades:
            raise UnknownName("nothing to trigger here", hint="see that the flow is active and its rules have reached this node")
        jobs = []
        if chosen and rules is not None:
            served = first_run(self._book, rules, self._rows, chosen, now(self._clock)) if ask.first else None
            jobs.append(served or self._queue_run(chosen, cause=ask.cause, trigger=ask.trigger, accept=ask.accept, adopt=ask.adopt))
        jobs += [self._queue.cascade(cascade.id, cause=ask.cause, trigger=ask.trigger, adopt=ask.adopt).job.id for cascade in cascades]
        return tuple(jobs)

    def queue(self, request: Request) -> JobId:
        """A restore or check."""
        return self._book.add(request).job.id

    def retry(self, job_id: JobId) -> tuple[JobId, ...]:
        """Queue anew what an ended job was about. Raises `UnknownName`, `Conflict`, `UsageError`."""
        return self.trigger(ask_again(self._rules, self._must_find(job_id)))

    def cancel(self, job_id: JobId) -> None:
        """Raises `UnknownName` when it is not there. An ended job stays as it is, and what it left is not tried again by itself before the
        next run of it fails."""
        live = self._book.get(job_id)
        if live is None:
            for subject in subjects_named(self._rules, self._must_find(job_id)):
                self._retries.clear(subject)
            return
        # Also one that does not run: a restore that is held up leaves unfinished files, which are its worker's.
        self._send(live.role, CancelJob(job=job_id))
        if not live.sent:
            self._book.update(self._book.end(live.job, State.CANCELLED, None))

    def _must_find(self, job_id: JobId) -> Job:
        job = self._book.find(job_id)
        if job is None:
            raise UnknownName(f"no job {job_id} here", hint="`holdfast jobs` lists them")
        return job

    def job_news(self, job: Job) -> None:
        if self.closing and job.state is State.CANCELLED:
            return  # it was we who stopped it; left as running it is taken up again at the next start
        if (live := self._book.get(job.id)) is None:
            return
        was_attempt = live.job.cause == "retry"
        self._book.update(job)
        if job.state in ENDED:
            self._learn(job, live.request, was_attempt=was_attempt)

    def worker_died(self, role: Role, error: ErrorFacts) -> None:
        """Whatever it ran has failed."""
        for live in self._book.sent:
            if live.role == role:
                self.job_news(after_break(live, error) or self._book.end(live.job, State.FAILED, error))

    def acknowledged(self, news: Acknowledged) -> None:
        if self._rules is None:
            return
        catching_up = any(
            isinstance(live.request, RunDatasets)
            and (live.request.catch_up or live.job.cause == "retry")
            and news.dataset in live.request.datasets
            for live in self._book.sent
        )
        forwards = any(cascade.delivery.id == news.delivery for cascade in self._rules.cascades)
        changed = acknowledged_rows(self._rows, news, self._clock.now_ns(), catching_up=catching_up, forwards=forwards)
        for row in changed:
            before = self._rows[row.key]
            lost = (before.missed if forwards else not_made(before)) - 1
            if lost > 0 and row.missed == 0:
                what = f"{labels_in(self._rules).get(row.dataset, row.dataset)} ({row.operation})"
                points = f"{lost} point{'' if lost == 1 else 's'} of {what} {'was' if lost == 1 else 'were'} missed"
                text = f"{points} while the receiver was away or had no place free"
                self.record_event("points-missed", Severity.WARNING, text, dataset=row.dataset, operation=row.operation)
        self._put_rows(changed)

    def points_made(self, news: PointsMade) -> None:
        """Cascades that wait for these points are queued."""
        if self._rules is None:
            return
        names = {repository.id for repository in self._rules.repositories if news.repository in (repository.id, repository.name)}
        fed = {cascade.id for cascade in self._rules.cascades if cascade.repository in names and cascade.delivery.dataset == news.dataset}
        rows = [self._rows.get(p.key) for p in promises_of(self._rules) if p.cascade in fed and p.operation in news.operations]
        self._put_rows(tuple(with_capture(row, news.captured_at_ns, self._clock.now_ns(), news.amount) for row in rows if row))
        for cascade in self._rules.cascades:
            waits_for = {last_part(cascade.after)} if cascade.after else set(cascade.delivery.operations)
            if cascade.id in fed and waits_for & set(news.operations):
                self._queue.cascade(cascade.id, cause="points")

    def protections(self) -> tuple[Protection, ...]:
        if self._rules is None:
            return ()
        busy = busy_of(self._book.live, self._last_state, self._retries.entries())
        return judge(self._rules, self._rows, busy, now(self._clock))

    def record_event(self, code: str, severity: Severity, message: str, **facts: str) -> None:
        node = self._rules.node if self._rules is not None else self._book.node
        self._journal.record_event(Event(code=code, severity=severity, message=message, node=node, time=now(self._clock), facts=facts))

    def _plan_due(self, rules: Rules) -> None:
        moment = now(self._clock)
        asked: dict[DatasetId, list[str]] = {}
        for (dataset, operation), due in due_operations(rules, self._rows, moment).items():
            if due <= moment:
                asked.setdefault(dataset, []).append(operation)
        waiting = self._queue.waiting_operations()
        chosen = {}
        for dataset, names in asked.items():
            operations = complete(rules, dataset, names)
            if not set(operations) <= waiting.get(dataset, set()):
                chosen[dataset] = operations
            else:
                self._note_attempt(dataset, operations)
        if chosen:
            self._queue_run(chosen, cause="schedule")

    def _plan_retries(self, rules: Rules) -> None:
        due = self._retries.due(self._clock.now_ns(), self._busy_subjects())
        closed = {retry.subject: opens for retry in due if (opens := self._closed_until(rules, retry)) is not None}
        for subject, opens in closed.items():
            self._retries.postpone(subject, ns_of(opens))
        due = tuple(retry for retry in due if retry.subject not in closed)
        for retry in due:
            if retry.kind == "cascade":
                self._queue.cascade(retry.subject, cause="retry", retry=retry)
        for kind in ("capture", "catch-up"):
            found = [retry for retry in due if retry.kind == kind]
            chosen = {
                DatasetId(retry.subject): complete(rules, DatasetId(retry.subject), retry.operations) if kind == "capture" else ()
                for retry in found
            }
            chosen = {dataset: operations for dataset, operations in chosen.items() if operations or kind == "catch-up"}
            if chosen:
                failure = Signature().union(*(retry.failure for retry in found))
                self._queue.again(chosen, catch_up=kind == "catch-up", failure=failure)

    def _closed_until(self, rules: Rules, retry: Retry) -> datetime | None:
        """When one of the movers that it would serve opens; None = one is open."""
        deliveries = [cascade.delivery for cascade in rules.cascades if cascade.id == retry.subject]
        for delivery in rules.deliveries if retry.kind != "cascade" else ():
            rows = [row for row in self._rows.values() if row.dataset == delivery.dataset == retry.subject]
            if any(row.error is not None and row.action in delivery.actions for row in rows):
                deliveries.append(delivery)
        return first_opening(deliveries, now(self._clock))

    def _queue_run(
        self, chosen: dict[DatasetId, tuple[str, ...]], *, cause: str, trigger: str = "", accept: bool = False, adopt: bool = False
    ) -> JobId:
        live = self._queue.run(chosen, cause=cause, trigger=trigger, accept=accept, adopt=adopt)
        # Only now: what could not be queued was not attempted.
        for dataset, operations in chosen.items():
            self._note_attempt(dataset, operations)
        return live.job.id

    def _check_disk(self) -> None:
        before, has_room = self.room, self._free_bytes() >= HOME_RESERVE_BYTES
        self.room = Room.NONE if self._journal.is_behind else Room.ENOUGH if has_room else Room.LOW
        if before is Room.ENOUGH and self.room is not before:
            self.record_event("low-disk", Severity.ERROR, _LOW[self.room])
        elif self.room is Room.ENOUGH and self.room is not before:
            self.record_event("disk-ok", Severity.INFO, "there is space in the node's home again: captures go on")

    def _learn(self, job: Job, request: Request, *, was_attempt: bool) -> None:
        """What the end of a job means for status and retries. Who was behind before a run that was cancelled is so still."""
        self._housekeeping.ended(job, request)
        if job.state is State.CANCELLED and not was_attempt:
            self._last_state.update(dict.fromkeys(subjects_of(request), job.state))
        elif isinstance(request, RunCascade):
            self._last_state[request.cascade] = job.state
            self._note_failures(after_cascade(job, request.cascade, self._rules, self._rows), {request.cascade}, was_attempt)
        elif isinstance(request, RunDatasets):
            self._put_rows(uncaptured_rows(job, request, self._rows))
            told = [row for row in self._rows.values() if row.dataset in request.datasets]
            self._last_state.update(dict.fromkeys(request.datasets, state_of_rest(job, told)))
            self._note_failures(after_run(job, request, self._rules, self._rows), set(request.datasets), was_attempt)

    def _note_failures(self, retries: tuple[Retry, ...], subjects: set[str], was_attempt: bool) -> None:
        for subject in subjects.difference(retry.subject for retry in retries):
            self._retries.clear(subject)
        now_ns = self._clock.now_ns()
        for retry in retries:
            self._retries.failed(retry, now_ns, was_attempt=was_attempt)

    def _note_attempt(self, dataset: DatasetId, operations: tuple[str, ...]) -> None:
        rows = [row for row in self._rows.values() if row.dataset == dataset and row.operation in operations]
        self._put_rows(tuple(msgspec.structs.replace(row, attempted_ns=self._clock.now_ns()) for row in rows))

    def _put_rows(self, rows: tuple[ProtectionRow, ...]) -> None:
        if rows:
            now_ns = self._clock.now_ns()
            rows = tuple(with_error_time(self._rows.get(row.key), row, now_ns) for row in rows)
            self._rows.update({row.key: row for row in rows})
            self._journal.put_protections(rows)

    def _busy_subjects(self) -> set[str]:
        return {subject for live in self._book.live for subject in subjects_of(live.request)}

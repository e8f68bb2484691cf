"""Jobs while they live: queued, then sent to a worker, then ended. Ended and waiting ones are in the journal; the quiet ones are not yet.

A *quiet* job is another attempt at something that failed before. It enters the journal when it moves data or ends in another way than the
attempt before; one that fails the same way leaves no record, so that a receiver that is away for a week does not fill the list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from holdfast.core.clock import Clock, now
from holdfast.core.entropy import Entropy
from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import JobId, NodeId, new_id
from holdfast.model.jobs import ENDED, Job, Progress, State
from holdfast.model.maintenance import Prune
from holdfast.model.rules import Rules
from holdfast.model.waits import Wait
from holdfast.node.records.journal import Journal, Request
from holdfast.node.workers.messages import RunDatasets, RunDrill, RunMaintenance, RunRecall, RunRestore, RunUndo

Role = Literal["source", "store", "recall"]

Signature = frozenset[tuple[str, str]]
_ASKED = ("trigger", "local")
"""Causes of jobs that somebody was told of."""


def role_of(request: Request) -> Role:
    """Which worker runs it: a restore with an order reads over the wire, one without reads this node's own repository. To take one back
    nothing is read."""
    if isinstance(request, RunDatasets | RunUndo | RunRecall | RunDrill) or (
        isinstance(request, RunRestore) and request.ask.order is not None
    ):
        return "source"
    return "store"


def makes_room(request: Request) -> bool:
    """What is done on a full disk, too, where no record of it can be kept."""
    return isinstance(request, RunMaintenance) and isinstance(request.task, Prune)


def failure_of(job: Job) -> Signature:
    """What went wrong, comparable between attempts; empty = nothing did. What a task says the job may say once more: an attempt does where
    nothing was captured, the run that was captured before it does not."""
    found = {(f"{task.name}@{task.receiver}", task.error.code) for task in job.tasks if task.error is not None}
    if job.error is not None and all(code != job.error.code for _, code in found):
        found.add(("", job.error.code))
    return frozenset(found)


def _moved(job: Job) -> bool:
    return any(task.counters.changed or task.counters.removed or task.counters.sent_bytes for task in job.tasks)


@dataclass(kw_only=True)
class LiveJob:
    """`sent`: a worker has it. `quiet_failure`: the failure this attempt would repeat (empty: to end well without moving anything is not
    worth a record); None = an ordinary job."""

    job: Job
    request: Request
    sent: bool = False
    quiet_failure: Signature | None = None
    progress: Progress | None = None

    @property
    def role(self) -> Role:
        return role_of(self.request)


class JobBook:
    """All jobs that have not ended, oldest first, and the journal behind them."""

    def __init__(self, journal: Journal, node: NodeId, *, clock: Clock, entropy: Entropy) -> None:
        self._journal = journal
        self._node = node
        self._clock = clock
        self._entropy = entropy
        self._rules: Rules | None = None
        self._live: dict[JobId, LiveJob] = {}

    @property
    def node(self) -> NodeId:
        return self._node

    @property
    def entropy(self) -> Entropy:
        return self._entropy

    @property
    def live(self) -> tuple[LiveJob, ...]:
        return tuple(self._live.values())

    @property
    def queued(self) -> tuple[LiveJob, ...]:
        return tuple(live for live in self._live.values() if not live.sent and live.job.state is not State.PAUSED)

    @property
    def sent(self) -> tuple[LiveJob, ...]:
        return tuple(live for live in self._live.values() if live.sent)

    def set_rules(self, rules: Rules) -> None:
        """New jobs inherit the tags of these."""
        self._rules = rules

    def new_job(
        self, kind: str, rule: str, cause: str, operations: tuple[str, ...] = (), trigger: str = "", datasets: tuple[str, ...] = ()
    ) -> Job:
        return Job(
            id=JobId(new_id(self._entropy)),
            node=self._node,
            kind=kind,
            rule=rule,
            state=State.QUEUED,
            created_at=now(self._clock),
            cause=cause,
            operations=operations,
            trigger=trigger,
            datasets=datasets,
            tags=() if self._rules is None else self._rules.tags_for(datasets),
        )

    def add(self, request: Request, quiet_failure: Signature | None = None) -> LiveJob:
        """Queue it, on disk unless quiet. What nobody asked for, and what makes room, waits in memory where the disk is full; of all else
        that raises `NoSpace`."""
        live = LiveJob(job=request.job, request=request, quiet_failure=quiet_failure)
        if quiet_failure is None and request.job.cause in _ASKED and not makes_room(request):
            self._journal.record_asked(request.job, request)
        elif quiet_failure is None:
            self._journal.record_job(request.job, request)
        self._live[request.job.id] = live
        return live

    def requeue(self, job: Job, request: Request) -> None:
        """A job the journal holds as queued or paused, after a restart."""
        self._live[job.id] = LiveJob(job=job, request=request)

    def resume(self, live: LiveJob, request: Request) -> None:
        """A paused job waits for its worker again, on disk. Raises `NoSpace`; then it is paused still."""
        self._journal.record_asked(request.job, request)
        live.job, live.request = request.job, request

    def get(self, job_id: JobId) -> LiveJob | None:
        return self._live.get(job_id)

    def update(self, job: Job) -> LiveJob | None:
        """Take the job as its worker tells it. The live job it was, removed when it ended; None = not one of ours."""
        live = self._live.get(job.id)
        if live is None:
            return None
        if job.wait is not None and job.state is not State.QUEUED:
            job = msgspec.structs.replace(job, wait=None)
        live.job = job
        if job.state is State.PAUSED:
            live.sent, live.progress = False, None
        if job.state in ENDED:
            del self._live[job.id]
            if live.quiet_failure == failure_of(job) and not _moved(job):
                return live
            live.quiet_failure = None
        if live.quiet_failure is None:
            self._journal.record_job(job, live.request)
        return live

    def end(self, job: Job, state: State, error: ErrorFacts | None) -> Job:
        """The job as ended now by the agent itself."""
        return msgspec.structs.replace(job, state=state, ended_at=now(self._clock), error=error, wait=None)

    def note_wait(self, live: LiveJob, wait: Wait | None) -> None:
        """For what it waits; None = for nothing any more."""
        if live.job.wait != wait:
            live.job = msgspec.structs.replace(live.job, wait=wait)
            if live.quiet_failure is None:
                self._journal.record_job(live.job, live.request)

    def note_progress(self, progress: Progress) -> None:
        live = self._live.get(progress.job)
        if live is None:
            return
        live.progress = progress
        if progress.done_bytes > 0:
            self.publish(live)

    def publish(self, live: LiveJob) -> None:
        """Quiet no longer."""
        if live.quiet_failure is not None:
            live.quiet_failure = None
            self._journal.record_job(live.job, live.request)

    def find(self, job_id: JobId) -> Job | None:
        live = self._live.get(job_id)
        return self._journal.job(job_id) if live is None else live.job

    def reports_waiting(self) -> int:
        return self._journal.reports_waiting()

    def newest(self, limit: int) -> tuple[Job, ...]:
        """Newest first, quiet ones among them while they live."""
        quiet = [live.job for live in self._live.values() if live.quiet_failure is not None]
        jobs = [*quiet, *self._journal.newest_jobs(limit)]
        jobs.sort(key=lambda job: job.created_at, reverse=True)
        return tuple(jobs[:limit])

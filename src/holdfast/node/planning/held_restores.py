"""Restores that are held up: by a person, or because the node stopped while they ran. They wait, with all they were asked for, until
somebody goes on with them or ends them; what is in place stays meanwhile.

A restore that reads by orders needs new ones to go on, because each is good once; the Master signs them (`AskResumeJob`).
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from holdfast.core.errors import ErrorFacts, NotGranted, UnknownName, UsageError
from holdfast.core.ids import JobId
from holdfast.model.jobs import Job, State
from holdfast.model.orders import SignedOrder
from holdfast.model.restoring import AskResumeJob
from holdfast.node.records.job_book import JobBook, LiveJob, Role
from holdfast.node.records.journal import Request, Unfinished
from holdfast.node.workers.messages import PauseJob, RunRestore, RunUndo, ToWorker


class HeldRestores:
    """`send` hands a message to a worker; False = it is not up now."""

    def __init__(self, book: JobBook, send: Callable[[Role, ToWorker], bool]) -> None:
        self._book = book
        self._send = send

    def pause(self, job_id: JobId) -> None:
        """Soon: the job's state says when. One that is paused stays so. Raises `UnknownName`, `UsageError`."""
        live, _ = self._restore(job_id)
        if live.sent:
            self._send(live.role, PauseJob(job=job_id))
        elif live.job.state is not State.PAUSED:
            self._book.update(replace(live.job, state=State.PAUSED))

    def resume(self, ask: AskResumeJob) -> None:
        """Raises `UnknownName`, `UsageError` (it is not paused), `NotGranted` (it reads by orders, and there are none)."""
        live, request = self._restore(ask.job)
        if live.job.state is not State.PAUSED:
            raise UsageError(f"the job is {live.job.state.value}, not paused", hint="`holdfast jobs` says how each stands")
        if request.ask.order is not None and not ask.orders:
            raise NotGranted("it reads from another machine, and needs a new order", hint="go on with it through the Master: jobs resume")
        job = replace(live.job, state=State.QUEUED, error=None)
        order, spares = (ask.orders[0], ask.orders[1:]) if ask.orders else (None, ())
        self._book.resume(live, replace(request, job=job, ask=replace(request.ask, order=order, spares=spares)))

    def orders_of(self, job_id: JobId) -> tuple[SignedOrder, ...]:
        """Raises `UnknownName`, `UsageError`."""
        ask = self._restore(job_id)[1].ask
        return () if ask.order is None else (ask.order, *ask.spares)

    def take_up(self, unfinished: Unfinished, error: ErrorFacts) -> bool:
        """Whether a job of before the node's start goes on: what waited or was held up does so still, what needs nobody else goes on by
        itself, a restore that read by orders waits for new ones."""
        job, request = unfinished.job, unfinished.request
        if request is None:
            return False
        if job.state in (State.QUEUED, State.PAUSED):
            self._book.requeue(job, request)
            return True
        if not _can_go_on(request) and not isinstance(request, RunUndo):
            return False
        needs_nobody = isinstance(request, RunUndo) or (isinstance(request, RunRestore) and request.ask.order is None)
        stands = replace(job, state=State.QUEUED) if needs_nobody else _held_up(job, error)
        self._book.requeue(stands, request)
        self._book.update(stands)
        return True

    def _restore(self, job_id: JobId) -> tuple[LiveJob, RunRestore]:
        live = self._book.get(job_id)
        if live is None:
            if self._book.find(job_id) is None:
                raise UnknownName(f"no job {job_id} here", hint="`holdfast jobs` lists them")
            raise UsageError("the job has ended", hint="`holdfast jobs` says how; start it again")
        if not isinstance(live.request, RunRestore) or live.request.ask.request.dry_run:
            raise UsageError("only a restore can be paused", hint="other jobs can be cancelled; they are run again when they are due")
        return live, live.request


def after_break(live: LiveJob, error: ErrorFacts) -> Job | None:
    """How a job stands whose worker died; None = it has failed. The worker may have died of it: somebody is to say whether it goes on."""
    return _held_up(live.job, error) if _can_go_on(live.request) else None


def _can_go_on(request: Request | None) -> bool:
    return isinstance(request, RunRestore) and not request.ask.request.dry_run


def _held_up(job: Job, error: ErrorFacts) -> Job:
    told = ErrorFacts(error.code, error.message, f"what is in place stays; `holdfast jobs resume {job.id[:8]}` goes on with it")
    return replace(job, state=State.PAUSED, error=told)

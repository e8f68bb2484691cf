"""Triggers: one wish ("run this flow now", "restore this"), carried out as stages of jobs on several nodes, and watched to the end.

A stage is asked of all its nodes at once; the next begins when every job of it has ended. A node that is away is a problem of the
trigger, and the others go on. What was asked is in the records, so that a Master that starts again goes on watching.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from datetime import datetime
from functools import partial
from typing import Any, Literal

import msgspec
from msgspec.structs import replace
from sqlalchemy.orm import Session

from holdfast.core.errors import ErrorFacts, HoldfastError, NoSpace, NotReachable, OutsideLimits
from holdfast.core.ids import JobId, NodeId
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.news import Subject
from holdfast.master.records import happenings, inventory
from holdfast.master.records.happenings import StoredTrigger
from holdfast.master.rules.deployment import Asking, Selection, Stage, deployment
from holdfast.model.jobs import ENDED, Job, Progress, State
from holdfast.model.questions import AskJobs, AskMaintenance, AskTrigger, Jobs, JobsStarted
from holdfast.model.recalling import AskRecall
from holdfast.model.restoring import AskRestore, AskUndo
from holdfast.model.trials import AskDrill

START_TIMEOUT_S = 30.0
LOOK_AGAIN_S, KEEP_AGAIN_S = 5.0, 2.0
GIVE_UP_S = 120.0
PROGRESS_S = 1.0
_OVER = ENDED | {State.UNKNOWN}
_log = logging.getLogger(__name__)
"""What one node is asked to do as a job of its own."""
TriggerState = Literal["running", "succeeded", "warnings", "failed"]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a node did not do its part. `node` is its name."""

    node: str
    error: ErrorFacts


class Started(msgspec.Struct, frozen=True, kw_only=True):
    stage: int
    node: NodeId
    jobs: tuple[JobId, ...]


class TriggerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How far a trigger has got: `started` and `problems` grow; `stages` is the plan."""

    id: str
    flow: str
    created_at: datetime
    stages: tuple[Stage, ...] = ()
    started: tuple[Started, ...] = ()
    problems: tuple[Problem, ...] = ()
    state: TriggerState = "running"

    @property
    def done(self) -> bool:
        return self.state != "running"


class TriggerView(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger as people see it."""

    id: str
    flow: str
    state: TriggerState
    done: bool
    jobs: tuple[Job, ...]
    progress: tuple[Progress, ...]
    problems: tuple[Problem, ...]


class Triggers:
    def __init__(self, base: Foundation, hub: Hub) -> None:
        self._base = base
        self._hub = hub
        self._records: dict[str, TriggerRecord] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def trigger(self, flow: str, selection: Selection) -> str:
        """Run a flow, or part of it, now; gives the trigger's id. Raises `UnknownName` when there is nothing to run."""
        identity = self._base.new_id()
        stages = await self._base.database.run(lambda s: deployment(s).stages(flow, selection, identity))
        record = TriggerRecord(id=identity, flow=flow, created_at=self._base.now(), stages=stages)
        await self._keep(record)
        self._start(self._carry_out(identity))
        return identity

    async def start_one(
        self, node: NodeId, ask: AskRestore | AskDrill | AskMaintenance | AskUndo | AskRecall
    ) -> tuple[str, tuple[JobId, ...]]:
        """Have one node do one thing; gives trigger and jobs. The node's refusal, or its absence, is raised here.

        `ask.trigger` must be empty: it is set here.
        """
        identity = self._base.new_id()
        asked = msgspec.structs.replace(ask, trigger=identity)
        try:
            jobs = await self._begin(node, asked)
        except OutsideLimits as error:
            # Its "this machine" is read on another one.
            name = (await self._base.database.run(lambda s: inventory.names_of(s, (node,)))).get(node, node)
            raise OutsideLimits(f"{name} refuses: {error.message}", hint=error.hint, **error.context) from None
        started = (Started(stage=0, node=node, jobs=jobs),)
        await self._keep(TriggerRecord(id=identity, flow="", created_at=self._base.now(), stages=((),), started=started))
        self._start(self._carry_out(identity))
        return identity, jobs

    async def resume(self) -> None:
        """Go on watching what was open when the Master stopped."""
        for stored in await self._base.database.run(happenings.open_triggers):
            self._records[stored.id] = msgspec.json.decode(stored.record, type=TriggerRecord)
            self._start(self._carry_out(stored.id))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def show(self, identity: str, wait_s: float = 0) -> TriggerView:
        """A trigger as it is; with `wait_s`, as soon as it looks different from now, or after that time. Raises `UnknownName`.

        Progress alone is shown once a second: each answer costs a request and a look into the database.
        """
        clock, seen = self._base.clock, self._base.news.count
        first = view = await self._view(identity)
        began_s = clock.monotonic_s()
        while not view.done and replace(view, progress=()) == replace(first, progress=()):
            patience_s = wait_s if view.progress == first.progress else min(wait_s, PROGRESS_S)
            left_s = began_s + patience_s - clock.monotonic_s()
            if left_s <= 0:
                break
            await self._base.news.wait(seen, left_s)
            seen = self._base.news.count
            view = await self._view(identity)
        return view

    async def _view(self, identity: str) -> TriggerView:
        record = self._records.get(identity)
        if record is None:
            stored = await self._base.database.run(lambda s: happenings.trigger(s, identity))
            record = msgspec.json.decode(stored.record, type=TriggerRecord)
        jobs = await self._jobs(record)
        progress = tuple(p for job in jobs if job.state not in _OVER and (p := self._hub.progress(job.node, job.id)))
        return TriggerView(
            id=record.id,
            flow=record.flow,
            state=record.state,
            done=record.done,
            jobs=jobs,
            progress=progress,
            problems=record.problems,
        )

    async def _jobs(self, record: TriggerRecord) -> tuple[Job, ...]:
        started = frozenset(job for begun in record.started for job in begun.jobs)
        return await self._base.database.run(lambda s: happenings.jobs_of_trigger(s, record.id, started))

    async def _carry_out(self, identity: str) -> None:
        for number, stage in enumerate(self._records[identity].stages):
            begun = {s.node for s in self._records[identity].started if s.stage == number}
            resumed = [self._await_jobs(identity, s) for s in self._records[identity].started if s.stage == number]
            fresh = [self._run_on(identity, number, asking) for asking in stage if asking.node not in begun]
            await asyncio.gather(*resumed, *fresh)
        record = self._records[identity]
        jobs = await self._jobs(record)
        await self._keep_at_last(msgspec.structs.replace(record, state=_verdict(jobs, record.problems)))
        del self._records[identity]

    async def _run_on(self, identity: str, number: int, asking: Asking) -> None:
        try:
            jobs = await self._begin(asking.node, asking.ask)
        except HoldfastError as error:
            await self._note_problem(identity, asking.node, error)
            return
        started = Started(stage=number, node=asking.node, jobs=jobs)
        record = self._records[identity]
        await self._keep_at_last(msgspec.structs.replace(record, started=(*record.started, started)))
        await self._await_jobs(identity, started)

    async def _begin(
        self, node: NodeId, ask: AskTrigger | AskRestore | AskDrill | AskMaintenance | AskUndo | AskRecall
    ) -> tuple[JobId, ...]:
        """Have the node begin. Its jobs are in the records when this returns: an id that is handed out is known from then on, whenever the
        node's own report of it comes. Raises the node's refusal, or its absence."""
        begun = await self._hub.ask_for(node, ask, JobsStarted, START_TIMEOUT_S)
        await self._base.database.run(lambda s: happenings.record_answered_jobs(s, node, begun.started))
        self._base.news.tell(*(Subject("job", job) for job in begun.jobs))
        return begun.jobs

    async def _await_jobs(self, identity: str, started: Started) -> None:
        """Until every job has ended. News comes by reports; now and then the node is asked, in case it lost a job."""
        open_jobs = set(started.jobs)
        heard_s = asked_s = self._base.clock.monotonic_s()
        await self._look(identity, started.node, open_jobs)
        while open_jobs:
            seen = self._base.news.count
            open_jobs -= await self._base.database.run(partial(happenings.over, jobs=frozenset(open_jobs)))
            if not open_jobs:
                return
            await self._base.news.wait(seen, LOOK_AGAIN_S)
            now_s = self._base.clock.monotonic_s()
            if now_s - asked_s < LOOK_AGAIN_S:
                continue
            asked_s = now_s
            if await self._look(identity, started.node, open_jobs):
                heard_s = now_s
            elif now_s - heard_s > GIVE_UP_S:
                away = NotReachable("the node went away while its jobs ran", hint="its jobs go on; `holdfast jobs` shows them later")
                await self._note_problem(identity, started.node, away)
                return

    async def _look(self, identity: str, node: NodeId, open_jobs: set[JobId]) -> bool:
        """Ask the node how these jobs stand; False when it does not answer. A job it does not know any more is lost."""
        try:
            answer = await self._hub.ask_for(node, AskJobs(jobs=tuple(sorted(open_jobs))), Jobs)
        except HoldfastError:
            return False
        lost = open_jobs - {job.id for job in answer.jobs}

        def keep(session: Session) -> list[JobId]:
            happenings.record_answered_jobs(session, node, answer.jobs)
            return [job for job in sorted(lost) if happenings.mark_lost(session, job)]

        try:
            marked = await self._base.database.run(keep)
        except NoSpace:
            # It has answered; what it said is written down the next time.
            return True
        for job in marked:
            gone = NotReachable(f"the node does not know job {job} any more", hint="it restarted while the job ran; trigger it again")
            await self._note_problem(identity, node, gone)
        self._base.news.tell(*(Subject("job", job) for job in open_jobs))
        open_jobs -= lost
        return True

    async def _note_problem(self, identity: str, node: NodeId, error: HoldfastError) -> None:
        name = (await self._base.database.run(deployment)).name(node)
        record = self._records[identity]
        problem = Problem(node=name, error=error.facts())
        await self._keep_at_last(msgspec.structs.replace(record, problems=(*record.problems, problem)))

    async def _keep_at_last(self, record: TriggerRecord) -> None:
        """As `_keep`, of what is done already: as soon as the records take it."""
        keeping = self._keep(record)
        while True:
            try:
                return await keeping
            except (NoSpace, NotReachable) as error:
                _log.warning("a trigger is not in the records yet", extra={"facts": {"trigger": record.id, "reason": error.message}})
            await asyncio.sleep(KEEP_AGAIN_S)
            keeping = self._keep(self._records[record.id])

    def _keep(self, record: TriggerRecord) -> Awaitable[None]:
        """Remember at once (several nodes' tasks add to one record), then write it down."""
        self._records[record.id] = record
        stored = StoredTrigger(
            id=record.id,
            flow=record.flow,
            created_at=record.created_at,
            done=record.done,
            record=msgspec.json.encode(record),
        )
        return self._write(stored)

    async def _write(self, stored: StoredTrigger) -> None:
        await self._base.database.run(lambda s: happenings.save_trigger(s, stored))
        self._base.news.tell(Subject("trigger", stored.id))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            _log.error("a trigger is not watched any more", exc_info=fault)


def _verdict(jobs: tuple[Job, ...], problems: tuple[Problem, ...]) -> TriggerState:
    states = {job.state for job in jobs}
    if problems or states & {State.FAILED, State.CANCELLED, State.UNKNOWN}:
        return "failed"
    return "warnings" if State.WARNINGS in states else "succeeded"

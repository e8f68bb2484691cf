"""Jobs and events of all nodes, and what can be asked of a job."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from sqlalchemy.orm import Session

from holdfast.compiler.nearest import nearest_hint
from holdfast.core.errors import UnknownName
from holdfast.core.ids import JobId, NodeId
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.jobs.triggers import Triggers
from holdfast.master.records import happenings, inventory
from holdfast.master.records.happenings import JobChoice
from holdfast.master.rules.deployment import deployment
from holdfast.master.rules.landscape import landscape_of
from holdfast.model.jobs import Job, State
from holdfast.model.maintenance import Task
from holdfast.model.pausing import AskPause, Pause, PauseTold
from holdfast.model.questions import AskCancel, AskMaintenance, AskRetry, Done, JobsStarted
from holdfast.model.restoring import AskPauseJob
from holdfast.model.sight import SEES_ALL, Sight


class JobsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs, by names as people know them; empty = whichever. `rule`: a dataset too. Of a `flow`: jobs of its datasets and cascades,
    and those its triggers started. `before`: the id of the last job of the page before. `tag`: one that they inherited."""

    limit: int = 100
    before: str = ""
    node: str = ""
    flow: str = ""
    rule: str = ""
    state: str = ""
    trigger: str = ""
    tag: str = ""


class PausedRepository(msgspec.Struct, frozen=True, kw_only=True):
    """`pause` null = it works. `changed`: it stood otherwise before."""

    repository: str
    node: str
    pause: Pause | None
    changed: bool


class History:
    def __init__(self, base: Foundation, hub: Hub, triggers: Triggers) -> None:
        self._base = base
        self._hub = hub
        self._triggers = triggers

    async def jobs(self, wanted: JobsWanted, sight: Sight) -> tuple[tuple[Job, ...], bool]:
        """Newest first, and whether there are more. Raises `UnknownName`."""

        def read(session: Session) -> tuple[Job, ...]:
            about = deployment(session).rule_names(wanted.flow) if wanted.flow else frozenset[str]()
            if wanted.flow and not (about and sight.has_flow(wanted.flow)):
                self._refuse_unknown_flow(session, wanted.flow, sight)
            choice = JobChoice(
                node=inventory.named_node(session, wanted.node).id if wanted.node else None,
                state=State(wanted.state) if wanted.state else None,
                trigger=wanted.trigger,
                tag=wanted.tag,
                subject=wanted.rule,
                flow=wanted.flow,
                flow_subjects=about,
                before=JobId(wanted.before) if wanted.before else None,
                sight=sight,
            )
            return happenings.jobs(session, limit=wanted.limit + 1, choice=choice)

        found = await self._base.database.run(read)
        return found[: wanted.limit], len(found) > wanted.limit

    def _refuse_unknown_flow(self, session: Session, flow: str, sight: Sight) -> None:
        """Of one that was deactivated and is in no document any more there are jobs that its triggers started."""
        known = [each.resource.name for each in landscape_of(session, self._base.environment.id).flows]
        known = [name for name in known if sight.has_flow(name)]
        if flow not in known and not (sight.everything and happenings.was_triggered(session, flow)):
            raise UnknownName(f"there is no flow {flow!r}", hint=nearest_hint(flow, known, "`holdfast status` shows flows"), flow=flow)

    async def job(self, prefix: str, sight: Sight = SEES_ALL) -> Job:
        """Raises `UnknownName`, also when it may not be seen."""
        return await self._base.database.run(lambda s: happenings.job_by_prefix(s, prefix, sight))

    async def node_names(self, nodes: Collection[NodeId]) -> dict[NodeId, str]:
        """Of those of them that joined."""
        return await self._base.database.run(lambda s: inventory.names_of(s, nodes))

    async def cancel(self, prefix: str) -> Job:
        """The job as it was when its node took the wish to end it. Raises `UnknownName`, `NotReachable`."""
        job = await self.job(prefix)
        await self._hub.ask_for(job.node, AskCancel(job=job.id), Done)
        return job

    async def retry(self, prefix: str) -> tuple[Job, ...]:
        """The jobs that try again what this one was about. Raises `UnknownName`, `UsageError`, `Conflict`, `NotReachable`."""
        job = await self.job(prefix)
        told = await self._hub.ask_for(job.node, AskRetry(job=job.id), JobsStarted)
        await self._base.database.run(lambda s: happenings.record_answered_jobs(s, job.node, told.started))
        return told.started

    async def pause_job(self, prefix: str) -> Job:
        """The job as it was when its node took the wish to hold it up. Raises `UnknownName`, `UsageError`, `NotReachable`."""
        job = await self.job(prefix)
        await self._hub.ask_for(job.node, AskPauseJob(job=job.id), Done)
        return job

    async def maintain(self, repository: str, task: Task, *, dry_run: bool = False) -> str:
        """Have a repository's owner do a task on it; gives the trigger. Raises `UnknownName`, `NotReachable`, or what the owner refuses."""
        owner, rule = (await self._base.database.run(deployment)).repository(repository)
        trigger, _ = await self._triggers.start_one(owner.id, AskMaintenance(repository=rule.id, task=task, dry_run=dry_run))
        return trigger

    async def pause(self, ask: AskPause) -> PausedRepository:
        """Pause or resume a repository at once, by its owner. Raises `UnknownName`, `NotReachable`, or what the owner refuses."""
        owner, rule = (await self._base.database.run(deployment)).repository(ask.repository)
        told = await self._hub.ask_for(owner.id, msgspec.structs.replace(ask, repository=rule.id), PauseTold)
        return PausedRepository(repository=rule.name, node=owner.name, pause=told.pause, changed=told.changed)

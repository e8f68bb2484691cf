"""Jobs and events of all nodes, and what can be asked of a job."""

from __future__ import annotations

import re

from sqlalchemy.orm import Session

from holdfast.core.ids import NodeId
from holdfast.master.deployment import deployment
from holdfast.master.foundation import Foundation
from holdfast.master.hub import Hub
from holdfast.master.records import happenings, inventory
from holdfast.master.triggers import Triggers
from holdfast.model.jobs import Event, Job
from holdfast.model.questions import AskCancel, AskCheck, Done

_PARTS = re.compile(r", | -> ")
_READ_AHEAD = 10


class History:
    def __init__(self, base: Foundation, hub: Hub, triggers: Triggers) -> None:
        self._base = base
        self._hub = hub
        self._triggers = triggers

    async def jobs(self, *, limit: int, node: str = "", flow: str = "") -> tuple[Job, ...]:
        """Newest first. Of a flow: jobs of its datasets and cascades, and those its triggers started. Raises `UnknownName`."""

        def read(session: Session) -> tuple[Job, ...]:
            wanted = inventory.named_node(session, node).id if node else None
            if not flow:
                return happenings.jobs(session, limit=limit, node=wanted)
            names = deployment(session).rule_names(flow)
            triggers = happenings.triggers_of_flow(session, flow)
            recent = happenings.jobs(session, limit=limit * _READ_AHEAD, node=wanted)
            return tuple(job for job in recent if job.trigger in triggers or names.intersection(_PARTS.split(job.rule)))[:limit]

        return await self._base.database.run(read)

    async def job(self, prefix: str) -> Job:
        """Raises `UnknownName`."""
        return await self._base.database.run(lambda s: happenings.job_by_prefix(s, prefix))

    async def node_names(self) -> dict[NodeId, str]:
        """Of all that ever joined."""
        known = await self._base.database.run(inventory.nodes)
        return {node.id: node.name for node in known}

    async def cancel(self, prefix: str) -> Job:
        """The job as it was when its node took the wish to end it. Raises `UnknownName`, `NotReachable`."""
        job = await self.job(prefix)
        await self._hub.ask_for(job.node, AskCancel(job=job.id), Done)
        return job

    async def events(self, limit: int) -> tuple[Event, ...]:
        return await self._base.database.run(lambda s: happenings.events(s, limit=limit))

    async def check(self, repository: str, read_data: bool) -> str:
        """Have a repository's owner check it; gives the trigger. Raises `UnknownName`, `NotReachable`, or what the owner refuses."""
        owner, rule = (await self._base.database.run(deployment)).repository(repository)
        trigger, _ = await self._triggers.start_one(owner.id, AskCheck(repository=rule.id, read_data=read_data))
        return trigger

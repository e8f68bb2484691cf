"""Drills, wherever they are made: by the owner of the repository, or on another node by an order.

The owner queues what is due on its own machine. What the document has made elsewhere is looked for here, by what the owner says is due,
since a node that could ask for orders by itself would be one that can read everything (docs/decisions/0056-drills-elsewhere.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from msgspec.structs import replace

from holdfast.core.errors import HoldfastError
from holdfast.core.ids import DatasetId, NodeId, RepositoryId
from holdfast.master.deployment import Deployment, deployment
from holdfast.master.foundation import Foundation
from holdfast.master.history import History
from holdfast.master.looks import Looks
from holdfast.master.queries import Queries
from holdfast.master.records.inventory import Node
from holdfast.master.restores import Restores, Wanted, matching
from holdfast.master.triggers import Triggers
from holdfast.model.document import DrillPlan
from holdfast.model.drills import DrillStatus
from holdfast.model.maintenance import Drill
from holdfast.model.moments import AskMoment
from holdfast.model.questions import NodeStatus
from holdfast.model.rules import RepositoryRule, StoreAction
from holdfast.model.trials import AskDrill

LOOK_EVERY_S = 120.0
AGAIN = timedelta(hours=2)
"""After one that was asked for: it runs, or could not be made."""
DOUBTED_AGAIN = timedelta(days=1)
"""After one that proved nothing."""
logger = logging.getLogger(__name__)


class Trials:
    def __init__(self, base: Foundation, looks: Looks, restores: Restores, queries: Queries, triggers: Triggers, history: History) -> None:
        self._base = base
        self._looks = looks
        self._restores = restores
        self._queries = queries
        self._triggers = triggers
        self._history = history
        self._asked: dict[tuple[RepositoryId, DatasetId], datetime] = {}

    async def run(self) -> None:
        """Have made what is due, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except Exception:
                # Whatever one look came to, the next is due.
                logger.exception("it could not be looked which drills are due on other nodes")

    async def look(self) -> None:
        """Ask the owners whose rules have drills made on other nodes, and have made what is due."""
        rolled_out = await self._base.database.run(deployment)
        owners = [node for node, rules in rolled_out.rules.items() if any(True for _ in _plans_elsewhere(rolled_out, node))]
        answers = await self._looks.ask(owners) if owners else {}
        for answer in answers.values():
            for repository in answer.repositories if isinstance(answer, NodeStatus) else ():
                for drill in repository.drills:
                    key = (repository.id, drill.dataset_id)
                    if is_due(drill, self._base.now(), self._asked.get(key)):
                        self._asked[key] = self._base.now()
                        await self._try(repository.name, drill)

    async def _try(self, repository: str, drill: DrillStatus) -> None:
        try:
            await self.start(repository, Drill(dataset=drill.dataset_id))
        except HoldfastError as error:
            # The owner's status says that it is overdue, once it is; until then it is tried again.
            facts = {"facts": {"repository": repository, "dataset": drill.dataset, "error": error.message}}
            logger.warning("a drill on another node could not be started", extra=facts)

    async def where(self, repository: str, dataset: str, on: str) -> Node | None:
        """The node that makes it, where that is not the owner: `on`, else what the rules say. Raises `UnknownName`."""
        rolled_out = await self._base.database.run(deployment)
        owner, rule = rolled_out.repository(repository)
        name = on or (plan_of(rolled_out, owner, rule, dataset) or DrillPlan()).on
        node = rolled_out.node_named(name) if name else owner
        return None if node.id == owner.id else node

    async def start(self, repository: str, task: Drill, on: str = "") -> str:
        """Have it made; gives the trigger. Raises `UnknownName`, `NotReachable`, or what the node refuses that is to make it."""
        node = await self.where(repository, task.dataset, on)
        if node is None:
            return await self._history.maintain(repository, task)
        rolled_out = await self._base.database.run(deployment)
        owner, rule = rolled_out.repository(repository)
        if task.point:
            found = await self._queries.points(task.dataset, rule.name)
        else:
            found = await self._queries.moment(AskMoment(dataset=task.dataset, repository=rule.name))
        point = matching(found, Wanted(point=task.point, dataset="" if task.point else task.dataset))[0]
        plan = plan_of(rolled_out, owner, rule, task.dataset) or DrillPlan()
        ask = AskDrill(
            order=self._restores.drill_order(rolled_out, node, point),
            point=point,
            plan=replace(plan, sample=task.sample) if task.sample else plan,
            repository=rule.name,
        )
        trigger, _ = await self._triggers.start_one(node.id, ask)
        return trigger


def plan_of(rolled_out: Deployment, owner: Node, rule: RepositoryRule, dataset: str) -> DrillPlan | None:
    """By the rules; None = it is not drilled by itself."""
    stored = rolled_out.rules[owner.id].stored_in(rule.id)
    return next((action.drill for receive, action in stored if dataset in (receive.dataset, receive.label)), None)


def _plans_elsewhere(rolled_out: Deployment, owner: NodeId) -> Iterator[DrillPlan]:
    for receive in rolled_out.rules[owner].receives:
        for action in receive.actions:
            if isinstance(action, StoreAction) and action.drill is not None and action.drill.on:
                yield action.drill


def is_due(drill: DrillStatus, now: datetime, asked_at: datetime | None) -> bool:
    """What is made on another node: once there is something to try, and again when the last proof is as old as the plan allows."""
    if drill.plan is None or not drill.plan.on or drill.due_at is None:
        return False
    if asked_at is not None and now < asked_at + AGAIN:
        return False
    if drill.last is not None and drill.failed and now < drill.last.at + min(DOUBTED_AGAIN, timedelta(seconds=drill.plan.every_s)):
        return False
    return drill.proven_at is None or drill.due_at <= now

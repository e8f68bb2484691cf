"""Drills, wherever they are made: by the owner of the repository, or on another node by an order.

The owner queues what is due on its own machine. What the document has made elsewhere is looked for here, by what the owner says is due,
since a node that could ask for orders by itself would be one that can read everything (docs/decisions/0056-drills-elsewhere.md).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from holdfast.core.errors import HoldfastError
from holdfast.core.ids import DatasetId, NodeId, RepositoryId
from holdfast.master.answers.queries import Queries
from holdfast.master.answers.wanted_points import Wanted, matching
from holdfast.master.foundation import Foundation
from holdfast.master.hub.looks import Looks
from holdfast.master.jobs.history import History
from holdfast.master.jobs.restores import Restores, Source
from holdfast.master.jobs.triggers import Triggers
from holdfast.master.periodic import repeat
from holdfast.master.records import happenings
from holdfast.master.records.inventory import Node
from holdfast.master.rules.deployment import Deployment, deployment
from holdfast.model.document import DrillPlan
from holdfast.model.drills import DrillStatus
from holdfast.model.maintenance import Drill
from holdfast.model.moments import AskMoment
from holdfast.model.node_status import NodeStatus
from holdfast.model.rules import RepositoryRule, StoreAction
from holdfast.model.trials import AskDrill

LOOK_EVERY_S = 120.0
AGAIN = timedelta(hours=2)
"""After one that was asked for: it runs, or could not be made."""
DOUBTED_AGAIN = timedelta(days=1)
"""After one that proved nothing."""
LOST_AFTER = timedelta(days=2)
"""One that began longer ago and has not ended on record is not waited for: its node may have been made anew meanwhile."""
_NEVER = datetime.min.replace(tzinfo=UTC)
logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Planned:
    """A dataset in a repository of which the rules have drills made on another node."""

    repository: RepositoryRule
    dataset: DatasetId
    label: str
    plan: DrillPlan

    @property
    def key(self) -> tuple[RepositoryId, DatasetId]:
        return self.repository.id, self.dataset


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
        await repeat(self.look, LOOK_EVERY_S, logger, "it could not be looked which drills are due on other nodes", first_s=LOOK_EVERY_S)

    async def look(self) -> None:
        """Ask the owners whose rules have drills made on other nodes, and have made what is due: on each node one, unless it is at one.

        A node makes them one after the other, and the order of one that waited for others would expire.
        """
        rolled_out = await self._base.database.run(deployment)
        planned = {owner: trials for owner in rolled_out.rules if (trials := _planned(rolled_out, owner))}
        answers = await self._looks.ask(planned) if planned else {}
        due = [
            trial
            for owner, told in answers.items()
            if isinstance(told, NodeStatus)
            for trial in self._due(rolled_out.name(owner), told, planned[owner])
        ]
        if not due:
            return
        began_after = self._base.now() - LOST_AFTER
        drilling = await self._base.database.run(lambda s: happenings.nodes_at(s, "drill", began_after))
        taken = {rolled_out.name(node) for node in drilling}
        # Those that were never asked for come first, so that one that is due again and again keeps no other waiting for ever.
        for trial in sorted(due, key=lambda trial: self._asked.get(trial.key, _NEVER)):
            if trial.plan.on not in taken:
                taken.add(trial.plan.on)
                self._asked[trial.key] = self._base.now()
                await self._try(trial)

    def _due(self, owner: str, told: NodeStatus, planned: tuple[_Planned, ...]) -> list[_Planned]:
        """Of what the rules say; the owner says no more than how it stands."""
        stands = {(repository.id, drill.dataset_id): drill for repository in told.repositories for drill in repository.drills}
        now = self._base.now()
        try:
            return [t for t in planned if (stand := stands.get(t.key)) and is_due(stand, t.plan, now, self._asked.get(t.key))]
        except (TypeError, OverflowError):
            # A time without a zone, or one at the end of all times: no owner keeps the others' drills from being made.
            logger.warning("it could not be read how drills stand", extra={"facts": {"owner": owner}})
            return []

    async def _try(self, trial: _Planned) -> None:
        facts = {"repository": trial.repository.name, "dataset": trial.label}
        try:
            await self.start(trial.repository.id, Drill(dataset=trial.dataset))
        except HoldfastError as error:
            # The owner's status says that it is overdue, once it is; until then it is tried again.
            logger.warning("a drill on another node could not be started", extra={"facts": {**facts, "error": error.message}})
        except Exception:
            logger.exception("a drill on another node could not be started", extra={"facts": facts})

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
            order=self._restores.drill_order(rolled_out, node, Source(point, owner, rule)),
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


def _planned(rolled_out: Deployment, owner: NodeId) -> tuple[_Planned, ...]:
    """What the rules have made on other nodes out of the repositories of this one."""
    rules = rolled_out.rules[owner]
    repositories = {repository.id: repository for repository in rules.repositories}
    return tuple(
        _Planned(repository=repositories[action.repository], dataset=receive.dataset, label=receive.label, plan=action.drill)
        for receive in rules.receives
        for action in receive.actions
        if isinstance(action, StoreAction) and action.repository in repositories and action.drill is not None and action.drill.on
    )


def is_due(drill: DrillStatus, plan: DrillPlan, now: datetime, asked_at: datetime | None) -> bool:
    """What is made on another node: once there is something to try, and again when the last proof is as old as the plan allows."""
    if drill.due_at is None:
        return False
    if asked_at is not None and now < asked_at + AGAIN:
        return False
    if drill.last is not None and drill.failed and now < drill.last.at + min(DOUBTED_AGAIN, timedelta(seconds=plan.every_s)):
        return False
    return drill.proven_at is None or drill.due_at <= now

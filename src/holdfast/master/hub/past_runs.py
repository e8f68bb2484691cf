"""When a promise was kept last, where the node itself cannot say: a machine that took the place of another begins without its journal, and
what is there was not lost with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from sqlalchemy.orm import Session

from holdfast.core.ids import NodeId
from holdfast.master.hub.hub import Hub
from holdfast.master.records import happenings, inventory
from holdfast.master.records.database import Database
from holdfast.model.jobs import State
from holdfast.model.node_status import NodeStatus, Protection

_GOOD = (State.SUCCEEDED, State.WARNINGS)
_MOST_JOBS = 100
"""So many of a dataset are looked through, the newest first: of each operation one is among them where it has run in these times."""

_Promise = tuple[str, str, str, str]
"""A dataset's label, an operation, a receiver, and what people call the action there."""


class PastRuns:
    def __init__(self, database: Database, hub: Hub) -> None:
        self._database = database
        self._hub = hub
        self._known: dict[NodeId, tuple[str, Mapping[_Promise, datetime]]] = {}

    async def filled(self, node: NodeId, told: NodeStatus) -> NodeStatus:
        """The same; where it says that nothing was kept yet, and the machine before it had, with the time of that."""
        unkept = [each for each in told.protections if each.last_at is None]
        if not unkept:
            return told
        key = self._hub.key_of(node)
        if node not in self._known or self._known[node][0] != key:
            labels = tuple(dict.fromkeys(each.dataset for each in unkept))
            self._known[node] = (key, await self._database.run(lambda session: _kept_before(session, node, labels)))
        past = self._known[node][1]
        if not past:
            return told
        return msgspec.structs.replace(told, protections=tuple(_with_past(each, past) for each in told.protections))


def _kept_before(session: Session, node: NodeId, labels: tuple[str, ...]) -> dict[_Promise, datetime]:
    """What the machines before this one had kept; nothing where there was none."""
    replaced_at = inventory.replaced_at(session, node)
    found: dict[_Promise, datetime] = {}
    if replaced_at is None:
        return found
    for label in labels:
        for job in happenings.newest_jobs_about(session, label, replaced_at, _MOST_JOBS):
            for task in job.tasks:
                if task.receiver and task.is_about(label) and task.state in _GOOD:
                    for operation in job.operations:
                        found.setdefault((label, operation, task.receiver, task.name), job.started_at or job.created_at)
    return found


def _with_past(told: Protection, past: Mapping[_Promise, datetime]) -> Protection:
    last_at = past.get((told.dataset, told.operation, told.receiver, told.action)) if told.last_at is None else None
    if last_at is None:
        return told
    # As a node judges that knows of a run: what was kept is kept, until something else is known.
    state = State.SUCCEEDED if told.state is State.UNKNOWN and told.error is None else told.state
    return msgspec.structs.replace(told, last_at=last_at, state=state)

"""How repositories grow: what their owners tell of them, put on record once a day, and sooner when it has changed.

The Master keeps this, not the owner: it is for looking back, nothing depends on it, and it stays when a machine is lost. A repository whose
owner was away has a gap, which is true.
"""

from __future__ import annotations

import logging
from datetime import timedelta

import msgspec
from sqlalchemy.orm import Session

from holdfast.core.ids import RepositoryId
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.hub.looks import Looks
from holdfast.master.periodic import repeat
from holdfast.master.records.sizes import Size, add_size, newest_size, sizes_since
from holdfast.master.rules.deployment import deployment
from holdfast.model.node_status import NodeStatus
from holdfast.model.repository_status import RepositoryStatus

LOOK_EVERY_S = 600.0
DAILY = timedelta(days=1)
SOONEST = timedelta(minutes=10)
CHANGED_BY = 0.01
logger = logging.getLogger(__name__)


class RepositoryGrowth(msgspec.Struct, frozen=True, kw_only=True):
    """Oldest first. `now` is what the owner says at this moment; null when it does not answer, or has trouble with the repository."""

    repository: str
    sizes: tuple[Size, ...]
    now: Size | None


class Growth:
    def __init__(self, base: Foundation, hub: Hub, looks: Looks) -> None:
        self._base = base
        self._hub = hub
        self._looks = looks

    async def run(self) -> None:
        """Record until cancelled."""
        await repeat(self.record, LOOK_EVERY_S, logger, "the sizes of repositories could not be recorded", first_s=LOOK_EVERY_S)

    async def record(self) -> None:
        """Ask every owner that is online, and keep what is new."""
        rolled_out = await self._base.database.run(deployment)
        online = self._hub.online()
        owners = dict.fromkeys(node.id for node, _ in rolled_out.repositories() if node.id in online)
        answers = await self._looks.ask(owners)
        told = [status for answer in answers.values() if isinstance(answer, NodeStatus) for status in answer.repositories]
        await self._keep(self._whole(told))

    async def of(self, name: str, days: int) -> RepositoryGrowth:
        """The last `days`. Raises `UnknownName`."""
        rolled_out = await self._base.database.run(deployment)
        owner, rule = rolled_out.repository(name)
        answer = (await self._looks.ask((owner.id,)))[owner.id]
        told = [status for status in answer.repositories if status.id == rule.id] if isinstance(answer, NodeStatus) else []
        # Of one moment, on record and now: it is one row.
        whole = self._whole(told)
        await self._keep(whole)
        since = self._base.now() - timedelta(days=days)
        sizes = await self._base.database.run(lambda s: sizes_since(s, rule.id, since))
        return RepositoryGrowth(repository=rule.name, sizes=sizes, now=whole[0][1] if whole else None)

    def _whole(self, told: list[RepositoryStatus]) -> list[tuple[RepositoryId, Size]]:
        """What an owner has trouble with is not on record: its figures may be of half of it."""
        return [(status.id, self._size(status)) for status in told if status.error is None]

    async def _keep(self, whole: list[tuple[RepositoryId, Size]]) -> None:
        def work(session: Session) -> None:
            for repository, size in whole:
                before = newest_size(session, repository)
                if before is None or is_due(before, size):
                    add_size(session, repository, size)

        if whole:
            await self._base.database.run(work)

    def _size(self, status: RepositoryStatus) -> Size:
        return Size(
            at=self._base.now(),
            points=status.points,
            points_bytes=status.points_bytes,
            unique_bytes=status.unique_bytes,
            stored_bytes=status.stored_bytes,
        )


def is_due(before: Size, size: Size) -> bool:
    """A day has passed; or `SOONEST`, and more or less is stored by 1 %, or that part of what there was is gone or new in points."""
    passed = size.at - before.at
    if passed >= DAILY:
        return True
    pairs = ((before.stored_bytes, size.stored_bytes), (before.points_bytes, size.points_bytes), (before.points, size.points))
    return passed >= SOONEST and any(abs(new - old) > CHANGED_BY * old for old, new in pairs)

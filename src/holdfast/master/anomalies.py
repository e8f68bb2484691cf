"""What looked like the destruction of a dataset, as the owners of its repositories tell it; and what people say of it."""

from __future__ import annotations

from datetime import datetime

from holdfast.core.errors import UnknownName
from holdfast.master.deployment import deployment
from holdfast.master.foundation import Foundation
from holdfast.master.hub import Hub
from holdfast.master.queries import Unreachable
from holdfast.master.status import StatusBoard
from holdfast.model.anomalies import Anomaly, AnomalyJudged, AskJudgeAnomaly, last_clean

_SHORTEST = 4


class AnomalyDesk:
    def __init__(self, base: Foundation, hub: Hub, board: StatusBoard) -> None:
        self._base = base
        self._hub = hub
        self._board = board

    async def all(self) -> tuple[tuple[Anomaly, ...], tuple[Unreachable, ...]]:
        """Newest first."""
        views, unreachable = await self._board.repositories()
        found = (anomaly for view in views for anomaly in view.status.anomalies)
        return tuple(sorted(found, key=lambda each: each.found_at, reverse=True)), unreachable

    async def last_clean(self, dataset: str) -> datetime:
        """The moment before the newest anomaly of a dataset (label or id). Raises `UnknownName` when there was none."""
        found, _ = await self.all()
        return last_clean(found, dataset)

    async def judge(self, ask: AskJudgeAnomaly) -> AnomalyJudged:
        """By the owner of its repository. Raises `UnknownName`, `NotReachable`, or what the owner refuses."""
        found, _ = await self.all()
        meant = {anomaly.id: anomaly for anomaly in found if len(ask.id) >= _SHORTEST and anomaly.id.startswith(ask.id)}
        if len(meant) != 1:
            raise UnknownName(f"no anomaly {ask.id!r}, or several", hint="`holdfast anomalies` lists them; 4 characters of the id at least")
        (anomaly,) = meant.values()
        owner, _ = (await self._base.database.run(deployment)).repository(anomaly.repository)
        wanted = AskJudgeAnomaly(id=anomaly.id, confirmed=ask.confirmed, by=ask.by)
        return await self._hub.ask_for(owner.id, wanted, AnomalyJudged)

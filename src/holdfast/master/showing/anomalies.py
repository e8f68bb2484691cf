"""What looked like the destruction of a dataset, as the owners of its repositories tell it; and what people say of it."""

from __future__ import annotations

from datetime import datetime

from holdfast.core.errors import UnknownName
from holdfast.master.answers.found import Unreachable
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.rules.deployment import deployment
from holdfast.master.showing.status import StatusBoard
from holdfast.model.anomalies import Anomaly, AnomalyJudged, AskJudgeAnomaly, last_clean
from holdfast.model.sight import Reach, Sight

_SHORTEST = 4


class AnomalyDesk:
    def __init__(self, base: Foundation, hub: Hub, board: StatusBoard) -> None:
        self._base = base
        self._hub = hub
        self._board = board

    async def all(self, sight: Sight) -> tuple[tuple[Anomaly, ...], tuple[Unreachable, ...]]:
        """Newest first."""
        views, unreachable = await self._board.repositories()
        found = (each for view in views for each in view.status.anomalies if sight.has_copy(each.dataset_id, each.repository))
        gaps = tuple(gap for gap in unreachable if sight.has_part_of(gap.repository))
        return tuple(sorted(found, key=lambda each: each.found_at, reverse=True)), gaps

    async def last_clean(self, dataset: str, sight: Sight) -> datetime:
        """The moment before the newest anomaly of a dataset (label or id). Raises `UnknownName` when there was none."""
        found, _ = await self.all(sight)
        return last_clean(found, dataset)

    async def judge(self, ask: AskJudgeAnomaly, reach: Reach) -> AnomalyJudged:
        """By the owner of its repository. Raises `UnknownName`, `NotReachable`, or what the owner refuses."""
        found, _ = await self.all(reach.sees)
        meant = {anomaly.id: anomaly for anomaly in found if len(ask.id) >= _SHORTEST and anomaly.id.startswith(ask.id)}
        if len(meant) != 1:
            raise UnknownName(f"no anomaly {ask.id!r}, or several", hint="`holdfast anomalies` lists them; 4 characters of the id at least")
        (anomaly,) = meant.values()
        reach.check_copy(anomaly.dataset_id, anomaly.dataset, anomaly.repository)
        owner, _ = (await self._base.database.run(deployment)).repository(anomaly.repository)
        wanted = AskJudgeAnomaly(id=anomaly.id, confirmed=ask.confirmed, by=ask.by)
        return await self._hub.ask_for(owner.id, wanted, AnomalyJudged)

"""How each dataset did, day by day: the strip of the last weeks, from the jobs and events that the Master has on record."""

from __future__ import annotations

from typing import Literal

import msgspec

from holdfast.master.foundation import Foundation
from holdfast.master.looks import Looks
from holdfast.model.schedule import parse_zone

DayState = Literal["ok", "warning", "failed", "overdue", "gap", "none"]


class DatasetDay(msgspec.Struct, frozen=True, kw_only=True):
    """One calendar day of one dataset. `runs` counts jobs that began that day (runs, catch-ups, cascades), `failed` those of them that
    failed.

    `ok`: all ended well. `warning`: some with warnings, or some failed and others ended well. `failed`: some failed, none ended well.
    `gap`: points were missed, or nothing ran although the rules promised a run. `overdue`: today, and a run is overdue now.
    `none`: nothing ran and nothing was promised.
    """

    date: str
    state: DayState
    runs: int
    failed: int


class DatasetDays(msgspec.Struct, frozen=True, kw_only=True):
    """`days`: oldest first, today last."""

    dataset: str
    days: tuple[DatasetDay, ...]


class StatusDays(msgspec.Struct, frozen=True, kw_only=True):
    """The datasets of the rules in force, by label. `zone` is where days begin and end."""

    zone: str
    datasets: tuple[DatasetDays, ...]


class Days:
    def __init__(self, base: Foundation, looks: Looks) -> None:
        self._base = base
        self._looks = looks

    async def days(self, count: int, zone: str) -> StatusDays:
        """The last `count` days, today among them. Raises `UsageError` for a zone that is not known."""
        parse_zone(zone)
        return StatusDays(zone=zone, datasets=())

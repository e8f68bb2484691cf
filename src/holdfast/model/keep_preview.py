"""What keep rules would have left of a past that kept to a schedule: the answer to "which points will I have?", before there is one."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice

import msgspec

from holdfast.model.document import KeepRules
from holdfast.model.open_times import local_day, triggers_on
from holdfast.model.points import imagined
from holdfast.model.retention import kept

MOST_TAKEN = 50_000
MOST_SHOWN = 2_000


class KeptPoint(msgspec.Struct, frozen=True, kw_only=True):
    """`reasons`: the rules that keep it (`daily`, `oldest monthly`, `within`; `all` where there are no rules)."""

    time: datetime
    reasons: tuple[str, ...]


class KeepPreview(msgspec.Struct, frozen=True, kw_only=True):
    """`kept` is newest first, at most `MOST_SHOWN` of `kept_total`. `truncated`: so many points were taken that only the newest
    `MOST_TAKEN` were judged, and `since` is the first of these."""

    taken_total: int
    kept: tuple[KeptPoint, ...]
    kept_total: int
    since: datetime
    until: datetime
    truncated: bool


def preview_keep(
    keep: KeepRules, every_s: float | None, at: tuple[str, ...], zone: str, *, since: datetime, until: datetime
) -> KeepPreview:
    """Runs start at `since` or after it and not after `until`; every run makes one point. Raises `UsageError` for times and zones that
    are none."""
    newest_first = list(islice(run_times(every_s, at, zone, since=since, until=until), MOST_TAKEN + 1))
    truncated = len(newest_first) > MOST_TAKEN
    points = [imagined(moment, zone) for moment in newest_first[:MOST_TAKEN]]
    chosen = kept(points, keep, until + timedelta(seconds=1)).keep
    return KeepPreview(
        taken_total=len(points),
        kept=tuple(KeptPoint(time=point.time, reasons=reasons) for point, reasons in chosen[:MOST_SHOWN]),
        kept_total=len(chosen),
        since=points[-1].time if truncated else since,
        until=until,
        truncated=truncated,
    )


def run_times(every_s: float | None, at: tuple[str, ...], zone: str, *, since: datetime, until: datetime) -> Iterator[datetime]:
    """Newest first. With `every` the last run is at `until`, and each one `every_s` before the next; `at` are trigger times in `zone`."""
    return _merged(_steps_back(every_s, since, until), _days_back(at, zone, since, until))


def _steps_back(every_s: float | None, since: datetime, until: datetime) -> Iterator[datetime]:
    moment = until
    while every_s is not None and moment >= since:
        yield moment
        moment -= timedelta(seconds=every_s)


def _days_back(at: tuple[str, ...], zone: str, since: datetime, until: datetime) -> Iterator[datetime]:
    day = local_day(until, zone) + timedelta(days=1)
    last = local_day(since, zone) - timedelta(days=1)
    while at and day >= last:
        yield from (moment for moment in reversed(triggers_on(at, zone, day)) if since <= moment <= until)
        day -= timedelta(days=1)


def _merged(*falling: Iterable[datetime]) -> Iterator[datetime]:
    """One falling row without doubles."""
    before: datetime | None = None
    for moment in heapq.merge(*falling, reverse=True):
        if moment != before:
            yield moment
        before = moment

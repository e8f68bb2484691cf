"""Windows and times of day as moments in UTC, daylight saving included.

A span runs from the first occurrence of its start to the last occurrence of its end; a wall time that the clock skips stands for the
moment of the skip.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from holdfast.core.errors import UsageError
from holdfast.model.windows import DAY_MINUTES, Window

_TIME = re.compile(r"(\d{1,2}):(\d{2})")


@dataclass(frozen=True)
class Span:
    """From `start` up to, not including, `end`; both UTC."""

    start: datetime
    end: datetime


def spans(window: Window, from_: datetime, zone: tzinfo, horizon_days: int) -> Iterator[Span]:
    """Spans of the window that end after `from_`, rising, those that start within `horizon_days`."""
    first = from_.astimezone(zone).date() - timedelta(days=2)
    opens = time(window.start_minute // 60, window.start_minute % 60)
    passes_midnight = window.end_minute <= window.start_minute
    end_minute = window.end_minute + (DAY_MINUTES if passes_midnight else 0)
    for offset in range(horizon_days + 3):
        day = first + timedelta(days=offset)
        if not window.contains(datetime.combine(day, opens)):
            continue
        closes = divmod(end_minute, DAY_MINUTES)
        start = instant(day, opens, zone)
        end = instant(day + timedelta(days=closes[0]), time(closes[1] // 60, closes[1] % 60), zone, fold=1)
        if start < end and end > from_:
            yield Span(start, end)


def parse_time_of_day(text: str) -> time:
    """`HH:MM`, 00:00 to 23:59. Raises `UsageError`."""
    match = _TIME.fullmatch(text.strip())
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise UsageError(f"not a time of day: {text!r}", hint="write it like 03:30")
    return time(int(match[1]), int(match[2]))


def parse_zone(name: str) -> tzinfo:
    """An IANA time zone. Raises `UsageError`."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(f"no time zone {name!r} on this machine", hint="write it like Europe/Berlin; Debian has them in tzdata") from None


def instant(day: date, wall: time, zone: tzinfo, fold: int = 0) -> datetime:
    """UTC moment of a wall time. `fold` 0/1 = first/second occurrence; a skipped wall time gives the moment of the skip."""
    local = datetime.combine(day, wall, tzinfo=zone).replace(fold=fold)
    moment = local.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None, fold=0) == local.replace(tzinfo=None, fold=0):
        return moment
    return _skip_moment(local.replace(fold=1).astimezone(UTC), local.replace(fold=0).astimezone(UTC), zone)


def _skip_moment(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The moment between two at which the zone's offset changes, to the second."""
    old = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after

"""Windows and times of day as moments in UTC, daylight saving included.

A span runs from the first moment at which the clock shows its start or later to the last at which it shows less than its end; a wall time
that the clock skips stands for the moment of the skip.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from holdfast.core.errors import UsageError
from holdfast.model.windows import DAY_MINUTES, TriggerTime, Window


@dataclass(frozen=True)
class Span:
    """From `start` up to, not including, `end`; both UTC."""

    start: datetime
    end: datetime


def spans(window: Window, from_: datetime, zone: tzinfo, horizon_days: int) -> Iterator[Span]:
    """Spans of the window that end after `from_`, rising, those that start within `horizon_days`."""
    first = from_.astimezone(zone).date() - timedelta(days=2)
    for offset in range(horizon_days + 3):
        span = span_on(window, first + timedelta(days=offset), zone)
        if span is not None and span.end > from_:
            yield span


def span_on(window: Window, day: date, zone: tzinfo) -> Span | None:
    """The span of the window that begins on this day of the zone's calendar."""
    if not window.has(day):
        return None
    passes_midnight = window.end_minute <= window.start_minute
    days, minute = divmod(window.end_minute + (DAY_MINUTES if passes_midnight else 0), DAY_MINUTES)
    start = instant(day, _wall(window.start_minute), zone)
    end = _end(datetime.combine(day + timedelta(days=days), _wall(minute)), zone)
    return Span(start, end) if start < end else None


def _end(wall: datetime, zone: tzinfo) -> datetime:
    """The second of two occurrences, unless it is where the clock was set back to: what came just before is later on the wall."""
    end = instant(wall.date(), wall.time(), zone, fold=1)
    before = (end - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
    return end if before < wall else instant(wall.date(), wall.time(), zone)


def trigger_on(trigger: TriggerTime, day: date, zone: tzinfo) -> datetime | None:
    """The moment (UTC) at which it triggers on this day of the zone's calendar."""
    return instant(day, _wall(trigger.minute), zone) if trigger.has(day) else None


def _wall(minute: int) -> time:
    return time(minute // 60, minute % 60)


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

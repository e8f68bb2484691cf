"""When an operation is due. Pure: moments in, moments out.

A run starts when (the RPO is due, inside a window, not excluded) or (a trigger time came, not excluded). Windows limit the start only.
A trigger time that came while the node could not run is made up once, as soon as it may; one that fell into an exclusion is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo

from holdfast.core.errors import UsageError
from holdfast.model.rules import OperationRule
from holdfast.model.spans import Span, instant, parse_time_of_day, parse_zone, spans
from holdfast.model.windows import Window, parse_window

__all__ = ["due_at", "has_schedule", "is_open", "next_open", "parse_time_of_day", "parse_window", "parse_zone", "validate_schedule"]

_HORIZON_DAYS = 400
"""Beyond this nothing is planned: every window that can open at all opens within a year."""


def has_schedule(rule: OperationRule) -> bool:
    """False = it rides with every run of its dataset."""
    return rule.every_s is not None or bool(rule.at)


def due_at(rule: OperationRule, last_at: datetime | None, now: datetime, *, since: datetime | None = None) -> datetime | None:
    """The moment at which the next run should start; at or before `now` = start it now. None = never by itself.

    `last_at` is the start of the last run (UTC), None if it never ran: then an RPO is due at once, and trigger times count from `since`,
    the moment the rule came in force (default `now`).
    """
    moments = []
    if rule.every_s is not None:
        ready = now if last_at is None else max(now, last_at + timedelta(seconds=rule.every_s))
        moments.append(next_open(rule.windows, rule.exclude, rule.zone, ready))
    if rule.at:
        moments.append(_next_trigger(rule, last_at or since or now, now))
    return min((moment for moment in moments if moment is not None), default=None)


def next_open(windows: tuple[str, ...], exclude: tuple[str, ...], zone_name: str, from_: datetime) -> datetime | None:
    """The first moment at or after `from_` that is inside a window (none given = always) and in no exclusion; None = not in a year."""
    zone = parse_zone(zone_name)
    openings = tuple(parse_window(text) for text in windows)
    closings = tuple(parse_window(text) for text in exclude)
    limit = from_ + timedelta(days=_HORIZON_DAYS)
    moment = from_.astimezone(UTC)
    while moment < limit:
        if openings:
            starts = [max(span.start, moment) for span in _first_spans(openings, moment, zone)]
            if not starts:
                return None
            moment = min(starts)
        blocked = [span.end for span in _first_spans(closings, moment, zone) if span.start <= moment]
        if not blocked:
            return moment
        moment = max(blocked)
    return None


def is_open(windows: tuple[str, ...], exclude: tuple[str, ...], zone_name: str, moment: datetime) -> bool:
    """Whether something may start at `moment`."""
    zone = parse_zone(zone_name)
    return (not windows or _inside(windows, zone, moment)) and not _inside(exclude, zone, moment)


def validate_schedule(rule: OperationRule) -> None:
    """Raises `UsageError` for a time, window or zone that is not understood, and for an RPO that is not above zero."""
    parse_zone(rule.zone)
    for text in (*rule.windows, *rule.exclude):
        parse_window(text)
    for text in rule.at:
        parse_time_of_day(text)
    if rule.every_s is not None and rule.every_s <= 0:
        raise UsageError("`every` of no time at all", hint="write it like 15m or 1h")


def _next_trigger(rule: OperationRule, after: datetime, now: datetime) -> datetime | None:
    """The newest missed trigger time if there is one, else the next to come."""
    zone = parse_zone(rule.zone)
    missed: datetime | None = None
    # Triggers missed long ago are all the same: one run makes up for them.
    for moment in _triggers(rule.at, zone, max(after, now - timedelta(days=8))):
        if _inside(rule.exclude, zone, moment):
            continue
        if moment > now:
            upcoming: datetime | None = moment
            break
        missed = moment
    else:
        upcoming = None
    if missed is None:
        return upcoming
    made_up = next_open((), rule.exclude, rule.zone, now)
    return made_up if upcoming is None else min(made_up or upcoming, upcoming)


def _triggers(at: tuple[str, ...], zone: tzinfo, after: datetime) -> Iterator[datetime]:
    """Trigger times later than `after`, rising."""
    times = [parse_time_of_day(text) for text in at]
    first = after.astimezone(zone).date() - timedelta(days=1)
    for offset in range(_HORIZON_DAYS):
        day = first + timedelta(days=offset)
        yield from sorted({moment for wall in times if (moment := instant(day, wall, zone)) > after})


def _inside(texts: tuple[str, ...], zone: tzinfo, moment: datetime) -> bool:
    windows = tuple(parse_window(text) for text in texts)
    return any(span.start <= moment for span in _first_spans(windows, moment, zone, horizon_days=2))


def _first_spans(windows: tuple[Window, ...], moment: datetime, zone: tzinfo, horizon_days: int = _HORIZON_DAYS) -> list[Span]:
    """Of each window the span that holds `moment`, or else its next one."""
    found = (next(spans(window, moment, zone, horizon_days), None) for window in windows)
    return [span for span in found if span is not None]

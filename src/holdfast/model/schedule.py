"""When an operation is due. Pure: moments in, moments out.

A run starts when (the RPO is due, inside a window, not excluded) or (a trigger time came, not excluded). Windows limit the start only.
A trigger time that came while the node could not run is made up once, as soon as it may, or left out (`missed: skip`); one that fell into
an exclusion is dropped.

`jitter` delays the first run, runs that wait for a window to open, and trigger times, by a share of it that a dataset has for ever: what
many machines would begin at one moment is spread, and no run is moved out of the open time that it begins in.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from holdfast.core.errors import UsageError
from holdfast.core.ids import DatasetId
from holdfast.model.open_times import ALWAYS, HORIZON_DAYS, is_open, local_day, next_open, open_times, triggers_on
from holdfast.model.rules import OperationRule
from holdfast.model.spans import Span, parse_zone
from holdfast.model.windows import parse_trigger_time, parse_window

__all__ = ["due_at", "has_schedule", "is_open", "next_open", "parse_window", "parse_zone", "share_of", "validate_schedule"]

SKIPPED_AFTER_S = 300.0
"""With `missed: skip`, a run that could not start so long after its time is left out."""

LONGEST_JITTER_S = 86_400.0


def has_schedule(rule: OperationRule) -> bool:
    """False = it rides with every run of its dataset."""
    return rule.every_s is not None or bool(rule.at)


def share_of(dataset: DatasetId) -> float:
    """The share of any jitter by which this dataset is later: 0 to 1, the same on every machine and in every version."""
    return int.from_bytes(hashlib.sha256(dataset.encode()).digest()[:7]) / (1 << 56)


def due_at(
    rule: OperationRule, last_at: datetime | None, now: datetime, *, since: datetime | None = None, share: float = 0.0
) -> datetime | None:
    """The moment at which the next run should start; at or before `now` = start it now. None = never by itself.

    `last_at` is the start of the last run (UTC), None if it never ran: then an RPO is due at once, and trigger times count from `since`,
    the moment the rule came in force (default `now`). `share`: see `share_of`.
    """
    begun = last_at or since or now
    if last_at is None and begun > now:
        # The clock was set back since: nothing is waited for then.
        begun, share = now, 0.0
    moments = []
    if rule.every_s is not None:
        moments.append(_next_start(rule, None if last_at is None else last_at + timedelta(seconds=rule.every_s), begun, now, share))
    if rule.at:
        moments.append(_next_trigger(rule, begun, now, share))
    return min((moment for moment in moments if moment is not None), default=None)


def validate_schedule(rule: OperationRule) -> None:
    """Raises `UsageError` for a time, window or zone that is not understood, an RPO that is not above zero, and a jitter beyond a day."""
    parse_zone(rule.zone)
    for text in (*rule.windows, *rule.exclude):
        parse_window(text)
    for text in rule.at:
        parse_trigger_time(text)
    if rule.every_s is not None and rule.every_s <= 0:
        raise UsageError("`every` of no time at all", hint="write it like 15m or 1h")
    if not 0 <= rule.jitter_s <= LONGEST_JITTER_S:
        raise UsageError("`jitter` of more than a day", hint="write it like 10m")


def _next_start(rule: OperationRule, due: datetime | None, begun: datetime, now: datetime, share: float) -> datetime | None:
    """When a run that the RPO asks for starts. `due` None = the first run, which jitter delays as well."""
    ready = begun if due is None else due
    span = next(open_times(rule.windows, rule.exclude, rule.zone, max(ready, now)), None)
    if span is None:
        return None
    start = ready if due is not None and ready >= span.start else _spread(rule, max(ready, span.start), span, share)
    return max(start, now)


def _next_trigger(rule: OperationRule, after: datetime, now: datetime, share: float) -> datetime | None:
    """The newest missed trigger time if there is one, made up, else the next to come."""
    upcoming = _upcoming(rule, after, now, share)
    missed = _missed(rule, after, now, share)
    made_up = None if missed is None else next_open((), rule.exclude, rule.zone, now)
    if missed is None or made_up is None or (rule.missed == "skip" and made_up - missed > timedelta(seconds=SKIPPED_AFTER_S)):
        return upcoming
    return made_up if upcoming is None else min(made_up, upcoming)


def _upcoming(rule: OperationRule, after: datetime, now: datetime, share: float) -> datetime | None:
    """The start by the next trigger time."""
    # Jitter may hold back what was due a day ago, and the calendar of the zone may be a day off that of UTC.
    first = local_day(max(after, now), rule.zone) - timedelta(days=2)
    for offset in range(HORIZON_DAYS):
        for moment in triggers_on(rule.at, rule.zone, first + timedelta(days=offset)):
            start = _start_by(rule, moment, share) if moment > after else None
            if start is not None and start > now:
                return start
    return None


def _missed(rule: OperationRule, after: datetime, now: datetime, share: float) -> datetime | None:
    """The start by the newest trigger time that has come since."""
    day = local_day(now, rule.zone) + timedelta(days=1)
    last = max(local_day(after, rule.zone), day - timedelta(days=HORIZON_DAYS)) - timedelta(days=1)
    while day >= last:
        for moment in reversed(triggers_on(rule.at, rule.zone, day)):
            start = _start_by(rule, moment, share) if after < moment <= now else None
            if start is not None and start <= now:
                return start
        day -= timedelta(days=1)
    return None


def _start_by(rule: OperationRule, moment: datetime, share: float) -> datetime | None:
    """When a trigger time starts a run; None = it falls into an exclusion."""
    span = next(open_times((), rule.exclude, rule.zone, moment), None) if rule.exclude else ALWAYS
    return None if span is None or span.start > moment else _spread(rule, moment, span, share)


def _spread(rule: OperationRule, moment: datetime, span: Span, share: float) -> datetime:
    """Later by the dataset's share of the jitter, or of what is left of the open time if that is less."""
    moment = moment.astimezone(UTC)
    if not rule.jitter_s or not share:
        return moment
    return moment + min(timedelta(seconds=rule.jitter_s), span.end - moment) * share

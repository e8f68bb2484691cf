"""When something may start: inside a window (none given = always) and in no exclusion. And trigger times, as moments.

Nodes ask for every operation whenever something happens, so what a day of the calendar holds is worked out once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from holdfast.model.spans import Span, parse_zone, span_on, trigger_on
from holdfast.model.windows import parse_trigger_time, parse_window

HORIZON_DAYS = 400
"""Beyond this nothing is planned: every window that can open at all opens within a year."""

ALWAYS = Span(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
_LONGEST_DAYS = 8
"""Windows that touch are one open time, of at most about this length: those that never end need not be followed to the horizon."""


def open_times(windows: tuple[str, ...], exclude: tuple[str, ...], zone: str, from_: datetime) -> Iterator[Span]:
    """Open times that end after `from_`, rising and apart; those that begin within `HORIZON_DAYS`. The first may have begun earlier than it
    says, by days. Raises `UsageError` for windows and zones that are none."""
    limit = from_ + timedelta(days=HORIZON_DAYS)
    for span in _without(_joined(windows, zone, from_) if windows else iter((ALWAYS,)), _joined(exclude, zone, from_)):
        if span.start >= limit:
            return
        if span.end > from_:
            yield span


def next_open(windows: tuple[str, ...], exclude: tuple[str, ...], zone: str, from_: datetime) -> datetime | None:
    """The first moment at or after `from_` that is inside a window (none given = always) and in no exclusion; None = not in a year."""
    span = next(open_times(windows, exclude, zone, from_), None)
    return None if span is None else max(span.start, from_.astimezone(UTC))


def is_open(windows: tuple[str, ...], exclude: tuple[str, ...], zone: str, moment: datetime) -> bool:
    """Whether something may start at `moment`."""
    span = next(open_times(windows, exclude, zone, moment), None)
    return span is not None and span.start <= moment


@lru_cache(maxsize=16_384)
def triggers_on(at: tuple[str, ...], zone: str, day: date) -> tuple[datetime, ...]:
    """The moments (UTC) of the trigger times of a day of the zone's calendar, rising. Raises `UsageError`."""
    known = parse_zone(zone)
    found = (trigger_on(parse_trigger_time(text), day, known) for text in at)
    return tuple(sorted({moment for moment in found if moment is not None}))


def local_day(moment: datetime, zone: str) -> date:
    return moment.astimezone(parse_zone(zone)).date()


def _joined(texts: tuple[str, ...], zone: str, from_: datetime) -> Iterator[Span]:
    """Spans of these windows, those that overlap or touch as one, from two days before `from_` on."""
    if not texts:
        return
    first = local_day(from_, zone) - timedelta(days=2)
    held: Span | None = None
    for offset in range(HORIZON_DAYS + 4):
        for span in _spans_on(texts, zone, first + timedelta(days=offset)):
            if held is None:
                held = span
            elif span.start <= held.end and held.end - held.start < timedelta(days=_LONGEST_DAYS):
                held = Span(held.start, max(held.end, span.end))
            else:
                yield held
                # What the one before holds already is not said again.
                held = Span(max(span.start, held.end), max(span.end, held.end))
    if held is not None:
        yield held


@lru_cache(maxsize=16_384)
def _spans_on(texts: tuple[str, ...], zone: str, day: date) -> tuple[Span, ...]:
    """What begins on a day of the zone's calendar, by its beginning."""
    known = parse_zone(zone)
    found = (span_on(parse_window(text), day, known) for text in texts)
    return tuple(sorted((span for span in found if span is not None), key=lambda span: span.start))


def _without(spans: Iterable[Span], closed: Iterator[Span]) -> Iterator[Span]:
    """What is left of spans when others are taken out; both rising and apart."""
    out = next(closed, None)
    for span in spans:
        start = span.start
        while out is not None and out.start < span.end:
            if out.start > start:
                yield Span(start, out.start)
            start = max(start, out.end)
            if out.end > span.end:
                break
            out = next(closed, None)
        if start < span.end:
            yield Span(start, span.end)

"""Windows: repeated spans of the week or month in which something may start, and times of day.

Grammar of a window (words in lower or upper case, parts separated by blanks, each part optional, at least one there):

    window := [weeks] [days] [range]
    weeks  := week {"," week}        week := first | second | third | fourth | last   (days 1-7, 8-14, 15-21, 22-28; last 7 days)
    days   := span {"," span}        span := day ["-" day] | date ["-" date] | "month-end"
    day    := mon | tue | wed | thu | fri | sat | sun          date := 1 .. 31
    range  := HH:MM "-" HH:MM                                  24:00 is the end of the day

`mon-fri 20:00-06:00`, `sat,sun`, `22:00-04:00`, `first sun 00:00-12:00`, `1,15,month-end 03:00-05:00`. A range that ends at or before its
start runs into the next day and belongs to the day it starts on. No range = the whole day. `fri-mon` wraps around the week.

Daylight saving: a span runs from the first occurrence of its start to the last occurrence of its end; a wall time that the clock skips
stands for the moment of the skip.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from holdfast.core.errors import UsageError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKS = {"first": 0, "second": 1, "third": 2, "fourth": 3, "last": -1}
_RANGE = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")
_TIME = re.compile(r"(\d{1,2}):(\d{2})")
_DAY_MINUTES = 24 * 60
_HINT = "write it like 'mon-fri 20:00-06:00', 'sat,sun', '22:00-04:00', 'first sun' or '1,month-end 03:00-05:00'"


@dataclass(frozen=True)
class Span:
    """From `start` up to, not including, `end`; both UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, kw_only=True)
class Window:
    """Empty sets mean all. `weekdays` count from Monday = 0; `weeks` from 0, -1 = the last seven days of the month.

    `end_minute` counts from midnight of the day it starts on, so it is up to 2,880.
    """

    weeks: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    dates: frozenset[int] = frozenset()
    month_end: bool = False
    start_minute: int = 0
    end_minute: int = _DAY_MINUTES

    def starts_on(self, day: date) -> bool:
        """Whether the window opens on this day of its zone."""
        if self.weeks and not self._in_weeks(day):
            return False
        if not self.weekdays and not self.dates and not self.month_end:
            return True
        return day.weekday() in self.weekdays or day.day in self.dates or (self.month_end and _is_month_end(day))

    def spans(self, from_: datetime, zone: tzinfo, horizon_days: int) -> Iterator[Span]:
        """Spans that end after `from_`, rising, those that start within `horizon_days`."""
        first = from_.astimezone(zone).date() - timedelta(days=2)
        for offset in range(horizon_days + 3):
            day = first + timedelta(days=offset)
            if not self.starts_on(day):
                continue
            span = Span(_at_minute(day, self.start_minute, zone, 0), _at_minute(day, self.end_minute, zone, 1))
            if span.start < span.end and span.end > from_:
                yield span

    def _in_weeks(self, day: date) -> bool:
        return (day.day - 1) // 7 in self.weeks or (-1 in self.weeks and (day + timedelta(days=7)).month != day.month)


def parse_window(text: str) -> Window:
    """Raises `UsageError` that says which word is wrong."""
    words = text.lower().split()
    if not words:
        raise UsageError("an empty window", hint=_HINT)
    start, end = 0, _DAY_MINUTES
    if _RANGE.fullmatch(words[-1]):
        start, end = _parse_range(words.pop(), text)
    weeks: frozenset[int] = frozenset()
    if words and all(word in _WEEKS for word in words[0].split(",")):
        weeks = frozenset(_WEEKS[word] for word in words.pop(0).split(","))
    weekdays: set[int] = set()
    dates: set[int] = set()
    month_end = False
    if words:
        for span in words.pop(0).split(","):
            month_end = month_end or span == "month-end"
            if span != "month-end":
                _add_span(span, weekdays, dates, text)
    if words:
        raise UsageError(f"{words[0]!r} in the window {text!r} is not understood", hint=_HINT)
    window = Window(
        weeks=weeks, weekdays=frozenset(weekdays), dates=frozenset(dates), month_end=month_end, start_minute=start, end_minute=end
    )
    if window.weeks and (window.dates or window.month_end):
        raise UsageError(f"the window {text!r} names weeks and dates of the month together", hint="use weekdays with weeks: 'first mon'")
    return window


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


def _at_minute(day: date, minute: int, zone: tzinfo, fold: int) -> datetime:
    days, minute = divmod(minute, _DAY_MINUTES)
    return instant(day + timedelta(days=days), time(minute // 60, minute % 60), zone, fold)


def _is_month_end(day: date) -> bool:
    return (day + timedelta(days=1)).month != day.month


def _parse_range(word: str, text: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(word)
    assert match is not None
    hours_minutes = [int(part) for part in match.groups()]
    start, end = hours_minutes[0] * 60 + hours_minutes[1], hours_minutes[2] * 60 + hours_minutes[3]
    if max(hours_minutes[1], hours_minutes[3]) > 59 or start >= _DAY_MINUTES or end > _DAY_MINUTES:
        raise UsageError(f"{word!r} in the window {text!r} is not a range of times", hint=_HINT)
    if start == end:
        raise UsageError(f"the window {text!r} starts and ends at one time", hint="leave the range out for the whole day")
    return start, end if end > start else end + _DAY_MINUTES


def _add_span(span: str, weekdays: set[int], dates: set[int], text: str) -> None:
    first, dash, last = span.partition("-")
    last = last if dash else first
    if first in _DAYS and last in _DAYS:
        at, end = _DAYS.index(first), _DAYS.index(last)
        weekdays.update((at + step) % 7 for step in range((end - at) % 7 + 1))
    elif _is_date(first) and _is_date(last) and int(first) <= int(last):
        dates.update(range(int(first), int(last) + 1))
    else:
        raise UsageError(f"{span!r} in the window {text!r} is not a day", hint=_HINT)


def _is_date(word: str) -> bool:
    return word.isascii() and word.isdigit() and 1 <= int(word) <= 31

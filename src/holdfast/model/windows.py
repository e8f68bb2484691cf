"""Windows of schedules: spans of time in which a run may start (or, as `exclude`, may not); and trigger times, at which one does.

    [WEEKS] [WEEKDAYS] [HH:MM-HH:MM]      e.g. `22:00-06:00`, `mon-fri 20:00-06:00`, `first,last sat`, `sat,sun`
    day MONTHDAYS [HH:MM-HH:MM]           e.g. `day 1,15,last 00:00-04:00`

A trigger time has the same days and one `HH:MM` that must be there: `02:30`, `first sat 01:00`, `day last 23:00`.

WEEKS: `first second third fourth last` (first = days 1 to 7, last = the last 7 days of the month). A window that passes midnight
belongs to the day it begins on. Without times it is the whole day; `24:00` is the end of the day. The end itself is outside.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date

import msgspec

from holdfast.core.errors import UsageError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEKS = ("first", "second", "third", "fourth", "last")
DAY_MINUTES = 1440
_SPAN = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_HINT = "write it like `22:00-06:00`, `mon-fri 20:00-06:00`, `first sat 01:00-05:00` or `day 1,15,last 00:00-04:00`"
_TRIGGER_HINT = "write it like `02:30`, `mon-fri 02:30`, `first sat 01:00` or `day 1,last 23:00`"


class Days(msgspec.Struct, frozen=True, kw_only=True):
    """Which days. Empty sets = every one. In `month_days`, 0 stands for the last day of the month."""

    weekdays: frozenset[int] = frozenset()
    weeks: frozenset[str] = frozenset()
    month_days: frozenset[int] = frozenset()

    def has(self, day: date) -> bool:
        last = monthrange(day.year, day.month)[1]
        if self.weekdays and day.weekday() not in self.weekdays:
            return False
        if self.month_days and day.day not in self.month_days and not (day.day == last and 0 in self.month_days):
            return False
        if not self.weeks:
            return True
        number = (day.day - 1) // 7
        return (number < 4 and WEEKS[number] in self.weeks) or ("last" in self.weeks and day.day > last - 7)


class TriggerTime(Days, frozen=True, kw_only=True):
    """A time of day on some days; `minute` counts from midnight."""

    minute: int


class Window(Days, frozen=True, kw_only=True):
    """Minutes count from midnight; `end_minute` <= `start_minute` = the window passes midnight."""

    start_minute: int = 0
    end_minute: int = DAY_MINUTES


def _weekdays(word: str) -> frozenset[int] | None:
    found: set[int] = set()
    for part in word.split(","):
        first, dash, last = part.partition("-")
        if first not in WEEKDAYS or (dash and last not in WEEKDAYS):
            return None
        start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        found.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return frozenset(found)


def _month_days(word: str) -> frozenset[int] | None:
    parts = word.split(",")
    if not all(part == "last" or re.fullmatch(r"[1-9]|[12][0-9]|3[01]", part) for part in parts):
        return None
    return frozenset(0 if part == "last" else int(part) for part in parts)


def _span(word: str) -> tuple[int, int] | None:
    match = _SPAN.fullmatch(word)
    if match is None:
        return None
    hour, minute, end_hour, end_minute = match.groups()
    start = int(hour) * 60 + int(minute)
    end = DAY_MINUTES if end_hour is None else int(end_hour) * 60 + int(end_minute)
    return None if start == end else (start, end)


def parse_window(text: str) -> Window:
    """Raises `UsageError` with a hint on anything that is not a window."""
    words = text.lower().split()
    span = _span(words[-1]) if words else None
    days = _days(words[:-1] if span else words)
    if not words or days is None:
        raise UsageError(f"not a window: {text!r}", hint=_HINT)
    start, end = span or (0, DAY_MINUTES)
    return Window(weekdays=days.weekdays, weeks=days.weeks, month_days=days.month_days, start_minute=start, end_minute=end)


def parse_trigger_time(text: str) -> TriggerTime:
    """Raises `UsageError` with a hint on anything that is not a trigger time."""
    words = text.lower().split()
    match = _TIME.fullmatch(words[-1]) if words else None
    days = _days(words[:-1])
    if match is None or days is None:
        raise UsageError(f"not a time of day: {text!r}", hint=_TRIGGER_HINT)
    minute = int(match[1]) * 60 + int(match[2])
    return TriggerTime(weekdays=days.weekdays, weeks=days.weeks, month_days=days.month_days, minute=minute)


def _days(words: list[str]) -> Days | None:
    """None = these words name no days. No words name every day."""
    if not words:
        return Days()
    if words[0] == "day" and len(words) == 2 and (numbers := _month_days(words[1])) is not None:
        return Days(month_days=numbers)
    weeks = frozenset(words[0].split(","))
    if not weeks <= frozenset(WEEKS):
        weeks = frozenset()
    rest = words[1:] if weeks else words
    named = _weekdays(rest[0]) if len(rest) == 1 else None
    if rest and named is None:
        return None
    return Days(weekdays=named or frozenset(), weeks=weeks)

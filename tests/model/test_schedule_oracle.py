"""Schedules against a slow and obvious oracle: every minute of some days is looked at, with nothing but a clock on the wall and a calendar.

In plain words. A window begins, on each of its days, at the first minute at which the clock shows its beginning or later, and ends after
the last at which the clock shows less than its end. A trigger time is the first minute at which the clock shows it or later. A run starts
at a minute that is in a window and in no exclusion if none began for as long as the RPO, and at a trigger time in no exclusion. While the
node is down nothing starts; what it missed of trigger times is one run as soon as it may, or nothing if that is more than five minutes late
and `missed: skip` was asked for.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.model.open_times import open_times
from holdfast.model.rules import OperationRule
from holdfast.model.schedule import due_at, is_open

DAYS = 9
MINUTE = timedelta(minutes=1)

# Around both changes of the clock, over the ends of months, and where a whole day is missing (Apia, 30 December 2011).
BEGINNINGS = {
    "Europe/Berlin": (date(2026, 3, 24), date(2026, 10, 21), date(2027, 2, 24)),
    "America/New_York": (date(2026, 3, 4), date(2026, 10, 28), date(2026, 12, 28)),
    "Australia/Lord_Howe": (date(2026, 4, 1), date(2026, 9, 29), date(2028, 2, 25)),
    "Asia/Beirut": (date(2026, 3, 25), date(2026, 10, 22), date(2026, 7, 29)),
    "Pacific/Apia": (date(2011, 12, 26), date(2012, 3, 28), date(2026, 11, 26)),
}
SCENES = st.sampled_from([(zone, begin) for zone, begins in BEGINNINGS.items() for begin in begins])


@cache
def minutes(zone: str, begin: date) -> tuple[tuple[datetime, datetime], ...]:
    """Each minute from two days before to two days after the scene: the moment, and what a clock on the wall shows."""
    first = datetime.combine(begin, time(), tzinfo=UTC) - timedelta(days=2)
    moments = [first + MINUTE * number for number in range((DAYS + 4) * 1440)]
    return tuple((moment, moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)) for moment in moments)


@dataclass(frozen=True)
class Item:
    """A day rule with a beginning, and an end unless it is a trigger time. `text` is how people write it."""

    weeks: tuple[str, ...]
    weekdays: tuple[int, ...]
    month_days: tuple[int, ...]
    """-1 is the last day of the month."""
    start: int
    length: int = 0

    @property
    def text(self) -> str:
        names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
        words = []
        if self.month_days:
            words = ["day", ",".join("last" if day == -1 else str(day) for day in self.month_days)]
        if self.weeks:
            words.append(",".join(self.weeks))
        if self.weekdays:
            words.append(",".join(names[day] for day in self.weekdays))
        end = (self.start + self.length) % 1440
        words.append(clock(self.start) + (f"-{clock(end) if end else '24:00'}" if self.length else ""))
        return " ".join(words)

    def is_on(self, day: date) -> bool:
        last = monthrange(day.year, day.month)[1]
        weeks = {"first": (1, 7), "second": (8, 14), "third": (15, 21), "fourth": (22, 28), "last": (last - 6, last)}
        if self.month_days:
            return day.day in self.month_days or (-1 in self.month_days and day.day == last)
        in_week = not self.weeks or any(weeks[name][0] <= day.day <= weeks[name][1] for name in self.weeks)
        return in_week and (not self.weekdays or day.weekday() in self.weekdays)


def clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def item(days: tuple[str, tuple[str, ...], tuple[int, ...], tuple[int, ...]], start: int, length: int = 0) -> Item:
    kind, weeks, weekdays, month_days = days
    return Item(
        weeks=weeks if kind in ("weeks", "both") else (),
        weekdays=weekdays if kind in ("weekdays", "both") else (),
        month_days=month_days if kind == "month" else (),
        start=start,
        length=length,
    )


def some(values: list[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True).map(tuple)


DAY_RULES = st.tuples(
    st.sampled_from(("every", "weekdays", "weeks", "both", "month")),
    some(["first", "second", "third", "fourth", "last"]),
    some([0, 1, 2, 3, 4, 5, 6]),
    some([-1, 1, 2, 15, 25, 28, 29, 30, 31]),
)
# Many around the hours in which clocks are changed.
STARTS = st.one_of(st.integers(0, 1439), st.sampled_from((0, 30, 60, 90, 105, 119, 120, 135, 150, 179, 180, 1320, 1439)))
WINDOWS = st.lists(st.builds(item, DAY_RULES, STARTS, st.one_of(st.integers(1, 1439), st.sampled_from((15, 30, 60)))), max_size=3)
TRIGGERS = st.lists(st.builds(item, DAY_RULES, STARTS), max_size=3)


def held(windows: list[Item], zone: str, begin: date) -> set[datetime]:
    """The minutes that some window holds."""
    known, found = minutes(zone, begin), set[datetime]()
    for window in windows:
        for offset in range(-3, DAYS + 3):
            day = begin + timedelta(days=offset)
            if not window.is_on(day):
                continue
            start = datetime.combine(day, time()) + MINUTE * window.start
            end = start + MINUTE * window.length
            near = around(known, offset)
            since = next((moment for moment, wall in near if wall >= start), None)
            until = next((moment for moment, wall in reversed(near) if wall < end), None)
            if since is not None and until is not None:
                found |= {since + MINUTE * number for number in range(int((until - since) / MINUTE) + 1)}
    return found


def around(known: tuple[tuple[datetime, datetime], ...], offset: int) -> tuple[tuple[datetime, datetime], ...]:
    """The minutes from a day before a day of the scene in UTC to two after it: no clock is further off than that."""
    return known[max(0, offset + 1) * 1440 : max(0, offset + 5) * 1440]


def triggered(items: list[Item], zone: str, begin: date) -> set[datetime]:
    known, found = minutes(zone, begin), set[datetime]()
    for each in items:
        for offset in range(-1, DAYS + 1):
            day = begin + timedelta(days=offset)
            start = datetime.combine(day, time()) + MINUTE * each.start
            if each.is_on(day):
                found |= {next(moment for moment, wall in around(known, offset) if wall >= start)}
    return found


@dataclass(frozen=True)
class Plan:
    every: int | None
    windows: list[Item]
    exclude: list[Item]
    at: list[Item]
    missed: str

    def rule(self, zone: str) -> OperationRule:
        return OperationRule(
            name="backup",
            kind="backup",
            every_s=None if self.every is None else self.every * 60,
            windows=tuple(each.text for each in self.windows),
            exclude=tuple(each.text for each in self.exclude),
            at=tuple(each.text for each in self.at),
            zone=zone,
            missed="skip" if self.missed == "skip" else "once",
        )


def oracle(plan: Plan, zone: str, begin: date, first: datetime, down: range) -> list[datetime]:
    """Starts, by looking at each minute. `down`: minutes after the first in which the node is off."""
    opened, closed, times = held(plan.windows, zone, begin), held(plan.exclude, zone, begin), triggered(plan.at, zone, begin)
    found: list[datetime] = []
    waits_since: datetime | None = None
    for number in range((DAYS - 1) * 1440):
        now = first + MINUTE * number
        if number and now in times and now not in closed:
            waits_since = now
        if number in down or now in closed:
            continue
        rpo = plan.every is not None and (not found or now - found[-1] >= MINUTE * plan.every) and (not plan.windows or now in opened)
        late = waits_since is not None and now - waits_since > 5 * MINUTE
        if rpo or (waits_since is not None and not (late and plan.missed == "skip")):
            found.append(now)
            waits_since = None
    return found


def stepped(rule: OperationRule, first: datetime, down: range) -> list[datetime]:
    """Starts, as a node has them that is asked for its next one and wakes for it."""
    found: list[datetime] = []
    now, end = first, first + MINUTE * ((DAYS - 1) * 1440)
    off, on = first + MINUTE * down.start, first + MINUTE * down.stop
    while (due := due_at(rule, found[-1] if found else None, now, since=first)) is not None and due < end:
        if off <= due < on and down:
            now = on
            continue
        found.append(due)
        now = due
    return found


@settings(max_examples=50, deadline=None)
@given(scene=SCENES, windows=WINDOWS, exclude=WINDOWS)
def test_open_times_are_those_minutes(scene: tuple[str, date], windows: list[Item], exclude: list[Item]) -> None:
    zone, begin = scene
    opened, closed = held(windows, zone, begin), held(exclude, zone, begin)
    texts = tuple(each.text for each in windows), tuple(each.text for each in exclude)
    first = datetime.combine(begin, time(), tzinfo=UTC)
    allowed = {
        moment
        for moment in (first + MINUTE * number for number in range((DAYS - 1) * 1440))
        if (not windows or moment in opened) and moment not in closed
    }
    end, found = first + MINUTE * ((DAYS - 1) * 1440), set[datetime]()
    for span in open_times(*texts, zone, first):
        since, until = max(span.start, first), min(span.end, end)
        found |= {since + MINUTE * number for number in range(int((until - since) / MINUTE))}
        if span.end >= end:
            break
    assert found == allowed
    for moment in (first + MINUTE * number for number in range(0, (DAYS - 1) * 1440, 97)):
        assert is_open(*texts, zone, moment) == (moment in allowed)


PLANS = st.builds(
    Plan,
    every=st.one_of(st.none(), st.integers(5, 3000)),
    windows=WINDOWS,
    exclude=st.one_of(st.just([]), WINDOWS),
    at=TRIGGERS,
    missed=st.sampled_from(("once", "skip")),
)
DOWN = st.one_of(
    st.just(range(0)),
    st.tuples(st.integers(1, 8000), st.one_of(st.integers(1, 20), st.integers(1, 3000))).map(lambda t: range(t[0], sum(t))),
)


@settings(max_examples=80, deadline=None)
@given(scene=SCENES, plan=PLANS, down=DOWN, offset=st.integers(0, 1439))
def test_runs_start_at_those_minutes(scene: tuple[str, date], plan: Plan, down: range, offset: int) -> None:
    zone, begin = scene
    first = datetime.combine(begin, time(), tzinfo=UTC) + MINUTE * offset
    assert stepped(plan.rule(zone), first, down) == oracle(plan, zone, begin, first, down)


@settings(max_examples=80, deadline=None)
@given(scene=SCENES, plan=PLANS, offset=st.integers(0, 1439), jitter=st.integers(1, 1440), share=st.floats(0, 1, exclude_max=True))
def test_jitter_delays_within_its_bound_and_within_the_open_time(
    scene: tuple[str, date], plan: Plan, offset: int, jitter: int, share: float
) -> None:
    zone, begin = scene
    first = datetime.combine(begin, time(), tzinfo=UTC) + MINUTE * offset
    plain = plan.rule(zone)
    spread = OperationRule(**{**{key: getattr(plain, key) for key in plain.__struct_fields__}, "jitter_s": jitter * 60})
    before, after = due_at(plain, None, first, since=first), due_at(spread, None, first, since=first, share=share)
    assert (before is None) == (after is None)
    if before is None or after is None:
        return
    assert before <= after <= before + MINUTE * jitter
    assert is_open((), spread.exclude, zone, after)
    # Whenever it is asked on the way, it is the same moment: jitter is not drawn anew.
    between = first + (after - first) / 2
    assert due_at(spread, None, between, since=first, share=share) == after

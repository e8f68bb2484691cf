"""When a mover may send, and how fast: what its tables say, held against an oracle that looks at each minute."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import UsageError
from holdfast.model.rate_table import RateLine, RateNow, RateTable, in_words, opens_at, rate_at, times_in_words, validate_tables
from holdfast.model.windows import parse_window

# Each with its own way of saving daylight: not at all, in spring and autumn of either half of the earth, by half an hour, at midnight.
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo")
CHANGES = {
    "UTC": datetime(2026, 3, 1, tzinfo=UTC),
    "Europe/Berlin": datetime(2026, 10, 25, 1, tzinfo=UTC),
    "America/New_York": datetime(2026, 3, 8, 7, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2026, 4, 4, 15, tzinfo=UTC),
    "Africa/Cairo": datetime(2026, 4, 23, 22, tzinfo=UTC),
}
SPAN_MINUTES = 4 * 1440


@cache
def walls(zone: str) -> tuple[tuple[datetime, datetime], ...]:
    """Each minute of four days around a change of the clock: the moment, and what a clock on the wall shows."""
    begin = CHANGES[zone] - timedelta(days=3)
    moments = (begin + timedelta(minutes=minute) for minute in range(SPAN_MINUTES + 2 * 1440))
    return tuple((moment, moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)) for moment in moments)


def inside(window: str, zone: str) -> set[datetime]:
    """The minutes that a window holds: on each of its days from the first that shows its beginning, or later, to the last that shows
    less than its end."""
    parsed, found = parse_window(window), set[datetime]()
    for day in sorted({wall.date() for _, wall in walls(zone)}):
        start = datetime.combine(day, time()) + timedelta(minutes=parsed.start_minute)
        length = (parsed.end_minute - parsed.start_minute) % 1440 or 1440
        if not parsed.has(day):
            continue
        end = start + timedelta(minutes=length)
        from_ = min((moment for moment, wall in walls(zone) if wall >= start), default=None)
        until = max((moment for moment, wall in walls(zone) if wall < end), default=None)
        if from_ is not None and until is not None:
            found |= {moment for moment, _ in walls(zone) if from_ <= moment <= until}
    return found


RATES = st.sampled_from((None, 0, 1_000, 5_000_000))
TIMES = st.sampled_from(("", "22:00-06:00", "01:30-02:15", "02:00-03:00", "00:00-00:30", "23:30-24:00", "03:00-02:45"))
DAYS = st.sampled_from(("", "mon-fri", "sat,sun", "last sun", "day 24,25,last", "fri"))
WINDOWS = st.tuples(DAYS, TIMES).map(" ".join).map(str.strip).filter(bool)
LINES = st.builds(lambda window, rate: RateLine(window=window, rate_bytes_s=rate), WINDOWS, RATES)


def table(*lines: RateLine, otherwise: int | None = 0, zone: str = "UTC") -> RateTable:
    return RateTable(lines=lines, otherwise_bytes_s=otherwise, zone=zone)


@settings(max_examples=60, deadline=None)
@given(zone=st.sampled_from(ZONES), lines=st.lists(LINES, max_size=3), otherwise=RATES, start=st.integers(2 * 1440, 3 * 1440))
def test_a_table_says_at_each_minute_what_a_look_at_every_minute_says(
    zone: str, lines: list[RateLine], otherwise: int | None, start: int
) -> None:
    held = [(inside(line.window, zone), line.rate_bytes_s) for line in lines]

    def oracle(moment: datetime) -> int | None:
        rates = [rate for minutes, rate in held if moment in minutes]
        known = [rate for rate in rates if rate is not None]
        return otherwise if not rates else min(known, default=None)

    asked = (table(*lines, otherwise=otherwise, zone=zone),)
    moments = [moment for moment, _ in walls(zone)][start : start + 1440]
    at = moments[0]
    while at <= moments[-1]:
        now = rate_at(asked, at)
        until = moments[-1] + timedelta(minutes=1) if now.until is None else now.until
        assert until > at
        assert {oracle(moment) for moment in moments if at <= moment < until} == {now.rate_bytes_s}
        at = until


def test_a_throttle_table() -> None:
    office = table(
        RateLine(window="mon-fri 08:00-18:00", rate_bytes_s=5_000_000), RateLine(window="sat,sun"), otherwise=0, zone="Europe/Berlin"
    )
    thursday = datetime(2026, 11, 26, 7, tzinfo=UTC)
    assert rate_at((office,), thursday) == RateNow(5_000_000, datetime(2026, 11, 26, 17, tzinfo=UTC))
    evening = thursday + timedelta(hours=11)
    assert rate_at((office,), evening).is_closed
    assert opens_at((office,), evening) == datetime(2026, 11, 27, 7, tzinfo=UTC)
    assert rate_at((office,), datetime(2026, 11, 28, 12, tzinfo=UTC), 9_000_000).rate_bytes_s == 9_000_000
    assert in_words(office) == "mon-fri 08:00-18:00 at most 4.8 MiB/s, sat,sun full, otherwise closed (Europe/Berlin)"
    assert times_in_words((office,), 9_000_000).startswith("at most 8.6 MiB/s; mon-fri")


def test_what_ends_at_midnight_of_utc_ends() -> None:
    evening = table(RateLine(window="fri 22:00-24:00"))
    assert rate_at((evening,), datetime(2026, 11, 27, 23, tzinfo=UTC)) == RateNow(None, datetime(2026, 11, 28, tzinfo=UTC))


def test_of_what_overlaps_the_strictest_counts() -> None:
    day, noon = table(RateLine(window="06:00-18:00"), otherwise=1_000), datetime(2026, 11, 26, 12, tzinfo=UTC)
    narrow = table(RateLine(window="11:00-13:00", rate_bytes_s=10), RateLine(window="12:00-12:30", rate_bytes_s=0), otherwise=None)
    assert rate_at((day,), noon, 500).rate_bytes_s == 500
    assert rate_at((narrow,), noon).is_closed
    assert rate_at((narrow, day), noon + timedelta(minutes=30)) == RateNow(10, noon + timedelta(hours=1))
    assert rate_at((narrow, day), noon + timedelta(hours=8), 5_000).rate_bytes_s == 1_000


def test_two_movers_that_are_never_open_together() -> None:
    nights, days = table(RateLine(window="22:00-06:00")), table(RateLine(window="06:00-22:00"))
    assert opens_at((nights, days), datetime(2026, 11, 26, tzinfo=UTC)) is None
    assert opens_at((), datetime(2026, 11, 26, tzinfo=UTC)) == datetime(2026, 11, 26, tzinfo=UTC)


def test_what_never_changes_is_not_looked_for() -> None:
    always = table(RateLine(window="mon-fri"), otherwise=None)
    assert rate_at((always,), datetime(2026, 11, 26, tzinfo=UTC)) == RateNow(None, None)


@pytest.mark.parametrize("bad", [table(RateLine(window="at night")), table(RateLine(window="sat"), zone="Europe/Atlantis")])
def test_what_cannot_be_read_is_refused(bad: RateTable) -> None:
    with pytest.raises(UsageError):
        validate_tables((bad,))

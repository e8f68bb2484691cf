"""When operations are due: windows, exclusions, trigger times, daylight saving."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import UsageError
from holdfast.core.ids import DatasetId
from holdfast.model.rules import OperationRule
from holdfast.model.schedule import due_at, has_schedule, is_open, next_open, parse_window, share_of, validate_schedule

BERLIN = "Europe/Berlin"
NOW = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
"""A Wednesday."""


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def rule(**fields: object) -> OperationRule:
    return OperationRule(name="backup", kind="backup", **fields)  # type: ignore[arg-type]


def test_an_operation_that_never_ran_is_due_at_once() -> None:
    assert due_at(rule(every_s=3600), None, NOW) == NOW


def test_rpo_counts_from_the_last_run() -> None:
    last = NOW - timedelta(minutes=10)
    assert due_at(rule(every_s=3600), last, NOW) == last + timedelta(hours=1)
    assert due_at(rule(every_s=300), last, NOW) == NOW


def test_no_schedule_is_never_due() -> None:
    assert not has_schedule(rule())
    assert due_at(rule(), None, NOW) is None


def test_a_window_postpones_the_start_and_an_exclusion_wins() -> None:
    nights = rule(every_s=3600, windows=("mon-fri 20:00-06:00",))
    assert due_at(nights, None, NOW) == at("2026-11-18T20:00")
    kept_out = rule(every_s=3600, windows=("mon-fri 20:00-06:00",), exclude=("wed 19:00-22:30",))
    assert due_at(kept_out, None, NOW) == at("2026-11-18T22:30")


def test_a_night_belongs_to_the_day_it_starts_on() -> None:
    window = ("fri 20:00-06:00",)
    assert is_open(window, (), "UTC", at("2026-11-21T05:59"))
    assert not is_open(window, (), "UTC", at("2026-11-21T06:00"))
    assert not is_open(window, (), "UTC", at("2026-11-20T05:00"))


@pytest.mark.parametrize(
    ("window", "inside", "outside"),
    [
        ("first sun", "2026-11-01T10:00", "2026-11-08T10:00"),
        ("last mon 01:00-02:00", "2026-11-30T01:30", "2026-11-23T01:30"),
        ("day last 03:00-05:00", "2026-02-28T04:00", "2026-02-27T04:00"),
        ("day 1,15", "2026-11-15T00:00", "2026-11-16T00:00"),
        ("day 10,11,12 00:00-24:00", "2026-11-12T23:59", "2026-11-13T00:00"),
        ("fri-mon", "2026-11-22T10:00", "2026-11-24T10:00"),
        ("second sun-sat", "2026-11-08T00:00", "2026-11-07T23:59"),
        ("MON 08:00-09:00", "2026-11-16T08:30", "2026-11-16T09:00"),
    ],
)
def test_grammar(window: str, inside: str, outside: str) -> None:
    assert is_open((window,), (), "UTC", at(inside))
    assert not is_open((window,), (), "UTC", at(outside))


@pytest.mark.parametrize(
    "text", ["", "monday", "mon 20:00", "20:00-20:00", "25:00-26:00", "mon tue", "32", "12-3", "first 3", "mon-fri 8-9", "10:60-11:00", "0"]
)
def test_bad_windows_are_refused_with_a_hint(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_window(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    "fields", [{"at": ("24:00",)}, {"zone": "Mars/Olympus"}, {"every_s": 0.0}, {"exclude": ("x",)}, {"jitter_s": 90_000.0}]
)
def test_validate_refuses(fields: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        validate_schedule(rule(**fields))


def test_trigger_times_are_of_the_zone() -> None:
    daily = rule(at=("02:30", "14:00"), zone=BERLIN)
    assert due_at(daily, None, NOW) == at("2026-11-18T14:00", BERLIN)
    assert due_at(daily, at("2026-11-18T14:00", BERLIN), at("2026-11-18T14:01", BERLIN)) == at("2026-11-19T02:30", BERLIN)


def test_a_missed_trigger_is_made_up_once() -> None:
    daily = rule(at=("02:30",))
    assert due_at(daily, NOW - timedelta(days=3), NOW) == NOW
    assert due_at(daily, NOW, NOW) == at("2026-11-19T02:30")
    assert due_at(daily, None, NOW) == at("2026-11-19T02:30")
    assert due_at(daily, None, NOW, since=NOW - timedelta(days=1)) == NOW


def test_an_excluded_trigger_is_dropped_and_windows_do_not_hold_triggers() -> None:
    daily = rule(at=("02:30",), exclude=("thu",), windows=("mon 10:00-11:00",))
    assert due_at(daily, NOW, NOW) == at("2026-11-20T02:30")


def test_a_skipped_wall_time_runs_at_the_skip_and_a_doubled_one_once() -> None:
    spring = rule(at=("02:30",), zone=BERLIN)
    assert due_at(spring, at("2026-03-28T12:00"), at("2026-03-28T12:00")) == at("2026-03-29T01:00")
    first = due_at(spring, at("2026-10-24T12:00"), at("2026-10-24T12:00"))
    assert first == at("2026-10-25T00:30")
    assert due_at(spring, first, first) == at("2026-10-26T01:30")


def test_a_window_in_the_skipped_hour_is_empty_that_day() -> None:
    before = at("2026-03-29T00:00")
    assert next_open(("02:10-02:50",), (), BERLIN, before) == at("2026-03-30T00:10")
    assert next_open(("02:10-04:00",), (), BERLIN, before) == at("2026-03-29T01:00")


def test_a_window_that_ends_where_the_clock_is_set_back_to_ends_there_once() -> None:
    before = at("2026-10-24T20:00")
    assert next_open(("03:30-04:00",), ("01:00-02:00",), BERLIN, before) is not None
    assert not is_open(("01:00-02:00",), (), BERLIN, at("2026-10-25T00:00"))
    assert is_open(("01:00-02:15",), (), BERLIN, at("2026-10-25T01:14"))


@pytest.mark.parametrize(
    ("trigger", "moments"),
    [
        ("first sat 01:00", ("2026-12-05T01:00", "2027-01-02T01:00")),
        ("day last 23:00", ("2026-11-30T23:00", "2026-12-31T23:00", "2027-01-31T23:00", "2027-02-28T23:00")),
        ("day 31 12:00", ("2026-12-31T12:00", "2027-01-31T12:00", "2027-03-31T12:00")),
        ("mon-fri 02:30", ("2026-11-19T02:30", "2026-11-20T02:30", "2026-11-23T02:30")),
    ],
)
def test_trigger_times_of_some_days(trigger: str, moments: tuple[str, ...]) -> None:
    moment = NOW
    for expected in moments:
        due = due_at(rule(at=(trigger,)), moment, moment)
        assert due == at(expected)
        moment = due


def test_a_monthly_trigger_missed_weeks_ago_is_made_up() -> None:
    monthly = rule(at=("day 1 03:00",))
    assert due_at(monthly, at("2026-10-20T00:00"), NOW) == NOW
    assert due_at(monthly, at("2026-11-01T03:00"), NOW) == at("2026-12-01T03:00")


def test_missed_skip_leaves_out_what_is_more_than_five_minutes_late() -> None:
    daily = rule(at=("02:30",), missed="skip")
    last = at("2026-11-17T02:30")
    assert due_at(daily, last, at("2026-11-18T02:34")) == at("2026-11-18T02:34")
    assert due_at(daily, last, at("2026-11-18T02:36")) == at("2026-11-19T02:30")


def test_jitter_is_a_dataset_s_own_and_does_not_lengthen_the_rpo() -> None:
    share = share_of(DatasetId("d" * 32))
    assert 0 <= share < 1
    assert share != share_of(DatasetId("e" * 32))
    nights = rule(every_s=3600, windows=("22:00-22:10",), jitter_s=3600)
    assert due_at(nights, NOW, NOW, share=share) == at("2026-11-18T22:00") + timedelta(minutes=10) * share
    last = NOW - timedelta(minutes=10)
    assert due_at(rule(every_s=3600, jitter_s=600), last, NOW, share=share) == last + timedelta(hours=1)
    assert due_at(rule(at=("14:00",), jitter_s=600), NOW, NOW, share=share) == at("2026-11-18T14:00") + timedelta(seconds=600 * share)


def test_always_excluded_is_never() -> None:
    assert due_at(rule(every_s=60, exclude=("00:00-24:00",)), None, NOW) is None


WINDOWS = st.lists(
    st.builds(
        lambda days, start, length: (
            f"{days} {start // 60:02}:{start % 60:02}-{(start + length) % 1440 // 60:02}:{(start + length) % 60:02}"
        ),
        st.sampled_from(["mon-fri", "sat,sun", "tue", "first mon", "day 1,2,3", "day last", "fri-mon"]),
        st.integers(0, 1439),
        st.integers(1, 1439),
    ),
    max_size=2,
).map(tuple)
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC))
ZONES = st.sampled_from(["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "America/Havana"])


@settings(max_examples=60, deadline=None)
@given(windows=WINDOWS, exclude=WINDOWS, zone=ZONES, now=MOMENTS, probe=st.floats(0, 1))
def test_next_open_is_open_and_nothing_before_it_is(
    windows: tuple[str, ...], exclude: tuple[str, ...], zone: str, now: datetime, probe: float
) -> None:
    moment = next_open(windows, exclude, zone, now)
    end = now + timedelta(days=100) if moment is None else moment
    assert end >= now
    if moment is not None:
        assert is_open(windows, exclude, zone, moment)
    between = now + (end - now) * probe
    if between < end:
        assert not is_open(windows, exclude, zone, between)


@settings(max_examples=60, deadline=None)
@given(now=MOMENTS, ago_s=st.integers(0, 10**6), every_s=st.integers(1, 10**6), zone=ZONES)
def test_due_is_stable_and_never_earlier_than_the_rpo(now: datetime, ago_s: int, every_s: int, zone: str) -> None:
    last = now - timedelta(seconds=ago_s)
    daily = rule(every_s=float(every_s), windows=("mon-sun 06:00-05:00",), zone=zone)
    due = due_at(daily, last, now)
    assert due is not None
    assert due >= max(now, last + timedelta(seconds=every_s))
    assert due_at(daily, last, due) == due

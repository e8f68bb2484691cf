"""Which points there will be: the same that forgetting after each run leaves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import UsageError
from holdfast.core.ids import DatasetId, PointId
from holdfast.model.document import KeepRules
from holdfast.model.keep_preview import MOST_SHOWN, MOST_TAKEN, preview_keep, run_times
from holdfast.model.points import Point
from holdfast.model.retention import kept
from holdfast.model.rules import OperationRule
from holdfast.model.schedule import due_at

UNTIL = datetime(2026, 11, 25, 15, 41, tzinfo=UTC)
HOUR, DAY = 3600.0, 86_400.0

counts = st.integers(0, 6)
rules = st.builds(
    KeepRules,
    last=counts,
    hourly=counts,
    daily=counts,
    weekly=counts,
    monthly=counts,
    yearly=counts,
    within_s=st.sampled_from([0.0, 1.0, HOUR, 3 * DAY, 40 * DAY]),
)
zones = st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Apia"])
days = st.integers(1, 90)


def point(time: datetime, zone: str) -> Point:
    return Point(
        id=PointId(time.isoformat()),
        dataset="d",
        dataset_id=DatasetId("d"),
        operation="backup",
        repository="r",
        time=time,
        files=0,
        bytes=0,
        zone=zone,
    )


@given(keep=rules, every_s=st.sampled_from([HOUR, 5 * HOUR, DAY, 9 * DAY]), zone=zones, span=days)
def test_each_survivor_is_kept_by_the_rules_and_none_is_missing(keep: KeepRules, every_s: float, zone: str, span: int) -> None:
    since = UNTIL - timedelta(days=span)
    taken = list(run_times(every_s, (), zone, since=since, until=UNTIL))
    found = preview_keep(keep, every_s, (), zone, since=since, until=UNTIL)
    stay = kept([point(time, zone) for time in taken], keep, UNTIL + timedelta(minutes=1)).keep
    assert [(each.time, each.reasons) for each in found.kept] == [(each.time, reasons) for each, reasons in stay][:MOST_SHOWN]
    assert (found.taken_total, found.kept_total, found.truncated) == (len(taken), len(stay), False)
    assert (found.since, found.until) == (since, UNTIL)


@given(
    keep=rules,
    schedule=st.sampled_from([(HOUR, ()), (7 * HOUR, ()), (None, ("02:30",)), (None, ("00:00", "12:00", "23:59")), (DAY, ("03:00",))]),
    zone=zones,
    span=st.integers(1, 30),
)
def test_forgetting_after_each_run_ends_in_the_same(
    keep: KeepRules, schedule: tuple[float | None, tuple[str, ...]], zone: str, span: int
) -> None:
    every_s, at = schedule
    since = UNTIL - timedelta(days=span)
    left: list[Point] = []
    for time in reversed(list(run_times(every_s, at, zone, since=since, until=UNTIL))):
        left.append(point(time, zone))
        left = [each for each, _ in kept(left, keep, time + timedelta(seconds=1)).keep]
    found = preview_keep(keep, every_s, at, zone, since=since, until=UNTIL)
    assert [each.time for each in found.kept] == sorted((each.time for each in left), reverse=True)


@pytest.mark.parametrize("at", [("02:30",), ("00:00", "12:00"), ("02:30", "02:30", "23:59")])
def test_times_of_day_are_those_of_the_scheduler(at: tuple[str, ...]) -> None:
    """Over both changes of the clock."""
    zone, since, until = "Europe/Berlin", datetime(2026, 3, 20, 5, tzinfo=UTC), datetime(2026, 11, 2, 5, tzinfo=UTC)
    rule = OperationRule(name="backup", kind="backup", at=at, zone=zone)
    by_scheduler: list[datetime] = []
    moment = since
    while (due := due_at(rule, moment, moment)) is not None and due <= until:
        by_scheduler.append(due)
        moment = due
    assert list(run_times(None, at, zone, since=since, until=until)) == by_scheduler[::-1]


def test_the_newest_run_of_a_period_is_now() -> None:
    times = list(run_times(7 * HOUR, (), "UTC", since=UNTIL - timedelta(days=2), until=UNTIL))
    assert times[0] == UNTIL
    assert {earlier - later for earlier, later in pairwise(times)} == {timedelta(hours=7)}
    assert times[-1] >= UNTIL - timedelta(days=2)


def test_a_schedule_without_end_of_points_is_cut_and_says_so() -> None:
    found = preview_keep(KeepRules(), 1.0, (), "UTC", since=UNTIL - timedelta(days=3660), until=UNTIL)
    assert (found.taken_total, found.kept_total, len(found.kept), found.truncated) == (MOST_TAKEN, MOST_TAKEN, MOST_SHOWN, True)
    assert found.since == UNTIL - timedelta(seconds=MOST_TAKEN - 1)
    assert {each.reasons for each in found.kept} == {("all",)}


def test_wrong_times_and_zones_are_refused() -> None:
    for at, zone in ((("25:00",), "UTC"), (("02:00",), "Mars/Olympus")):
        with pytest.raises(UsageError):
            preview_keep(KeepRules(daily=1), None, at, zone, since=UNTIL - timedelta(days=1), until=UNTIL)

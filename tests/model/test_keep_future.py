"""Until when points stay, against the plain way of finding out: make every run, and apply the rules after each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from holdfast.core.ids import DatasetId, PointId
from holdfast.model.document import KeepRules
from holdfast.model.keep_future import ends_of
from holdfast.model.points import Point
from holdfast.model.retention import kept

NOW = datetime(2026, 3, 18, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def points_at(*times: datetime, zone: str = "UTC") -> list[Point]:
    return [
        Point(
            id=PointId(f"{number:032x}"),
            dataset="d",
            dataset_id=DatasetId("d" * 32),
            operation="backup",
            repository="r",
            time=time,
            files=0,
            bytes=0,
            zone=zone,
        )
        for number, time in enumerate(times)
    ]


def every_run(points: list[Point], keep: KeepRules, every: timedelta, until: datetime) -> dict[PointId, datetime]:
    """The plain way."""
    gone: dict[PointId, datetime] = {}
    standing, moment = list(points), max(NOW, *(point.time for point in points))
    while moment < until:
        moment += every
        made = replace(points[0], id=PointId("x"), time=moment, locked_until=None, expires_at=None)
        chosen = [point for point, _ in kept([*standing, made], keep, moment + timedelta(microseconds=1)).keep]
        gone |= {point.id: moment for point in standing if point.id != "x" and point not in chosen}
        standing = chosen if made in chosen else [*chosen, made]
    return gone


def past(keep: KeepRules, every: timedelta, count: int, zone: str = "UTC") -> list[Point]:
    """What the rules have left of so many runs until now."""
    found = kept(points_at(*(NOW - number * every for number in range(count)), zone=zone), keep, NOW + HOUR).keep
    return [point for point, _ in found]


@settings(max_examples=40, deadline=None)
@given(
    st.builds(
        KeepRules,
        last=st.integers(0, 4),
        hourly=st.integers(0, 5),
        daily=st.integers(0, 5),
        weekly=st.integers(0, 2),
        monthly=st.integers(0, 1),
        within_s=st.sampled_from([0.0, 3_600.0 * 30, 86_400.0 * 3]),
    ).filter(lambda keep: not keep.is_empty()),
    st.sampled_from([2, 6, 24]),
    st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Auckland"]),
)
def test_as_if_every_run_were_made(keep: KeepRules, hours: int, zone: str) -> None:
    """Of runs that come as often as the points that are left say; what goes, goes within a day of when it really does."""
    every = timedelta(hours=hours)
    points = points_at(*(NOW - number * every for number in range(12)), zone=zone)
    told = ends_of(points, keep, NOW)
    assert told.every_s == every.total_seconds()
    plain = every_run(points, keep, every, NOW + timedelta(days=100))
    assert told.at.keys() == plain.keys()
    for id_, moment in plain.items():
        assert abs(told.at[id_] - moment) <= timedelta(days=1), (id_, told.at[id_], moment)


def test_what_everybody_writes() -> None:
    keep = KeepRules(hourly=24, daily=30, monthly=12, yearly=7)
    points = past(keep, HOUR, 24 * 40)
    told = ends_of(points, keep, NOW)
    assert told.every_s == 3_600
    newest, oldest_hour = points[0], points[23]
    # Nobody will need 10:00 of today any more when it is not among the newest 24 hours.
    assert told.at[newest.id] == NOW + 24 * HOUR
    assert told.at[oldest_hour.id] == NOW + HOUR
    last_of_february = next(point for point in points if point.time.month == 2)
    assert told.at[last_of_february.id].year == 2027
    assert told.at[last_of_february.id] == datetime(2027, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize("keep", [KeepRules(), KeepRules(yearly=-1)])
def test_what_is_kept_for_ever_has_no_end(keep: KeepRules) -> None:
    points = points_at(datetime(2024, 12, 31, tzinfo=UTC), datetime(2025, 12, 31, tzinfo=UTC), NOW)
    told = ends_of(points, keep, NOW)
    assert not told.at.keys() & {points[0].id, points[1].id}


def test_locks_and_times_to_expire_count() -> None:
    one, two, three = points_at(NOW - 2 * HOUR, NOW - HOUR, NOW)
    locked = replace(one, locked_until=NOW + timedelta(days=50, minutes=30))
    ending = replace(two, expires_at=NOW + timedelta(days=9, minutes=30))
    told = ends_of([locked, ending, three], KeepRules(last=1), NOW)
    assert told.at[locked.id] == NOW + timedelta(days=50, hours=1)
    told = ends_of([locked, ending, three], KeepRules(), NOW)
    assert told.at == {ending.id: NOW + timedelta(days=9, hours=1)}


def test_one_point_tells_nothing_of_how_often_runs_come() -> None:
    assert ends_of(points_at(NOW), KeepRules(last=1), NOW) == (None, {})
    assert ends_of([], KeepRules(last=1), NOW) == (None, {})


def test_the_end_of_the_calendar_is_no_error() -> None:
    far = datetime(9998, 12, 30, tzinfo=UTC)
    told = ends_of(points_at(far - timedelta(days=400), far), KeepRules(yearly=5, last=3), far)
    assert told.every_s == 400 * 86_400


def test_very_many_points_are_reckoned_in_time() -> None:
    points = points_at(*(NOW - number * HOUR for number in range(3_000)))
    told = ends_of(points, KeepRules(within_s=86_400 * 125, daily=365, last=2_000), NOW)
    assert len(told.at) == 3_000

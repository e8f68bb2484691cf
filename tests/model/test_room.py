"""When a repository is nearly full: by a part of its disk, by a size, by how fast it fills; and that what was told does not flap."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.jobs import Severity
from holdfast.model.room import GIB, Room, RoomLevel, RoomSample, judge_room, room_finding, room_words, with_sample

AT = datetime(2026, 3, 1, tzinfo=UTC)
ENOUGH, NEAR, FULL = RoomLevel.ENOUGH, RoomLevel.NEARLY_FULL, RoomLevel.FULL


def growing(days: int, bytes_a_day: float, until_used: int) -> tuple[RoomSample, ...]:
    return tuple(RoomSample(AT - timedelta(days=ago), int(until_used - ago * bytes_a_day)) for ago in range(days, -1, -1))


def level(free: float, total: float, before: RoomLevel = ENOUGH) -> RoomLevel:
    return judge_room(int(free * GIB), int(total * GIB), (), AT, before).level


def test_bounds_are_a_part_of_a_small_disk_and_a_size_of_a_large_one() -> None:
    assert [level(free, 100) for free in (11, 9, 0.9)] == [ENOUGH, NEAR, FULL]
    assert [level(free, 20_000) for free in (51, 49, 1.9)] == [ENOUGH, NEAR, FULL]
    assert level(0, 0) is ENOUGH, "a file system without sizes says nothing"


def test_it_is_over_only_when_there_is_clearly_more_room() -> None:
    assert [level(free, 100, NEAR) for free in (11, 12.1)] == [NEAR, ENOUGH]
    assert [level(free, 100, FULL) for free in (1.5, 2.1, 12.1)] == [FULL, NEAR, ENOUGH]


def test_a_disk_that_fills_fast_is_nearly_full_before_the_bounds_are_reached() -> None:
    room = judge_room(90 * GIB, 400 * GIB, growing(14, 10 * GIB, 310 * GIB), AT, ENOUGH)
    assert room.level is NEAR
    assert room_words(room, AT) == "90.0 GiB of 400.0 GiB are free; full in about 9 days at the rate of the last 14"
    finding = room_finding("main", room, AT)
    assert finding is not None
    assert (finding.code, finding.severity, finding.path) == ("repository-nearly-full", Severity.WARNING, "main")
    slower = judge_room(90 * GIB, 400 * GIB, growing(14, 5 * GIB, 310 * GIB), AT, ENOUGH)
    assert (slower.level, room_finding("main", slower, AT)) == (ENOUGH, None)
    assert judge_room(90 * GIB, 400 * GIB, growing(14, 5 * GIB, 310 * GIB), AT, NEAR).level is NEAR
    assert judge_room(90 * GIB, 400 * GIB, growing(14, 4 * GIB, 310 * GIB), AT, NEAR).level is ENOUGH


def test_what_shrinks_or_was_looked_at_too_seldom_has_no_forecast() -> None:
    assert judge_room(GIB, 100 * GIB, growing(14, -GIB, 99 * GIB), AT, ENOUGH).full_at is None
    assert judge_room(GIB, 100 * GIB, growing(5, GIB, 99 * GIB), AT, ENOUGH).full_at is None
    full = room_finding("main", Room(free_bytes=1, total_bytes=100 * GIB, level=FULL), AT)
    assert full is not None
    assert (full.severity, "main is full" in full.message) == (Severity.ERROR, True)


@given(st.lists(st.integers(-3_000, 30_000), max_size=60))
def test_samples_are_of_the_last_fortnight_and_hours_apart(minutes: list[int]) -> None:
    samples: tuple[RoomSample, ...] = ()
    for minute in minutes:
        now = AT + timedelta(minutes=minute)
        samples = with_sample(samples, RoomSample(now, 1))
        times = [sample.at for sample in samples]
        assert all(now - timedelta(days=14) <= at <= now for at in times)
        assert all(after - before >= timedelta(hours=5) for before, after in itertools.pairwise(times))
        assert len(samples) <= 14 * 5


@given(st.integers(0, 1 << 45), st.integers(0, 1 << 45), st.sampled_from(RoomLevel), st.floats(1, 1e13))
def test_less_room_is_never_judged_better(free: int, used: int, before: RoomLevel, rate: float) -> None:
    samples, total = growing(14, rate, used), free + used
    order = (ENOUGH, NEAR, FULL)
    more, less = (judge_room(room, total, samples, AT, before) for room in (free, free // 2))
    assert order.index(less.level) >= order.index(more.level)
    again = judge_room(free, total, samples, AT, more.level)
    assert again.level is more.level, "looking twice changes nothing"
    assert again.full_at is None or again.full_at >= AT

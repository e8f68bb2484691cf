"""Rates that change by the clock on the wall: what is paid for at which rate, and what happens when a mover closes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from holdfast.core.errors import WindowClosed
from holdfast.delivery.limit import Limit, Timetable
from holdfast.model.rate_table import RateLine, RateTable
from holdfast.testing.virtual_clock import VirtualClock

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def timetable(clock: VirtualClock, *lines: RateLine, otherwise: int | None = None, by_hand: bool = False) -> Timetable:
    return Timetable((RateTable(lines=lines, otherwise_bytes_s=otherwise),), 1_000_000, clock, by_hand=by_hand)


def test_a_rate_changes_in_the_middle_of_a_wait() -> None:
    clock = VirtualClock(NOON - timedelta(seconds=5))
    limit = Limit(timetable(clock, RateLine(window="06:00-12:00", rate_bytes_s=1_000)), clock=clock, wait=clock.advance)
    limit.take(250 + 5_000 + 2_000_000)
    assert (clock.now_ns() / 1e9 - NOON.timestamp()) == pytest.approx(2.0, abs=0.3)


def test_a_mover_that_closes_lets_nothing_more_pass() -> None:
    clock = VirtualClock(NOON - timedelta(seconds=5))
    closing = timetable(clock, RateLine(window="12:00-13:00", rate_bytes_s=0))
    limit = Limit(closing, clock=clock, wait=clock.advance)
    limit.take(1_000)
    with pytest.raises(WindowClosed, match="until 2026-11-26T13:00:00Z"):
        limit.take(20_000_000)
    with pytest.raises(WindowClosed):
        closing.check()
    clock.advance(3_600)
    closing.check()


def test_who_asked_by_hand_goes_on_at_the_rates_there_are() -> None:
    clock = VirtualClock(NOON)
    by_hand = timetable(clock, RateLine(window="12:00-13:00", rate_bytes_s=0), otherwise=10, by_hand=True)
    by_hand.check()
    assert by_hand.now().rate_bytes_s == 1_000_000
    clock.advance(3_600)
    assert by_hand.now().rate_bytes_s == 10


def test_messages_are_small_enough_for_the_slowest_rate() -> None:
    clock = VirtualClock(NOON)
    assert timetable(clock, RateLine(window="sat", rate_bytes_s=5), RateLine(window="sun", rate_bytes_s=0)).slowest_bytes_s == 5
    assert not Timetable((), None, clock).is_limiting
    assert Timetable((), None, clock).now().rate_bytes_s is None


def test_a_clock_that_is_set_back_is_followed() -> None:
    clock = VirtualClock(NOON + timedelta(hours=1))
    table = timetable(clock, RateLine(window="12:00-13:00", rate_bytes_s=0))
    table.check()
    clock.set_wall(NOON + timedelta(minutes=30))
    with pytest.raises(WindowClosed):
        table.check()

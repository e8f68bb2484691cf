"""Holding names back while they are written: once per quiet time, and now and then all the same."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from holdfast.host.watch import Aspect, Dirty, Settling
from holdfast.testing.virtual_clock import VirtualClock

SETTLE_S, MOST_S = 2.0, 10.0


def virtual_clock() -> VirtualClock:
    return VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))


def test_a_name_is_handed_on_once_it_is_quiet() -> None:
    clock, settling = virtual_clock(), Settling(SETTLE_S, MOST_S)
    assert settling.next_s() is None
    settling.add([Dirty(b"/x", what=Aspect.CONTENT)], clock.monotonic_s())
    clock.advance(1.5)
    settling.add([Dirty(b"/x", what=Aspect.CLOSED)], clock.monotonic_s())
    clock.advance(1.5)
    assert settling.due(clock.monotonic_s()) == ()
    clock.advance(0.5)
    assert settling.next_s() == clock.monotonic_s()
    assert settling.due(clock.monotonic_s()) == (Dirty(b"/x", what=Aspect.CONTENT | Aspect.CLOSED),)
    assert len(settling) == 0


def test_a_name_that_is_never_quiet_is_handed_on_at_times() -> None:
    clock, settling = virtual_clock(), Settling(SETTLE_S, MOST_S)
    handed = 0
    for _ in range(300):
        settling.add([Dirty(b"/log")], clock.monotonic_s())
        handed += len(settling.due(clock.monotonic_s()))
        clock.advance(1)
    assert 27 <= handed <= 30


def test_names_with_the_same_time_and_unlike_inodes() -> None:
    settling = Settling(SETTLE_S, MOST_S)
    settling.add([Dirty(b"/x", inode=1), Dirty(b"/x"), Dirty(b"/x", inode=2)], 0)
    assert len(settling.due(SETTLE_S)) == 3


def test_all_of_them_at_once() -> None:
    settling = Settling(SETTLE_S, MOST_S)
    settling.add([Dirty(b"/x"), Dirty(b"/y")], 0)
    assert {fact.path for fact in settling.all()} == {b"/x", b"/y"}
    assert settling.due(99) == ()
    assert settling.next_s() is None


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from((b"/a", b"/b", b"/c"))), max_size=80))
def test_each_change_is_handed_on_in_time_and_not_too_soon(steps: list[tuple[int, bytes]]) -> None:
    clock, settling = virtual_clock(), Settling(SETTLE_S, MOST_S)
    first: dict[bytes, float] = {}
    last: dict[bytes, float] = {}

    def hand_on() -> None:
        now_s = clock.monotonic_s()
        for fact in settling.due(now_s):
            assert now_s - last.pop(fact.path) >= SETTLE_S or now_s - first[fact.path] >= MOST_S
            del first[fact.path]
        assert all(now_s - since_s < MOST_S for since_s in first.values())
        assert all(now_s - since_s < SETTLE_S for since_s in last.values())
        next_s = settling.next_s()
        assert (next_s is None) == (not first)
        assert next_s is None or next_s <= min(min(last[path] + SETTLE_S, first[path] + MOST_S) for path in first)

    for pause_s, path in steps:
        clock.advance(pause_s)
        hand_on()
        settling.add([Dirty(path)], clock.monotonic_s())
        first.setdefault(path, clock.monotonic_s())
        last[path] = clock.monotonic_s()
    clock.advance(MOST_S)
    hand_on()
    assert not first

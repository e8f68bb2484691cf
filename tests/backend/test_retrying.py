"""Waits that grow, patience that ends, and a pace that holds: by the numbers, without waiting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.backend.retrying import Pace, Retrying, RetryPolicy
from holdfast.core.errors import NoSpace, NotReachable
from holdfast.testing.repository_scene import START
from holdfast.testing.virtual_clock import SeededEntropy, VirtualClock


def run(retrying: Retrying, failures: int) -> list[int]:
    seen: list[int] = []

    def step(failed: int) -> str:
        seen.append(failed)
        if failed < failures:
            raise NotReachable("away")
        return "well"

    try:
        assert retrying.run("it", step) == "well"
    except NotReachable:
        seen.append(-1)
    return seen


def test_a_stranger_gets_two_tries_and_a_friend_seven() -> None:
    waits: list[float] = []
    retrying = Retrying(RetryPolicy(), VirtualClock(START), SeededEntropy("x"), waits.append)
    assert run(retrying, 5) == [0, 1, -1]
    assert run(retrying, 1) == [0, 1]
    assert run(retrying, 6) == [0, 1, 2, 3, 4, 5, 6]
    assert run(retrying, 99) == [0, 1, 2, 3, 4, 5, 6, -1]
    assert sum(waits[-6:]) <= 16


def test_who_is_not_patient_has_one_try() -> None:
    retrying = Retrying(RetryPolicy(), VirtualClock(START), SeededEntropy("x"), lambda _: None)
    with pytest.raises(NotReachable):
        retrying.run("it", lambda _: (_ for _ in ()).throw(NotReachable("away")), patient=False)


def test_tries_that_hang_are_given_up_by_the_clock() -> None:
    clock = VirtualClock(START)
    retrying = Retrying(RetryPolicy(), clock, SeededEntropy("x"), clock.advance)
    assert retrying.run("it", lambda _: True)
    tries: list[int] = []

    def hang(failed: int) -> None:
        tries.append(failed)
        clock.advance(30)
        raise NotReachable("silence")

    with pytest.raises(NotReachable):
        retrying.run("it", hang)
    assert tries == [0, 1, 2]


def test_other_errors_are_not_tried_again() -> None:
    tries: list[int] = []

    def step(failed: int) -> None:
        tries.append(failed)
        raise NoSpace("full")

    with pytest.raises(NoSpace):
        Retrying(RetryPolicy(), VirtualClock(START), SeededEntropy("x"), lambda _: None).run("it", step)
    assert tries == [0]


@given(st.integers(1, 60), st.floats(0, 1))
def test_waits_grow_to_a_bound(failures: int, chance: float) -> None:
    policy = RetryPolicy()
    waited = policy.wait_s(failures, chance)
    assert 0 < policy.first_wait_s / 2 <= waited <= policy.longest_wait_s
    assert policy.wait_s(failures + 1, chance) >= waited


@given(st.lists(st.integers(1, 100_000), min_size=2, max_size=30), st.integers(1, 10_000))
def test_the_pace_holds_over_time(sizes: list[int], rate: int) -> None:
    clock = VirtualClock(START)
    pace = Pace(rate, clock, clock.advance)
    began_s = clock.monotonic_s()
    sent = 0
    for size in sizes:
        pace.spend(size)
        # What went before this one has had its time.
        assert sent <= (clock.monotonic_s() - began_s) * rate + 1e-6 * max(sent, 1)
        sent += size


def test_no_limit_never_waits() -> None:
    clock = VirtualClock(START)
    Pace(None, clock, lambda _: pytest.fail("waited")).spend(1 << 40)

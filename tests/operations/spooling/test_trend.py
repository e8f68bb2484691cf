"""When a spool is said to become more although it is being sent."""

from __future__ import annotations

from holdfast.operations.spooling.trend import Trend, Waits


def seen(*looks: tuple[float, Waits | None]) -> bool:
    trend = Trend()
    for now_s, waits in looks:
        trend.look(now_s, waits)
    return trend.falls_behind


def test_it_falls_behind_when_age_and_bytes_grow_while_something_goes() -> None:
    begins = (0.0, Waits(1, 100.0, 900))
    assert seen(begins, (61.0, Waits(2, 110.0, 950)))
    assert not seen(begins, (30.0, Waits(2, 110.0, 950)))
    assert not seen(begins, (61.0, Waits(2, 90.0, 950)))
    assert not seen(begins, (61.0, Waits(2, 110.0, 800)))
    assert not seen((0.0, Waits(1, 1.0, 9)), (61.0, Waits(2, 2.0, 9)))


def test_one_large_commit_says_nothing() -> None:
    assert not seen((0.0, Waits(1, 100.0, 900)), (500.0, Waits(1, 600.0, 2_000)))


def test_it_ends_when_it_becomes_less_or_is_not_sent() -> None:
    grows = ((0.0, Waits(1, 100.0, 900)), (61.0, Waits(2, 110.0, 950)))
    assert seen(*grows, (90.0, Waits(3, 100.0, 900)))
    assert not seen(*grows, (130.0, Waits(4, 100.0, 900)))
    assert not seen(*grows, (62.0, None))

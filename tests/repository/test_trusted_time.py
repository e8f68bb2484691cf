"""The time that points expire by: it goes on by itself, and no wall clock that is set brings an end of a lock nearer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.clock import utc
from holdfast.repository.trusted_time import PATIENCE_NS, TOLERANCE_NS, TrustedTime
from holdfast.testing.repository_scene import RepositoryScene
from holdfast.testing.virtual_clock import VirtualClock

START = datetime(2026, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)


def test_it_goes_with_the_clock_and_survives_a_restart(tmp_path: Path) -> None:
    clock = VirtualClock(START)
    assert TrustedTime(tmp_path, clock).now() == START
    clock.advance(3_600)
    assert TrustedTime(tmp_path, clock).now() == START + timedelta(hours=1)
    clock.reboot(30)
    time = TrustedTime(tmp_path, clock)
    clock.advance(60)
    assert not time.is_doubted()
    assert time.now() <= utc(clock.now_ns())


def test_a_clock_set_forward_is_not_believed_alone(tmp_path: Path) -> None:
    clock = VirtualClock(START)
    time = TrustedTime(tmp_path, clock)
    time.now()
    clock.set_wall(START + YEAR)
    assert time.now() == START
    assert time.is_doubted()
    assert time.suspended() == ""
    clock.advance(PATIENCE_NS / 1e9 + 1)
    assert "ahead of" in time.suspended()
    assert "nobody confirms" in TrustedTime(tmp_path, clock).suspended()
    assert time.now() < START + timedelta(hours=1)
    clock.set_wall(START + timedelta(seconds=602))
    assert time.suspended() == ""


def test_the_master_confirms_a_clock_or_does_not(tmp_path: Path) -> None:
    clock = VirtualClock(START)
    time = TrustedTime(tmp_path, clock)
    time.now()
    time.hear(clock.now_ns() + int(YEAR.total_seconds()) * 10**9)
    assert time.now() == START, "nobody doubted, so nobody is believed"
    clock.set_wall(START + YEAR)
    time.now()
    time.hear(int(START.timestamp()) * 10**9)
    assert time.is_doubted()
    time.hear(clock.now_ns() + 10**9)
    assert time.now() == START + YEAR
    assert not time.is_doubted()


def test_a_machine_that_was_off_asks_first(tmp_path: Path) -> None:
    clock = VirtualClock(START)
    TrustedTime(tmp_path, clock).now()
    clock.reboot(86_400)
    time = TrustedTime(tmp_path, clock)
    clock.advance(PATIENCE_NS / 1e9 + 1)
    time.now()
    clock.advance(PATIENCE_NS / 1e9 + 1)
    assert "ahead of" in time.suspended()
    time.hear(clock.now_ns())
    assert time.now() == utc(clock.now_ns())


def test_a_lost_or_damaged_record_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "trusted-time.json").write_bytes(b"{")
    assert TrustedTime(tmp_path, VirtualClock(START)).now() == START


@given(steps=st.lists(st.tuples(st.floats(0, 3_600), st.floats(-1e8, 1e8)), max_size=20))
def test_no_row_of_steps_makes_it_run_ahead(steps: list[tuple[float, float]]) -> None:
    """Whatever the wall clock says: beside the drift that clocks have it is never ahead of the time that has passed."""
    clock = VirtualClock(START)
    time = TrustedTime(Path("/nonexistent"), clock)
    begun = time.now()
    passed = 0.0
    for seconds, step in steps:
        clock.advance(seconds)
        passed += seconds
        clock.set_wall(START + timedelta(seconds=passed + step))
        ahead = (time.now() - begun).total_seconds() - passed
        assert abs(ahead) <= passed * 0.0005 + 1e-3 < TOLERANCE_NS / 1e9


def test_a_new_owner_takes_the_time_at_which_it_opened(scene: RepositoryScene) -> None:
    """Not what somebody has set the clock to before anything was asked of it."""
    repository = scene.open()
    scene.clock.set_wall(START + timedelta(days=4_000))
    scene.clock.advance(700)
    assert repository.time.now() < START + timedelta(days=1)
    assert repository.time.is_doubted()
    repository.close()

"""Hours and days of a followed dataset under a virtual clock: few snapshots, and every tested second restores right."""

from __future__ import annotations

from datetime import timedelta

import pytest

from holdfast.core.clock import now
from tests.repository.continuous.followed_days import HOUR_S, Day, place, snapshots


def test_some_hours_of_two_datasets() -> None:
    with place() as scene:
        day = Day(scene, scene.open(), [20, 60])
        begin = now(scene.clock)
        day.live(2 * HOUR_S, 0.05)
        # Minutes of the last hour, hours before, bases, and what points there are.
        assert snapshots(scene) < 2 * 70
        assert day.verify(begin) > 20
        day.end()
        day.repository.close()
        scene.restic.check()


@pytest.mark.big
@pytest.mark.timeout(1800)
def test_a_day_of_twenty_datasets() -> None:
    """Of an hour that is over one log and one base are left, however much changed in it; so only the last hours are as busy as can be: all
    datasets sealed each minute, one of them with a change each second."""
    with place() as scene:
        day = Day(scene, scene.open(), [300] * 20)
        begin = now(scene.clock)
        day.live(23 * HOUR_S, 0.01)
        day.every_s = [1, *([60] * 19)]
        day.live(HOUR_S, 0.01)
        assert snapshots(scene) < 5_000
        assert day.verify(begin) > 40
        day.kept.clear()
        day.live(HOUR_S, 0.005)
        assert snapshots(scene) < 5_000
        assert day.verify(begin) > 15
        oldest = day.repository.moments(day.sources[1].dataset, limit=10_000)[-1]
        assert begin <= oldest.time <= begin + timedelta(hours=1, minutes=5)
        day.end()
        day.repository.close()
        scene.restic.check()

"""Progress: rates of the last seconds, and lanes that wait."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from holdfast.core.ids import JobId
from holdfast.delivery.fanout import LaneFigures
from holdfast.model.jobs import LaneProgress, Progress
from holdfast.operations.pace import WINDOW_S, Pace
from holdfast.operations.run_progress import STILL_S, LaneMeter
from holdfast.operations.running import PROGRESS_INTERVAL_S, Meter
from holdfast.testing.node_rules import DOCUMENTS, MIRROR, STORE, delivery
from holdfast.testing.virtual_clock import VirtualClock

START = datetime(2026, 11, 25, tzinfo=UTC)


def test_a_pace_is_that_of_the_last_seconds() -> None:
    pace = Pace()
    assert pace.rate(0, 0) == 0
    assert pace.rate(1, 1000) == 1000
    for second in range(2, 20):
        quick = pace.rate(second, second * 1000)
    assert quick == pytest.approx(1000)
    for second in range(20, 20 + int(WINDOW_S) + 2):
        slow = pace.rate(second, 19_000)
    assert slow == 0


def test_a_pace_that_falls_begins_anew() -> None:
    pace = Pace()
    pace.rate(0, 0)
    pace.rate(1, 5000)
    assert pace.rate(2, 10) == 0
    assert pace.rate(3, 30) == 20


def test_a_lane_waits_when_it_has_something_and_takes_nothing() -> None:
    meter = LaneMeter(delivery(DOCUMENTS, (STORE, ("backup",)), (MIRROR, ("replicate",))))
    first = meter.progress(0, LaneFigures(100, 40, 30, True), 200)
    assert (first.receiver, first.dataset, first.action) == ("vault", "files1/documents", f"{STORE}, {MIRROR}")
    assert (first.done_bytes, first.total_bytes, first.waiting) == (40, 200, False)
    assert meter.progress(STILL_S, LaneFigures(100, 40, 30, True), 200).waiting
    moved = meter.progress(STILL_S + 1, LaneFigures(100, 90, 80, True), 200)
    assert (moved.waiting, moved.rate_bytes_s) == (False, 25)
    assert not meter.progress(STILL_S + 9, LaneFigures(100, 100, 80, True), 200).waiting


def test_lanes_are_asked_for_only_when_something_is_told() -> None:
    clock, told, asked = VirtualClock(START), list[Progress](), list[int]()

    def lanes() -> tuple[LaneProgress, ...]:
        asked.append(1)
        return ()

    meter = Meter(JobId("a" * 32), clock, told.append, lanes=lanes)
    for step in range(100):
        meter.report("read", step, step, 100)
    assert len(told) == len(asked) == 1
    clock.advance(PROGRESS_INTERVAL_S)
    meter.report("read", 100, 100, 100)
    assert told[-1].rate_bytes_s == pytest.approx(100 / PROGRESS_INTERVAL_S)

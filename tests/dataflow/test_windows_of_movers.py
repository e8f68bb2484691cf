"""Windows of movers on real machines: what is closed is left out, what closes on the way goes on from there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from holdfast.core.clock import SystemClock, ns_of
from holdfast.model.jobs import State
from holdfast.model.rate_table import RateLine, RateTable
from holdfast.node.workers.messages import Acknowledged, ProgressNews, RunDatasets
from holdfast.testing.waiting import wait_for
from tests.dataflow.machines import World, ended
from tests.dataflow.scene import Office, assert_good, assert_restic_clean, counters, office
from tests.dataflow.trees import differences

MORNING = datetime(2026, 11, 26, 9, tzinfo=UTC)


class SetClock(SystemClock):
    """Real time, which somebody may set."""

    def __init__(self, moment: datetime) -> None:
        self.set(moment)

    def set(self, moment: datetime) -> None:
        self._shift_ns = ns_of(moment) - SystemClock().now_ns()

    def now_ns(self) -> int:
        return super().now_ns() + self._shift_ns


@pytest.fixture
def clock() -> SetClock:
    return SetClock(MORNING)


@pytest.fixture
def scene(clock: SetClock, tmp_path: Path) -> Iterator[Office]:
    world = World(tmp_path / "world", clock)
    yield office(world, tmp_path / "tree")
    world.stop()


def give_window(scene: Office, name: str, *lines: RateLine, otherwise: int | None) -> None:
    """The mover to that machine has this window from now on."""
    table = RateTable(lines=lines, otherwise_bytes_s=otherwise)
    plan = scene.plans["files1"]
    plan.deliveries[:] = [
        msgspec.structs.replace(each, windows=(table,)) if each.receiver_name == name else each for each in plan.deliveries
    ]
    scene.activate()


def test_a_closed_mover_is_left_out_and_gets_the_newest_when_it_opens(scene: Office, clock: SetClock) -> None:
    assert_good(scene.run())
    give_window(scene, "dr", RateLine(window="18:00-22:00"), otherwise=0)
    (scene.source / "during").write_bytes(os.urandom(300_000))
    job = scene.run()
    assert_good(job)
    assert [(task.receiver, task.state) for task in job.tasks] == [
        ("", State.SUCCEEDED),
        ("vault", State.SUCCEEDED),
        ("dr", State.PAUSED),
    ]
    told = scene.files1.source_heard.of(Acknowledged)[-1]
    assert told.error is not None
    assert (told.error.code, told.error.context["until"]) == ("window-closed", "2026-11-26T18:00:00Z")
    assert differences(scene.source, scene.copy) != []
    clock.set(MORNING + timedelta(hours=10))
    caught = scene.run(catch_up=True)
    assert_good(caught)
    assert counters(caught, "capture").read_bytes <= 300_000
    assert differences(scene.source, scene.copy) == []


def test_what_closes_on_the_way_goes_on_from_there(scene: Office, clock: SetClock) -> None:
    give_window(scene, "dr", RateLine(window="sat"), otherwise=0)
    big = b"".join(os.urandom(1_000_000) for _ in range(40))
    (scene.source / "big").write_bytes(big)
    give_window(scene, "vault", RateLine(window="06:00-12:00", rate_bytes_s=6_000_000), otherwise=0)
    begun = scene.files1.begin_run(scene.documents)
    heard = scene.files1.source_heard
    wait_for(lambda: any(lane.done_bytes > 17_500_000 for news in heard.of(ProgressNews) for lane in news.progress.lanes))
    clock.set(MORNING + timedelta(hours=5))
    paused = ended(heard, begun)
    assert paused.state is State.WARNINGS
    assert paused.error is not None
    assert paused.error.code == "window-closed"
    give_window(scene, "vault", RateLine(window="06:00-12:00", rate_bytes_s=6_000_000), otherwise=None)
    again = scene.run()
    assert_good(again)
    before, after = (next(task.counters for task in job.tasks if task.receiver == "vault") for job in (paused, again))
    assert before.sent_bytes > 16_000_000
    # What was on its way when it closed, and what filled no pack yet, may go twice.
    assert before.sent_bytes + after.sent_bytes <= after.offered_bytes + 18_000_000
    assert_restic_clean(scene.vault, scene.main)


def test_who_asks_by_hand_does_not_wait(scene: Office) -> None:
    for name in ("vault", "dr"):
        give_window(scene, name, RateLine(window="18:00-22:00"), otherwise=0)
    waiting = scene.run()
    assert (waiting.state, [task.name for task in waiting.tasks if task.name == "capture"]) == (State.WARNINGS, [])
    job = msgspec.structs.replace(scene.files1.new_job("run", scene.documents.label), cause="trigger")
    due = {scene.documents.id: tuple(operation.name for operation in scene.documents.operations)}
    scene.files1.source.handle(RunDatasets(job=job, datasets=tuple(due), operations=due))
    assert_good(ended(scene.files1.source_heard, job))
    assert differences(scene.source, scene.copy) == []

"""What a run tells on its way, with a receiver that a limit slows down."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from holdfast.model.bottleneck import Place
from holdfast.model.jobs import Progress
from holdfast.node.workers.messages import ProgressNews
from tests.dataflow.machines import World
from tests.dataflow.scene import Office, assert_good, office

BIG = 2_000_000


@pytest.fixture
def scene(world: World, tmp_path: Path) -> Office:
    made = office(world, tmp_path / "tree")
    assert_good(made.run())
    slow = msgspec.structs.replace(made.deliveries["dr"], limit_bytes_s=1_500_000)
    made.plans["files1"].deliveries[:] = [made.deliveries["vault"], slow]
    made.activate()
    return made


def _progress(scene: Office, job: str) -> list[Progress]:
    return [news.progress for news in scene.files1.source_heard.of(ProgressNews) if news.progress.job == job]


def test_a_slow_receiver_is_seen_to_the_end(scene: Office) -> None:
    (scene.source / "big").write_bytes(os.urandom(BIG))
    job = scene.run()
    assert_good(job)
    told = _progress(scene, job.id)
    sending = [progress for progress in told if progress.phase == "sending"]
    assert sending
    for progress in told:
        assert progress.done_bytes <= progress.total_bytes or not progress.total_bytes
        assert all(lane.done_bytes <= lane.total_bytes for lane in progress.lanes)
    lanes = {lane.receiver: lane for lane in sending[-1].lanes}
    assert set(lanes) == {"vault", "dr"}
    assert lanes["dr"].dataset == "files1/documents"
    assert lanes["dr"].delivery == scene.deliveries["dr"].id
    assert BIG <= lanes["dr"].total_bytes < BIG + 100_000
    found = {task.receiver: task.bottleneck for task in job.tasks if task.bottleneck is not None}
    assert found["dr"].place is Place.LIMIT
    assert lanes["dr"].bottleneck is None or lanes["dr"].bottleneck.place is Place.LIMIT


def test_a_catch_up_knows_how_much_is_missing(scene: Office) -> None:
    scene.dr.stop()
    (scene.source / "big").write_bytes(os.urandom(BIG))
    scene.run()
    scene.dr.start()
    job = scene.run(catch_up=True)
    assert_good(job)
    told = _progress(scene, job.id)
    assert {progress.phase for progress in told} == {"sending"}
    (lane,) = told[-1].lanes
    assert lane.receiver == "dr"
    assert BIG <= told[-1].total_bytes == lane.total_bytes < BIG + 100_000

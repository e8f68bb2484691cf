"""Receivers that are away, and come back; state that is lost, and comes back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.model.jobs import State
from holdfast.node.workers.messages import Acknowledged, PointsMade
from tests.dataflow.machines import World
from tests.dataflow.scene import Office, assert_good, assert_restic_clean, counters, office
from tests.dataflow.trees import differences


@pytest.fixture
def scene(world: World, tmp_path: Path) -> Office:
    return office(world, tmp_path / "tree")


def test_the_others_go_on_and_the_absent_one_catches_up_without_a_scan(scene: Office) -> None:
    assert_good(scene.run())
    (scene.source / "during").write_bytes(os.urandom(300_000))
    (scene.source / "tool").unlink()
    scene.dr.stop()
    job = scene.run()
    assert job.state is State.FAILED
    assert [(task.receiver, task.state) for task in job.tasks] == [
        ("", State.SUCCEEDED),
        ("vault", State.SUCCEEDED),
        ("dr", State.FAILED),
    ]
    away = [told for told in scene.files1.source_heard.of(Acknowledged) if told.error is not None]
    assert [(told.action, told.error.code if told.error else "") for told in away] == [(scene.mirror_action.id, "not-reachable")]
    # The new file and the one that went; what is looked at once more because it was just changed may be told, too.
    owed = away[0].amount
    assert owed is not None
    assert (owed.changes >= 2, owed.size_bytes) == (True, 300_000)
    made = scene.vault.store_heard.of(PointsMade)[-1].amount
    assert made is not None
    assert made.changes >= 2
    scene.dr.start()
    caught = scene.run(catch_up=True)
    assert_good(caught)
    assert counters(caught, "capture").read_bytes <= 300_000
    assert differences(scene.source, scene.copy) == []
    assert len(scene.vault.points(scene.main)) == 2
    idle = scene.run(catch_up=True)
    assert_good(idle)
    assert [task.name for task in idle.tasks if task.name == "capture"] == []


def test_a_repository_that_was_away_gets_the_newest_point_and_no_other(scene: Office) -> None:
    assert_good(scene.run())
    scene.vault.stop()
    for name in ("a", "b"):
        (scene.source / name).write_bytes(name.encode() * 100)
        assert scene.run().state is State.FAILED
    scene.vault.start()
    assert_good(scene.run(catch_up=True))
    points = scene.vault.points(scene.main)
    assert len(points) == 2
    newest = [told for told in scene.files1.source_heard.of(Acknowledged) if told.action == scene.store_action.id][-1]
    assert (newest.error, newest.operations) == (None, ("backup",))
    assert newest.captured_at_ns // 1000 == int(points[-1].time.timestamp() * 1_000_000 + 0.5)
    assert_restic_clean(scene.vault, scene.main)


def test_nobody_there_means_nothing_is_read(scene: Office) -> None:
    scene.vault.stop()
    scene.dr.stop()
    job = scene.run()
    assert job.state is State.FAILED
    assert job.error is not None
    assert (job.error.code, job.error.retryable) == ("not-reachable", True)
    assert [task.name for task in job.tasks if task.name == "capture"] == []
    scene.vault.start()
    scene.dr.start()
    assert_good(scene.run())
    assert differences(scene.source, scene.copy) == []


def test_a_lost_state_is_rebuilt_and_no_content_is_read_or_sent(scene: Office) -> None:
    assert_good(scene.run())
    for path in scene.files1.home.glob("state.db*"):
        path.unlink()
    job = scene.run()
    assert_good(job)
    assert "state-rebuilt" in {finding.code for finding in job.findings}
    assert sum(task.counters.sent_bytes for task in job.tasks) == 0
    (scene.source / "after").write_bytes(b"after the loss")
    (scene.source / "text").unlink()
    assert_good(scene.run())
    assert differences(scene.source, scene.copy) == []
    assert len(scene.vault.points(scene.main)) == 3
    assert_restic_clean(scene.vault, scene.main)


def test_an_old_copy_of_the_state_does_no_harm(scene: Office, tmp_path: Path) -> None:
    assert_good(scene.run())
    old = {path: path.read_bytes() for path in scene.files1.home.glob("state.db*")}
    (scene.source / "text").write_bytes(b"newer")
    (scene.source / "tool").unlink()
    assert_good(scene.run())
    for path in scene.files1.home.glob("state.db*"):
        path.unlink()
    for path, content in old.items():
        path.write_bytes(content)
    (scene.source / "newest").write_bytes(b"newest")
    job = scene.run()
    assert_good(job)
    assert differences(scene.source, scene.copy) == []
    points = scene.vault.points(scene.main)
    assert len(points) == 3
    assert_good(scene.vault.restore_here(points[-1], tmp_path / "back"))
    assert differences(scene.source, tmp_path / "back" / scene.source.relative_to("/")) == []


def test_a_vanished_source_changes_nothing_until_it_is_accepted(scene: Office) -> None:
    assert_good(scene.run())
    scene.source.rename(scene.source.with_name("elsewhere"))
    scene.source.mkdir()
    job = scene.run()
    assert job.state is State.FAILED
    assert job.error is not None
    assert job.error.code == "source-vanished"
    assert differences(scene.source.with_name("elsewhere"), scene.copy) == []
    assert len(scene.vault.points(scene.main)) == 1
    assert_good(scene.run(accept=True))
    assert differences(scene.source, scene.copy) == []
    assert len(scene.vault.points(scene.main)) == 2

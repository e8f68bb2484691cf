"""A full disk, a killed receiver, a cancelled run: nothing acknowledged is lost, and the next run succeeds."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from holdfast.core.errors import HoldfastError
from holdfast.model.jobs import State
from holdfast.node.workers.messages import CancelJob, ProgressNews
from holdfast.testing.waiting import wait_for
from tests.dataflow.machines import World, dataset, deliver, ended, store
from tests.dataflow.scene import Office, assert_good, assert_restic_clean, office, restic
from tests.dataflow.trees import differences


@pytest.fixture
def scene(world: World, tmp_path: Path) -> Office:
    return office(world, tmp_path / "tree")


def packs(scene: Office) -> int:
    return sum(1 for path in (Path(scene.main.location) / "data").rglob("*") if path.is_file())


def slow(scene: Office, rate: int | None) -> None:
    plan = scene.plans["files1"]
    plan.deliveries = [
        msgspec.structs.replace(delivery, limit_bytes_s=rate) if delivery.receiver == scene.vault.id else delivery
        for delivery in plan.deliveries
    ]
    scene.activate()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)], check=False).returncode != 0:
        pytest.skip("no mount here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_fails_clearly_and_the_next_run_succeeds(world: World, tmp_path: Path, small_disk: Path) -> None:
    scene = office(world, tmp_path / "tree")
    large = (scene.source / "large").read_bytes()
    (scene.source / "large").unlink()
    plan = scene.plans["vault"]
    moved = msgspec.structs.replace(scene.main, location=str(small_disk / "main"), name="small", id=type(scene.main.id)(world.new_id()))
    plan.repositories[:] = [moved]
    plan.receives[:] = [
        msgspec.structs.replace(receive, actions=(msgspec.structs.replace(scene.store_action, repository=moved.id),))
        for receive in plan.receives
    ]
    scene.main = moved
    scene.activate()
    for path in sorted(scene.source.rglob("f*")):
        if path.is_file() and path.stat().st_size > 100_000:
            path.unlink()
    assert_good(scene.run())
    (scene.source / "large").write_bytes(large)
    job = scene.run()
    assert job.state is State.FAILED
    assert {task.receiver: task.error.code for task in job.tasks if task.error} == {"vault": "no-space"}
    assert len(scene.vault.points(scene.main)) == 1
    assert_restic_clean(scene.vault, scene.main)
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert_good(scene.run())
    assert len(scene.vault.points(scene.main)) == 2
    assert_restic_clean(scene.vault, scene.main)
    restic(scene.vault, scene.main, "restore", "latest", "--target", str(tmp_path / "back"))
    assert (tmp_path / "back" / scene.source.relative_to("/") / "large").read_bytes() == large
    scene.vault.stop()


def test_a_killed_receiver_leaves_a_clean_repository_and_is_caught_up(scene: Office, tmp_path: Path) -> None:
    scene.vault.stop()
    scene.vault.in_process = False
    scene.vault.start()
    scene.activate()
    (scene.source / "small").write_bytes(b"first")
    assert_good(scene.run())
    (scene.source / "much").write_bytes(os.urandom(48_000_000))
    slow(scene, 30_000_000)
    before = packs(scene)
    job = scene.files1.begin_run(scene.documents)
    wait_for(lambda: packs(scene) > before)
    scene.vault.kill_store()
    failed = ended(scene.files1.source_heard, job)
    assert failed.state is State.FAILED
    assert {task.receiver: task.error.code for task in failed.tasks if task.error} == {"vault": "not-reachable"}
    password = (scene.vault.home / "keys" / "main").read_text().strip()
    environment = {**os.environ, "RESTIC_REPOSITORY": scene.main.location, "RESTIC_PASSWORD": password}
    check = ["restic", "--no-cache", "check", "--no-lock", "--read-data"]
    done = subprocess.run(check, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    scene.vault.source.stop()
    scene.vault.start()
    slow(scene, None)
    assert_good(scene.run(catch_up=True))
    points = scene.vault.points(scene.main)
    assert len(points) == 2
    assert_restic_clean(scene.vault, scene.main)
    assert_good(scene.vault.restore_here(points[-1], tmp_path / "back"))
    assert differences(scene.source, tmp_path / "back" / scene.source.relative_to("/")) == []


def test_a_cancelled_run_commits_nothing_and_the_next_one_does(scene: Office) -> None:
    assert_good(scene.run())
    (scene.source / "much").write_bytes(os.urandom(40_000_000))
    slow(scene, 4_000_000)
    job = scene.files1.begin_run(scene.documents)
    scene.files1.source_heard.wait(ProgressNews, lambda news: news.progress.job == job.id)
    scene.files1.source.handle(CancelJob(job=job.id))
    cancelled = ended(scene.files1.source_heard, job)
    assert cancelled.state is State.CANCELLED
    assert len(scene.vault.points(scene.main)) == 1
    slow(scene, None)
    assert_good(scene.run())
    assert len(scene.vault.points(scene.main)) == 2
    assert differences(scene.source, scene.copy) == []
    assert_restic_clean(scene.vault, scene.main)


def test_a_run_whose_receiver_is_waited_for_is_cancelled_not_failed(scene: Office) -> None:
    """All is read, and what is left is in the queue: its channel closing is no fault of the receiver, and nothing to try again."""
    assert_good(scene.run())
    (scene.source / "some").write_bytes(os.urandom(6_000_000))
    slow(scene, 200_000)
    job = scene.files1.begin_run(scene.documents)
    scene.files1.source_heard.wait(ProgressNews, lambda news: news.progress.job == job.id and news.progress.phase == "sending")
    scene.files1.source.handle(CancelJob(job=job.id))
    cancelled = ended(scene.files1.source_heard, job)
    assert (cancelled.state, cancelled.error and cancelled.error.code) == (State.CANCELLED, "cancelled")
    assert len(scene.vault.points(scene.main)) == 1
    slow(scene, None)
    assert_good(scene.run())
    assert len(scene.vault.points(scene.main)) == 2
    assert differences(scene.source, scene.copy) == []
    assert_restic_clean(scene.vault, scene.main)


class DyingEntropy:
    """Gives randomness so often, then the power goes."""

    def __init__(self, left: int) -> None:
        self.left = left

    def token_bytes(self, size: int) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise HoldfastError("the power went")
        return os.urandom(size)


def test_a_source_that_dies_between_its_record_and_the_commit_is_not_ahead_or_behind_for_ever(scene: Office) -> None:
    source, vault = scene.plans["files1"], scene.plans["vault"]
    more = dataset(scene.world, "files1/more", scene.source / "d1")
    source.datasets.append(more)
    source.deliveries.append(deliver(more, source, vault, (store(scene.world, scene.main),), ("backup",)))
    scene.activate()
    assert_good(scene.files1.run(scene.documents, more))
    (scene.source / "late").write_bytes(b"late")
    # Of two datasets the first is on record with the id of its point when the second asks for one; neither was committed anywhere.
    # Before that the worker has given its life an id.
    entropy = DyingEntropy(2)
    with scene.files1.with_entropy(entropy):
        assert scene.files1.run(scene.documents, more).state is State.FAILED
    assert entropy.left < 0
    assert len(scene.vault.points(scene.main)) == 2
    assert_good(scene.run(catch_up=True))
    assert [point.dataset_id for point in scene.vault.points(scene.main)].count(scene.documents.id) == 2
    assert differences(scene.source, scene.copy) == []
    assert_restic_clean(scene.vault, scene.main)

"""A receiver behind a thin line takes its time, and what is followed of the same dataset does not wait for it."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from holdfast.model.jobs import ENDED, State
from holdfast.model.rules import OperationRule
from holdfast.node.workers.messages import JobNews, RunDatasets
from holdfast.testing.waiting import wait_for
from tests.dataflow.machines import World, dataset, deliver, ended, store
from tests.dataflow.scene import Office, assert_good, assert_restic_clean, assert_rsync_equal, office
from tests.dataflow.trees import grow

FILE_BYTES, FILES, LINE_BYTES_S = 4_000_000, 9, 4_000_000


def thin(scene: Office, every_s: float | None = 86_400.0) -> None:
    """The mirror follows; the backup is a batch, and its line gives little."""
    plan = scene.plans["files1"]
    operations = (OperationRule(name="backup", kind="backup", every_s=every_s), OperationRule(name="replicate", kind="replicate"))
    scene.documents = msgspec.structs.replace(scene.documents, operations=operations)
    plan.datasets[:] = [scene.documents]
    plan.deliveries[:] = [
        msgspec.structs.replace(scene.deliveries["vault"], limit_bytes_s=LINE_BYTES_S),
        msgspec.structs.replace(scene.deliveries["dr"], mode="continuous"),
    ]
    scene.activate()


def has(path: Path, content: bytes) -> bool:
    return path.exists() and path.read_bytes() == content


def test_a_change_reaches_the_mirror_while_a_backup_still_goes_out(world: World, tmp_path: Path) -> None:
    scene = office(world, tmp_path / "tree")
    thin(scene)
    assert_good(scene.run())
    captured = {f"large {number}": os.urandom(FILE_BYTES) for number in range(FILES)}
    for name, content in captured.items():
        (scene.source / name).write_bytes(content)
    wait_for(lambda: all(has(scene.copy / name, content) for name, content in captured.items()), 60)
    job = scene.files1.begin_run(scene.documents)
    going = scene.files1.source_heard
    going.wait(JobNews, lambda news: news.job.id == job.id)
    last = f"large {FILES - 1}"

    def is_over() -> bool:
        return any(news.job.id == job.id and news.job.state in ENDED for news in going.of(JobNews))

    for name in ("first of all", last):
        (scene.source / name).write_bytes(b"written meanwhile")
        arrived = wait_for(lambda name=name: is_over() or has(scene.copy / name, b"written meanwhile"), 60)  # type: ignore[misc]
        assert not is_over(), f"{name} came to the mirror only after the backup: {arrived}"
    # The last one may have been out of memory and on its way already: then its state before is kept, and that is said.
    assert_good(ended(going, job), State.SUCCEEDED, State.WARNINGS)
    point = scene.vault.points(scene.main)[-1]
    assert_good(scene.vault.restore_here(point, back := tmp_path / "back"))
    found = {name: back / scene.source.relative_to("/") / name for name in captured if name != last}
    assert all(has(path, captured[name]) for name, path in found.items())
    assert_good(scene.run(operations=("backup",)))
    assert_good(scene.vault.restore_here(scene.vault.points(scene.main)[-1], again := tmp_path / "again"))
    assert (again / scene.source.relative_to("/") / last).read_bytes() == b"written meanwhile"
    assert_restic_clean(scene.vault, scene.main)


@pytest.mark.parametrize("cause", ["trigger", "schedule"])
def test_a_backup_that_only_a_batch_brings_makes_its_point(world: World, tmp_path: Path, cause: str) -> None:
    """Also where it has no schedule and rides with what is due."""
    scene = office(world, tmp_path / "tree")
    thin(scene, every_s=None)
    assert_good(scene.run())
    (scene.source / "new").write_bytes(b"new")
    wait_for(lambda: has(scene.copy / "new", b"new"), 60)
    before = len(scene.vault.points(scene.main))
    job = msgspec.structs.replace(scene.files1.new_job("run", scene.documents.label), cause=cause)
    due = {scene.documents.id: ("backup",)}
    scene.files1.source.handle(RunDatasets(job=job, datasets=tuple(due), operations=due))
    assert_good(ended(scene.files1.source_heard, job))
    assert len(scene.vault.points(scene.main)) == before + 1


def test_another_dataset_is_backed_up_while_one_still_goes_out(world: World, tmp_path: Path) -> None:
    """Both are looked at and read by runs of their own, at the same time."""
    scene = office(world, tmp_path / "tree")
    plan, inbox = scene.plans["files1"], tmp_path / "mail"
    grow(inbox, 2)
    mail = dataset(world, "files1/mail", inbox)
    plan.datasets.append(mail)
    slow = msgspec.structs.replace(scene.deliveries["vault"], limit_bytes_s=LINE_BYTES_S)
    quick = deliver(mail, plan, scene.plans["vault"], (store(world, scene.main),), ("backup",))
    plan.deliveries[:] = [slow, quick]
    scene.activate()
    for number in range(6):
        (scene.source / f"large {number}").write_bytes(os.urandom(FILE_BYTES))
    long = scene.files1.begin_run(scene.documents)
    heard = scene.files1.source_heard
    heard.wait(JobNews, lambda news: news.job.id == long.id)
    for _ in range(2):
        (inbox / "new").write_bytes(os.urandom(100))
        assert_good(scene.files1.run(mail))
    assert not [news for news in heard.of(JobNews) if news.job.id == long.id and news.job.state in ENDED], "the slow one was over first"
    assert_good(ended(heard, long))
    points = scene.vault.points(scene.main)
    assert sorted(point.dataset for point in points) == [scene.documents.label, mail.label, mail.label]
    for rule, source in ((scene.documents, scene.source), (mail, inbox)):
        newest = max((point for point in points if point.dataset == rule.label), key=lambda point: point.time)
        assert_good(scene.vault.restore_here(newest, back := tmp_path / f"back {source.name}"))
        assert_rsync_equal(source, back / source.relative_to("/"))
    assert_restic_clean(scene.vault, scene.main)

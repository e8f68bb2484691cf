"""The state of the source is lost while something else is wrong too: nothing a receiver holds may be taken for removed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from holdfast.model.jobs import Job, State
from holdfast.model.rules import DatasetRule, RepositoryRule
from tests.dataflow.machines import Machine, MachineRules, World, dataset, deliver, mirror, repository, store
from tests.dataflow.scene import assert_good, assert_restic_clean, assert_rsync_equal, office
from tests.dataflow.trees import differences, grow


@dataclass
class Two:
    """Dataset `photos` -> mirror on dr; dataset `mail` -> repository on vault. Both of files1."""

    files1: Machine
    vault: Machine
    dr: Machine
    photos: DatasetRule
    mail: DatasetRule
    tree: Path
    post: Path
    copy: Path
    main: RepositoryRule

    def run(self, *, accept: bool = False) -> Job:
        return self.files1.run(self.photos, self.mail, accept=accept)

    def lose_state(self) -> None:
        for path in self.files1.home.glob("state.db*"):
            path.unlink()


@pytest.fixture
def two(world: World, tmp_path: Path) -> Two:
    tree, post, copy = tmp_path / "photos", tmp_path / "mail", world.folder / "copies" / "photos"
    grow(tree, 1)
    grow(post, 2)
    files1, vault, dr = (world.machine(name) for name in ("files1", "vault", "dr"))
    plans = {machine.name: MachineRules(machine) for machine in (files1, vault, dr)}
    (world.folder / "stores").mkdir(parents=True)
    main = repository(world, "main", world.folder / "stores" / "main")
    plans["vault"].repositories.append(main)
    photos = dataset(world, "files1/photos", tree, operations={"replicate": "replicate"})
    mail = dataset(world, "files1/mail", post, operations={"backup": "backup"})
    plans["files1"].datasets += [photos, mail]
    plans["files1"].deliveries += [
        deliver(photos, plans["files1"], plans["dr"], (mirror(world, tree, copy),)),
        deliver(mail, plans["files1"], plans["vault"], (store(world, main),)),
    ]
    world.activate(*plans.values())
    return Two(files1, vault, dr, photos, mail, tree, post, copy, main)


def empty(folder: Path) -> Path:
    """As an unmounted disk looks: the folder is there, another one, with nothing in it. Where the content went."""
    moved = folder.with_name(folder.name + "-disk")
    folder.rename(moved)
    folder.mkdir()
    return moved


def test_with_a_mirror_alone(two: Two) -> None:
    assert_good(two.run())
    disk = empty(two.tree)
    two.lose_state()
    job = two.files1.run(two.photos)
    assert job.state is State.FAILED
    assert job.error is not None
    assert job.error.code == "source-vanished"
    assert differences(disk, two.copy) == []
    two.tree.rmdir()
    disk.rename(two.tree)
    job = two.files1.run(two.photos)
    assert_good(job)
    assert sum(task.counters.sent_bytes for task in job.tasks) == 0
    assert_rsync_equal(two.tree, two.copy)


def test_while_the_mirror_is_away_and_another_receiver_is_not(two: Two) -> None:
    assert_good(two.run())
    disk = empty(two.tree)
    two.lose_state()
    two.dr.stop()
    assert two.run().state is State.FAILED
    two.dr.start()
    for catch_up in (True, False):
        job = two.files1.run(two.photos, catch_up=catch_up)
        assert differences(disk, two.copy) == [], catch_up
    assert job.error is not None
    assert job.error.code == "source-vanished"


def test_in_both_datasets_at_once(two: Two) -> None:
    assert_good(two.run())
    disks = empty(two.tree), empty(two.post)
    two.lose_state()
    job = two.run()
    assert job.state is State.FAILED
    assert {task.error.code for task in job.tasks if task.error is not None} == {"source-vanished"}
    assert differences(disks[0], two.copy) == []
    assert len(two.vault.points(two.main)) == 1


def test_an_emptied_source_is_taken_when_it_is_meant(two: Two) -> None:
    assert_good(two.run())
    empty(two.tree)
    two.lose_state()
    assert two.files1.run(two.photos).state is State.FAILED
    assert_good(two.files1.run(two.photos, accept=True))
    assert differences(two.tree, two.copy) == []
    assert_good(two.files1.run(two.photos))


def test_a_state_rebuilt_from_one_receiver_is_strange_to_one_that_was_further(world: World, tmp_path: Path) -> None:
    scene = office(world, tmp_path / "tree")
    assert_good(scene.run())
    scene.vault.stop()
    for name in ("ahead-1", "ahead-2"):
        (scene.source / name).write_bytes(name.encode())
        scene.run()
    assert differences(scene.source, scene.copy) == []
    scene.dr.stop()
    for path in scene.files1.home.glob("state.db*"):
        path.unlink()
    scene.vault.start()
    for name in ("unseen-1", "unseen-2", "unseen-3"):
        (scene.source / name).write_bytes(name.encode())
        (scene.source / "ahead-1").unlink(missing_ok=True)
        scene.run()
    scene.dr.start()
    assert_good(scene.run())
    assert differences(scene.source, scene.copy) == []
    assert_rsync_equal(scene.source, scene.copy)
    assert_restic_clean(scene.vault, scene.main)

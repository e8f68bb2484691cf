"""What was taken only in part counts as not taken, is told so, and is mended by the next commit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from holdfast.model.jobs import State
from holdfast.node.workers.messages import Acknowledged
from tests.dataflow.machines import MachineRules, World, dataset, deliver, mirror, repository, store
from tests.dataflow.scene import Office, assert_good, assert_restic_clean, assert_rsync_equal, office
from tests.dataflow.trees import differences


@pytest.fixture
def scene(world: World, tmp_path: Path) -> Office:
    return office(world, tmp_path / "tree")


def told(scene: Office, action: str) -> list[str]:
    """What was told of an action, run by run: error codes, empty = success."""
    return [news.error.code if news.error else "" for news in scene.files1.source_heard.of(Acknowledged) if news.action == action]


def test_a_mirror_that_was_damaged_by_others_has_not_taken_the_commit(scene: Office) -> None:
    folder = scene.source / "project"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / name).write_bytes(name.encode() * 1000)
    assert_good(scene.run())
    shutil.rmtree(scene.copy / "project")
    (folder / "a").write_bytes(b"changed")
    job = scene.run()
    assert job.state is State.FAILED
    assert [(task.receiver, task.state) for task in job.tasks] == [
        ("", State.SUCCEEDED),
        ("vault", State.SUCCEEDED),
        ("dr", State.FAILED),
    ]
    assert job.tasks[2].error is not None
    assert (job.tasks[2].error.code, job.tasks[2].error.retryable) == ("mirror-incomplete", True)
    assert told(scene, scene.mirror_action.id) == ["", "mirror-incomplete"]
    assert_good(scene.run(catch_up=True), State.SUCCEEDED, State.WARNINGS)
    assert told(scene, scene.mirror_action.id) == ["", "mirror-incomplete", ""]
    assert_rsync_equal(scene.source, scene.copy)
    assert len(scene.vault.points(scene.main)) == 2


def test_one_of_two_actions_of_one_delivery_fails(world: World, tmp_path: Path) -> None:
    """Store and mirror on one machine, fed by one stream: what one has acknowledged it does not get again."""
    tree, copy = tmp_path / "tree", world.folder / "copies" / "tree"
    (tree / "project").mkdir(parents=True)
    (tree / "project" / "a").write_bytes(b"a")
    (tree / "project" / "b").write_bytes(b"b")
    files1, vault = world.machine("files1"), world.machine("vault")
    plans = {machine.name: MachineRules(machine) for machine in (files1, vault)}
    main = repository(world, "main", world.folder / "main")
    plans["vault"].repositories.append(main)
    documents = dataset(world, "files1/documents", tree)
    stored, mirrored = store(world, main), mirror(world, tree, copy)
    plans["files1"].datasets.append(documents)
    plans["files1"].deliveries.append(deliver(documents, plans["files1"], plans["vault"], (stored, mirrored)))
    world.activate(*plans.values())
    assert_good(files1.run(documents))
    shutil.rmtree(copy / "project")
    (tree / "project" / "a").write_bytes(b"changed")
    job = files1.run(documents)
    assert [task.state for task in job.tasks] == [State.SUCCEEDED, State.SUCCEEDED, State.FAILED]
    (tree / "more").write_bytes(b"more")
    assert_good(files1.run(documents), State.SUCCEEDED, State.WARNINGS)
    assert_rsync_equal(tree, copy)
    points = vault.points(main)
    assert len(points) == len({point.id for point in points}) == 3
    for number, point in enumerate(points):
        assert_good(vault.restore_here(point, tmp_path / f"back{number}"))
    assert differences(tree, tmp_path / "back2" / tree.relative_to("/")) == []
    assert not (tmp_path / "back1" / tree.relative_to("/") / "more").exists()
    assert_restic_clean(vault, main)


def test_a_point_is_the_same_in_every_copy_or_it_is_not_made(world: World, tmp_path: Path) -> None:
    """Two policies share files; one's receiver was away, the other's run moved the state on: there is no such commit to catch up to."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "shared").write_bytes(b"at the first run")
    files1, near, far = (world.machine(name) for name in ("files1", "near", "far"))
    plans = {machine.name: MachineRules(machine) for machine in (files1, near, far)}
    stores = {name: repository(world, name, world.folder / f"store-{name}") for name in ("near", "far")}
    docs, other = (dataset(world, f"files1/{name}", tree, operations={"backup": "backup"}) for name in ("docs", "other"))
    plans["files1"].datasets += [docs, other]
    for name, rule in (("near", other), ("near", docs), ("far", docs)):
        plans["files1"].deliveries.append(deliver(rule, plans["files1"], plans[name], (store(world, stores[name]),)))
    for name, into in stores.items():
        plans[name].repositories.append(into)
    world.activate(*plans.values())
    assert_good(files1.run(docs, other))
    (tree / "shared").write_bytes(b"at the second run")
    far.stop()
    assert files1.run(docs).state is State.FAILED
    (tree / "shared").write_bytes(b"later")
    assert_good(files1.run(other))
    far.start()
    job = files1.run(docs, catch_up=True)
    assert job.error is not None
    assert (job.error.code, job.error.retryable) == ("capture-needed", True)
    assert_good(files1.run(docs))
    held = {
        name: {p.id: p for p in machine.points(stores[name]) if p.dataset_id == docs.id} for name, machine in (("near", near), ("far", far))
    }
    assert (len(held["near"]), len(held["far"])) == (3, 2)
    for id, point in held["far"].items():
        for machine, copy in ((near, held["near"][id]), (far, point)):
            target = tmp_path / f"{machine.name}-{id}"
            assert_good(machine.restore_here(copy, target))
        inner = tree.relative_to("/")
        assert differences(tmp_path / f"near-{id}" / inner, tmp_path / f"far-{id}" / inner) == []


def test_a_lost_state_is_no_dead_end_for_a_receiver_that_is_behind(scene: Office) -> None:
    assert_good(scene.run())
    scene.dr.stop()
    (scene.source / "new").write_bytes(b"new")
    scene.run()
    for path in scene.files1.home.glob("state.db*"):
        path.unlink()
    scene.dr.start()
    job = scene.run(catch_up=True)
    assert job.state is State.FAILED
    assert told(scene, scene.mirror_action.id)[-1] == "capture-needed"
    assert_good(scene.run())
    assert_rsync_equal(scene.source, scene.copy)

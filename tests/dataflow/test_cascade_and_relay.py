"""A second repository fed from the first, a stream handed on by a relay, several actions on one machine, and all on one machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from holdfast.core.ids import ActionId
from holdfast.model.jobs import State
from holdfast.model.rules import Cascade, DatasetRule, Delivery, ForwardAction, RepositoryRule
from holdfast.node.workers.messages import Acknowledged
from tests.dataflow.machines import Machine, MachineRules, World, dataset, deliver, mirror, repository, store
from tests.dataflow.scene import Office, assert_good, assert_restic_clean, counters, office, restic
from tests.dataflow.trees import differences, grow, total_bytes


@dataclass
class Far:
    scene: Office
    offsite: RepositoryRule
    cascade: Cascade
    action: ActionId


@pytest.fixture
def far(world: World, tmp_path: Path) -> Far:
    """The office, and vault's repository forwarded to a second one on dr."""
    scene = office(world, tmp_path / "tree")
    offsite = repository(world, "offsite", world.folder / "stores" / "offsite")
    scene.plans["dr"].repositories.append(offsite)
    stored = store(world, offsite)
    # The source delivers the same dataset to dr too, for the mirror: grants differ by sender.
    onward = deliver(scene.documents, scene.plans["vault"], scene.plans["dr"], (stored,), ("backup",))
    cascade = Cascade(id="main->offsite", repository=scene.main.id, delivery=onward)
    scene.plans["vault"].cascades.append(cascade)
    scene.activate()
    return Far(scene, offsite, cascade, stored.id)


def test_points_travel_on_with_their_ids_and_times(far: Far, tmp_path: Path) -> None:
    scene = far.scene
    assert_good(scene.run())
    (scene.source / "text").write_bytes(b"changed")
    (scene.source / "tool").unlink()
    assert_good(scene.run())
    job = scene.vault.cascade(far.cascade)
    assert_good(job)
    here, there = scene.vault.points(scene.main), scene.dr.points(far.offsite)
    assert [(p.id, p.time, p.seq, p.files, p.bytes, p.operation) for p in there] == [
        (p.id, p.time, p.seq, p.files, p.bytes, p.operation) for p in here
    ]
    told = [told for told in scene.vault.store_heard.of(Acknowledged) if told.action == far.action]
    assert [(one.operations, one.error) for one in told] == [(("backup",), None)] * 2
    assert_restic_clean(scene.dr, far.offsite)
    assert_good(scene.dr.restore_here(there[-1], tmp_path / "back"))
    assert differences(scene.source, tmp_path / "back" / scene.source.relative_to("/")) == []
    again = scene.vault.cascade(far.cascade)
    assert_good(again)
    assert again.tasks[0].counters.sent_bytes == 0


def test_only_new_chunks_travel_on(far: Far) -> None:
    scene = far.scene
    assert_good(scene.run())
    assert_good(scene.vault.cascade(far.cascade))
    (scene.source / "more").write_bytes(os.urandom(200_000))
    assert_good(scene.run())
    job = scene.vault.cascade(far.cascade)
    assert_good(job)
    assert 0 < job.tasks[0].counters.sent_bytes < 250_000
    assert len(scene.dr.points(far.offsite)) == 2


def test_a_cascade_to_a_machine_that_is_away_fails_and_goes_on_later(far: Far) -> None:
    scene = far.scene
    assert_good(scene.run())
    scene.dr.stop()
    job = scene.vault.cascade(far.cascade)
    assert job.state is State.FAILED
    assert job.error is not None
    assert job.error.code == "not-reachable"
    scene.dr.start()
    assert_good(scene.vault.cascade(far.cascade))
    assert len(scene.dr.points(far.offsite)) == 1


def test_the_source_may_lose_its_state_and_the_cascade_goes_on(far: Far) -> None:
    scene = far.scene
    assert_good(scene.run())
    assert_good(scene.vault.cascade(far.cascade))
    for path in scene.files1.home.glob("state.db*"):
        path.unlink()
    (scene.source / "after").write_bytes(b"after")
    assert_good(scene.run())
    job = scene.vault.cascade(far.cascade)
    assert_good(job)
    assert job.tasks[0].counters.sent_bytes < 10_000
    assert [p.id for p in scene.dr.points(far.offsite)] == [p.id for p in scene.vault.points(scene.main)]


def test_a_relay_stores_nothing_and_the_end_has_it_all(world: World, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    grow(tree)
    files1, relay, vault = (world.machine(name) for name in ("files1", "relay", "vault"))
    plans = {machine.name: MachineRules(machine) for machine in (files1, relay, vault)}
    main = repository(world, "main", world.folder / "main")
    plans["vault"].repositories.append(main)
    documents = dataset(world, "files1/documents", tree, operations={"backup": "backup"})
    onward = deliver(documents, plans["relay"], plans["vault"], (store(world, main),))
    plans["relay"].deliveries.append(onward)
    hop = ForwardAction(id=ActionId(world.new_id()), delivery=onward.id)
    first = deliver(documents, plans["files1"], plans["relay"], (hop,))
    plans["files1"].datasets.append(documents)
    plans["files1"].deliveries.append(first)
    world.activate(*plans.values())
    job = files1.run(documents)
    assert_good(job)
    (tree / "text").unlink()
    assert_good(files1.run(documents))
    assert len(vault.points(main)) == 2
    assert_restic_clean(vault, main)
    restic(vault, main, "restore", "latest", "--target", str(tmp_path / "back"))
    assert not (tmp_path / "back" / tree.relative_to("/") / "text").exists()
    vault.stop()
    away = files1.run(documents)
    assert away.state is State.FAILED
    assert {task.error.code for task in away.tasks if task.error} == {"not-reachable"}
    vault.start()
    assert_good(files1.run(documents))
    assert len(vault.points(main)) == 3


def one_machine(world: World, tree: Path) -> tuple[Machine, DatasetRule, RepositoryRule, Path]:
    grow(tree)
    machine = world.machine("laptop")
    plan = MachineRules(machine)
    main = repository(world, "main", world.folder / "main")
    plan.repositories.append(main)
    rule = dataset(world, "laptop/documents", tree)
    copy = world.folder / "copy"
    stored, mirrored = store(world, main), mirror(world, tree, copy)
    both = deliver(rule, plan, plan, (stored, mirrored))
    pairs = ((stored.id, ("backup",)), (mirrored.id, ("replicate",)))
    plan.datasets.append(rule)
    plan.deliveries.append(msgspec.structs.replace(both, action_operations=pairs))
    world.activate(plan)
    return machine, rule, main, copy


def test_everything_on_one_machine_goes_by_shared_memory_once_for_both_actions(world: World, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    laptop, rule, main, copy = one_machine(world, tree)
    job = laptop.run(rule)
    assert_good(job)
    assert counters(job, "capture").read_bytes == total_bytes(tree)
    assert sum(task.counters.offered_bytes for task in job.tasks if task.receiver) <= total_bytes(tree) + 1_000_000
    assert differences(tree, copy) == []
    assert_restic_clean(laptop, main)
    operations = {told.operations for told in laptop.source_heard.of(Acknowledged)}
    assert operations == {("backup",), ("replicate",)}


def test_of_two_actions_on_one_machine_one_may_fail_and_is_brought_up_later(world: World, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    laptop, rule, main, copy = one_machine(world, tree)
    assert_good(laptop.run(rule))
    hidden = copy.with_name("hidden")
    side = copy.with_name(f".holdfast-{copy.name}")
    side.rename(hidden)
    side.write_bytes(b"in the way")
    (tree / "while").write_bytes(b"the mirror could not be opened")
    job = laptop.run(rule)
    assert job.state is State.FAILED
    assert [task.state for task in job.tasks] == [State.SUCCEEDED, State.SUCCEEDED, State.FAILED]
    side.unlink()
    hidden.rename(side)
    assert_good(laptop.run(rule))
    assert differences(tree, copy) == []
    assert len(laptop.points(main)) == 3
    assert_restic_clean(laptop, main)


def narrowed(delivery: Delivery, rate: int) -> Delivery:
    return msgspec.structs.replace(delivery, limit_bytes_s=rate)


def test_a_limit_slows_its_own_delivery_and_no_other(world: World, tmp_path: Path) -> None:
    scene = office(world, tmp_path / "tree")
    plan = scene.plans["files1"]
    plan.deliveries = [narrowed(delivery, 40_000_000) if delivery.receiver == scene.dr.id else delivery for delivery in plan.deliveries]
    scene.activate()
    job = scene.run()
    assert_good(job)
    seconds = {task.receiver: task.duration_s for task in job.tasks}
    assert seconds["dr"] >= 0.2
    assert differences(scene.source, scene.copy) == []

"""Runs of whole machines of which one has a disk that fails, fills up, forgets or goes: nothing acknowledged is lost, and all is mended."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.model.jobs import Job, State
from holdfast.model.rules import Cascade, RepositoryRule
from holdfast.testing.faulty_disk import Fault, FaultyDisk, Gone, Step, bursts, trials
from tests.dataflow.machines import Machine, World, deliver, repository, store
from tests.dataflow.scene import Office, assert_good, assert_restic_clean, office
from tests.dataflow.trees import differences

# Hundreds of small runs, on a machine that may have much else to do.
pytestmark = pytest.mark.timeout(600)
SCRATCH = "/dev/shm" if Path("/dev/shm").is_dir() else None
# Whose disk it is, and which folders of the world are on it.
DISKS = {"files1": ("files1",), "vault": ("vault", "stores"), "dr": ("dr", "copies")}


@contextmanager
def offices() -> Iterator[Office]:
    """An office whose first run is done."""
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        world = World(Path(folder).resolve() / "world")
        try:
            scene = office(world, Path(folder).resolve() / "tree")
            assert_good(scene.run())
            yield scene
        finally:
            world.stop()


def change(scene: Office, number: int) -> None:
    for path in scene.source.glob("new*"):
        path.unlink()
    (scene.source / "text").write_text(f"number {number}\n" * 4_000)
    (scene.source / f"new{number}").write_bytes(bytes([number % 251]) * 30_000)


def machine_of(scene: Office, name: str) -> Machine:
    return {"files1": scene.files1, "vault": scene.vault, "dr": scene.dr}[name]


def steps_of_a_run(scene: Office, name: str) -> list[Step]:
    change(scene, 1)
    with FaultyDisk(scene.world.folder, parts=DISKS[name]) as disk:
        assert_good(scene.run())
    return disk.steps


def acknowledged(job: Job, receiver: str) -> bool:
    return any(task.receiver == receiver and task.state is State.SUCCEEDED for task in job.tasks)


def survive(scene: Office, name: str, number: int, fault: Fault) -> bool:
    """Whether the fault struck; the work of several threads is not the same each time."""
    machine, points = machine_of(scene, name), len(scene.vault.points(scene.main))
    change(scene, number + 1)
    with FaultyDisk.with_fault(scene.world.folder, number, fault, cut=Gone, parts=DISKS[name]) as disk:
        job = scene.run()
        if fault.ends_all:
            machine.stop()
    if fault.ends_all:
        machine.start()
    about = f"{fault} at {disk.fired[:1]}: {job.state} {job.error} {job.tasks}"
    internal = [task.error.code for task in job.tasks if task.error] + [job.error.code if job.error else ""]
    assert "internal" not in internal, about
    if acknowledged(job, "vault"):
        assert len(scene.vault.points(scene.main)) == points + 1, about
    if acknowledged(job, "dr"):
        assert differences(scene.source, scene.copy) == [], about
    (scene.source / "later").write_text(about)
    assert_good(scene.run())
    assert differences(scene.source, scene.copy) == [], about
    return bool(disk.fired)


def assert_all_is_there(scene: Office) -> None:
    assert_restic_clean(scene.vault, scene.main)
    point = max(scene.vault.points(scene.main), key=lambda point: point.seq)
    back = scene.world.folder / "back"
    shutil.rmtree(back, ignore_errors=True)
    assert_good(scene.vault.restore_here(point, back))
    assert differences(scene.source, back / scene.source.relative_to("/")) == []


@pytest.mark.parametrize("name", DISKS)
def test_faults_under_one_machine(name: str) -> None:
    with offices() as scene:
        steps = steps_of_a_run(scene, name)
        some = bursts(steps)
        chosen = set(some[:: max(1, len(some) // 12)])
        fired = [survive(scene, name, *trial) for trial in trials([step for step in steps if step.number in chosen], every=False)]
        assert sum(fired) > len(fired) // 2
        assert_all_is_there(scene)


@pytest.mark.big
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", DISKS)
def test_all_faults_under_one_machine(name: str) -> None:
    with offices() as scene:
        steps = steps_of_a_run(scene, name)
        chosen = set(bursts(steps))
        for count, trial in enumerate(trials([step for step in steps if step.number in chosen], every=True)):
            survive(scene, name, *trial)
            if not count % 50:
                assert_all_is_there(scene)
        assert_all_is_there(scene)


# The sender and the receiver of a cascade.
CASCADE_DISKS = {"vault": ("vault", "stores"), "dr": ("dr", "far")}


@contextmanager
def cascades() -> Iterator[tuple[Office, RepositoryRule, Cascade]]:
    """An office whose repository goes on to a second one, for the first time."""
    with offices() as scene:
        offsite = repository(scene.world, "offsite", scene.world.folder / "far" / "offsite")
        (scene.world.folder / "far").mkdir()
        scene.plans["dr"].repositories.append(offsite)
        onward = deliver(scene.documents, scene.plans["vault"], scene.plans["dr"], (store(scene.world, offsite),), ("backup",))
        cascade = Cascade(id="main->offsite", repository=scene.main.id, delivery=onward)
        scene.plans["vault"].cascades.append(cascade)
        scene.activate()
        assert_good(scene.vault.cascade(cascade))
        yield scene, offsite, cascade


def copied(scene: Office, offsite: RepositoryRule) -> bool:
    near, far = scene.vault.points(scene.main), scene.dr.points(offsite)
    return [(point.id, point.time, point.seq) for point in near] == [(point.id, point.time, point.seq) for point in far]


def cascade_with_fault(scene: Office, offsite: RepositoryRule, cascade: Cascade, name: str, number: int, fault: Fault) -> bool:
    machine = machine_of(scene, name)
    change(scene, number + 1)
    assert_good(scene.run())
    with FaultyDisk.with_fault(scene.world.folder, number, fault, cut=Gone, parts=CASCADE_DISKS[name]) as disk:
        job = scene.vault.cascade(cascade)
        if fault.ends_all:
            machine.stop()
    if fault.ends_all:
        machine.start()
    about = f"{fault} at {disk.fired[:1]}: {job.state} {job.error} {job.tasks}"
    assert job.error is None or job.error.code != "internal", about
    assert copied(scene, offsite) or job.state is not State.SUCCEEDED, about
    assert_good(scene.vault.cascade(cascade))
    assert copied(scene, offsite), about
    return bool(disk.fired)


@pytest.mark.parametrize("name", CASCADE_DISKS)
def test_faults_under_a_cascade(name: str) -> None:
    with cascades() as (scene, offsite, cascade):
        change(scene, 1)
        assert_good(scene.run())
        with FaultyDisk(scene.world.folder, parts=CASCADE_DISKS[name]) as disk:
            assert_good(scene.vault.cascade(cascade))
        some = bursts(disk.steps)
        chosen = set(some[:: max(1, len(some) // 6)])
        steps = [step for step in disk.steps if step.number in chosen]
        fired = [cascade_with_fault(scene, offsite, cascade, name, *trial) for trial in trials(steps, every=False)]
        assert sum(fired) > len(fired) // 2
        for machine, rule in ((scene.vault, scene.main), (scene.dr, offsite)):
            assert_restic_clean(machine, rule)

"""Repositories in a row: a part of a dataset, kept its own way, each hop a repository that restic can check."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from holdfast.core.ids import ActionId
from holdfast.model.document import KeepRules
from holdfast.model.jobs import State
from holdfast.model.rules import Cascade, RepositoryRule, StoreAction, StoredOperation
from holdfast.testing.virtual_clock import VirtualClock
from tests.dataflow.machines import Machine, MachineRules, World, deliver, repository
from tests.dataflow.scene import Office, assert_good, assert_restic_clean, counters, office, restic
from tests.dataflow.trees import differences


@dataclass
class Chain:
    """The office, vault's repository forwarded to dr, and dr's to museum. `cascades`: by the name of the sender."""

    scene: Office
    museum: Machine
    offsite: RepositoryRule
    deep: RepositoryRule
    cascades: dict[str, Cascade]

    @property
    def part(self) -> Path:
        return self.scene.source / "wanted"

    def narrow(self, sender: str, *paths: Path) -> None:
        """What the sender's cascade carries from now on; none = everything."""
        plan = self.scene.plans[sender]
        self.cascades[sender] = msgspec.structs.replace(self.cascades[sender], only=tuple(map(str, paths)))
        plan.cascades[:] = [self.cascades[sender]]
        self.scene.activate()

    def pass_on(self, *senders: str) -> None:
        for sender in senders or ("vault", "dr"):
            assert_good(self.scene.world.machines[sender].cascade(self.cascades[sender]))


def keeping(world: World, into: RepositoryRule, keep: KeepRules) -> StoreAction:
    operation = StoredOperation(name="backup", kind="backup", keep=keep)
    return StoreAction(id=ActionId(world.new_id()), repository=into.id, operations=(operation,))


def forward(scene: Office, sender: str, receiver: Machine, origin: RepositoryRule, target: RepositoryRule, keep: KeepRules) -> Cascade:
    """One more hop: the receiver's repository, its grant, and the sender's cascade."""
    plan = scene.plans.setdefault(receiver.name, MachineRules(receiver))
    plan.repositories.append(target)
    onward = deliver(scene.documents, scene.plans[sender], plan, (keeping(scene.world, target, keep),), ("backup",))
    cascade = Cascade(id=f"{origin.name}->{target.name}", repository=origin.id, delivery=onward)
    scene.plans[sender].cascades.append(cascade)
    return cascade


@pytest.fixture
def chain(world: World, tmp_path: Path) -> Chain:
    return chained(world, tmp_path / "tree")


def chained(world: World, tree: Path) -> Chain:
    scene = office(world, tree)
    (scene.source / "wanted" / "inner").mkdir(parents=True)
    (scene.source / "wanted" / "letter").write_bytes(b"a letter")
    (scene.source / "wanted" / "inner" / "deep").write_bytes(b"d" * 100_000)
    museum = world.machine("museum")
    offsite = repository(world, "offsite", world.folder / "stores" / "offsite")
    deep = repository(world, "deep", world.folder / "stores" / "deep")
    cascades = {
        "vault": forward(scene, "vault", scene.dr, scene.main, offsite, KeepRules()),
        "dr": forward(scene, "dr", museum, offsite, deep, KeepRules(last=2)),
    }
    scene.activate()
    return Chain(scene, museum, offsite, deep, cascades)


def test_a_part_goes_on_whole_and_nothing_else_of_it(chain: Chain, tmp_path: Path) -> None:
    scene = chain.scene
    chain.narrow("dr", chain.part)
    assert_good(scene.run())
    chain.pass_on()
    (chain.part / "letter").write_bytes(b"another letter")
    (scene.source / "text").write_bytes(b"not wanted")
    assert_good(scene.run())
    chain.pass_on()
    here, there = scene.vault.points(scene.main), chain.museum.points(chain.deep)
    assert [(p.id, p.time, p.seq, p.operation) for p in there] == [(p.id, p.time, p.seq, p.operation) for p in here]
    assert {p.paths for p in there} == {(str(chain.part),)}
    assert [(p.files, p.bytes) for p in there] == [(2, 100_008), (2, 100_014)]
    assert_good(chain.museum.restore_here(there[-1], tmp_path / "back"))
    back = tmp_path / "back" / chain.part.relative_to("/")
    assert differences(chain.part, back) == []
    assert [path.name for path in back.parent.iterdir()] == ["wanted"]
    for machine, rule in ((scene.vault, scene.main), (scene.dr, chain.offsite), (chain.museum, chain.deep)):
        assert_restic_clean(machine, rule)
    listed = restic(chain.museum, chain.deep, "ls", "latest").splitlines()
    assert not [line for line in listed if line.startswith(str(scene.source) + "/") and not line.startswith(str(chain.part))]


def test_another_part_begins_with_a_full_commit_and_sends_no_content_again(chain: Chain) -> None:
    scene = chain.scene
    chain.narrow("dr", chain.part)
    assert_good(scene.run())
    chain.pass_on()
    chain.narrow("dr", chain.part, scene.source / "text")
    (scene.source / "other").write_bytes(b"so that there is a point")
    assert_good(scene.run())
    chain.pass_on("vault")
    job = scene.dr.cascade(chain.cascades["dr"])
    assert_good(job)
    (stored,) = job.tasks
    assert stored.counters.sent_bytes < 50_000
    assert chain.museum.points(chain.deep)[-1].paths == (str(scene.source / "text"), str(chain.part))
    chain.narrow("dr")
    (scene.source / "other").write_bytes(b"and another")
    assert_good(scene.run())
    chain.pass_on()
    whole, part = chain.museum.points(chain.deep)[-1], scene.vault.points(scene.main)[-1]
    assert (whole.id, whole.files, whole.bytes, whole.epoch) == (part.id, part.files, part.bytes, part.epoch)
    assert_restic_clean(chain.museum, chain.deep)


def test_a_folder_on_the_way_that_becomes_a_file_takes_the_part_along(chain: Chain) -> None:
    scene = chain.scene
    chain.narrow("vault", chain.part / "inner")
    assert_good(scene.run())
    chain.pass_on("vault")
    (chain.part / "inner" / "deep").unlink()
    (chain.part / "inner").rmdir()
    (chain.part / "letter").unlink()
    chain.part.rmdir()
    chain.part.write_bytes(b"a file now")
    assert_good(scene.run())
    chain.pass_on("vault")
    assert [(p.files, p.bytes) for p in scene.dr.points(chain.offsite)] == [(1, 100_000), (0, 0)]
    assert_restic_clean(scene.dr, chain.offsite)


@pytest.fixture
def clock() -> VirtualClock:
    """Begins now: files have the times of this machine."""
    return VirtualClock(datetime.now(UTC))


@pytest.fixture
def virtual(tmp_path: Path, clock: VirtualClock) -> Iterator[Chain]:
    world = World(tmp_path / "world", clock)
    yield chained(world, tmp_path / "tree")
    world.stop()


def test_the_last_hop_is_away_for_a_day_and_catches_up_one_point_after_the_other(virtual: Chain, clock: VirtualClock) -> None:
    chain, scene = virtual, virtual.scene
    chain.narrow("vault", chain.part)
    assert_good(scene.run())
    chain.pass_on()
    chain.museum.stop()
    for hour in range(24):
        clock.advance(3_600)
        (chain.part / f"hour {hour}").write_bytes(bytes([hour]) * 20_000)
        assert_good(scene.run())
        chain.pass_on("vault")
        assert scene.dr.cascade(chain.cascades["dr"]).state is State.FAILED
    chain.museum.start()
    job = scene.dr.cascade(chain.cascades["dr"])
    assert_good(job)
    sent = counters(job, job.tasks[0].name).sent_bytes
    assert 0 < sent < 150_000
    points = {machine.name: machine.points(rule) for machine, rule in ((scene.dr, chain.offsite), (chain.museum, chain.deep))}
    assert len(points["dr"]) == 25
    assert points["dr"][-1].time - points["dr"][0].time >= timedelta(days=1)
    # Its own retention: the two newest.
    facts = [[(p.id, p.time, p.seq, p.files, p.bytes, p.epoch) for p in found] for found in points.values()]
    assert facts[1] == facts[0][-2:]
    for machine, rule in ((scene.vault, scene.main), (scene.dr, chain.offsite), (chain.museum, chain.deep)):
        assert_restic_clean(machine, rule)

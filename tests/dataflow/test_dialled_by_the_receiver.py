"""`dial: to`: the receiver dials, for cascades, sources and relays; a vault does nothing but that, and lets nothing go."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from holdfast.core.clock import now
from holdfast.core.errors import NotGranted, NotReachable
from holdfast.core.ids import ActionId
from holdfast.delivery.reading import RemoteReader
from holdfast.model.document import KeepRules
from holdfast.model.jobs import State
from holdfast.model.rules import Cascade, Delivery, ForwardAction, Pull, RepositoryRule
from holdfast.node.bounds.limits import check_rules, load_limits
from holdfast.node.store.worker import StoreWorker
from holdfast.node.workers.dial import Dialler
from holdfast.node.workers.messages import EventNews
from holdfast.wire.data_client import dial
from holdfast.wire.data_messages import OpenRead, Stopped
from holdfast.wire.identity import load_credentials
from holdfast.wire.lines import Lines
from tests.dataflow.machines import Machine, MachineRules, World, dataset, deliver, mirror, repository, store
from tests.dataflow.scene import Office, assert_good, assert_restic_clean, office
from tests.dataflow.test_chains import forward
from tests.dataflow.trees import differences, grow


def awaited(delivery: Delivery, sender: MachineRules, receiver: MachineRules) -> Delivery:
    receiver.pulls.append(Pull(sender=sender.machine.id))
    return msgspec.structs.replace(delivery, dial="to")


def become_vault(machine: Machine, write: Path) -> None:
    """As its root makes it one: the file, and a start. Restores may write there."""
    machine.stop()
    (machine.home / "limits.toml").write_text(f'vault = "30d"\nwrite = ["{write}"]\n')
    (machine.home / "limits.toml").chmod(0o600)
    machine.listens = False
    machine.port = 0
    machine.start()


def listening_ports() -> set[int]:
    """Of this process, which all machines of a world share."""
    inodes = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(descriptor)
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and words[9] in inodes:
                ports.add(int(words[1].rpartition(":")[2], 16))
    return ports


class Vaulted:
    """The office, and a vault `deep` that vault's repository is forwarded to, dialled from there."""

    def __init__(self, world: World, folder: Path) -> None:
        self.scene: Office = office(world, folder / "tree")
        self.deep = world.machine("deep")
        become_vault(self.deep, folder / "back")
        self.sealed: RepositoryRule = repository(world, "sealed", world.folder / "stores" / "sealed")
        cascade = forward(self.scene, "vault", self.deep, self.scene.main, self.sealed, KeepRules(last=1))
        plans = self.scene.plans
        onward = awaited(cascade.delivery, plans["vault"], plans["deep"])
        self.cascade: Cascade = msgspec.structs.replace(cascade, delivery=onward)
        plans["vault"].cascades[:] = [self.cascade]
        self.scene.activate()

    def forward(self) -> None:
        assert_good(self.scene.run())
        assert_good(self.scene.vault.cascade(self.cascade))


def test_a_vault_pulls_listens_nowhere_and_keeps_what_the_rules_would_let_go(world: World, tmp_path: Path) -> None:
    vaulted = Vaulted(world, tmp_path)
    scene, deep = vaulted.scene, vaulted.deep
    vaulted.forward()
    (scene.source / "text").write_bytes(b"changed")
    vaulted.forward()
    others = {machine.port for machine in world.machines.values() if machine is not deep}
    assert listening_ports() == others
    assert deep.problems == ()
    # The rules say `keep: {last: 1}`; what arrived is locked by the vault's own root.
    points = deep.points(vaulted.sealed)
    assert [p.id for p in points] == [p.id for p in scene.vault.points(scene.main)]
    assert all(p.locked_until is not None and p.locked_until > now(world.clock) + timedelta(days=29) for p in points)
    assert_restic_clean(deep, vaulted.sealed)
    assert_good(deep.restore_here(points[-1], tmp_path / "back"))
    assert differences(scene.source, tmp_path / "back" / scene.source.relative_to("/")) == []


def lines_of(machine: Machine) -> Lines:
    assert isinstance(machine.store, StoreWorker)
    return machine.store.lines


def test_a_vault_that_is_away_is_waited_for_and_goes_on_by_itself(world: World, tmp_path: Path) -> None:
    vaulted = Vaulted(world, tmp_path)
    vaulted.forward()
    vaulted.deep.stop()
    lines_of(vaulted.scene.vault).take_s = 0.2
    assert_good(vaulted.scene.run())
    job = vaulted.scene.vault.cascade(vaulted.cascade)
    assert (job.state, job.error.code if job.error else "") == (State.FAILED, "not-reachable")
    rules = vaulted.scene.vault.rules
    assert rules is not None
    with pytest.raises(NotReachable, match="deep has not dialled"):
        Dialler(vaulted.scene.vault.home, rules).deliver(vaulted.deep.id)
    lines_of(vaulted.scene.vault).take_s = 30.0
    vaulted.deep.start()
    assert_good(vaulted.scene.vault.cascade(vaulted.cascade))
    assert len(vaulted.deep.points(vaulted.sealed)) == 2


def test_nothing_is_read_out_of_a_vault_from_outside(world: World, tmp_path: Path) -> None:
    vaulted = Vaulted(world, tmp_path)
    vaulted.forward()
    vault, deep = vaulted.scene.vault, vaulted.deep
    assert vault.rules is not None
    channel = Dialler(vault.home, vault.rules, lines=lines_of(vault)).read(deep.id)
    with pytest.raises(NotGranted, match="vault"):
        RemoteReader(channel, OpenRead(repository=vaulted.sealed.id, dataset=vaulted.scene.documents.id))
    channel.close()


def test_who_is_not_waited_for_gets_no_line(world: World, tmp_path: Path) -> None:
    vaulted = Vaulted(world, tmp_path)
    scene = vaulted.scene
    channel = dial(f"127.0.0.1:{scene.vault.port}", load_credentials(scene.dr.home / "identity"), scene.vault.id, "Line")
    told = channel.receive(30)
    assert isinstance(told, Stopped)
    assert told.error.code == "not-granted"
    channel.close()


def test_a_vault_refuses_rules_that_let_it_remove(world: World, tmp_path: Path) -> None:
    vaulted = Vaulted(world, tmp_path)
    plan = vaulted.scene.plans["deep"]
    limits = load_limits(vaulted.deep.home)
    assert check_rules(plan.rules(9), limits) == ()
    deliver(vaulted.scene.documents, vaulted.scene.plans["files1"], plan, (mirror(world, vaulted.scene.source, tmp_path / "copy"),))
    assert any("vault" in problem.message for problem in check_rules(plan.rules(10), limits))


def test_a_source_is_dialled_by_its_repository_and_by_a_relay(world: World, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    grow(tree)
    files1, relay, vault = (world.machine(name) for name in ("files1", "relay", "vault"))
    plans = {machine.name: MachineRules(machine) for machine in (files1, relay, vault)}
    main = repository(world, "main", world.folder / "main")
    plans["vault"].repositories.append(main)
    documents = dataset(world, "files1/documents", tree, operations={"backup": "backup"})
    onward = deliver(documents, plans["relay"], plans["vault"], (store(world, main),))
    onward = awaited(onward, plans["relay"], plans["vault"])
    plans["relay"].deliveries.append(onward)
    hop = ForwardAction(id=ActionId(world.new_id()), delivery=onward.id)
    first = awaited(deliver(documents, plans["files1"], plans["relay"], (hop,)), plans["files1"], plans["relay"])
    plans["files1"].datasets.append(documents)
    plans["files1"].deliveries.append(first)
    world.activate(*plans.values())
    for _ in range(2):
        assert_good(files1.run(documents))
        (tree / "more").write_bytes(os.urandom(3_000_000))
    assert len(vault.points(main)) == 2
    assert_restic_clean(vault, main)


def test_a_node_that_cannot_be_dialled_is_said_once(world: World, tmp_path: Path) -> None:
    vaulted = Vaulted(world, tmp_path)
    vaulted.forward()
    vaulted.scene.vault.stop()
    news = vaulted.deep.store_heard.wait(EventNews, lambda news: news.event.code == "line-down")
    assert "vault" in news.event.message
    vaulted.scene.vault.start()
    assert_good(vaulted.scene.vault.cascade(vaulted.cascade))

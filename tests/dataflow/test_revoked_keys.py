"""A key that was revoked or replaced reaches no data server any more, with whatever certificate, in new sessions and in open ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.core.errors import HoldfastError, NotReachable, Refused
from holdfast.model.jobs import State
from holdfast.wire.data_client import Method, dial
from holdfast.wire.data_messages import Open, Opened, OpenRead
from holdfast.wire.identity import key_id_of, load_credentials
from tests.dataflow.machines import World
from tests.dataflow.scene import Office, assert_good, office


@pytest.fixture
def scene(world: World, tmp_path: Path) -> Office:
    return office(world, tmp_path / "tree")


def test_a_revoked_key_delivers_and_reads_no_more(scene: Office) -> None:
    assert_good(scene.run())
    stolen = load_credentials(scene.files1.home / "identity")
    address = f"127.0.0.1:{scene.vault.port}"
    delivery = next(each for each in scene.plans["files1"].deliveries if each.receiver == scene.vault.id)
    opened = dial(address, stolen, scene.vault.id, "Deliver")
    opened.send(Open(dataset=scene.documents.id, actions=delivery.actions, generation=1))
    assert isinstance(opened.receive(10), Opened)

    scene.plans["vault"].revoked.append(key_id_of(stolen.cert_pem))
    scene.activate()

    with pytest.raises((NotReachable, Refused)):
        opened.receive(10)
    opened.close()
    methods: tuple[Method, ...] = ("Deliver", "Read")
    for method in methods:
        with pytest.raises(Refused, match="revoked"):
            dial(address, stolen, scene.vault.id, method)
    job = scene.run()
    assert job.state is State.FAILED
    assert len(scene.vault.points(scene.main)) == 1


def test_the_machine_that_took_its_place_delivers(scene: Office) -> None:
    assert_good(scene.run())
    old = load_credentials(scene.files1.home / "identity")
    scene.files1.rejoin()
    scene.plans["vault"].revoked.append(key_id_of(old.cert_pem))
    scene.activate()
    assert_good(scene.run())
    with pytest.raises(HoldfastError, match="revoked"):
        dial(f"127.0.0.1:{scene.vault.port}", old, scene.vault.id, "Read").send(
            OpenRead(repository=scene.main.id, dataset=scene.documents.id)
        )

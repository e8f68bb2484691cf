"""What small runs tell of a receiver's trouble and of its end, whatever ends it: that is what is shown until the next change."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from holdfast.model.rules import StoredOperation
from holdfast.node.workers.messages import Acknowledged
from holdfast.testing.waiting import wait_for
from tests.dataflow.machines import MachineRules, World, dataset, deliver, mirror, repository, store
from tests.dataflow.scene import Office, assert_good


def followed(world: World, tree: Path, *, is_stored: bool) -> Office:
    """files1 -> mirror on dr and, where `is_stored`, repository main on vault, all as it changes; scanned once."""
    tree.mkdir()
    (tree / "letter").write_bytes(b"dear" * 1000)
    files1, vault, dr = (world.machine(name) for name in ("files1", "vault", "dr"))
    plans = {machine.name: MachineRules(machine) for machine in (files1, vault, dr)}
    (world.folder / "stores").mkdir(parents=True, exist_ok=True)
    main = repository(world, "main", world.folder / "stores" / "main")
    plans["vault"].repositories.append(main)
    documents = dataset(world, "files1/documents", tree, operations={"cdp": "cdp", "replicate": "replicate"})
    copy = world.folder / "copies" / "documents"
    stored, mirrored = store(world, main), mirror(world, tree, copy)
    stored = msgspec.structs.replace(stored, operations=(StoredOperation(name="cdp", kind="cdp"),))
    to_vault = msgspec.structs.replace(deliver(documents, plans["files1"], plans["vault"], (stored,), ("cdp",)), mode="continuous")
    to_dr = msgspec.structs.replace(deliver(documents, plans["files1"], plans["dr"], (mirrored,), ("replicate",)), mode="continuous")
    plans["files1"].datasets.append(documents)
    plans["files1"].deliveries += [to_vault, to_dr] if is_stored else [to_dr]
    scene = Office(world, files1, vault, dr, tree, copy, main, documents, stored, mirrored, plans, {"vault": to_vault, "dr": to_dr})
    scene.activate()
    assert_good(scene.run())
    return scene


def told(scene: Office, action: str) -> list[str]:
    """Of an action: error codes, empty = success; of the same one after the other the first."""
    codes = [news.error.code if news.error else "" for news in scene.files1.source_heard.of(Acknowledged) if news.action == action]
    return [code for place, code in enumerate(codes) if not place or codes[place - 1] != code]


@pytest.mark.parametrize("is_stored", [True, False])
def test_a_mirror_that_lacks_nothing_is_well_again_when_it_is_back(world: World, tmp_path: Path, is_stored: bool) -> None:
    scene = followed(world, tmp_path / "tree", is_stored=is_stored)
    mirrored = scene.mirror_action.id
    scene.dr.stop()
    # It is told of, and nothing of what is captured has changed.
    os.chmod(scene.source / "letter", 0o644)
    wait_for(lambda: told(scene, mirrored) == ["", "not-reachable"])
    scene.dr.start()
    wait_for(lambda: told(scene, mirrored) == ["", "not-reachable", ""])


def test_a_second_outage_is_told_though_nothing_but_the_spool_ended_the_first(world: World, tmp_path: Path) -> None:
    scene = followed(world, tmp_path / "tree", is_stored=True)
    stored = scene.store_action.id
    for outage in range(2):
        scene.vault.stop()
        (scene.source / "letter").write_bytes(b"%d" % outage)
        wait_for(lambda outage=outage: told(scene, stored) == ["", "not-reachable"] * (outage + 1))
        scene.vault.start()
        wait_for(lambda outage=outage: told(scene, stored) == ["", "not-reachable"] * (outage + 1) + [""], 60)

"""Two followed datasets of one machine, the only receiver of one of which is away: small runs are made for both at once."""

from __future__ import annotations

from pathlib import Path

import msgspec

from holdfast.testing.waiting import wait_for
from tests.dataflow.machines import MachineRules, World, dataset, deliver, mirror
from tests.dataflow.scene import assert_good, assert_rsync_equal


def test_what_changes_while_its_receiver_is_away_arrives_though_others_were_served(world: World, tmp_path: Path) -> None:
    """Of the dataset that nobody could take nothing was captured in such a run, and it was taken for captured."""
    machines = {name: world.machine(name) for name in ("files1", "vault", "dr")}
    plans = {name: MachineRules(machine) for name, machine in machines.items()}
    trees, copies, rules = [], [], []
    for label, receiver in (("documents", "vault"), ("notes", "dr")):
        tree, copy = tmp_path / label, world.folder / "copies" / label
        tree.mkdir()
        (tree / "always").write_bytes(b"always")
        rule = dataset(world, f"files1/{label}", tree, operations={"replicate": "replicate"})
        line = deliver(rule, plans["files1"], plans[receiver], (mirror(world, tree, copy),), ("replicate",))
        plans["files1"].datasets.append(rule)
        plans["files1"].deliveries.append(msgspec.structs.replace(line, mode="continuous"))
        trees.append(tree)
        copies.append(copy)
        rules.append(rule)
    world.activate(*plans.values())
    assert_good(machines["files1"].run(*rules))
    machines["vault"].stop()
    for number in range(20):
        for tree in trees:
            (tree / f"new {number}").write_bytes(b"%d" % number)
        wait_for(lambda number=number: (copies[1] / f"new {number}").exists())
    machines["vault"].start()
    wait_for(lambda: (copies[0] / "new 19").exists(), 60)
    (trees[0] / "last").write_bytes(b"last")
    wait_for(lambda: (copies[0] / "last").exists(), 60)
    for tree, copy in zip(trees, copies, strict=True):
        assert_rsync_equal(tree, copy)

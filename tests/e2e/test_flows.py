"""Shapes of flows between real machines: a relay that stores nothing, and a group of sources into one repository and one mirror."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from holdfast.host.compare import compare_trees
from tests.e2e.world import by_hand_only, rsync_differences, world_in

pytestmark = pytest.mark.e2e

RELAY = """\
environment: test
nodes: {{files1: {{}}, gate: {{}}, vault: {{}}}}
repositories: {{main: {{node: vault, location: {folder}/main}}}}
policies:
  documents:
    classification: {{paths: [{folder}/data]}}
    operations: {{backup: {{{when}, keep: {{last: 5}}}}, replicate: {{removed: follow}}}}
flows:
  office:
    vertices:
      files: {{node: files1, policies: [documents]}}
      between: {{relay: gate}}
      store: {{repository: main}}
      copy: {{mirror: vault, path: {folder}/mirror}}
    movers:
      - {{from: files, to: between, carries: [documents/backup, documents/replicate]}}
      - {{from: between, to: store, carries: [documents/backup]}}
      - {{from: between, to: copy, carries: [documents/replicate]}}
"""

GROUP = """\
environment: test
nodes: {{one: {{tags: [desk]}}, two: {{tags: [desk]}}, vault: {{}}}}
groups: {{desks: {{tags: [desk]}}}}
repositories: {{main: {{node: vault, location: {folder}/main}}}}
policies:
  documents:
    classification: {{paths: [{folder}/data]}}
    operations: {{backup: {{{when}, keep: {{last: 5}}}}, replicate: {{removed: follow}}}}
flows:
  office:
    vertices:
      desks: {{group: desks, policies: [documents]}}
      store: {{repository: main}}
      copy: {{mirror: vault, path: "{folder}/mirrors/{{node}}"}}
    movers:
      - {{from: desks, to: store, carries: [documents/backup]}}
      - {{from: desks, to: copy, carries: [documents/replicate]}}
"""


def _grow(data: Path) -> None:
    (data / "sub").mkdir(parents=True)
    for number in range(20):
        (data / "sub" / f"{number}.bin").write_bytes(random.Random(number).randbytes(100_000))


def test_through_a_relay_that_stores_nothing(tmp_path: Path) -> None:
    _grow(tmp_path / "data")
    with world_in(tmp_path, "files1", "gate", "vault") as world:
        world.apply(RELAY.format(folder=tmp_path, when=by_hand_only()), "office")
        for _ in range(2):
            assert world.json("trigger", "office", "--wait")["state"] == "succeeded"
            (tmp_path / "data" / "sub" / "3.bin").write_text("changed")
        assert world.json("trigger", "office", "--wait")["state"] == "succeeded"
        assert rsync_differences(tmp_path / "data", tmp_path / "mirror") == ""
        assert len(world.points("main")) == 3
        world.run("restore", world.points("main")[-1]["id"], "--to", str(tmp_path / "back"))
        assert list(compare_trees(tmp_path / "data", tmp_path / "back" / str(tmp_path)[1:] / "data")) == []
        assert not list(world.home("gate").glob("repositories/*"))
        world.restic("main", "vault", "check", "--read-data")
        world.stop("gate")
        failed = world.run("trigger", "office", "--wait", expect=1)
        assert "not-reachable" in failed.stderr


def test_a_group_of_machines_shares_repository_and_chunks(tmp_path: Path) -> None:
    _grow(tmp_path / "data")
    with world_in(tmp_path, "one", "two", "vault") as world:
        both = GROUP.format(folder=tmp_path, when=by_hand_only())
        world.apply(both.replace("two: {tags: [desk]}", "two: {}"), "office")
        assert world.json("trigger", "office", "--wait")["state"] == "succeeded"
        world.apply(both, "office")
        assert world.json("trigger", "office", "--wait")["state"] == "succeeded"
        points = world.points("main")
        assert [p["dataset"] for p in points].count("two/documents") == 1
        # Each has what its machine bore when it was made; the vault's own work bears nothing.
        assert {tuple(p["inherited"]) for p in points} == {("desk",)}
        assert [p["id"] for p in world.json("points", "--tag", "desk")] == [p["id"] for p in world.json("points")]
        assert world.json("points", "--tag", "nobody") == []
        assert {job["node_name"] for job in world.json("jobs", "--tag", "desk")} == {"one", "two"}
        assert "tags desk" in world.run("jobs", world.json("jobs", "--tag", "desk", "--limit", "1")[0]["id"]).stdout
        for name in ("one", "two"):
            assert rsync_differences(tmp_path / "data", tmp_path / "mirrors" / name) == ""
        added = sum(p["added_bytes"] for p in points if p["dataset"] == "two/documents")
        assert added < 100_000, "what another machine stored before is stored once"
        world.restic("main", "vault", "check", "--read-data")

"""A machine that waits at the door: real processes, the fingerprint on both sides, in without a restart; and what its folders show."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.cli.processes import wait_until
from holdfast.core.errors import OutsideLimits
from tests.e2e.world import World, world_in
from tests.typed import ForkedChild

pytestmark = pytest.mark.e2e


def _state(world: World, name: str) -> str:
    return next((node["state"] for node in world.client.get("/nodes")["nodes"] if node["name"] == name), "")


def test_a_held_machine_is_let_in_while_it_runs(tmp_path: Path) -> None:
    (tmp_path / "data" / "letters").mkdir(parents=True)
    with world_in(tmp_path) as world:
        made = world.json("master", "token", "--name", "files1", "--hold")
        assert made["command"].startswith(f"holdfast node join {world.client.url} --token {made['token']}")
        assert made["id"] in world.run("master", "tokens").stdout
        joined = world.try_join("files1", made["token"], "--read", str(tmp_path / "data"))
        assert joined.returncode == 0, joined.stderr
        assert "nodes authorise files1" in joined.stderr
        assert world.json("master", "tokens") == []
        child = ForkedChild("files1", ["node", "run", "--home", str(world.home("files1"))], world.home("files1") / "log" / "node.out")
        child.start()
        world.machines.children.append(child)
        wait_until(lambda: world.client.get("/nodes")["nodes"][0]["last_seen"] is not None, "files1 is seen", [child])
        assert _state(world, "files1") == "waiting"
        shown = world.run("nodes", "show", "files1").stdout
        (fingerprint,) = [line for line in joined.stdout.splitlines() if line.startswith("key fingerprint: ")]
        assert fingerprint in shown
        world.run("nodes", "authorise", "files1")
        wait_until(lambda: "files1" in world.client.online_nodes(), "files1 is in", [child])
        _look_at_folders(world, tmp_path)
        shown = world.run("nodes", "show", "files1").stdout
        assert f"may read: {tmp_path}/data" in shown
        world.run("nodes", "revoke", "files1")
        assert _state(world, "files1") == "revoked"


def _look_at_folders(world: World, folder: Path) -> None:
    """Where the limits name roots, they are where a look begins."""
    top = world.client.post("/nodes/files1/folders", {})
    assert [each["path"] for each in top["folders"]] == [f"{folder}/data"]
    below = world.client.post("/nodes/files1/folders", {"path": top["folders"][0]["path"]})
    assert [(each["name"], each["path"]) for each in below["folders"]] == [("letters", f"{folder}/data/letters")]
    with pytest.raises(OutsideLimits):
        world.client.post("/nodes/files1/folders", {"path": str(folder)})

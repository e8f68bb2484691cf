"""The only receiver is away when a run is due: it is told, counted, and made up for by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.world import World, by_hand_only, eventually, world_in

pytestmark = pytest.mark.e2e

ONE_TO_ONE = """\
environment: test
nodes: {{files1: {{}}, vault: {{}}}}
repositories: {{main: {{node: vault, location: {folder}/vault/main}}}}
policies:
  documents:
    classification: {{paths: [{folder}/data]}}
    operations: {{backup: {{{when}, keep: {{last: 50}}}}}}
flows:
  office:
    vertices: {{files: {{node: files1, policies: [documents]}}, store: {{repository: main}}}}
    movers: [{{from: files, to: store, carries: [documents/backup]}}]
"""


def _protection(world: World) -> dict[str, object]:
    status = json.loads(world.run("status", "--json", expect=None).stdout)
    (found,) = [p for p in status["protections"] if p["operation"] == "backup"]
    return dict(found)


def test_the_run_is_made_up_for_when_the_receiver_returns(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_text("a")
    with world_in(tmp_path, "files1", "vault") as world:
        world.apply(ONE_TO_ONE.format(folder=tmp_path, when=by_hand_only()), "office")
        world.run("trigger", "office", "--wait")
        world.stop("vault")
        (tmp_path / "data" / "b").write_text("b")
        failed = world.run("trigger", "office", "--wait", expect=1)
        assert "not-reachable" in failed.stderr
        world.run("status", expect=3)
        found = _protection(world)
        assert (found["state"], found["missed"]) == ("failed", 1)
        world.restart("vault")
        eventually(lambda: len(world.points_of("main", "vault")) == 2, "the point is made by itself")
        eventually(lambda: world.run("status", expect=None).returncode == 0, "and all is well again")
        assert _protection(world)["missed"] == 0
        assert "b" in world.run("ls", world.points("main")[-1]["id"], str(tmp_path / "data")).stdout

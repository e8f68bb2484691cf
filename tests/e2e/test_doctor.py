"""A machine is examined: by its agent, through the Master, and when no agent runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.world import World, world_in

pytestmark = pytest.mark.e2e


def _by_code(found: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    codes: dict[str, list[dict[str, Any]]] = {}
    for finding in found["findings"]:
        codes.setdefault(finding["code"], []).append(finding)
    return codes


def test_a_machine_is_examined(tmp_path: Path) -> None:
    source = tmp_path / "gone"
    source.mkdir()
    with world_in(tmp_path, "files1", "vault") as world:
        _examine(world, source, tmp_path)


def _examine(world: World, source: Path, tmp_path: Path) -> None:
    world.apply(
        f"""
environment: test
nodes: {{files1: {{}}, vault: {{}}}}
repositories: {{main: {{node: vault, location: {tmp_path}/store}}}}
policies: {{documents: {{classification: {{paths: [{source}]}}, operations: {{backup: {{keep: {{last: 3}}}}}}}}}}
flows:
  office:
    vertices: {{files: {{node: files1, policies: [documents]}}, store: {{repository: main}}}}
    movers: [{{from: files, to: store, carries: [documents/backup]}}]
""",
        "office",
    )
    through_master = _by_code(world.json("node", "doctor", "files1", expect=None))
    by_agent = _by_code(world.json("node", "doctor", home="files1", expect=None))
    for found in (through_master, by_agent):
        assert {"clock", "rights", "kernel", "watching", "memory", "certificate", "version", "fuse", "file-system"} <= set(found)
        assert [each["severity"] for each in found["reach"]] == ["info"] * 3
        assert "agent-stopped" not in found

    source.rmdir()
    world.stop("vault")
    world.set_limits("files1", 'read = ["/nowhere"]\n')
    told = world.run("node", "doctor", home="files1", expect=1).stdout
    assert f"{source} is to be captured and is not there [file-system]" in told
    assert "node vault cannot be reached at" in told
    assert "may not be read on this machine [limits]" in told

    world.stop("files1")
    alone = _by_code(world.json("node", "doctor", home="files1", expect=1))
    assert alone["agent-stopped"][0]["severity"] == "error"
    assert alone["certificate"][0]["severity"] == "info"

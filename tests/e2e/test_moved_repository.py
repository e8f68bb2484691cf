"""A repository changes its owner: the machine is gone, another one has the disk and a password of the repository."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from holdfast.core.errors import NotReachable
from holdfast.model.node_status import NodeStatus
from holdfast.model.questions import AskRepositoryEnv, AskStatus, RepositoryEnv
from holdfast.node.local.client import ask
from tests.e2e.world import World, by_hand_only, eventually, rsync_differences, world_in

DOCUMENT = """\
environment: test
nodes: {{files1: {{}}, vault: {{}}, dr: {{}}}}
repositories:
  main: {{node: {owner}, location: {folder}/disk/main}}
policies:
  documents:
    classification: {{paths: [{folder}/data]}}
    operations:
      backup: {{{when}, keep: {{last: 50}}}}
flows:
  office:
    vertices:
      files: {{node: files1, policies: [documents]}}
      store: {{repository: main}}
    movers:
      - {{from: files, to: store, carries: [documents/backup]}}
"""


def sent_bytes(world: World) -> int:
    """Of the newest run of the source."""
    jobs: list[dict[str, Any]] = world.client.get("/jobs", limit=20)["jobs"]
    newest = max((job for job in jobs if job["kind"] == "run"), key=lambda job: job["created_at"])
    return sum(task.get("counters", {}).get("sent_bytes", 0) for task in newest["tasks"])


def error_of(world: World, owner: str) -> str:
    """What its own machine says of the repository, without the Master."""
    try:
        status = ask(world.home(owner), AskStatus(), 30)
    except NotReachable:
        return "not-reachable"
    assert isinstance(status, NodeStatus), status
    return next((repository.error.code for repository in status.repositories if repository.error is not None), "")


def test_another_machine_takes_a_repository_over_and_the_one_before_writes_no_more(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for number in range(20):
        (data / f"file {number}").write_bytes(os.urandom(20_000))
    with world_in(tmp_path, "files1", "vault", "dr") as world:
        world.apply(DOCUMENT.format(folder=tmp_path, owner="vault", when=by_hand_only()), "office")
        world.run("trigger", "office", "--wait")
        (data / "file 3").write_bytes(b"changed")
        world.run("trigger", "office", "--wait")
        before = world.points("main")
        locked = before[0]["id"]
        world.run("points", "lock", locked, "--for", "30d", "--repository", "main", "--yes")
        env = ask(world.home("vault"), AskRepositoryEnv(repository="main"), 30)
        assert isinstance(env, RepositoryEnv)
        (tmp_path / "password").write_text(env.password + "\n")

        world.kill("vault")
        world.apply(DOCUMENT.format(folder=tmp_path, owner="dr", when=by_hand_only()))
        # Exit 3: the machine that is gone gets its rules when it returns.
        world.run("activate", "office", expect=3)
        eventually(lambda: error_of(world, "dr") == "conflict", "the new owner has rules and no key")
        world.run("repository", "key", "restore", "main", "--password-file", str(tmp_path / "password"), home="dr")
        eventually(lambda: "taken over from" in world.run("logs", "--json").stdout, "who took it over is in the log")

        # Old points are listed, restorable and locked as before.
        found = world.points("main")
        assert {point["id"] for point in found} == {point["id"] for point in before}
        assert next(point for point in found if point["id"] == locked)["locked_until"]
        assert world.run("points", "forget", locked, "--repository", "main", "--yes", expect=None).returncode != 0
        world.run("restore", locked, "--to", str(tmp_path / "old"), "--node", "files1")
        restored = tmp_path / "old" / str(data).lstrip("/")
        assert (restored / "file 3").stat().st_size == 20_000
        assert rsync_differences(data, restored).count(">f") == 1

        # The source goes on where it stood: nothing is sent again.
        world.run("trigger", "office", "--wait")
        assert sent_bytes(world) == 0
        (data / "new").write_bytes(os.urandom(1_000))
        world.run("trigger", "office", "--wait")
        assert 0 < sent_bytes(world) < 20_000
        assert len(world.points("main")) == len(before) + 2

        # The one before comes alive, by its old rules, and nobody tells it better.
        world.stop("master")
        world.restart_without_waiting("vault")
        eventually(lambda: error_of(world, "vault") == "repository-moved", "it is refused")
        files = sorted((tmp_path / "disk" / "main").rglob("*"))
        refused = world.run("repository", "prune", "main", home="vault", expect=None)
        assert refused.returncode != 0
        assert "belongs to another machine" in refused.stdout + refused.stderr
        assert sorted((tmp_path / "disk" / "main").rglob("*")) == files

        # Told by the Master, it lets go, and what the new owner has stays its own.
        world.restart("master")
        eventually(lambda: error_of(world, "vault") == "", "it has new rules")
        eventually(lambda: world.run("trigger", "office", "--wait", expect=None).returncode == 0, "the source is connected again and runs")
        assert error_of(world, "dr") == ""
        eventually(lambda: "dr" in world.client.online_nodes(), "the new owner is connected again")
        world.run("repository", "check", "main", "--read-data")
        world.restic("main", "dr", "check", "--read-data")

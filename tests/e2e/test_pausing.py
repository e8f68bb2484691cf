"""Stock `restic prune` in the repository of an environment that runs: let in by a pause, and everybody comes back afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.testing.stock_restic import StockRestic
from tests.e2e.world import World, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not StockRestic.is_here(), reason="needs restic")]


@pytest.mark.timeout(600)
def test_a_pause_lets_stock_prune_in_and_sources_catch_up(office: World, tmp_path: Path) -> None:
    office.run("trigger", "office", "--wait")
    (first,) = office.points("main")
    told = office.json("repository", "pause", "main", "--for", "2h")
    assert (told["repository"], told["node"], told["changed"]) == ("main", "vault", True)
    assert told["pause"]["until"]
    assert "through the Master" in told["pause"]["by"]
    assert "was already paused" in office.run("repository", "pause", "main").stdout
    office.restic("main", "vault", "prune")
    status = office.run("status", "--json")
    assert "repository-paused" in {finding["code"] for finding in json.loads(status.stdout)["findings"]}
    assert "paused:" in office.run("repository", "stats", "main").stdout

    (tmp_path / "data" / "born-meanwhile").write_text("while it was paused")
    office.run("trigger", "office", "--wait", expect=None)
    failed = next(job for job in office.json("jobs") if job["kind"] == "run")
    errors = [task["error"]["code"] for task in failed["tasks"] if task.get("error")]
    assert "repository-paused" in errors, failed
    wish = ("restore", first["id"], "--to", str(tmp_path / "restored"), "--node", "files1")
    assert "paused" in office.run(*wish, "--from", "main", expect=11).stderr
    assert "it goes on from offsite on dr" in office.run(*wish, expect=3).stderr
    office.run("ls", first["id"])
    assert office.run("repository", "check", "main", expect=11).stdout

    # A restart in the middle of it ends nothing; its own machine may end it without the Master.
    office.kill("vault")
    office.restart("vault")
    eventually(lambda: office.json("repository", "stats", "main", expect=None)["pause"] is not None, "it is paused still")
    assert "works again" in office.run("repository", "resume", "main", home="vault").stdout
    eventually(lambda: len(office.points("main")) == 2, "the source caught up by itself", timeout_s=90)
    assert office.run("find", "born-meanwhile").stdout
    codes = [event["code"] for event in office.json("logs")]
    assert {"repository-paused", "repository-resumed"} <= set(codes)
    office.restic("main", "vault", "check", "--read-data")

"""Points as an administrator keeps them: locked, refused to be forgotten, forgotten, explained, and their space given back."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.testing.stock_restic import StockRestic
from holdfast.testing.waiting import wait_for
from tests.e2e.world import World

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not StockRestic.is_here(), reason="needs restic")]


def _store_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "vault" / "main" / "data").rglob("*") if path.is_file())


def test_lock_forget_prune_explain(office: World, tmp_path: Path) -> None:
    data = tmp_path / "data" / "sub"
    for number in range(3):
        (data / "changing").write_bytes(bytes([number]) * 10 + number.to_bytes(4) * 70_000)
        (data / f"large{number}").write_bytes(b"".join((number * 100_000 + n).to_bytes(4) for n in range(60_000)))
        if number:
            (data / f"large{number - 1}").unlink()
        office.run("trigger", "office", "--wait")
    first, second, third = office.points("main")

    office.run("points", "tag", first["id"][:8], "--add", "before the move", "--repository", "main")
    unasked = office.run("points", "lock", first["id"], "--for", "30d", "--repository", "main", expect=5)
    assert "nobody can end a lock early" in unasked.stderr
    locked = office.json("points", "lock", first["id"], "--for", "30d", "--repository", "main", "--yes")
    assert [change["outcome"] for change in locked["changes"]] == ["changed"]
    refused = office.run("points", "forget", first["id"], "--repository", "main", "--yes", expect=5)
    assert "locked until" in refused.stderr
    shorter = office.json("points", "lock", first["id"], "--for", "1d", "--repository", "main", "--yes")
    assert shorter["changes"][0]["outcome"] == "unchanged"
    assert "newest of its dataset" in office.run("points", "forget", third["id"], "--repository", "main", expect=5).stderr
    assert "--dry-run" in office.run("points", "forget", second["id"], "--repository", "main", expect=5).stderr
    plan = office.json("points", "forget", second["id"], "--repository", "main", "--dry-run")
    assert plan["dry_run"]
    assert len(office.points("main")) == 3

    explained = office.json("explain", str(data / "large0"))
    (row,) = [row for row in explained["rows"] if row["repository"] == "main"]
    assert not row["current"]
    assert [keeper["point"] for keeper in row["keepers"]] == [first["id"]]
    assert "locked" in row["keepers"][0]["reasons"]
    assert any(str(data / "large0") not in mirror["path"] and mirror["node"] == "dr" for mirror in explained["mirrors"])

    office.run("points", "forget", second["id"], "--repository", "main", "--yes")
    assert [point["id"] for point in office.points("main")] == [first["id"], third["id"]]
    before = _store_bytes(tmp_path)
    planned = office.json("repository", "prune", "main", "--max-unused", "0", "--instant", "--dry-run")
    assert planned[0]["report"]["dry_run"]
    assert _store_bytes(tmp_path) == before
    done = office.json("repository", "prune", "main", "--max-unused", "0", "--instant")
    freed = {step["code"]: step["size_bytes"] for step in done[0]["report"]["steps"] if "size_bytes" in step}["space-freed"]
    assert freed > 100_000
    assert before - _store_bytes(tmp_path) > 100_000
    assert "no errors were found" in office.restic("main", "vault", "check", "--read-data")

    # On the owner's machine the same works without the Master.
    office.stop("master")
    office.run("points", "expire", first["id"], "--now", "--repository", "main", home="vault", expect=5)
    left = office.json("dataset", "forget", first["dataset"], "--repository", "main", "--yes", home="vault")
    assert {change["point"]["id"]: change["outcome"] for change in left["changes"]} == {first["id"]: "stays", third["id"]: "forgotten"}
    assert [point["id"] for point in office.points_of("main", "vault")] == [first["id"]]
    office.restart("master")
    wait_for(lambda: "this machine's user" in str(office.json("logs")), timeout_s=60)
    told = [event for event in office.json("logs") if event["code"].startswith("points-")]
    assert any(event["code"] == "points-forgotten" and "admin through the Master" in event["message"] for event in told)
    assert any(event["code"] == "points-changed" and "locked" in event["message"] for event in told)

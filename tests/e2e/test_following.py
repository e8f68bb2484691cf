"""Following with real machines: what changes is in the mirror and in the repository within moments, whatever is killed meanwhile."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.followed import document, edits_in, following, is_following
from tests.e2e.world import World, eventually, rsync_differences, worker_pid, world_in

pytestmark = pytest.mark.e2e

LIVE = {"live": "{every: 1h, keep: {last: 50}}"}


def is_equal(source: Path, mirror: Path) -> bool:
    return rsync_differences(source, mirror) == ""


@pytest.fixture
def office(tmp_path: Path) -> Iterator[World]:
    data = tmp_path / "data"
    for number in range(60):
        folder = data / f"folder {number % 7}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file {number}").write_bytes(random.Random(number).randbytes(3_000))
    with world_in(tmp_path, "files1", "vault") as world:
        world.apply(document(tmp_path, LIVE), "office")
        eventually(lambda: is_following(world), "the first scan is done and it is followed")
        yield world


def test_a_mirror_and_a_live_point_follow_without_another_scan(office: World) -> None:
    data, mirror = office.folder / "data", office.folder / "mirror"
    edits = edits_in(office, 11)
    for _ in range(120):
        edits.once()
    eventually(lambda: is_equal(data, mirror), "the mirror equals the source", 5)
    before = {job["id"] for job in office.json("jobs")}
    office.run("trigger", "office", "--operation", "live", "--wait")
    (job,) = [each for each in office.client.get("/jobs", limit=20)["jobs"] if each["id"] not in before]
    capture = next(task for task in job["tasks"] if task["name"] == "capture")
    assert capture["counters"]["read_bytes"] == 0
    newest = max(office.points("main"), key=lambda point: str(point["time"]))
    assert newest["operation"] == "live"
    office.run("restore", newest["id"], "--to", str(office.folder / "back"), "--node", "files1")
    assert rsync_differences(data, office.folder / "back" / str(data).lstrip("/")) == ""
    office.restic("main", "vault", "check", "--no-lock", "--read-data")


@pytest.mark.parametrize("victim", ["receiver", "source worker", "source node"])
def test_whoever_is_killed_in_a_burst_the_mirror_is_equal_in_the_end(office: World, victim: str) -> None:
    data, mirror = office.folder / "data", office.folder / "mirror"
    edits = edits_in(office, len(victim))
    for step in range(150):
        edits.once()
        if step == 60:
            if victim == "receiver":
                office.kill("vault")
            elif victim == "source worker":
                os.kill(worker_pid(office, "files1", "source"), 9)
            else:
                office.kill("files1")
    if victim != "source worker":
        office.restart("vault" if victim == "receiver" else "files1")
    eventually(lambda: is_following(office), "it is followed again")
    eventually(lambda: is_equal(data, mirror), "the mirror equals the source", 30)
    if victim != "receiver":
        # The mirror is equal with the commit; that the gap has ended is told after it, by way of the node.
        eventually(lambda: [gap["reason"] for gap in following(office)["gaps"]] == ["restart"], "the gap is shown")
        eventually(lambda: "changes below" in office.run("logs").stdout, "the gap is in the records")
    office.restic("main", "vault", "check", "--no-lock", "--read-data")


def test_a_change_is_in_the_mirror_within_a_second(office: World) -> None:
    mirror, waits_s = office.folder / "mirror", []
    for number in range(20):
        began_s = time.monotonic()
        (office.folder / "data" / f"new {number}").write_bytes(b"x" * number)
        eventually(lambda number=number: (mirror / f"new {number}").exists(), "it is there", 10)  # type: ignore[misc]
        waits_s.append(time.monotonic() - began_s)
    assert sorted(waits_s)[len(waits_s) // 2] < 1.0, waits_s


def test_an_emptied_source_is_not_followed_into_nothing_and_is_said(office: World) -> None:
    mirror = office.folder / "mirror"
    # At once, as a disk that is not mounted; what is deleted file by file is delivered as it goes.
    (office.folder / "data").rename(office.folder / "away")
    (office.folder / "data").mkdir()
    eventually(lambda: "what changes is not delivered" in office.run("status", expect=None).stderr, "status says that nothing is delivered")
    said = office.run("status", expect=3)
    assert "source-vanished" in said.stderr
    assert "1 failed (files1/documents" in said.stdout
    assert "Also in trouble" in said.stdout
    assert len(list(mirror.rglob("file *"))) == 60
    # Nobody keeps that deletion: what was before it is the last state there is.
    data, back = office.folder / "data", office.folder / "back"
    restored = office.run("restore", "--dataset", "files1/documents", "--before-deletion", str(data), "--to", str(back))
    assert "the source is refused since" in restored.stderr
    assert "restored is the last state kept" in restored.stderr
    assert rsync_differences(office.folder / "away", back / str(data).lstrip("/")) == ""
    office.run("trigger", "office", "--accept", "--wait")
    eventually(lambda: is_following(office), "it is followed again")
    eventually(lambda: not list(mirror.rglob("file *")), "the mirror is empty, too")
    office.run("status")

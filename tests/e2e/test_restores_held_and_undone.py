"""Restores on real machines: taken back, held up and gone on with, from whichever copy lives, from before a deletion."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from tests.e2e.test_healing import flip_every_blob
from tests.e2e.world import World, eventually, rsync_differences, worker_pid


def finding(job: dict[str, Any], code: str) -> str:
    return next((one["message"] for one in job["findings"] if one["code"] == code), "")


def steps(job: dict[str, Any]) -> dict[str, int]:
    return {step["code"]: step["count"] for step in job["report"]["steps"]}


def job_of(office: World, prefix: str) -> dict[str, Any]:
    return dict(office.json("jobs", prefix))


def test_a_restore_in_place_is_taken_back_and_a_deleted_folder_comes_from_before_it_went(office: World, tmp_path: Path) -> None:
    data, before = tmp_path / "data", tmp_path / "before"
    (data / "letters").mkdir()
    for number in range(5):
        (data / "letters" / f"letter {number}").write_text(f"letter {number}\n")
    letter = data / "letters" / "letter 3"
    office.run("trigger", "office", "--wait")
    letter.write_text("written after the backup\n")
    (data / "letters" / "new one").write_text("of today\n")
    subprocess.run(["cp", "-a", str(data), str(before)], check=True)

    planned = office.json("restore", "--dataset", "files1/documents", "--to", "/", "--dry-run", str(data / "letters"))
    assert steps(planned) == {"replace": 1, "keep": 4}
    assert "the first of 3 copies" in finding(planned, "copy-chosen")
    # Whoever looks through the jobs later must not think that it was done.
    assert {counter for task in planned["tasks"] for counter in task["counters"].values()} == {0}
    assert f"{planned['id'][:8]}  restore, dry run" in office.run("jobs").stdout
    assert "files that take the place of others" in office.run("jobs", planned["id"]).stdout
    done = office.json("restore", "--dataset", "files1/documents", "--to", "/", str(data / "letters"))
    assert "written after" not in letter.read_text()
    assert finding(done, "undo-kept")
    look = office.json("restore", "undo", done["id"], "--dry-run")
    assert steps(look)["bring-back"] == 1
    taken = office.json("restore", "undo", done["id"][:10])
    assert (taken["kind"], taken["state"]) == ("undo", "succeeded")
    assert rsync_differences(before, data) == ""
    assert "nothing is kept" in office.run("restore", "undo", done["id"], expect=None).stderr

    shutil.rmtree(data / "letters")
    office.run("trigger", "office", "--wait")
    target = tmp_path / "back"
    office.run("restore", "--dataset", "files1/documents", "--before-deletion", str(data / "letters"), "--to", str(target))
    assert len(list((target / str(data / "letters").lstrip("/")).iterdir())) == 5
    still = office.run("restore", "--dataset", "files1/documents", "--before-deletion", str(data), "--to", str(target), expect=None)
    assert "is still there" in still.stderr
    # With the Master gone the owner does it alone.
    office.stop("master")
    target = tmp_path / "back alone"
    words = ("--dataset", "files1/documents", "--before-deletion", str(data / "letters"), "--to", str(target), "--json")
    alone = json.loads(office.run("restore", *words, home="vault").stdout)
    assert (target / str(letter).lstrip("/")).exists()
    assert json.loads(office.run("restore", "undo", alone["id"], "--json", home="vault").stdout)["state"] == "succeeded"
    assert not target.exists()


def test_paused_it_waits_over_a_restart_and_goes_on(office: World, tmp_path: Path) -> None:
    data, target = tmp_path / "data", tmp_path / "back"
    (data / "large").write_bytes(os.urandom(24 << 20))
    office.run("trigger", "office", "--wait")
    started = office.client.post("/restores", {"dataset": "files1/documents", "to": str(target), "limit_bytes_s": 2 << 20})
    job = started["job"]
    eventually(lambda: any(target.rglob(".holdfast-tmp-*")), "the large file is under way")
    office.run("jobs", "pause", job)
    eventually(lambda: job_of(office, job)["state"] == "paused", "it is paused")
    assert not list(target.rglob("large"))
    office.stop("files1")
    office.restart("files1")
    assert job_of(office, job)["state"] == "paused"
    office.run("jobs", "resume", job)
    # Killed while it runs, it waits for somebody with an order.
    eventually(lambda: job_of(office, job)["state"] == "running", "it goes on")
    office.kill("files1")
    office.restart("files1")
    eventually(lambda: job_of(office, job)["state"] == "paused", "it waits for an order")
    office.run("jobs", "resume", job)
    eventually(lambda: job_of(office, job)["state"] == "succeeded", "it is done", timeout_s=60)
    assert rsync_differences(data, target / str(data).lstrip("/")) == ""
    assert list(target.rglob(".holdfast-tmp-*")) == []
    office.run("restore", "undo", job)
    assert not target.exists()

    started = office.client.post("/restores", {"dataset": "files1/documents", "to": str(target), "limit_bytes_s": 1 << 20})
    eventually(lambda: any(target.rglob(".holdfast-tmp-*")), "the large file is under way")
    office.run("jobs", "pause", started["job"])
    eventually(lambda: job_of(office, started["job"])["state"] == "paused", "it is paused")
    assert list(target.rglob(".holdfast-tmp-*"))
    office.run("jobs", "cancel", started["job"])
    eventually(lambda: not list(target.rglob(".holdfast-tmp-*")), "nothing unfinished is left")
    assert job_of(office, started["job"])["state"] == "cancelled"


def test_who_waits_for_a_restore_hears_that_it_is_held_up(office: World, tmp_path: Path) -> None:
    """By the Master, and on the owner's machine without it. Whoever typed it waited for ever, without a word."""
    (tmp_path / "data" / "large").write_bytes(os.urandom(24 << 20))
    office.run("trigger", "office", "--wait")
    for home, node, role in (("master", "files1", "source"), ("vault", "vault", "store")):
        target = tmp_path / f"back on {node}"
        words = ("restore", "--dataset", "files1/documents", "--to", str(target), "--limit", "1MB/s")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(partial(office.run, *words, home=home, expect=None))
            eventually(lambda target=target: any(target.rglob(".holdfast-tmp-*")), "the large file is under way")
            os.kill(worker_pid(office, node, role), signal.SIGKILL)
            told = waiting.result(60)
        assert told.returncode == 1
        assert re.search("`holdfast jobs resume [0-9a-f]{8}` goes on with it", told.stderr)
        office.stop("master")


def test_it_goes_on_from_another_copy_and_takes_what_is_damaged_from_there(office: World, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number in range(20):
        (data / "sub" / f"noise {number}").write_bytes(os.urandom(200_000))
    office.run("trigger", "office", "--wait")
    eventually(lambda: len(office.points("offsite")) == len(office.points("main")), "the cascade has brought the point")
    look = office.json("restore", "--dataset", "files1/documents", "--to", str(tmp_path / "healed"), "--dry-run")
    owners = {"main": "vault", "offsite": "dr"}
    first = next(name for name in owners if f"{name} on {owners[name]}" in finding(look, "copy-chosen"))
    other = next(name for name in owners if name != first)
    flip_every_blob(tmp_path / owners[first] / first)
    target = tmp_path / "healed"
    healed = office.json("restore", "--dataset", "files1/documents", "--to", str(target), expect=3)
    assert finding(healed, "copy-healed"), healed["findings"]
    assert rsync_differences(data, target / str(data).lstrip("/")) == ""
    only = office.json("restore", "--dataset", "files1/documents", "--from", first, "--to", str(tmp_path / "half"), expect=None)
    assert not finding(only, "copy-healed")
    assert only["state"] != "succeeded"

    office.stop(owners[first])
    target = tmp_path / "from the other"
    done = office.json("restore", "--dataset", "files1/documents", "--to", str(target))
    assert f"{other} on {owners[other]}" in finding(done, "copy-chosen"), done["findings"]
    assert rsync_differences(data, target / str(data).lstrip("/")) == ""

"""A restore of 100,000 files whose machine is killed again and again is equal in the end, and touches nothing else."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.e2e.test_restores_held_and_undone import job_of
from tests.e2e.world import World, eventually, rsync_differences

FOLDERS, FILES, KILLS = 100, 1_000, 5


def build(data: Path) -> None:
    chance = random.Random(6)
    for number in range(FOLDERS):
        folder = data / f"folder {number:03d}"
        folder.mkdir()
        for each in range(FILES):
            (folder / f"{each}").write_bytes(chance.randbytes(chance.randrange(300)))


@pytest.mark.big
@pytest.mark.timeout(600)
def test_killed_at_random_moments_it_is_equal_in_the_end(office: World, tmp_path: Path) -> None:
    data, target = tmp_path / "data", tmp_path / "back"
    build(data)
    office.run("trigger", "office", "--wait")
    around = set(os.listdir(tmp_path))
    job = office.client.post("/restores", {"dataset": "files1/documents", "to": str(target)})["job"]
    place = target / str(data).lstrip("/")

    def written() -> int:
        return sum(len(os.listdir(folder)) for folder in place.glob("folder *")) if place.is_dir() else 0

    killed, chance = 0, random.Random(7)
    for share in sorted(chance.uniform(0.02, 0.95) for _ in range(KILLS)):
        # It may be faster than we look; what counts is what is there in the end.
        eventually(lambda: written() >= share * FOLDERS * FILES, "it has got so far", timeout_s=120)  # noqa: B023
        if job_of(office, job)["state"] == "succeeded":
            break
        office.kill("files1")
        killed += 1
        office.restart("files1")
        eventually(lambda: job_of(office, job)["state"] in ("paused", "succeeded"), "it waits for an order", timeout_s=60)
        office.run("jobs", "resume", job, expect=None)
    eventually(lambda: job_of(office, job)["state"] == "succeeded", "it is done", timeout_s=200)
    assert killed >= 2
    assert rsync_differences(data, place) == ""
    assert list(target.rglob(".holdfast-*")) == []
    assert set(os.listdir(tmp_path)) == around | {"back"}

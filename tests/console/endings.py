"""How the story of the first flow must have ended, told by the Master, by the disks and by restic: whoever drew it, and however."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import expect

from tests.console.person import Person
from tests.e2e.world import World, rsync_differences

# At this rate so many bytes are on their way long enough to be watched.
BIG_BYTES = 120_000_000
LIMIT = "8MB/s"


def add_big_file(folder: Path) -> None:
    (folder / "big.bin").write_bytes(os.urandom(BIG_BYTES))


def in_twelve_hours() -> str:
    """A time of day that does not come while a test runs."""
    return f"{datetime.now(UTC) + timedelta(hours=12):%H:%M}"


def watch_bytes_rise(person: Person) -> None:
    """The monitor shows more bytes done, and again more, and how many there are in all."""
    figures = person.page.get_by_role("region", name="Jobs").get_by_text(re.compile(r"\d [KM]?i?B of \d"))
    text = figures.first.inner_text()
    done = [_bytes(text)]
    while len(set(done)) < 3:
        expect(figures.first).not_to_have_text(text)
        text = figures.first.inner_text()
        done.append(_bytes(text))
    assert done == sorted(done), done


def _bytes(figures: str) -> float:
    found = re.search(r"([\d.,]+) ([KMG]?)i?B of", figures)
    assert found, figures
    return float(found[1].replace(",", "")) * 1024 ** " KMG".index(found[2] or " ")


def arrives(person: Person) -> None:
    """The monitor says, by itself, that all is there."""
    movers = person.page.get_by_role("region", name="Movers").get_by_role("listitem")
    expect(movers.filter(has_text="files1 → store, up to date")).to_be_visible(timeout=60_000)
    expect(movers.filter(has_text="files1 → copy, up to date")).to_be_visible()
    expect(person.vertex("store")).to_contain_text(re.compile("as of (now|.* ago)"))


def flow_is_active(person: Person, flow: str) -> None:
    assert person.api(f"/flows/{flow}/monitor")["active_revision"] == person.api("/environment")["revision"]


def ran_well(world: World, flow: str, points: int) -> None:
    """So many points, all jobs succeeded, the mirror is like the source, restic finds nothing wrong."""
    monitor = world.client.get(f"/flows/{flow}/monitor")
    assert {mover["state"] for mover in monitor["movers"]} == {"ok"}
    assert len(world.points("main")) == points
    jobs = world.client.get("/jobs")["jobs"]
    assert {job["state"] for job in jobs} == {"succeeded"}, jobs
    assert rsync_differences(world.folder / "data", world.folder / "dr" / "mirror") == ""
    world.restic("main", "vault", "check", "--read-data")
    assert len(json.loads(world.restic("main", "vault", "snapshots", "--json"))) == points

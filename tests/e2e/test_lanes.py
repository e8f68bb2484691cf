"""Following goes on beside what takes long: a scan of another dataset whose receiver is slow."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.world import World, eventually, world_in

pytestmark = pytest.mark.e2e

_DOCUMENT = """\
environment: test
nodes: {{files1: {{}}, vault: {{}}}}
repositories:
  main: {{node: vault, location: {folder}/disk/main}}
policies:
  films:
    classification: {{paths: [{folder}/films]}}
    operations: {{backup: {{keep: {{last: 5}}}}}}
  documents:
    classification: {{paths: [{folder}/data]}}
    operations: {{cdp: {{within: 24h}}, backup: {{keep: {{last: 5}}}}, replicate: {{removed: follow}}}}
flows:
  office:
    vertices:
      files: {{node: files1, policies: [documents, films]}}
      store: {{repository: main}}
      copy: {{mirror: vault, path: {folder}/copy}}
    movers:
      - {{from: files, to: store, carries: [documents/cdp, documents/backup]}}
      - {{from: files, to: copy, carries: [documents/replicate], mode: continuous}}
      - {{from: files, to: store, carries: [films/backup], limit: 1MB/s}}
"""


@pytest.fixture
def office(tmp_path: Path) -> Iterator[World]:
    for folder in ("data", "films"):
        (tmp_path / folder).mkdir()
    (tmp_path / "data" / "letter").write_bytes(b"dear")
    with world_in(tmp_path, "files1", "vault") as world:
        world.apply(_DOCUMENT.format(folder=tmp_path), "office")
        world.run("trigger", "office", "--wait")
        eventually(lambda: documents(world).get("state") == "following", "the documents are followed")
        yield world


def documents(world: World) -> dict[str, Any]:
    rows = [row for row in world.client.get("/status")["following"] if row["dataset"] == "files1/documents"]
    return rows[0] if rows else {}


def running(world: World) -> list[dict[str, Any]]:
    return [job for job in world.client.get("/jobs", limit=20)["jobs"] if job["state"] == "running"]


def test_small_changes_are_held_while_a_slow_receiver_is_sent_much(office: World) -> None:
    (office.folder / "films" / "film").write_bytes(os.urandom(12_000_000))
    office.run("trigger", "office")
    eventually(lambda: bool(running(office)), "the scan is under way")
    waits_s = []
    for number in range(5):
        began_s = time.monotonic()
        (office.folder / "data" / f"new {number}").write_bytes(b"x" * number)
        eventually(lambda number=number: (office.folder / "copy" / f"new {number}").exists(), "it is there", 10)  # type: ignore[misc]
        waits_s.append(time.monotonic() - began_s)
    assert running(office), "the scan was over before anything could wait for it"
    assert sorted(waits_s)[2] < 2.0, waits_s
    eventually(lambda: not running(office), "the scan ends, too")
    jobs = office.client.get("/jobs", limit=20)["jobs"]
    assert {job["state"] for job in jobs} == {"succeeded"}, jobs
    assert {point["dataset"] for point in office.points("main") if point["operation"] == "backup"} == {"files1/documents", "files1/films"}
    office.restic("main", "vault", "check", "--no-lock", "--read-data")

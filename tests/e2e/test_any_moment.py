"""CDP with real machines: the tree is copied aside at moments when it is quiet, and restored as it was at each of them."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from holdfast.testing.random_edits import RandomEdits
from tests.e2e.world import World, eventually, rsync_differences, wait_briefly, world_in

pytestmark = pytest.mark.e2e

DOCUMENT = """\
environment: test
nodes: {{files1: {{}}, vault: {{}}, dr: {{}}}}
repositories:
  main: {{node: vault, location: {folder}/disk/main}}
policies:
  documents:
    classification: {{paths: [{folder}/data]}}
    operations:
      backup: {{every: 1h, keep: {{last: 20}}}}
      live: {{every: 30m, keep: {{last: 20}}}}
      cdp: {{within: 24h}}
      replicate: {{removed: follow}}
flows:
  office:
    vertices:
      files: {{node: files1, policies: [documents]}}
      store: {{repository: main}}
      copy: {{mirror: vault, path: {folder}/mirror}}
      second: {{mirror: dr, path: {folder}/second}}
    movers:
      - {{from: files, to: store, carries: [documents/backup, documents/live, documents/cdp]}}
      - {{from: files, to: copy, carries: [documents/replicate], mode: continuous}}
      - {{from: files, to: second, carries: [documents/replicate], mode: continuous}}
"""


@pytest.fixture
def office(tmp_path: Path) -> Iterator[World]:
    data = tmp_path / "data"
    for number in range(40):
        folder = data / f"folder {number % 5}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file {number}").write_bytes(random.Random(number).randbytes(3_000))
    (tmp_path / "outside").mkdir()
    with world_in(tmp_path, "files1", "vault", "dr") as world:
        world.apply(DOCUMENT.format(folder=tmp_path), "office")
        eventually(lambda: following(world).get("state") == "following", "it is followed")
        yield world


def following(world: World) -> dict[str, Any]:
    rows: list[dict[str, Any]] = world.client.get("/status")["following"]
    return rows[0] if rows else {}


def differences(one: Path, other: Path) -> list[str]:
    """Symbolic links with several names are kept one by one, as restic does."""
    return [line for line in rsync_differences(one, other).splitlines() if line and not line.startswith("hL")]


def is_delivered(world: World) -> bool:
    """Whether a mirror, which gets the same commits, is equal: then the moment is in the repository, too."""
    try:
        return not differences(world.folder / "data", world.folder / "mirror")
    except subprocess.CalledProcessError:
        # What it looked at was renamed meanwhile.
        return False


def restore_all(office: World, moments: int) -> None:
    data = office.folder / "data"
    edits = RandomEdits(random.Random(moments), data, office.folder / "outside")
    taken: list[tuple[datetime, Path]] = []
    for number in range(moments):
        for _ in range(15):
            edits.once()
        # A source that was emptied is taken for one that vanished, and refused.
        (data / f"new {number}").write_bytes(b"x" * number)
        eventually(lambda: is_delivered(office), "what was changed is delivered", 20)
        wait_briefly()
        true = office.folder / f"true {number}"
        subprocess.run(["cp", "-a", str(data), str(true)], check=True)
        taken.append((datetime.now(UTC), true))
        wait_briefly()
    for number, (moment, true) in enumerate(taken):
        back = office.folder / f"back {number}"
        office.run("restore", "--dataset", "files1/documents", "--at", moment.isoformat(), "--to", str(back), "--node", "files1")
        assert not differences(true, back / str(data).lstrip("/")), (number, moment)
    assert not differences(data, office.folder / "second")
    assert not following(office)["gaps"]
    office.restic("main", "vault", "check", "--no-lock", "--read-data")


def test_every_moment_that_was_copied_aside_can_be_restored(office: World) -> None:
    restore_all(office, 6)


@pytest.mark.big
@pytest.mark.timeout(900)
def test_a_hundred_moments_can_be_restored(office: World) -> None:
    restore_all(office, 100)

"""CDP with real machines: the tree is copied aside at moments when it is quiet, and restored as it was at each of them."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e.followed import differences, document, edits_in, following, is_delivered, is_following
from tests.e2e.world import World, eventually, wait_briefly, world_in

pytestmark = pytest.mark.e2e

OPERATIONS = {"backup": "{every: 1h, keep: {last: 20}}", "live": "{every: 30m, keep: {last: 20}}", "cdp": "{within: 24h}"}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[World]:
    data = tmp_path / "data"
    for number in range(40):
        folder = data / f"folder {number % 5}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file {number}").write_bytes(random.Random(number).randbytes(3_000))
    with world_in(tmp_path, "files1", "vault", "dr") as world:
        world.apply(document(tmp_path, OPERATIONS, {"mirror": "vault", "second": "dr"}), "office")
        eventually(lambda: is_following(world), "it is followed")
        yield world


def restore_all(office: World, moments: int) -> None:
    data = office.folder / "data"
    edits = edits_in(office, moments)
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
    told = office.json("moments", "files1/documents", "--limit", "3")
    assert (len(told["moments"]), told["more"], told["gaps"]) == (3, True, [])
    for home in ("master", "vault"):
        shown = office.run("moments", "files1/documents", home=home).stdout
        assert f"files1/documents@{told['moments'][0]['address'].rpartition('@')[2]}" in shown
    office.restic("main", "vault", "check", "--no-lock", "--read-data")


def test_every_moment_that_was_copied_aside_can_be_restored(office: World) -> None:
    restore_all(office, 6)


@pytest.mark.big
@pytest.mark.timeout(900)
def test_a_hundred_moments_can_be_restored(office: World) -> None:
    restore_all(office, 100)

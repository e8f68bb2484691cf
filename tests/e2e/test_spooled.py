"""A receiver that is away gets each state it missed, out of the source's spool, whatever dies meanwhile."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e.followed import differences, document, edits_in, following, is_delivered, is_following
from tests.e2e.world import World, eventually, wait_briefly, world_in

pytestmark = pytest.mark.e2e


@dataclass
class Office:
    """`taken`: moments and the true tree at each."""

    world: World
    taken: list[tuple[datetime, Path]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.data = self.world.folder / "data"
        self.edits = edits_in(self.world, 11)

    def change(self) -> None:
        """The tree becomes another one, and is copied aside when all of it is in the spool."""
        number = len(self.taken)
        for _ in range(5):
            self.edits.once()
        before = self.spooled_runs()
        (self.data / "again and again").write_bytes(random.Random(number).randbytes(20_000))
        eventually(lambda: self.spooled_runs() > before and not self.pending(), "what was changed is in the spool", 30)
        self.take()

    def take(self) -> None:
        wait_briefly()
        true = self.world.folder / f"true {len(self.taken)}"
        subprocess.run(["cp", "-a", str(self.data), str(true)], check=True)
        self.taken.append((datetime.now(UTC), true))
        wait_briefly()

    def spooled_runs(self) -> int:
        return sum(each["runs"] for each in following(self.world).get("spooled", ()))

    def pending(self) -> int:
        return int(following(self.world).get("pending", 1))

    def wait_until_all_is_well(self) -> None:
        world = self.world
        eventually(lambda: is_following(world) and not self.spooled_runs() and is_delivered(world), "the receiver has all of it", 60)

    def check(self, *, but: frozenset[int] = frozenset()) -> None:
        for number, (moment, true) in enumerate(self.taken):
            if number in but:
                continue
            back = self.world.folder / f"back {number}"
            at = ("--dataset", "files1/documents", "--at", moment.isoformat())
            self.world.run("restore", *at, "--to", str(back), "--node", "files1")
            assert not differences(true, back / str(self.data).lstrip("/")), (number, moment)
        self.world.restic("main", "vault", "check", "--no-lock", "--read-data")


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    data = tmp_path / "data"
    data.mkdir()
    for number in range(20):
        (data / f"file {number}").write_bytes(random.Random(number).randbytes(3_000))
    with world_in(tmp_path, "files1", "vault") as world:
        world.apply(document(tmp_path, {"cdp": "{within: 24h}"}), "office")
        eventually(lambda: is_following(world), "it is followed")
        yield Office(world)


@pytest.mark.big
@pytest.mark.timeout(600)
def test_every_state_comes_though_the_receiver_and_then_the_source_are_killed(office: Office) -> None:
    world = office.world
    world.kill("vault")
    for _ in range(3):
        office.change()
    assert following(world)["state"] == "waiting"
    assert world.run("status", expect=3)
    world.kill("files1")
    world.restart_without_waiting("files1")
    eventually(lambda: office.spooled_runs() >= 3, "the spool is there again", 30)
    for _ in range(2):
        office.change()
    world.restart("vault")
    office.wait_until_all_is_well()
    office.check()
    assert not [gap for gap in following(world)["gaps"] if gap["reason"] == "thinned"]


@pytest.mark.big
@pytest.mark.timeout(600)
def test_a_spool_that_is_full_keeps_the_newest_and_says_what_is_missing(office: Office) -> None:
    world = office.world
    world.set_limits("files1", f'read = ["{world.folder}"]\nwrite = ["{world.folder}"]\nspool = "150kB"\n')
    eventually(lambda: is_following(world), "it is followed again")
    world.kill("vault")
    for _ in range(9):
        before = following(world).get("spooled")
        (office.data / "again and again").write_bytes(random.Random(len(office.taken)).randbytes(30_000))
        eventually(lambda before=before: following(world).get("spooled") != before and not office.pending(), "it is in the spool", 30)
        office.take()
    world.restart("vault")
    office.wait_until_all_is_well()
    gaps = [gap for gap in following(world)["gaps"] if gap["reason"] == "thinned"]
    assert gaps
    spans = [(datetime.fromisoformat(gap["since"]), datetime.fromisoformat(gap["until"])) for gap in gaps]
    lost = frozenset(number for number, (at, _) in enumerate(office.taken) if any(since <= at < until for since, until in spans))
    assert 0 < len(lost) < 8, (lost, gaps)
    assert len(office.taken) - 1 not in lost
    office.check(but=lost)
    assert "thinned" in world.run("status", expect=None).stdout


@pytest.mark.big
@pytest.mark.timeout(600)
def test_what_an_owner_held_and_lost_with_its_disk_is_sent_again(office: Office) -> None:
    world = office.world
    world.kill("vault")
    for _ in range(3):
        office.change()
    world.restart("vault")
    office.wait_until_all_is_well()
    journal = world.home("vault") / "repositories" / "main" / "journal"
    assert list(journal.glob("*.held"))
    world.kill("vault")
    shutil.rmtree(world.home("vault") / "repositories" / "main")
    world.restart("vault")
    (office.data / "one more").write_bytes(b"x")
    eventually(lambda: bool(list(journal.glob("*.held"))), "what was lost is held again", 60)
    office.wait_until_all_is_well()
    office.check()

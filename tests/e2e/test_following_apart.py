"""Following over a line that is dead for a while: nobody is told that it is, packets just do not arrive."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e.followed import differences, document, edits_in, following, is_delivered, is_following
from tests.e2e.world import World, descendants, eventually, wait_briefly, world_in

pytestmark = pytest.mark.e2e

_RULES = """\
table inet holdfast_test_{port} {{
  chain input {{
    type filter hook input priority 0; policy accept;
    tcp dport {port} drop
    tcp sport {port} drop
  }}
}}
"""


@contextmanager
def silence(port: str) -> Iterator[None]:
    """No packet reaches this port, or comes back from it."""
    if shutil.which("nft") is None:
        pytest.skip("no nft here: packets cannot be dropped")
    made = nft(_RULES.format(port=port))
    if made.returncode != 0:
        pytest.skip(f"packets cannot be dropped here: {made.stderr.strip()}")
    try:
        yield
    finally:
        nft(f"delete table inet holdfast_test_{port}")


def nft(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["nft", "-f", "-"], input=text, capture_output=True, text=True, check=False)


def part(folder: Path, for_s: float) -> None:
    data = folder / "data"
    data.mkdir()
    for number in range(30):
        (data / f"file {number}").write_bytes(random.Random(number).randbytes(2_000))
    with world_in(folder, "files1", "vault") as world:
        world.apply(document(folder, {"cdp": "{within: 24h}"}), "office")
        eventually(lambda: is_following(world), "it is followed")
        edits = edits_in(world, 5)
        taken: list[tuple[datetime, Path]] = []
        with silence(port_of(world, "vault")):
            for number in range(int(for_s * 10)):
                edits.once()
                wait_briefly()
                if number % 100 == 99:
                    taken.append(copied_aside(world, len(taken)))
        eventually(lambda: is_delivered(world), "the mirror equals the source", 10)
        eventually(lambda: is_following(world), "it is followed again")
        assert taken
        for number, (moment, true) in enumerate(taken):
            back = folder / f"back {number}"
            at = ("--dataset", "files1/documents", "--at", moment.isoformat())
            world.run("restore", *at, "--to", str(back), "--node", "files1")
            assert not differences(true, back / str(data).lstrip("/")), (number, moment)
        world.restic("main", "vault", "check", "--no-lock", "--read-data")


def copied_aside(world: World, number: int) -> tuple[datetime, Path]:
    """The true tree, when all that changed in it is in the spool: nobody else has it now."""
    before = spooled_runs(world)
    (world.folder / "data" / f"moment {number}").write_bytes(b"x" * number)
    eventually(lambda: spooled_runs(world) > before and not following(world).get("pending", 1), "it is in the spool", 30)
    wait_briefly()
    true = world.folder / f"true {number}"
    subprocess.run(["cp", "-a", str(world.folder / "data"), str(true)], check=True)
    moment = datetime.now(UTC)
    wait_briefly()
    return moment, true


def spooled_runs(world: World) -> int:
    return sum(each["runs"] for each in following(world).get("spooled", ()))


def port_of(world: World, node: str) -> str:
    (address,) = [each["address"] for each in world.client.get("/nodes")["nodes"] if each["name"] == node]
    return str(address).rpartition(":")[2]


def test_a_dead_line_is_noticed_and_the_mirror_is_equal_soon_after(tmp_path: Path) -> None:
    part(tmp_path, 12)


@pytest.mark.big
@pytest.mark.timeout(600)
def test_a_line_that_is_dead_for_a_minute(tmp_path: Path) -> None:
    part(tmp_path, 60)


@contextmanager
def standing_still(world: World, node: str) -> Iterator[None]:
    """Its machine answers, and its programs do nothing."""
    pid = world.child(node).pid
    family = [pid, *descendants(pid)]
    for process in family:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in family:
            os.kill(process, signal.SIGCONT)


@pytest.mark.parametrize("is_line", [True, False])
def test_a_mirror_that_falls_silent_in_the_midst_of_a_run_keeps_nobody_else_waiting(tmp_path: Path, is_line: bool) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "letter").write_text("dear")
    with world_in(tmp_path, "files1", "vault", "dr") as world:
        world.apply(document(tmp_path, {"cdp": "{within: 24h}", "live": "{every: 10s}"}, {"mirror": "dr"}), "office")
        eventually(lambda: is_following(world), "it is followed")
        (tmp_path / "data" / "letter").write_text("a session is open")
        eventually(lambda: is_delivered(world), "the mirror has it")
        with silence(port_of(world, "dr")) if is_line else standing_still(world, "dr"):
            points = len(world.points("main"))
            for number in range(4):
                brief = tmp_path / "data" / f"brief {number}"
                brief.write_text("there for a while")
                eventually(lambda brief=brief: is_stored(world, brief), "it is in a moment", 8)  # type: ignore[misc]
                brief.unlink()
            told = following(world)
            assert (told["state"], told["error"]["code"]) == ("waiting", "receiver-busy")
            # While a point is made it is at work, and waits for nobody.
            eventually(lambda: awaited(world) == ("receiver", "dr"), "it is said for whom it waits", 15)
            eventually(lambda: len(world.points("main")) > points, "a point was made", 15)
            wait_briefly()
            assert not vain_attempts(world), "attempts at it leave no records until it has taken something"
            assert not world.json("moments", "files1/documents")["gaps"]
        (tmp_path / "data" / "last").write_text("there")
        eventually(lambda: is_delivered(world), "the mirror equals the source", 40)
        eventually(lambda: is_following(world), "it is followed again")


def vain_attempts(world: World) -> list[str]:
    jobs = world.client.get("/jobs", limit=500)["jobs"]
    return [job["id"] for job in jobs if job["kind"] == "catch-up" and (job.get("error") or {}).get("code") == "receiver-busy"]


def awaited(world: World) -> tuple[str, str] | None:
    """Why, and for what, the operation of the mirror waits."""
    (row,) = [row for row in world.client.get("/status")["protections"] if row["operation"] == "replicate"]
    return None if row["wait"] is None else (row["wait"]["reason"], row["wait"]["what"])


def is_stored(world: World, path: Path) -> bool:
    return world.run("history", str(path), expect=None).returncode == 0


_TWO = """\
environment: test
nodes: {{files1: {{}}, vault: {{}}, dr: {{}}}}
repositories:
  near: {{node: dr, location: {folder}/disk/near}}
  far: {{node: vault, location: {folder}/disk/far}}
policies:
  one: {{classification: {{paths: [{folder}/one]}}, operations: {{cdp: {{within: 24h}}}}}}
  two: {{classification: {{paths: [{folder}/two]}}, operations: {{cdp: {{within: 24h}}}}}}
flows:
  office:
    vertices:
      files: {{node: files1, policies: [one, two]}}
      near: {{repository: near}}
      far: {{repository: far}}
    movers:
      - {{from: files, to: near, carries: [one/cdp]}}
      - {{from: files, to: far, carries: [two/cdp]}}
"""


def test_what_comes_and_goes_while_another_receiver_is_silent_is_in_a_moment_or_in_a_gap(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "letter").write_text(name)
    with world_in(tmp_path, "files1", "vault", "dr") as world:
        world.apply(_TWO.format(folder=tmp_path), "office")
        eventually(lambda: states(world) == ["following"] * 2, "both are followed")
        port = port_of(world, "vault")
        world.kill("files1")
        with silence(port):
            world.restart("files1")
            (tmp_path / "two" / "letter").write_text("for who does not answer")
            brief = tmp_path / "one" / "brief"
            brief.write_text("there for a while")
            came = datetime.now(UTC)
            eventually(lambda: (datetime.now(UTC) - came).total_seconds() > 5, "five seconds have gone")
            brief.unlink()
            went = datetime.now(UTC)
            eventually(lambda: not below(world, "now", "brief") and below(world, "now", "letter"), "it is gone", 60)
            asked = world.json("moments", "files1/one")
            gaps = [each for each in asked["gaps"] if parsed(each["since"]) < went and parsed(each["until"]) > came]
            kept = [each["time"] for each in asked["moments"] if came < parsed(each["time"]) < went and below(world, each["time"], "brief")]
            assert kept or gaps, asked
        eventually(lambda: states(world) == ["following"] * 2, "both are followed again")


def states(world: World) -> list[str]:
    return [each["state"] for each in world.client.get("/status")["following"]]


def below(world: World, time: str, name: str) -> bool:
    done = world.run("ls", "--dataset", "files1/one", "--at", time, str(world.folder / "one"), expect=None)
    return name in done.stdout


def parsed(text: str) -> datetime:
    return datetime.fromisoformat(text)

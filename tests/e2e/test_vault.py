"""A vault with a real Master and real machines: it dials, nothing of it listens, and who rules the Master gets nothing away."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.world import World, descendants, eventually, world_in

pytestmark = pytest.mark.e2e

DOCUMENT = """
environment: office
nodes: {{files1: {{}}, store: {{}}, deep: {{}}}}
repositories:
  main: {{node: store, location: {folder}/main}}
  sealed: {{node: deep, location: {folder}/sealed}}
policies:
  documents:
    classification: {{paths: [{folder}/data]}}
    operations:
      backup: {{every: 1h, keep: {{last: 20}}}}
flows:
  office:
    vertices:
      files: {{node: files1, policies: [documents]}}
      store: {{repository: main}}
      vault: {{repository: sealed}}
    movers:
      - {{from: files, to: store, carries: [documents/backup], dial: to}}
      - {{from: store, to: vault, carries: [documents/backup], dial: to, keep: {{last: 1}}, only: [{folder}/data/contracts]}}
"""


@pytest.fixture
def office(tmp_path: Path) -> Iterator[World]:
    for name in ("contracts", "other"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "file").write_bytes(name.encode())
    with world_in(tmp_path, "files1", "store", "deep") as world:
        yield world


def listening(pids: set[int]) -> set[str]:
    """Addresses (`ip:port` as the kernel writes them) on which these processes take connections."""
    inodes = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = os.readlink(descriptor)
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    rows = [line.split() for kind in ("tcp", "tcp6") for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]]
    return {words[1] for words in rows if words[3] == "0A" and words[9] in inodes}


def processes(world: World, name: str) -> set[int]:
    pid = world.child(name).pid
    return {pid, *descendants(pid)}


def _says_what_it_is_a_part_of(office: World, points: list[dict[str, Any]]) -> None:
    """The vault's own machine without the Master, of what it has not got as of what it has."""
    office.kill("master")
    (first, second), part = [point["id"] for point in points], f"{office.folder}/data/contracts"
    said = f"only what lies below {part} comes here"
    for asked in (("ls", first), ("ls", first, f"{office.folder}/data"), ("diff", first, second)):
        told = office.run(*asked, home="deep", expect=3)
        assert said in told.stderr
        assert "[only-a-part]" in told.stderr
    (finding,) = office.json("diff", first, second, home="deep", expect=3)["partly"]
    assert finding["code"] == "only-a-part"
    assert said not in office.run("ls", first, part, home="deep").stderr
    assert said not in office.run("diff", first, second, part, home="deep").stderr
    told = office.run("download", first, part, "--output", str(office.folder / "saved"), home="deep")
    assert said in told.stderr


def test_a_vault_is_filled_and_cannot_be_emptied_from_outside(office: World) -> None:
    assert listening(processes(office, "store"))
    office.set_limits("deep", 'vault = "90d"\n')
    assert listening(processes(office, "deep")) == set()
    office.apply(DOCUMENT.format(folder=office.folder), "office")
    eventually(lambda: len(office.points("sealed")) == 1, "the first point is in the vault", 60)
    (office.folder / "data" / "contracts" / "file").write_bytes(b"another")
    office.run("trigger", "office", "--wait")
    eventually(lambda: len(office.points("sealed")) == 2, "so is the second", 60)
    assert listening(processes(office, "deep")) == set()
    here, there = office.points("main"), office.points("sealed")
    assert [p["id"] for p in there] == [p["id"] for p in here]
    assert all(p["locked_until"] and p["paths"] == [f"{office.folder}/data/contracts"] for p in there)
    for refused, word in (
        (("points", "forget", there[0]["id"], "--repository", "sealed"), "locked until"),
        (("repository", "prune", "sealed"), "a vault"),
        (("repository", "pause", "sealed"), "a vault"),
    ):
        told = office.run(*refused, expect=None)
        assert told.returncode != 0, (refused, told.stdout)
        assert word in told.stderr + told.stdout, (refused, told.stdout, told.stderr)
    assert office.points("sealed") == there
    assert "no errors were found" in office.restic("sealed", "deep", "check", "--no-lock", "--read-data")
    _says_what_it_is_a_part_of(office, there)

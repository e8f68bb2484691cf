"""`tail` with real machines: each change as it is delivered, who did it, gaps, and a receiver that is away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.followed import is_following
from tests.e2e.world import World, eventually, worker_pid, world_in

pytestmark = pytest.mark.e2e

DOCUMENT = """\
environment: test
nodes: {{files1: {{}}, vault: {{}}}}
repositories:
  main: {{node: vault, location: {folder}/disk/main}}
policies:
  documents:
    classification: {{paths: [{folder}/data]}}
    operations:
      cdp: {{within: 1h}}
      replicate: {{removed: follow}}
  pictures:
    classification: {{paths: [{folder}/pictures]}}
    operations:
      backup: {{every: 1h, keep: {{last: 5}}}}
flows:
  office:
    vertices:
      files: {{node: files1, policies: [documents]}}
      store: {{repository: main}}
      copy: {{mirror: vault, path: {folder}/mirror}}
    movers:
      - {{from: files, to: store, carries: [documents/cdp]}}
      - {{from: files, to: copy, carries: [documents/replicate], mode: continuous}}
  slow:
    vertices:
      files: {{node: files1, policies: [pictures]}}
      store: {{repository: main}}
    movers:
      - {{from: files, to: store, carries: [pictures/backup]}}
"""


class Tailing:
    """The command as a person runs it, read as it comes."""

    def __init__(self, world: World, out: Path, *words: str) -> None:
        self.out = out
        environment = {**os.environ, "HOLDFAST_HOME": str(world.home("master"))}
        command = [sys.executable, "-m", "holdfast.cli.main", "tail", "office", "--json", *words]
        with out.open("wb") as file:
            self.process = subprocess.Popen(command, env=environment, stdout=file)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def told(self, data: Path) -> set[tuple[str, str]]:
        return {(event["kind"], event["path"].removeprefix(str(data))) for event in self.events if event.get("path")}

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


def test_changes_are_told_as_they_are_delivered(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "folder").mkdir(parents=True)
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        (data / "folder" / f"file {number}").write_bytes(b"content %d" % number)
    with world_in(tmp_path, "files1", "vault") as world:
        world.apply(DOCUMENT.format(folder=tmp_path), "office", "slow")
        eventually(lambda: is_following(world), "it is followed")
        tailing = Tailing(world, tmp_path / "told")
        try:
            (data / "new").write_bytes(b"twelve bytes")
            eventually(lambda: ("put", "/new") in tailing.told(data), "what is new is told", 10)
            os.rename(data / "folder", data / "moved")
            os.remove(data / "new")
            eventually(lambda: {("moved", "/moved"), ("removed", "/new")} <= tailing.told(data), "what moved, and what is gone", 10)
            put = next(event for event in tailing.events if event["path"] == f"{data}/new" and event["kind"] == "put")
            assert (put["dataset"], put["size_bytes"], put["file_kind"]) == ("files1/documents", 12, "file")
            assert {to.split(" ")[0] for to in put["to"]} == {"store", "mirror"}
            assert put.get("who") is None or put["who"]["pid"] == os.getpid()
            moved = next(event for event in tailing.events if event["kind"] == "moved")
            assert (moved["was"], moved["below"]) == (f"{data}/folder", 3)
            os.kill(worker_pid(world, "files1", "source"), 9)
            (data / "meanwhile").write_bytes(b"x")
            eventually(lambda: ("put", "/meanwhile") in tailing.told(data), "it goes on after the worker is back")
            eventually(lambda: "gap-ended" in {event["kind"] for event in tailing.events}, "the gap is told")
            gap = next(event for event in tailing.events if event["kind"] == "gap-ended")
            assert gap["reason"] == "restart"
            world.kill("vault")
            (data / "late").write_bytes(b"late")
            eventually(lambda: "waiting" in {event["kind"] for event in tailing.events}, "that it cannot be delivered is told")
            world.restart("vault")
            eventually(lambda: ("put", "/late") in tailing.told(data), "what was late is told when it came")
            states = ("waiting", "following")
            eventually(lambda: [e["kind"] for e in tailing.events if e["kind"] in states][-1] == "following", "that it goes on is told")
        finally:
            tailing.stop()
        numbers = [event["number"] for event in tailing.events]
        assert len({(event["time"], event["number"]) for event in tailing.events}) == len(numbers)
        shown = world.run("tail", "office", "--once", "--dataset", "files1/documents").stdout
        assert f"{data}/late  4 B" in shown
        assert f"{data}/late" in world.run("tail", "office", "--once", home="files1").stdout
        assert "continuous" in world.run("tail", "slow", "--once", expect=2).stderr
        world.run("tail", "nothing", "--once", expect=2)
        world.run("tail", "office", "--once", "--dataset", "files1/pictures", expect=2)

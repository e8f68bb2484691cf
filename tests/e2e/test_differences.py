"""`diff` with real machines: between points and moments, through the Master and on the owner's machine alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.followed import is_following
from tests.e2e.world import World, eventually, world_in

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
      backup: {{every: 1h, keep: {{last: 50}}}}
      cdp: {{within: 1h}}
flows:
  office:
    vertices:
      files: {{node: files1, policies: [documents]}}
      store: {{repository: main}}
    movers:
      - {{from: files, to: store, carries: [documents/backup, documents/cdp]}}
"""


def _versions_come_back(world: World, file: Path) -> list[bytes]:
    """Each version of a followed file that was there for a moment is listed with what it can be restored from."""
    contents = [file.read_bytes()]
    for number in range(3):
        contents.append(b"version %d" % number * (number + 1))
        file.write_bytes(contents[-1])
        eventually(lambda: len(world.json("history", str(file))) == len(contents), "the version is listed", 10)
    assert [row.get("points", 0) for row in world.json("history", str(file))[:3]] == [0, 0, 0]
    lines = world.run("history", str(file)).stdout.splitlines()
    for number, (line, content) in enumerate(zip(lines, reversed(contents), strict=True)):
        target = world.folder / "back" / str(number)
        world.run("restore", line.rpartition("  restore ")[2], str(file), "--to", str(target), "--node", "files1")
        assert (target / str(file).lstrip("/")).read_bytes() == content
    return contents


def test_what_changed_is_said_by_the_master_and_by_the_owner_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "folder").mkdir(parents=True)
    for number in range(3):
        (data / "folder" / f"file {number}").write_bytes(b"content %d" % number)
    with world_in(tmp_path, "files1", "vault") as world:
        world.apply(DOCUMENT.format(folder=tmp_path), "office")
        eventually(lambda: is_following(world), "it is followed")
        world.run("trigger", "office", "--wait")
        first = world.points("main")[-1]
        os.rename(data / "folder", data / "renamed")
        (data / "renamed" / "file 1").write_bytes(b"written anew")
        os.remove(data / "renamed" / "file 2")

        def states() -> int:
            return len(world.client.get("/moments", dataset="files1/documents", since=first["time"])["moments"])

        at = str(data)
        expected = {
            at + "/renamed": ("moved", at + "/folder"),
            at + "/renamed/file 1": ("changed", at + "/folder/file 1"),
            at + "/renamed/file 2": ("removed", at + "/folder/file 2"),
        }

        def told(*words: str, home: str = "master") -> dict[str, tuple[str, str]]:
            answer = world.json("diff", *words, home=home)
            return {row["path"]: (row["change"], (row.get("before") or {}).get("path", "")) for row in answer["rows"]}

        eventually(lambda: told(first["id"], "files1/documents@now") == expected, "the newest moment has it all")
        assert states() > 0
        world.run("trigger", "office", "--wait")
        second = world.points("main")[-1]
        assert told(first["id"], second["id"]) == expected
        assert told(first["id"][:10], second["id"][:10], at + "/renamed") == expected
        assert told("now", "now", "--dataset", "files1/documents") == {}
        contents = _versions_come_back(world, data / "renamed" / "file 0")
        assert len(contents) == 4
        world.stop("master")
        assert told(first["id"], second["id"], home="vault") == expected
        shown = world.run("diff", first["id"], second["id"], home="vault")
        assert f"{at}/renamed  from {at}/folder" in shown.stdout
        assert "0 added, 1 removed, 1 changed, 1 moved" in shown.stderr
        world.run("diff", first["id"], "ffffffff", home="vault", expect=2)

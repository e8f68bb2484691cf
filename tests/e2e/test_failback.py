"""A mirror takes over from its source, and gives back: each way only what differs travels."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.world import World, by_hand_only, rsync_differences, world_in

pytestmark = pytest.mark.e2e

BOTH_WAYS = """\
environment: test
nodes: {{files1: {{}}, dr: {{}}}}
policies:
  documents:
    classification: {{paths: [{folder}/data]}}
    operations: {{replicate: {{removed: follow, {when}}}}}
  documents-back:
    classification: {{paths: [{folder}/mirror]}}
    operations: {{replicate: {{removed: follow, {when}}}}}
flows:
  office:
    vertices:
      files: {{node: files1, policies: [documents]}}
      copy: {{mirror: dr, path: {folder}/mirror}}
    movers:
      - {{from: files, to: copy, carries: [documents/replicate]}}
  failback:
    vertices:
      files: {{node: dr, policies: [documents-back]}}
      copy: {{mirror: files1, path: {folder}/data}}
    movers:
      - {{from: files, to: copy, carries: [documents-back/replicate]}}
"""


def run(world: World, flow: str, *options: str, expect: int = 0) -> int:
    """Triggers it and waits; the bytes that were sent."""
    record: dict[str, Any] = world.json("trigger", flow, "--wait", *options, expect=expect)
    return sum(task["counters"]["sent_bytes"] for job in record["jobs"] for task in job["tasks"])


def use(folder: Path, seed: int) -> int:
    """What people do there; about how many bytes of content are new."""
    chance = random.Random(seed)
    (folder / "5.bin").write_bytes(chance.randbytes(30_000))
    (folder / f"new-{seed}.txt").write_bytes(chance.randbytes(20_000))
    (folder / "sub").rename(folder / f"renamed-{seed}")
    (folder / "sub").mkdir()
    shutil.move(folder / "large.bin", folder / "sub" / f"moved-{seed}.bin")
    shutil.copy2(folder / "sub" / f"moved-{seed}.bin", folder / "large.bin")
    with (folder / "large.bin").open("r+b") as file:
        file.seek(3_000_000)
        file.write(b"a page" * 500)
    (folder / f"{seed}.bin").unlink()
    return 50_000


def grow(data: Path) -> None:
    chance = random.Random(0)
    (data / "sub").mkdir(parents=True)
    for number in range(20):
        (data / "sub" / f"{number}.bin").write_bytes(chance.randbytes(100_000))
        (data / f"{number}.bin").write_bytes(chance.randbytes(50_000))
    (data / "large.bin").write_bytes(chance.randbytes(12_000_000))


def test_failback_and_return(tmp_path: Path) -> None:
    data, mirror = tmp_path / "data", tmp_path / "mirror"
    grow(data)
    with world_in(tmp_path, "files1", "dr") as world:
        world.apply(BOTH_WAYS.format(folder=tmp_path, when=by_hand_only()), "office")
        assert run(world, "office") >= 15_000_000
        assert rsync_differences(data, mirror) == ""

        assert "loop-by-location" in world.run("activate", "failback", expect=2).stderr

        # The source is away; people work in the mirror, and what the source had last was changed once more.
        world.run("deactivate", "office")
        new_bytes = use(mirror, 1)
        (data / "lost-in-the-accident").write_text("nobody has seen this")
        world.run("activate", "failback")
        refused = world.run("trigger", "failback", "--wait", expect=1)
        assert "not-adopted" in refused.stderr + refused.stdout
        assert "--adopt" in refused.stderr + refused.stdout
        assert (data / "lost-in-the-accident").exists()
        # One chunk of the large file has changed: at most 8 MiB, as a rule about 1.
        assert run(world, "failback", "--adopt", expect=3) < new_bytes + 4_000_000
        assert rsync_differences(mirror, data) == ""
        kept = [path.name for path in (tmp_path / ".holdfast-data" / "removed").glob("*/*")]
        assert "lost-in-the-accident" in kept
        assert run(world, "failback") < 10_000

        # Back to how it was: the mirror has all that the source took over from it.
        world.run("deactivate", "failback")
        world.run("activate", "office")
        assert run(world, "office") < 10_000
        assert rsync_differences(data, mirror) == ""
        use(data, 3)
        assert run(world, "office") < new_bytes + 4_000_000
        assert rsync_differences(data, mirror) == ""

"""A source whose own disk fills up stops capturing in time, says so, loses nothing, and goes on by itself."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.world import ONE_TO_TWO, by_hand_only, eventually, rsync_differences, world_in

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")]

MIB = 1 << 20


def fill(path: Path) -> None:
    """Until no byte is left."""
    with path.open("wb", buffering=0) as ballast:
        for size in (MIB, 4096):
            with suppress(OSError):
                while True:
                    ballast.write(bytes(size))


def test_low_disk_at_the_source_stops_captures_and_is_shown(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "first").write_bytes(b"first")
    disk = tmp_path / "files1" / "home"
    disk.mkdir(parents=True, mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m,mode=700", "none", str(disk)], check=True)
    try:
        with world_in(tmp_path, "files1", "vault", "dr") as world:
            assert world.home("files1") == disk
            world.apply(ONE_TO_TWO.format(folder=tmp_path, when=by_hand_only()), "office")
            world.run("trigger", "office", "--wait")
            world.run("status")
            (disk / "ballast").write_bytes(bytes(60 * MIB))
            (tmp_path / "data" / "second").write_bytes(b"second")
            world.run("trigger", "office")
            eventually(lambda: "low-disk" in world.run("status", "--json", expect=None).stdout, "the node says that its disk is low")
            world.run("status", expect=3)
            eventually(lambda: "low-disk" in world.run("logs", expect=None).stdout, "it is in the log")
            assert len(world.points("main")) == 1
            (disk / "ballast").unlink()
            eventually(lambda: len(world.points("main")) == 2, "the capture that waited is made by itself", 60)
            eventually(lambda: rsync_differences(tmp_path / "data", tmp_path / "dr/mirror") == "", "the mirror follows")
            eventually(lambda: world.run("status", expect=None).returncode == 0, "all is as promised again")
            agent = world.child("files1").pid
            fill(disk / "ballast")
            said = "nothing but a prune is started"
            eventually(lambda: said in world.run("status", "--json", expect=None).stdout, "the node says that its disk is full", 60)
            refused = world.run("trigger", "office", "--wait", expect=None)
            assert (refused.returncode != 0, "is full" in refused.stdout + refused.stderr) == (True, True), refused
            (disk / "ballast").unlink()
            eventually(lambda: world.run("status", expect=None).returncode == 0, "it goes on by itself")
            world.run("trigger", "office", "--wait")
            assert (len(world.points("main")), world.child("files1").pid) == (3, agent)
            os.kill(agent, 0)
            # Once more from a standstill: the logs of its databases are gone, and with them the room they had.
            world.stop("files1")
            fill(disk / "ballast")
            world.restart("files1")
            eventually(lambda: "low-disk" in world.run("status", "--json", expect=None).stdout, "it starts, and says that its disk is full")
            assert world.json("ls", world.points("main")[-1]["id"], home="files1")
            (disk / "ballast").unlink()
            world.run("trigger", "office", "--wait")
            assert len(world.points("main")) == 4
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)

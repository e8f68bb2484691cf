"""Half a minute of edits, runs and kill -9 at random; then everything must agree. The seed is printed."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.world import ONE_TO_TWO, World, eventually, rsync_differences, wait_briefly, worker_pid, world_in

pytestmark = [pytest.mark.e2e, pytest.mark.big, pytest.mark.timeout(400)]

SECONDS = 35
SEED: int | None = None


class Editor:
    """Changes a tree at random: every kind of thing that may happen to a path."""

    def __init__(self, root: Path, dice: random.Random) -> None:
        self.root = root
        self.dice = dice
        self.count = 0
        root.mkdir(parents=True)
        for _ in range(60):
            self.step()

    def step(self) -> None:
        self.count += 1
        names = sorted(path for path in self.root.rglob("*"))
        folders = [self.root, *(path for path in names if path.is_dir() and not path.is_symlink())]
        files = [path for path in names if path.is_file() and not path.is_symlink()]
        new = self.dice.choice(folders) / f"n{self.count}"
        act = self.dice.choice(
            ["add", "add", "write", "write", "append", "large", "delete", "rename", "folder", "prune", "swap", "link", "twin", "mode"]
        )
        if act == "add" or not files:
            new.write_bytes(self.dice.randbytes(self.dice.choice([0, 10, 5_000, 300_000])))
        elif act == "write":
            self.dice.choice(files).write_bytes(self.dice.randbytes(self.dice.choice([1, 2_000, 100_000])))
        elif act == "append":
            with self.dice.choice(files).open("ab") as out:
                out.write(self.dice.randbytes(700))
        elif act == "large":
            large = self.root / f"large{self.count % 2}"
            if large.is_dir():
                return
            with large.open("r+b" if large.exists() else "wb") as out:
                out.seek(self.dice.choice([0, 3 << 20, 11 << 20]))
                out.write(self.dice.randbytes(2 << 20))
        elif act == "delete":
            self.dice.choice(files).unlink()
        elif act == "rename":
            self.dice.choice(files).rename(new)
        elif act == "folder":
            new.mkdir()
        elif act == "prune" and len(folders) > 6:
            shutil.rmtree(self.dice.choice(folders[1:]))
        elif act == "swap":
            path = self.dice.choice(files)
            path.unlink()
            path.mkdir()
            (path / "inside").write_bytes(b"inside")
        elif act == "link":
            new.symlink_to(self.dice.choice(["nowhere", "../other", "."]))
        elif act == "twin":
            os.link(self.dice.choice(files), new)
        elif act == "mode":
            self.dice.choice(files).chmod(self.dice.choice([0o600, 0o644, 0o4755]))


def kill_something(world: World, dice: random.Random) -> str:
    node = dice.choice(["files1", "vault", "dr"])
    if dice.random() < 0.3:
        world.kill(node)
        world.restart_without_waiting(node)
        return f"{node} as a whole"
    role = dice.choice(["source"] if node == "files1" else ["store"])
    try:
        os.kill(worker_pid(world, node, role), 9)
    except (AssertionError, ProcessLookupError):
        return "nobody"
    return f"{node} {role}"


def settled_run(world: World) -> None:
    """A run of everything that ends well, however many attempts the last kill costs."""
    eventually(lambda: world.run("trigger", "office", "--wait", expect=None).returncode in (0, 3), "a run ends well", 60)


def restored(world: World, point: str, folder: Path) -> Path:
    world.run("restore", point, "--to", str(folder), "--node", "files1")
    return folder / str(world.folder / "data").lstrip("/")


def same(a: Path, b: Path) -> str:
    done = subprocess.run(
        ["rsync", "-nacHAX", "--delete", "--itemize-changes", f"{a}/", f"{b}/"], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_half_a_minute_of_trouble(tmp_path: Path) -> None:
    seed = SEED if SEED is not None else random.SystemRandom().randrange(1 << 32)
    print(f"soak seed {seed}")
    dice = random.Random(seed)
    editor = Editor(tmp_path / "data", dice)
    with world_in(tmp_path, "files1", "vault", "dr") as world:
        text = ONE_TO_TWO.format(folder=tmp_path, when="every: 2s").replace("keep: {last: 50}", "keep: {last: 1000}")
        world.apply(text, "office")
        settled_run(world)
        kept: dict[str, Path] = {}
        end_s = time.monotonic() + SECONDS
        while time.monotonic() < end_s:
            for _ in range(dice.randrange(1, 25)):
                editor.step()
            for _ in range(dice.randrange(1, 30)):
                wait_briefly()
            print(f"{end_s - time.monotonic():5.1f} s left: killed {kill_something(world, dice)}", flush=True)
            if dice.random() < 0.15:
                kept |= checkpoint(world, tmp_path / f"kept{len(kept)}")
        kept |= checkpoint(world, tmp_path / "kept-last")
        eventually(lambda: rsync_differences(tmp_path / "data", tmp_path / "dr/mirror") == "", "the mirror is equal")
        eventually(lambda: agree(world), "the cascade has every point")
        for repository, owner in (("main", "vault"), ("offsite", "dr")):
            assert "no errors were found" in world.restic(repository, owner, "check", "--no-lock", "--read-data")
        print(f"{len(world.points())} points, {len(kept)} of them compared")
        for number, (point, copy) in enumerate(kept.items()):
            assert same(copy, restored(world, point, tmp_path / f"back{number}")) == ""
            shutil.rmtree(tmp_path / f"back{number}")


def checkpoint(world: World, copy: Path) -> dict[str, Path]:
    """With the source at rest: the newest point after a good run, and a copy of what it must hold."""
    settled_run(world)
    newest = world.points("main")[-1]["id"]
    subprocess.run(["cp", "-a", str(world.folder / "data"), str(copy)], check=True)
    return {newest: copy}


def agree(world: World) -> bool:
    held = [{point["id"] for point in world.points(repository)} for repository in ("main", "offsite")]
    return held[0] == held[1]

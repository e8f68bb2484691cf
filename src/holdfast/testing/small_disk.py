"""Real file systems of a test's own: a small tmpfs that is soon full, one that can clone files (XFS), one with snapshots (btrfs). All
need root; a test that has to do without is skipped and says so."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class SmallDisk:
    """`leave` fills it with ballast until only so much is free; `be_read_only`: as it becomes by itself when it fails."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._ballast = place / "ballast"

    def leave(self, free_bytes: int) -> None:
        with self._ballast.open("wb") as file:
            found = os.statvfs(self.place)
            os.posix_fallocate(file.fileno(), 0, max(1, found.f_bavail * found.f_frsize - free_bytes))

    def relieve(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def be_read_only(self) -> None:
        subprocess.run(["mount", "-o", "remount,ro", str(self.place)], check=True)


@contextmanager
def small_disk(place: Path, size_bytes: int, *, inodes: int = 0) -> Iterator[SmallDisk]:
    """Mounted at `place`, which is made, and taken down at the end. `inodes`: how many names it has room for, 0 = no limit."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},nr_inodes={inodes}", "tmpfs", str(place)],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(place)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@contextmanager
def cloning_disk(place: Path) -> Iterator[None]:
    """An XFS of 400 MB, mounted at `place`, which is made; taken down at the end."""
    with _disk(place, "XFS", 400 << 20, ["mkfs.xfs", "-q", "-m", "reflink=1"]):
        yield


@contextmanager
def snapshot_disk(place: Path) -> Iterator[None]:
    """A btrfs of 300 MB, mounted at `place`, which is made; taken down at the end."""
    with _disk(place, "btrfs", 300 << 20, ["mkfs.btrfs", "-q"]):
        yield


@contextmanager
def _disk(place: Path, kind: str, size_bytes: int, make: list[str]) -> Iterator[None]:
    """In a sparse file beside `place`."""
    if os.geteuid() != 0:
        pytest.skip("mounting a disk needs root")
    place.mkdir()
    image = place.with_name(place.name + ".image")
    with image.open("wb") as file:
        file.truncate(size_bytes)
    for command in ([*make, str(image)], ["mount", "-o", "loop", str(image), str(place)]):
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip(f"this machine has no {command[0]}")
        if done.returncode != 0:
            pytest.skip(f"no {kind} can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
        image.unlink()

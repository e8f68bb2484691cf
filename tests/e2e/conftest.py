"""Fixtures of the end-to-end tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.host.mountpoint import kind_at
from tests.e2e.world import ONE_TO_TWO, World, by_hand_only, world_in


@pytest.fixture
def office(tmp_path: Path) -> Iterator[World]:
    """files1 -> repository on vault and mirror on dr, vault -> second repository on dr; a small tree; active."""
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    for number in range(30):
        (data / "sub" / f"file {number}.bin").write_bytes(bytes([number]) * (1000 * number + 1))
    with world_in(tmp_path, "files1", "vault", "dr") as world:
        world.apply(ONE_TO_TWO.format(folder=tmp_path, when=by_hand_only()), "office")
        yield world


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """An empty folder; whatever a test leaves mounted there is taken away."""
    folder = tmp_path / "mnt"
    folder.mkdir()
    yield folder
    while kind_at(os.fsencode(folder)):
        subprocess.run(["umount", "-l", str(folder)], check=True)

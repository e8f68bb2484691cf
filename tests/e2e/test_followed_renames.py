"""Renames of a followed source arrive in its mirror as renames, between real machines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.followed import document, is_following
from tests.e2e.test_following import LIVE, is_equal
from tests.e2e.world import eventually, world_in

pytestmark = pytest.mark.e2e


def test_a_folder_is_renamed_and_not_made_anew(tmp_path: Path) -> None:
    data, mirror = tmp_path / "data", tmp_path / "mirror"
    for number in range(600):
        (data / "old" / f"d{number % 6}").mkdir(parents=True, exist_ok=True)
        (data / "old" / f"d{number % 6}" / f"{number}").write_bytes(os.urandom(3_000))
    (data / "place").mkdir()
    with world_in(tmp_path, "files1", "vault") as world:
        world.apply(document(tmp_path, LIVE), "office")
        eventually(lambda: is_following(world), "it is followed")
        eventually(lambda: (mirror / "old" / "d5" / "599").exists(), "all has arrived")
        inodes = {path.name: path.stat().st_ino for path in (mirror / "old").rglob("*")}
        folder = (mirror / "old").stat().st_ino
        (data / "old").rename(data / "place" / "new")
        eventually(lambda: is_equal(data, mirror), "the mirror equals the source", 5)
        assert (mirror / "place" / "new").stat().st_ino == folder
        assert {path.name: path.stat().st_ino for path in (mirror / "place" / "new").rglob("*")} == inodes

        # Files and folders that change places, all in one breath.
        first, second = data / "place" / "new" / "d1", data / "place" / "new" / "d2"
        first.rename(data / "t")
        second.rename(first)
        (data / "t").rename(second)
        (first / "2").rename(second / "moved")
        eventually(lambda: is_equal(data, mirror), "the mirror equals the source", 5)
        assert (mirror / "place" / "new" / "d2" / "moved").is_file()

        # What somebody changes in the mirror is noticed when the source changes it, too.
        (mirror / "place" / "new" / "d3" / "3").write_text("edited by hand")
        (data / "place" / "new" / "d3" / "3").write_text("the source's")
        eventually(lambda: is_equal(data, mirror), "the mirror equals the source", 5)
        kept = [path.read_text() for path in (tmp_path / ".holdfast-mirror" / "removed").rglob("3") if path.is_file()]
        assert kept == ["edited by hand"]

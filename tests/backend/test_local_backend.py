"""LocalBackend: the conformance suite, and what only a folder can do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.backend.backend import FileType
from holdfast.backend.grouping import GroupedSaves
from holdfast.backend.local import LocalBackend
from holdfast.backend.location import open_backend
from holdfast.core.errors import NoSpace, UsageError
from holdfast.testing.backend_suite import GroupedSavesSuite, name_of
from holdfast.testing.faulty_backend import FaultyBackend
from holdfast.testing.object_store import make_owner


class TestLocalBackend(GroupedSavesSuite):
    def make_backend(self, place: Path) -> LocalBackend:
        return LocalBackend(place)

    def test_strays_are_removed(self, tmp_path: Path, grouped: GroupedSaves) -> None:
        grouped.save_later(FileType.DATA, name_of(b"x"), b"x")
        before = sum(path.is_file() for path in (tmp_path / "place").rglob("*"))
        self.make_backend(tmp_path / "place").remove_strays()
        assert before - sum(path.is_file() for path in (tmp_path / "place").rglob("*")) == 1


class TestFaultyBackend(GroupedSavesSuite):
    """The wrapper without a fault is the backend it wraps."""

    def make_backend(self, place: Path) -> FaultyBackend:
        return FaultyBackend(LocalBackend(place), lambda _step, _verb, _kind: None)


def test_data_lies_in_folders_of_two_digits(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "r")
    backend.create()
    name = name_of(b"x")
    backend.save(FileType.DATA, name, b"x")
    assert (tmp_path / "r" / "data" / name[:2] / name).read_bytes() == b"x"
    assert (tmp_path / "r").stat().st_mode & 0o777 == 0o700


def test_a_data_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "r")
    backend.create()
    name = name_of(b"x")
    (tmp_path / "r" / "data" / name[:2]).rmdir()
    assert list(backend.names(FileType.DATA)) == []
    backend.save(FileType.DATA, name, b"x")
    assert backend.load(FileType.DATA, name) == b"x"


def test_a_full_disk_is_no_space_and_leaves_nothing(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "r")
    backend.create()
    small = tmp_path / "small"
    small.mkdir()
    if os.geteuid() != 0 or os.system(f"mount -t tmpfs -o size=64k tmpfs {small} 2>/dev/null") != 0:
        pytest.skip("needs root and tmpfs")
    try:
        place = LocalBackend(small / "r")
        (small / "r").mkdir()
        for kind in ("keys", "data", "index", "snapshots", "locks"):
            (small / "r" / kind).mkdir()
        data = bytes(100_000)
        with pytest.raises(NoSpace) as caught:
            place.save(FileType.INDEX, name_of(data), data)
        assert caught.value.hint
        with pytest.raises(NoSpace):
            place.save_later(FileType.INDEX, name_of(data), data)
        assert os.listdir(small / "r" / "index") == []
    finally:
        os.system(f"umount {small}")


def test_locations(tmp_path: Path) -> None:
    owner = make_owner(tmp_path / "main", [tmp_path / "keys"])
    assert open_backend("/srv/holdfast", owner).location == "/srv/holdfast"
    assert open_backend("s3://bucket/path?endpoint=http://localhost:7480", owner).location == "s3:http://localhost:7480/bucket/path"
    for wrong in ("relative/path", "s3:bucket", "s3://b/../x", "ftp://host/x", ""):
        with pytest.raises(UsageError):
            open_backend(wrong, owner)

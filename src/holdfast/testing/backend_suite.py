"""What every `Backend` must do. Inherit in a test file and give `make_backend`: pytest then runs all of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from holdfast.backend.backend import Backend, FileType
from holdfast.backend.grouping import GroupedSaves
from holdfast.core.errors import Conflict, RepositoryMissing, StoreError

_NAMED = tuple(kind for kind in FileType if kind is not FileType.CONFIG)


def name_of(data: bytes) -> str:
    return sha256(data).hexdigest()


class BackendSuite:
    """Mandatory conformance tests; `place` is an empty folder of this test, which an object store takes for a name."""

    def make_backend(self, place: Path) -> Backend:
        raise NotImplementedError

    def make_absent(self, place: Path) -> Backend:
        """On a place that is not there."""
        return self.make_backend(place)

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Backend:
        backend = self.make_backend(tmp_path / "place")
        backend.create()
        return backend

    def test_what_is_saved_is_loaded(self, backend: Backend) -> None:
        for kind in _NAMED:
            data = f"content of {kind}".encode()
            backend.save(kind, name_of(data), data)
            assert backend.load(kind, name_of(data)) == data
            assert backend.size(kind, name_of(data)) == len(data)
            assert list(backend.names(kind)) == [name_of(data)]

    def test_config_is_a_single_file(self, backend: Backend) -> None:
        assert list(backend.names(FileType.CONFIG)) == []
        backend.save(FileType.CONFIG, "", b"config")
        assert backend.load(FileType.CONFIG, "") == b"config"
        assert list(backend.names(FileType.CONFIG)) == [""]

    def test_ranges_are_exact(self, backend: Backend) -> None:
        data = bytes(range(256))
        backend.save(FileType.DATA, name_of(data), data)
        assert backend.load(FileType.DATA, name_of(data), 10, 5) == data[10:15]
        assert backend.load(FileType.DATA, name_of(data), 250) == data[250:]
        with pytest.raises(StoreError):
            backend.load(FileType.DATA, name_of(data), 250, 7)

    def test_missing_is_an_error_and_removing_it_is_not(self, backend: Backend) -> None:
        absent = name_of(b"absent")
        with pytest.raises(RepositoryMissing):
            backend.load(FileType.DATA, absent)
        with pytest.raises(RepositoryMissing):
            backend.size(FileType.DATA, absent)
        backend.remove(FileType.DATA, absent)

    def test_remove_removes(self, backend: Backend) -> None:
        backend.save(FileType.INDEX, name_of(b"x"), b"x")
        backend.remove(FileType.INDEX, name_of(b"x"))
        assert list(backend.names(FileType.INDEX)) == []

    def test_saving_again_is_nothing(self, backend: Backend) -> None:
        for _ in range(2):
            backend.save(FileType.SNAPSHOT, name_of(b"x"), b"x")
        assert list(backend.names(FileType.SNAPSHOT)) == [name_of(b"x")]

    def test_an_empty_file(self, backend: Backend) -> None:
        backend.save(FileType.DATA, name_of(b""), b"")
        assert backend.load(FileType.DATA, name_of(b"")) == b""

    def test_a_used_place_is_refused(self, backend: Backend) -> None:
        backend.save(FileType.CONFIG, "", b"config")
        with pytest.raises(Conflict):
            backend.create()

    def test_a_place_that_is_not_there(self, tmp_path: Path) -> None:
        backend = self.make_absent(tmp_path / "nowhere")
        with pytest.raises(RepositoryMissing):
            list(backend.names(FileType.SNAPSHOT))
        with pytest.raises(RepositoryMissing):
            backend.save(FileType.SNAPSHOT, name_of(b"x"), b"x")

    def test_names_that_are_not_hashes_are_refused(self, backend: Backend) -> None:
        for name in ("", "../../etc/passwd", "A" * 64, "0" * 63):
            with pytest.raises(StoreError):
                backend.save(FileType.DATA, name, b"x")

    def test_many_threads(self, backend: Backend) -> None:
        contents = [str(number).encode() * 1000 for number in range(40)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda data: backend.save(FileType.DATA, name_of(data), data), contents))
            loaded = list(pool.map(lambda data: backend.load(FileType.DATA, name_of(data)), contents))
        assert loaded == contents
        assert sorted(backend.names(FileType.DATA)) == sorted(map(name_of, contents))


class GroupedSavesSuite(BackendSuite):
    """For backends that have the ability `GroupedSaves` too."""

    @pytest.fixture
    def grouped(self, backend: Backend) -> GroupedSaves:
        assert isinstance(backend, GroupedSaves)
        return backend

    def test_nothing_is_seen_before_settle(self, backend: Backend, grouped: GroupedSaves) -> None:
        grouped.save_later(FileType.DATA, name_of(b"x"), b"x")
        assert list(backend.names(FileType.DATA)) == []
        grouped.settle(FileType.DATA, (name_of(b"x"),))
        assert list(backend.names(FileType.DATA)) == [name_of(b"x")]
        assert backend.load(FileType.DATA, name_of(b"x")) == b"x"

    def test_only_the_named_are_settled(self, backend: Backend, grouped: GroupedSaves) -> None:
        for data in (b"x", b"y"):
            grouped.save_later(FileType.DATA, name_of(data), data)
        grouped.settle(FileType.DATA, (name_of(b"y"),))
        grouped.forget(FileType.DATA, (name_of(b"x"),))
        grouped.settle(FileType.DATA, (name_of(b"x"),))
        assert list(backend.names(FileType.DATA)) == [name_of(b"y")]

    def test_what_was_forgotten_is_gone(self, tmp_path: Path, backend: Backend, grouped: GroupedSaves) -> None:
        grouped.save_later(FileType.DATA, name_of(b"x"), b"x")
        grouped.forget(FileType.DATA, (name_of(b"x"),))
        assert list(self.make_backend(tmp_path / "place").names(FileType.DATA)) == []
        with pytest.raises(RepositoryMissing):
            backend.load(FileType.DATA, name_of(b"x"))

    def test_many_are_settled_at_once(self, tmp_path: Path, backend: Backend, grouped: GroupedSaves) -> None:
        contents = [bytes([number]) * 3000 for number in range(30)]
        for data in contents:
            grouped.save_later(FileType.DATA, name_of(data), data)
        grouped.settle(FileType.DATA, tuple(map(name_of, contents)))
        other = self.make_backend(tmp_path / "place")
        assert sorted(other.names(FileType.DATA)) == sorted(map(name_of, contents))
        assert [other.load(FileType.DATA, name_of(data)) for data in contents] == contents

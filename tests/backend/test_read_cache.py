"""The copy at home: never wrong, never needed, never larger than allowed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.backend.backend import FileType
from holdfast.backend.caching import CachedReads
from holdfast.backend.local import LocalBackend
from holdfast.backend.object_lock import FileName
from holdfast.backend.read_cache import ReadCache
from holdfast.core.errors import RepositoryMissing, StoreError
from holdfast.testing.backend_suite import GroupedSavesSuite, name_of
from holdfast.testing.repository_scene import START
from holdfast.testing.virtual_clock import VirtualClock


class FarAway(LocalBackend):
    """A folder that counts what is read of it; nobody else can own it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.loads: Counter[FileType] = Counter()

    def load(self, kind: FileType, name: str, offset: int = 0, size: int | None = None) -> bytes:
        self.loads[kind] += 1
        return super().load(kind, name, offset, size)

    def take(self) -> None:
        pass

    def give_up(self) -> None:
        pass

    def locks_files(self) -> bool:
        return False

    def extend_retention(self, files: Iterable[FileName], until: datetime) -> None:
        raise AssertionError


class Scene:
    def __init__(self, folder: Path, most_bytes: int = 100_000) -> None:
        self.folder = folder / "cache"
        self.most_bytes = most_bytes
        self.clock = VirtualClock(START)
        self.far = FarAway(folder / "far")
        self.far.create()
        self.near = self.again()

    def again(self) -> ReadCache:
        """As another process sees it."""
        return ReadCache(self.far, self.folder, self.most_bytes, self.clock)

    def put(self, kind: FileType, data: bytes) -> str:
        """By somebody else: not through the cache."""
        self.far.save(kind, name_of(data), data)
        return name_of(data)

    def kept(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    def loads(self) -> int:
        return sum(self.far.loads.values())


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


class TestReadCache(GroupedSavesSuite):
    """It is the backend it wraps."""

    def make_backend(self, place: Path) -> ReadCache:
        return ReadCache(FarAway(place), place.with_name("cache"), 1 << 20, VirtualClock(START))


@pytest.mark.parametrize("kind", [FileType.INDEX, FileType.SNAPSHOT])
def test_index_and_snapshots_are_fetched_once(scene: Scene, kind: FileType) -> None:
    name = scene.put(kind, b"content")
    assert [scene.near.load(kind, name) for _ in range(3)] == [b"content"] * 3
    assert scene.again().load(kind, name) == b"content"
    assert scene.far.loads == {kind: 1}
    assert scene.folder.joinpath(kind.value, name).stat().st_mode & 0o777 == 0o600


def test_what_was_saved_is_not_fetched_at_all(scene: Scene) -> None:
    scene.near.save(FileType.INDEX, name_of(b"x"), b"x")
    assert scene.near.load(FileType.INDEX, name_of(b"x")) == b"x"
    assert scene.loads() == 0


def test_trees_are_read_from_whole_packs_nearby(scene: Scene) -> None:
    pack = bytes(range(256)) * 4
    name = scene.put(FileType.DATA, pack)
    assert isinstance(scene.near, CachedReads)
    assert [scene.near.load_tree(name, at, 7) for at in range(0, 256, 50)] == [pack[at : at + 7] for at in range(0, 256, 50)]
    assert scene.again().load_tree(name, 1000, 24) == pack[1000:]
    assert scene.loads() == 1
    with pytest.raises(StoreError):
        scene.near.load_tree(name, 1020, 10)


def test_chunks_locks_keys_and_the_config_are_not_kept(scene: Scene) -> None:
    for kind in (FileType.DATA, FileType.LOCK, FileType.KEY):
        name = scene.put(kind, b"content")
        assert [scene.near.load(kind, name) for _ in range(2)] == [b"content"] * 2
    scene.far.save(FileType.CONFIG, "", b"config")
    assert scene.near.load(FileType.CONFIG, "") == b"config"
    assert scene.kept() == []


@pytest.mark.parametrize("damage", [b"", b"other", b"content and more", None])
@pytest.mark.parametrize("another_process", [False, True])
def test_a_bad_copy_is_dropped_and_fetched_anew(scene: Scene, damage: bytes | None, another_process: bool) -> None:
    index, pack = scene.put(FileType.INDEX, b"content"), scene.put(FileType.DATA, b"trees of a pack")
    scene.near.load(FileType.INDEX, index)
    scene.near.load_tree(pack, 0, 5)
    for path in scene.kept():
        path.unlink()
        if damage is not None:
            path.write_bytes(damage)
    near = scene.again() if another_process else scene.near
    for _ in range(2):
        assert near.load(FileType.INDEX, index) == b"content"
        assert near.load_tree(pack, 9, 6) == b"a pack"
    assert scene.loads() == 4


def test_what_the_store_gives_wrong_is_not_kept(scene: Scene) -> None:
    name = scene.put(FileType.INDEX, b"content")
    Path(scene.far.location, "index", name).write_bytes(b"damaged")
    assert scene.near.load(FileType.INDEX, name) == b"damaged"
    assert scene.kept() == []


def test_what_is_removed_or_not_listed_any_more_is_forgotten(scene: Scene) -> None:
    names = [scene.put(FileType.SNAPSHOT, b"%d" % number) for number in range(4)]
    for name in names:
        scene.near.load(FileType.SNAPSHOT, name)
    scene.near.remove(FileType.SNAPSHOT, names[0])
    with pytest.raises(RepositoryMissing):
        scene.near.load(FileType.SNAPSHOT, names[0])
    scene.far.remove(FileType.SNAPSHOT, names[1])
    listing = scene.near.names(FileType.SNAPSHOT)
    next(listing)
    # A listing that is not read to its end says nothing of what is missing.
    assert len(scene.kept()) == 3
    assert sorted(scene.near.names(FileType.SNAPSHOT)) == sorted(names[2:])
    assert len(scene.kept()) == 2
    with pytest.raises(RepositoryMissing):
        scene.near.load(FileType.SNAPSHOT, names[1])


def test_the_longest_unused_goes_first_also_after_a_restart(tmp_path: Path) -> None:
    scene = Scene(tmp_path, most_bytes=3_500)
    names = [scene.put(FileType.INDEX, bytes([number]) * 1000) for number in range(5)]
    near = scene.near
    for name in names[:3]:
        near.load(FileType.INDEX, name)
        scene.clock.advance(10)
    near.load(FileType.INDEX, names[0])
    scene.clock.advance(10)
    near = scene.again()
    near.load(FileType.INDEX, names[3])
    assert {path.name for path in scene.kept()} == {names[0], names[2], names[3]}
    near.load(FileType.INDEX, names[0])
    near.load(FileType.INDEX, names[4])
    assert {path.name for path in scene.kept()} == {names[0], names[3], names[4]}
    huge = scene.put(FileType.INDEX, bytes(4_000))
    assert near.load(FileType.INDEX, huge) == bytes(4_000)
    assert {path.name for path in scene.kept()} == {names[0], names[3], names[4]}


def test_a_copy_that_cannot_be_written_is_done_without(scene: Scene) -> None:
    scene.folder.write_bytes(b"a file where the folder should be")
    name = scene.put(FileType.INDEX, b"content")
    assert [scene.near.load(FileType.INDEX, name) for _ in range(2)] == [b"content"] * 2
    assert scene.loads() == 2


def test_what_a_crash_left_is_cleared_away(scene: Scene) -> None:
    folder = scene.folder / "index"
    folder.mkdir(parents=True)
    (folder / ".new-1-x").write_bytes(b"half")
    name = scene.put(FileType.INDEX, b"content")
    scene.near.load(FileType.INDEX, name)
    assert os.listdir(folder) == [name]


def test_dropping_a_pack_brings_it_anew(scene: Scene) -> None:
    name = scene.put(FileType.DATA, b"trees of a pack")
    scene.near.load_tree(name, 0, 5)
    scene.near.drop(name)
    assert scene.near.load_tree(name, 0, 5) == b"trees"
    assert scene.loads() == 2


def test_a_check_goes_around_it(scene: Scene) -> None:
    name = scene.put(FileType.INDEX, b"content")
    scene.near.load(FileType.INDEX, name)
    scene.far.remove(FileType.INDEX, name)
    with pytest.raises(RepositoryMissing):
        scene.near.uncached().load(FileType.INDEX, name)


def test_many_threads_at_once(tmp_path: Path) -> None:
    scene = Scene(tmp_path, most_bytes=20_000)
    packs = [bytes([number]) * 3_000 for number in range(12)]
    names = [scene.put(FileType.DATA, pack) for pack in packs]

    def read(number: int) -> bool:
        which = number * 7 % len(packs)
        return scene.near.load_tree(names[which], number % 2000, 50) == packs[which][:50]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(400)))
    assert sum(path.stat().st_size for path in scene.kept()) <= 20_000


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    return iter(lambda: tmp_path_factory.mktemp("cache"), None)  # type: ignore[return-value]


_STEPS = st.lists(
    st.tuples(st.sampled_from(["load", "tree", "remove", "vanish", "damage", "list", "restart"]), st.integers(0, 5)), max_size=40
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_STEPS)
def test_it_answers_as_the_store_would(scenes: Iterator[Path], steps: list[tuple[str, int]]) -> None:
    scene = Scene(next(scenes), most_bytes=2_500)
    contents = [bytes([65 + number]) * (number * 300 + 100) for number in range(6)]
    for data in contents:
        scene.put(FileType.INDEX, data)
        scene.put(FileType.DATA, data)
    there = set(range(6))
    for verb, which in steps:
        data, name = contents[which], name_of(contents[which])
        if verb == "tree":
            assert scene.near.load_tree(name, which, 20) == data[:20]
        elif verb == "remove":
            scene.near.remove(FileType.INDEX, name)
            there.discard(which)
        elif verb == "vanish":
            scene.far.remove(FileType.INDEX, name)
            there.discard(which)
            list(scene.near.names(FileType.INDEX))
        elif verb == "damage":
            for path in scene.kept():
                path.write_bytes(b"?" * which)
        elif verb == "restart":
            scene.near = scene.again()
        elif verb == "list":
            assert set(scene.near.names(FileType.INDEX)) == {name_of(contents[number]) for number in there}
        elif which in there:
            assert scene.near.load(FileType.INDEX, name) == data
        else:
            with pytest.raises(RepositoryMissing):
                scene.near.load(FileType.INDEX, name)
        assert sum(path.stat().st_size for path in scene.kept()) <= 2_500

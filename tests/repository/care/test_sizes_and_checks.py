"""What a repository tells of itself: what deduplication and compression save, and when it was last checked."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from holdfast.backend.local import LocalBackend
from holdfast.core.clock import now
from holdfast.core.errors import Cancelled
from holdfast.repository.repository import create_repository
from holdfast.testing.repository_scene import CHEAP, PASSWORD, RepositoryScene
from holdfast.testing.tree_source import TreeSource
from holdfast.testing.virtual_clock import SeededEntropy


def test_sizes_tell_deduplication_and_compression_apart(scene: RepositoryScene, tree: Path) -> None:
    source = TreeSource(tree)
    repository = scene.open()
    feeder = scene.feeder(source)
    assert repository.status().unique_bytes == 0
    scene.store(repository, feeder, None, source.all)
    once = repository.status()
    feeder.seq += 1
    scene.store(repository, feeder, source.all, source.all)
    twice = repository.status()
    distinct = sum(map(len, source.chunks.values()))
    packs = sum(path.stat().st_size for path in scene.place.glob("data/*/*"))
    assert twice.stored_bytes == packs
    # Beside the chunks only the trees, once for both points.
    assert distinct < twice.unique_bytes < distinct + 10_000
    assert twice.unique_bytes == once.unique_bytes
    repository.close()
    scene.home.joinpath("catalog.db").unlink()
    assert scene.open().status() == twice


def test_the_last_check_is_remembered_in_the_home(scene: RepositoryScene, tree: Path) -> None:
    source = TreeSource(tree)
    repository = scene.open()
    scene.store(repository, scene.feeder(source), None, source.all)
    before = repository.status()
    assert (before.checked_at, before.checked_ok, before.checked_data) == (None, None, False)
    repository.check(read_data=True)
    repository.close()
    again = scene.open()
    status = again.status()
    assert (status.checked_at, status.checked_ok, status.checked_data) == (now(scene.clock), True, True)
    large = max(scene.place.glob("data/*/*"), key=lambda pack: pack.stat().st_size)
    large.write_bytes(large.read_bytes()[:-1])
    scene.clock.advance(timedelta(hours=1).total_seconds())
    again.check(read_data=False)
    status = again.status()
    assert (status.checked_at, status.checked_ok, status.checked_data) == (now(scene.clock), False, False)
    assert {path.name for path in scene.place.iterdir()} == {"config", "data", "index", "keys", "locks", "snapshots"}
    scene.home.joinpath("last-check.json").write_text("{")
    assert scene.open().status().checked_at is None


def test_a_check_of_what_was_there_before_says_nothing_of_a_new_repository(scene: RepositoryScene, tree: Path) -> None:
    source = TreeSource(tree)
    repository = scene.open()
    scene.store(repository, scene.feeder(source), None, source.all)
    assert repository.check(read_data=True) == ()
    repository.close()
    shutil.rmtree(scene.place)
    create_repository(LocalBackend(scene.place), PASSWORD, clock=scene.clock, entropy=SeededEntropy("another"), cost=CHEAP)
    repository = scene.open()
    assert repository.status().checked_at is None
    repository.check(read_data=False)
    repository.close()
    assert scene.open().status().checked_ok


def test_a_check_tells_how_far_it_is_and_can_be_broken_off(scene: RepositoryScene, tree: Path) -> None:
    source = TreeSource(tree)
    repository = scene.open()
    scene.store(repository, scene.feeder(source), None, source.all)
    told: list[tuple[str, int, int, int]] = []
    repository.check(True, lambda *figures: told.append(figures))
    assert list(dict.fromkeys(phase for phase, *_ in told)) == ["index", "packs", "trees", "data"]
    assert all(done <= total for _, _, done, total in told)
    assert [done for _, _, done, _ in told] == sorted(done for _, _, done, _ in told)
    assert len({total for phase, _, _, total in told if phase != "index"}) == 1
    first = repository.status()

    def stop(phase: str, *_: int) -> None:
        if phase == "trees":
            raise Cancelled("enough")

    scene.clock.advance(60)
    with pytest.raises(Cancelled):
        repository.check(True, stop)
    assert repository.status() == first
    repository.check(False)

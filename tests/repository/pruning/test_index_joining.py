"""Small index files become one; whatever strikes in between, all that was named is named."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from holdfast.core.errors import HoldfastError, RepositoryLocked
from holdfast.repository.pruning import index_joining
from holdfast.repository.pruning.index_joining import join_indexes
from holdfast.repository.repository import Repository
from holdfast.testing.faulty_disk import Fault, FaultyDisk, PowerCut, bursts, trials
from holdfast.testing.repository_scene import DATASET, RepositoryScene
from tests.repository.followed import FollowedSource, read_all


@pytest.fixture(autouse=True)
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_joining, "MANY_INDEXES", 5)


def _with_indexes(scene: RepositoryScene, repository: Repository, count: int) -> FollowedSource:
    source = FollowedSource(scene)
    source.send(repository, "backup")
    for number in range(count):
        scene.clock.advance(61)
        source.write(b"/data/file%d" % number, b"content %d" % number)
        source.send(repository)
        repository.seal()
    source.leave()
    return source


def _indexes(scene: RepositoryScene) -> list[Path]:
    return list((scene.place / "index").iterdir())


def test_they_are_joined_each_hour(scene: RepositoryScene) -> None:
    repository = scene.open()
    source = _with_indexes(scene, repository, 8)
    assert len(_indexes(scene)) > 8
    scene.clock.advance(3_600)
    repository.tick()
    assert len(_indexes(scene)) == 1
    assert list((scene.place / "locks").iterdir()) == []
    scene.restic.check()
    assert read_all(repository.reader(repository.point_at(DATASET, None))) == source.tree
    # Who stored it may still be told so.
    source.write(b"/data/again", b"content 3")
    given = source.feeder.given
    source.send(repository)
    assert source.feeder.given == given
    source.leave()
    repository.close()


def test_not_while_another_program_is_at_work(scene: RepositoryScene) -> None:
    repository = scene.open()
    _with_indexes(scene, repository, 6)
    other = scene.open()
    with other._interior.lock.session(), pytest.raises(RepositoryLocked, match="another program"):
        join_indexes(repository._interior)
    other.close()
    assert join_indexes(repository._interior) > 6
    repository.close()
    scene.restic.check()


def test_a_fault_at_any_step_takes_nothing(tmp_path: Path) -> None:
    begun = RepositoryScene(tmp_path / "begun")
    begun.folder.mkdir()
    begun.create()
    repository = begun.open()
    source = _with_indexes(begun, repository, 6)
    repository.close()

    def attempt(number: int, fault: Fault | None) -> FaultyDisk:
        folder = tmp_path / f"{number}"
        folder.mkdir()
        scene = begun.copy_to(folder)
        repository = scene.open()
        disk = FaultyDisk(folder) if fault is None else FaultyDisk.with_fault(folder, number, fault)
        with disk, suppress(HoldfastError, OSError, PowerCut):
            join_indexes(repository._interior)
        if fault is not None and fault.ends_all:
            scene.kill(repository)
        else:
            repository.close()
        for lock in (scene.place / "locks").iterdir():
            # This process lives on, so nobody takes the locks for a dead one's.
            lock.unlink()
        again = scene.open()
        assert read_all(again.reader(again.point_at(DATASET, None))) == source.tree
        assert [finding for finding in again.check(read_data=True) if finding.code != "pack-unused"] == []
        again.close()
        return disk

    disk = attempt(0, None)
    chosen = set(bursts(disk.steps))
    for number, fault in trials(disk.steps, every=False):
        if number in chosen and number % 3 == 0:
            attempt(number, fault)

"""Keep rules in bad weather: clocks that step back, removals that fail half way, points that are being read, several operations."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from holdfast.backend.backend import FileType
from holdfast.core.errors import StoreError
from holdfast.model.change import Acknowledgement, Cursor
from holdfast.model.document import KeepRules
from holdfast.repository.repository import Repository
from holdfast.testing.repository_scene import START, MarkingFeeder, RepositoryScene
from holdfast.testing.tree_source import TreeSource


class Keeper:
    """Makes commit after commit of a growing tree."""

    def __init__(self, scene: RepositoryScene, tree: Path) -> None:
        self.scene = scene
        self.tree = tree
        self.feeder: MarkingFeeder = scene.feeder(TreeSource(tree))

    def commit(self, repository: Repository, keep: KeepRules, *operations: str) -> Acknowledgement:
        self.feeder.operations = operations or ("backup",)
        (self.tree / "top").write_bytes(b"state %d" % self.feeder.seq)
        state = TreeSource(self.tree)
        self.feeder.chunks.update(state.chunks)
        action = self.scene.action(repository, keep=keep)
        try:
            return self.feeder.send(action, None, state.all)
        finally:
            action.close()


@pytest.fixture
def keeper(scene: RepositoryScene, tree: Path) -> Keeper:
    return Keeper(scene, tree)


@pytest.mark.parametrize("keep", [KeepRules(last=1), KeepRules(last=2), KeepRules(within_s=3600.0), KeepRules(daily=1)])
def test_the_newest_commit_stays_also_when_its_clock_went_back(keeper: Keeper, scene: RepositoryScene, keep: KeepRules) -> None:
    repository = scene.open()
    for _ in range(3):
        keeper.commit(repository, KeepRules())
    keeper.feeder.captured_at = START - timedelta(days=30)
    answer = keeper.commit(repository, keep)
    newest = keeper.feeder.point_id("backup")
    assert newest in {point.id for point in repository.points()}
    action = scene.action(repository)
    assert action.cursor() == answer.cursor == Cursor(keeper.feeder.epoch, 4)
    action.close()
    repository.close()
    (scene.home / "catalog.db").unlink()
    repository = scene.open()
    action = scene.action(repository)
    assert action.cursor() == answer.cursor
    action.close()
    repository.close()
    scene.restic.check()


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_removal_that_fails_half_way_loses_nothing_and_is_made_up(keeper: Keeper, scene: RepositoryScene, at: int) -> None:
    repository = scene.open()
    for _ in range(4):
        keeper.commit(repository, KeepRules())
    repository.close()
    removed: list[int] = []

    def fails(_step: int, verb: str, kind: FileType) -> BaseException | None:
        if (verb, kind) != ("remove", FileType.SNAPSHOT):
            return None
        removed.append(1)
        return StoreError("the disk fails") if len(removed) == at else None

    repository, backend = scene.open_faulty(fails)
    answer = keeper.commit(repository, KeepRules(last=2))
    assert backend.fired == 1
    assert answer.error is None
    assert [finding.code for finding in answer.findings] == ["keep-failed"]
    shown = [point.id for point in repository.points()]
    assert len(shown) == len(scene.restic.json("snapshots", "--no-lock")) == 5 - (at - 1)
    assert keeper.feeder.point_id("backup") in shown
    assert keeper.commit(repository, KeepRules(last=2)).findings == ()
    assert [point.seq for point in repository.points()] == [5, 6]
    repository.close()
    scene.restic.check()


def test_a_point_that_is_forgotten_while_it_is_read_is_read_to_its_end(keeper: Keeper, scene: RepositoryScene) -> None:
    repository = scene.open()
    keeper.commit(repository, KeepRules())
    reader = repository.reader(repository.points()[0])
    entries = iter(reader.entries())
    read = [next(entries)]
    for _ in range(2):
        keeper.commit(repository, KeepRules(last=1))
    assert [point.seq for point in repository.points()] == [3]
    read += entries
    ids = {ref.id for entry in read for ref in entry.chunks}
    assert {payload.id for payload in reader.payloads(list(ids))} == ids
    reader.close()
    repository.close()


def test_each_operation_keeps_its_own_points(keeper: Keeper, scene: RepositoryScene) -> None:
    repository = scene.open()
    keeper.commit(repository, KeepRules(last=2), "backup", "archive")
    for _ in range(3):
        keeper.commit(repository, KeepRules(last=2), "backup")
    assert [(p.operation, p.seq) for p in repository.points()] == [("archive", 1), ("backup", 3), ("backup", 4)]
    keeper.commit(repository, KeepRules(last=1), "archive")
    assert [(p.operation, p.seq) for p in repository.points()] == [("backup", 3), ("backup", 4), ("archive", 5)]
    repository.close()
    scene.restic.check()

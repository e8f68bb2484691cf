"""A store that can refuse to delete is asked to hold all that locked points reach, and nothing more."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from holdfast.backend.backend import FileType
from holdfast.backend.local import LocalBackend
from holdfast.backend.object_lock import FileName
from holdfast.core.errors import Refused, StoreError
from holdfast.model.point_changes import Lock
from holdfast.repository.points.point_changes import Chosen
from holdfast.repository.pruning.prune import PruneOrder
from holdfast.repository.pruning.prune_plan import Thresholds
from holdfast.testing.repository_scene import START, MarkingFeeder, RepositoryScene
from holdfast.testing.tree_source import TreeSource


class LockingBackend(LocalBackend):
    """A folder that holds files as a bucket with object lock does."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.until: dict[FileName, datetime] = {}
        self.refuses = False

    def locks_files(self) -> bool:
        return True

    def extend_retention(self, files: Iterable[FileName], until: datetime) -> None:
        if self.refuses:
            raise Refused("no right to set retention")
        for kind, name in files:
            self.size(kind, name)
            self.until[kind, name] = max(until, self.until.get((kind, name), until))


def test_all_that_a_locked_point_reaches_is_held(scene: RepositoryScene, tree: Path) -> None:
    store = LockingBackend(scene.place)
    repository = scene.open(lambda _backend: store)
    feeder: MarkingFeeder = scene.feeder(TreeSource(tree))
    for number in range(3):
        (tree / "large").write_bytes(bytes([number]) + bytes(range(256)) * 80)
        state = TreeSource(tree)
        feeder.chunks.update(state.chunks)
        action = scene.action(repository, lock_s=3_600 if number == 2 else None)
        feeder.send(action, None, state.all)
        action.close()
    newest = repository.points()[-1]
    assert store.until[FileType.SNAPSHOT, newest.snapshot] == START + timedelta(hours=1)
    held_by_run = {name for kind, name in store.until if kind is FileType.DATA}
    assert held_by_run
    first = repository.points()[0]
    repository.change_points(Chosen(points=(first.id,)), Lock(for_s=86_400))
    locked = repository.points()[0]
    day = START + timedelta(days=1)
    assert store.until[FileType.SNAPSHOT, locked.snapshot] == day
    assert store.until[FileType.CONFIG, ""] == day
    assert {kind for (kind, _), until in store.until.items() if until == day} == set(FileType) - {FileType.LOCK}
    assert len([name for kind, name in store.until if kind is FileType.DATA]) < len(list(store.names(FileType.DATA)))
    repository.prune(PruneOrder(grace_s=0, thresholds=Thresholds(max_unused=0)))
    assert any((FileType.INDEX, name) in store.until for name in store.names(FileType.INDEX))
    store.refuses = True
    with pytest.raises(StoreError, match="does not hold"):
        repository.change_points(Chosen(points=(first.id,)), Lock(for_s=90_000))
    assert repository.points()[0].locked_until == START + timedelta(seconds=90_000)
    repository.close()
    scene.restic.check()

"""A store that does not take what is held: it is said for as long as that is so, and nothing of it is lost."""

from __future__ import annotations

from datetime import datetime

import pytest

from holdfast.core.errors import StoreError
from holdfast.model.entry import Entry
from holdfast.testing.repository_scene import DATASET, RepositoryScene
from tests.repository.followed import FollowedSource, read_all, some_states


class Store:
    """A followed dataset with a point, and a store that takes nothing while `fails`."""

    def __init__(self, scene: RepositoryScene) -> None:
        self.scene = scene
        self.repository, self._backend = scene.open_faulty()
        self.source = FollowedSource(scene)
        self.states: dict[datetime, dict[bytes, Entry]] = {}
        self.source.write(b"/data/one", b"first")
        self.source.send(self.repository, "backup")

    def works(self, works: bool) -> None:
        self._backend.plan = lambda _step, verb, _kind: None if works or verb == "remove" else StoreError("i/o error")

    def hold(self, count: int) -> None:
        self.states |= some_states(self.source, self.repository, count)

    def said(self) -> list[str]:
        self.repository.tick()
        return [finding.code for finding in self.repository.held_problems]

    def close(self) -> None:
        for at, tree in self.states.items():
            assert read_all(self.repository.reader(self.repository.point_at(DATASET, at))) == tree
        self.source.leave()
        self.repository.close()
        self.scene.restic.check()


@pytest.fixture
def store(scene: RepositoryScene) -> Store:
    store = Store(scene)
    store.hold(2)
    store.works(False)
    scene.clock.advance(60)
    assert store.said() == ["sealing-fails"]
    return store


def test_a_store_that_fails_is_said_until_it_works_again(store: Store) -> None:
    # Holding needs no store.
    store.hold(2)
    store.works(True)
    assert store.said() == ["sealing-fails"]
    store.scene.clock.advance(10)
    assert store.said() == []
    store.close()


def test_a_store_that_works_again_is_not_said_to_fail_whoever_had_it_sealed(store: Store) -> None:
    store.works(True)
    # A backup each minute: it seals, and something is held again before a try of the repository's own is due.
    for _ in range(3):
        store.source.send(store.repository, "backup")
        store.hold(1)
        assert store.said() == []
        store.scene.clock.advance(50)
    store.close()

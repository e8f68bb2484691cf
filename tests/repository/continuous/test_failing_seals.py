"""A store that does not take what is held: it is said for as long as that is so, and nothing of it is lost."""

from __future__ import annotations

import errno
import gc
import os
from datetime import datetime
from typing import NoReturn

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


def test_a_commit_that_was_refused_and_stayed_in_the_journal_counts_for_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk could neither make it durable nor take it back. What was acknowledged afterwards outlives the owner, who dies."""

    def fails(*_: int) -> NoReturn:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    store.source.write(b"/data/refused", b"refused")
    with monkeypatch.context() as disk:
        disk.setattr(os, "fdatasync", fails)
        disk.setattr(os, "ftruncate", fails)
        with pytest.raises(StoreError):
            store.source.send(store.repository)
    store.source.leave()
    store.source.remove(b"/data/refused")
    store.hold(3)
    store.scene.kill(store.repository)
    store.repository, store.source.session = store.scene.open(), None
    store.close()


def test_what_another_program_took_before_there_was_a_lock_again_is_not_built_on(scene: RepositoryScene) -> None:
    """Ours was taken away, and nobody gave us another one at once."""
    repository, source = scene.open(), FollowedSource(scene)
    source.write(b"/data/untouched", b"for ever")
    source.send(repository, "backup")
    some_states(source, repository, 2)
    source.leave()
    (lock,) = (scene.place / "locks").iterdir()
    lock.unlink()
    theirs = lock.with_name("0" * 64)
    theirs.write_bytes(b"of another version")
    scene.clock.advance(60)
    repository.tick()
    assert [finding.code for finding in repository.held_problems] == ["sealing-fails"]
    theirs.unlink()
    scene.restic.run("forget", *[each["id"] for each in scene.restic.json("snapshots")])
    scene.restic.run("prune", "--max-unused", "0")
    scene.clock.advance(10)
    repository.tick()
    assert [finding.code for finding in repository.held_problems] == ["held-lost"]
    source.send(repository, full=True)
    assert read_all(repository.reader(repository.point_at(DATASET, None))) == source.tree
    source.leave()
    repository.close()
    scene.restic.check()


def test_a_journal_that_cannot_be_read_leaves_nothing_open(scene: RepositoryScene) -> None:
    """An owner that tries again and again must not run out of descriptors by that."""
    (scene.home / "journal" / "x.held").mkdir(parents=True)
    gc.disable()
    try:
        for _ in range(2):
            with pytest.raises(OSError, match="directory"):
                scene.open()
        opened = [os.readlink(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{each}")]
    finally:
        gc.enable()
    assert [path for path in opened if path.startswith(str(scene.home))] == []

"""A paused repository: nobody begins, whoever began goes on, and stock tools that want it for themselves get it."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from holdfast.core.clock import now
from holdfast.core.errors import RepositoryLocked, RepositoryPaused
from holdfast.model.listing_questions import AskListing
from holdfast.testing.repository_scene import DATASET, RepositoryScene
from holdfast.testing.tree_source import TreeSource


def test_nobody_begins_and_whoever_began_goes_on(scene: RepositoryScene, tree: Path) -> None:
    source = TreeSource(tree)
    with closing(scene.open()) as repository:
        scene.store(repository, scene.feeder(source), None, source.all)
        (point,) = repository.points()
        begun = scene.action(repository)
        begun.cursor()
        assert repository.pause(by="root")
        assert not repository.pause(), "once is enough"
        assert repository.paused is not None
        assert (repository.paused.by, repository.paused.sessions) == ("root", 1)
        with pytest.raises(RepositoryPaused) as caught:
            scene.action(repository).cursor()
        assert caught.value.retryable
        assert isinstance(caught.value, RepositoryLocked), "whoever gives way to a lock gives way to this"
        for work in (lambda: repository.reader(point), lambda: repository.check(read_data=False), lambda: repository.newest(DATASET)):
            with pytest.raises(RepositoryPaused):
                work()
        assert repository.listing(AskListing(point=point.id, recursive=True)).rows, "looking needs no session"
        feeder = scene.feeder(source)
        feeder.seq = 1
        told = feeder.send(begun, None, source.all)
        assert told.cursor.seq == 2
        with pytest.raises(AssertionError, match="locked"):
            scene.restic.run("prune")
        begun.close()
        assert repository.paused.sessions == 0
        scene.restic.run("prune")
        scene.restic.check()
        assert repository.status().pause == repository.paused
        assert repository.resume()
        assert not repository.resume()
        assert scene.store(repository, feeder, source.all, source.all).cursor.seq == 3


def test_a_restart_does_not_end_it_and_its_time_does(scene: RepositoryScene, tree: Path) -> None:
    source = TreeSource(tree)
    with closing(scene.open()) as repository:
        repository.pause(3_600)
    with closing(scene.open()) as repository:
        assert repository.paused is not None
        assert repository.paused.until == now(scene.clock) + timedelta(hours=1)
        since = repository.paused.since
        scene.clock.advance(1_800)
        assert repository.pause(7_200), "it lasts longer now"
        assert repository.paused.since == since
        scene.clock.advance(7_100)
        with pytest.raises(RepositoryPaused, match="until 2026-01-01 02:30 UTC"):
            scene.action(repository).cursor()
        scene.clock.advance(101)
        assert repository.paused is None
        scene.store(repository, scene.feeder(source), None, source.all)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\x00", b'{"since": "never"}', b"[" * 100_000])
def test_a_record_that_cannot_be_read_pauses_nothing(scene: RepositoryScene, content: bytes) -> None:
    scene.home.mkdir(exist_ok=True)
    (scene.home / "paused.json").write_bytes(content)
    with closing(scene.open()) as repository:
        assert repository.paused is None
        repository.assert_free()

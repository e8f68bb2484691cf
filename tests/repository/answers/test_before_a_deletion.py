"""The last state before a deletion, also one that nobody keeps because the source is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from holdfast.core.clock import now
from holdfast.core.errors import ErrorFacts, UnknownName, UsageError
from holdfast.model.refusals import Refusal
from holdfast.repository.repository import Repository
from holdfast.testing.repository_scene import DATASET, RepositoryScene
from tests.repository.followed import FollowedSource, read_all

_VANISHED = ErrorFacts("source-vanished", "5,000 of 5,001 entries are gone")


@pytest.fixture
def repository(scene: RepositoryScene) -> Repository:
    return scene.open()


@pytest.fixture
def source(scene: RepositoryScene, repository: Repository) -> FollowedSource:
    source = FollowedSource(scene)
    source.folder(b"/data/letters")
    for number in range(4):
        source.write(b"/data/letters/%d" % number, b"letter %d" % number)
    source.send(repository, "backup")
    scene.clock.advance(600)
    return source


def taken(repository: Repository, path: bytes, refusal: Refusal | None) -> set[bytes]:
    point = repository.point_at(DATASET, None, path, refusal)
    return {each for each in read_all(repository.reader(point)) if each.startswith(b"/data/letters/")}


@pytest.mark.parametrize("path", [b"/data", b"/data/letters/", b"/data/letters/1"])
def test_of_a_source_that_is_refused_the_newest_state_is_from_before(
    scene: RepositoryScene, repository: Repository, source: FollowedSource, path: bytes
) -> None:
    everything = {b"/data/letters/%d" % number for number in range(4)}
    assert taken(repository, path, Refusal(error=_VANISHED, since=now(scene.clock))) == everything
    assert taken(repository, path, Refusal(error=_VANISHED)) == everything
    with pytest.raises(UsageError, match="is still there in the newest state kept, of 20"):
        repository.point_at(DATASET, None, path)
    with pytest.raises(UnknownName):
        repository.point_at(DATASET, None, b"/data/never", Refusal(error=_VANISHED))


def test_what_was_delivered_as_it_went_before_the_refusal_is_of_the_same_deletion(
    scene: RepositoryScene, repository: Repository, source: FollowedSource
) -> None:
    source.write(b"/data/letters/new", b"new")
    source.remove(b"/data/letters/0")
    source.send(repository, "backup")
    scene.clock.advance(600)
    for number in (1, 2):
        source.remove(b"/data/letters/%d" % number)
        source.send(repository, "backup")
        scene.clock.advance(5)
    since = now(scene.clock)
    scene.clock.advance(3_600)
    assert taken(repository, b"/data", Refusal(error=_VANISHED, since=since)) == {
        b"/data/letters/%s" % name for name in (b"1", b"2", b"3", b"new")
    }
    # What was deleted, and kept as deleted, long before has nothing to do with it.
    assert b"/data/letters/0" in taken(repository, b"/data/letters/0", Refusal(error=_VANISHED, since=datetime(2031, 1, 1, tzinfo=UTC)))

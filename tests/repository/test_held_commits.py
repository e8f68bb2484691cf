"""Small continuous commits are held in the journal, known at once, and sealed later."""

from __future__ import annotations

from datetime import timedelta

from holdfast.core.clock import now
from holdfast.model.change import Durability
from holdfast.model.questions import AskFind, AskHistory, AskListing
from holdfast.testing.repository_scene import DATASET, RepositoryScene
from tests.repository.followed import FollowedSource, read_all


def test_a_held_commit_is_known_at_once_and_sealed_after_a_minute(scene: RepositoryScene) -> None:
    repository = scene.open()
    source = FollowedSource(scene)
    source.write(b"/data/one", b"first")
    assert source.send(repository, "backup").durability is Durability.SEALED
    states = []
    for number in range(5):
        scene.clock.advance(1)
        source.write(b"/data/one", b"state %d" % number)
        source.write(b"/data/new%d" % number, b"new %d" % number)
        told = source.send(repository)
        assert told.durability is Durability.HELD
        assert told.cursor == source.cursor
        states.append((now(scene.clock), dict(source.tree)))
    assert [row.path for row in repository.find(AskFind(pattern="new*")).rows] == [f"/data/new{number}" for number in range(5)]
    assert len(repository.history(AskHistory(path=b"/data/one")).rows) == 6
    for at, tree in states:
        listed = repository.listing(AskListing(dataset=DATASET, at=at, path=b"/data"))
        assert {row.path for row in listed.rows} == {path.decode() for path in tree if path != b"/data"}
    assert len(scene.restic.json("snapshots")) == 1
    scene.clock.advance(60)
    repository.tick()
    assert len(scene.restic.json("snapshots")) == 3
    for at, tree in states:
        point = repository.point_at(DATASET, at)
        assert read_all(repository.reader(point)) == tree
        assert read_all(repository.reader(repository.point(point.id))) == tree
    source.leave()
    scene.restic.check()
    repository.close()


def test_every_moment_is_there_after_the_catalog_was_lost(scene: RepositoryScene) -> None:
    repository = scene.open()
    source = FollowedSource(scene)
    source.write(b"/data/one", b"first")
    source.send(repository, "backup")
    states = []
    for number in range(200):
        scene.clock.advance(30)
        if number % 7 == 3:
            source.folder(b"/data/sub")
            source.write(b"/data/sub/x%d" % number, b"x")
        if number % 7 == 6:
            source.remove(b"/data/sub")
        source.write(b"/data/one", b"state %d" % number)
        source.send(repository, *(("backup",) if number % 50 == 49 else ()))
        states.append((now(scene.clock), dict(source.tree)))
        repository.tick()
    source.leave()
    for round_ in range(2):
        for at, tree in states:
            assert read_all(repository.reader(repository.point_at(DATASET, at))) == tree, (round_, at)
        assert len(repository.moments(DATASET)) == 201
        repository.close()
        for path in scene.home.glob("catalog*"):
            path.unlink()
        repository = scene.open()
        assert repository.problems == repository.held_problems == ()
    before = repository.point_at(DATASET, states[0][0] - timedelta(seconds=1))
    assert before.operation == "backup"
    repository.close()
    scene.restic.check()

"""Commits of a source whose clock was years ahead for a while: what came after bears earlier times, and is newer all the same."""

from __future__ import annotations

from datetime import timedelta

import pytest

from holdfast.core.clock import now
from holdfast.core.errors import Refused
from holdfast.model.point_changes import Forget
from holdfast.repository.points.point_changes import Chosen
from holdfast.testing.repository_scene import DATASET, RepositoryScene
from tests.repository.followed import FollowedSource, read_all

AHEAD = timedelta(days=1_500)


def test_the_newest_is_what_came_last_whatever_its_time(scene: RepositoryScene) -> None:
    """Points and moments; also by a catalog made anew."""
    repository = scene.open()
    source = FollowedSource(scene)
    states = []

    def write(text: bytes, *operations: str) -> None:
        scene.clock.advance(120)
        source.write(b"/data/one", text)
        source.send(repository, *operations)
        states.append((now(scene.clock), dict(source.tree)))

    write(b"before", "backup")
    write(b"held before")
    right = now(scene.clock)
    scene.clock.set_wall(right + AHEAD)
    write(b"ahead", "backup")
    write(b"held ahead")
    scene.clock.set_wall(right)
    for number in range(3):
        write(b"after %d" % number, "backup")
        assert read_all(repository.reader(repository.point_at(DATASET, None))) == source.tree
        write(b"held after %d" % number)
        assert read_all(repository.reader(repository.point_at(DATASET, None))) == source.tree
    source.leave()
    for _ in range(2):
        for at, tree in states:
            assert read_all(repository.reader(repository.point_at(DATASET, at))) == tree
        assert read_all(repository.reader(repository.point_at(DATASET, None))) == states[-1][1]
        newest = max(repository.points(), key=lambda point: point.seq)
        with pytest.raises(Refused, match="newest"):
            repository.change_points(Chosen(points=(newest.id,)), Forget())
        repository.close()
        (scene.home / "catalog.db").unlink()
        repository = scene.open()
    repository.close()
    scene.restic.check()

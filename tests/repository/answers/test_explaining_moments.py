"""Why a version between two points is still there, and until when."""

from __future__ import annotations

from datetime import timedelta

from holdfast.core.clock import now
from holdfast.testing.repository_scene import DATASET, RepositoryScene
from tests.repository.followed import CDP, FollowedSource, read_all

PATH = b"/data/one"


def test_a_version_between_points_is_explained_by_the_moments_that_have_it(scene: RepositoryScene) -> None:
    scene.following = (CDP,)
    repository, source = scene.open(), FollowedSource(scene)
    operations = {(DATASET, CDP.name): CDP}
    source.write(PATH, b"first")
    source.send(repository, "backup")
    times = []
    for number in range(3):
        scene.clock.advance(10)
        source.write(PATH, b"state %d" % number * (number + 1))
        source.send(repository)
        times.append(now(scene.clock))
    scene.clock.advance(5)
    (told,) = repository.explain(PATH, "", times[1] + timedelta(seconds=3), operations)
    assert (told.keepers, told.current, told.size_bytes) == ((), False, len(b"state 1" * 2))
    assert told.moments is not None
    assert (told.moments.operation, told.moments.since, told.moments.until) == (CDP.name, times[1], times[2])
    assert CDP.within_s is not None
    assert told.moments.goes_at == times[2] + timedelta(seconds=CDP.within_s)
    entry = read_all(repository.reader(repository.point(told.moments.address)))[PATH]
    assert entry.size_bytes == told.size_bytes
    (newest,) = repository.explain(PATH, "", None, operations)
    assert newest.current
    assert newest.moments is not None
    assert (newest.moments.until, newest.moments.goes_at) == (None, None)
    (first,) = repository.explain(PATH, "", times[0] - timedelta(seconds=1), operations)
    assert [keeper.operation for keeper in first.keepers] == ["backup"]
    scene.clock.advance(5)
    source.remove(PATH)
    source.send(repository)
    (removed,) = repository.explain(PATH, "", now(scene.clock), operations)
    assert (removed.current, removed.size_bytes) == (False, newest.size_bytes)
    assert removed.moments is not None
    assert removed.moments.until == now(scene.clock)
    source.leave()
    repository.close()

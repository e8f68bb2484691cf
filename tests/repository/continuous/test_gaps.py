"""Gaps of a dataset: said as long as anything of their time is kept, and the same after the catalog was lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from holdfast.core.clock import now
from holdfast.model import rules
from holdfast.model.change import Durability
from holdfast.model.gaps import Gap, GapReason
from holdfast.repository.repository import Repository
from holdfast.testing.repository_scene import DATASET, RepositoryScene
from tests.repository.followed import CDP, FollowedSource, some_states

HOUR_S = 3_600
LIVE = rules.StoredOperation(name="live", kind="live")


def followed(scene: RepositoryScene, operation: rules.StoredOperation = CDP) -> tuple[Repository, FollowedSource]:
    repository, source = scene.open(), FollowedSource(scene, (operation,))
    source.write(b"/data/one", b"first")
    source.send(repository, "backup")
    return repository, source


def with_gap(source: FollowedSource, repository: Repository, *marks: str, full: bool = False) -> Gap:
    """A commit after a gap of a second."""
    since = now(source.scene.clock)
    source.scene.clock.advance(1)
    gap = Gap(path=b"/data", since=since, until=now(source.scene.clock), reason=GapReason.OVERFLOW)
    source.write(b"/data/missed", b"of %d" % source.feeder.seq)
    source.send(repository, *marks, gaps=(gap,), full=full)
    return gap


def wait(repository: Repository, scene: RepositoryScene, time_s: int) -> None:
    """Its locks are kept fresh meanwhile."""
    for _ in range(time_s // 600):
        scene.clock.advance(600)
        repository.tick()


def logs_of(scene: RepositoryScene) -> list[str]:
    found = scene.restic.json("snapshots")
    return [each["id"] for each in sorted(found, key=lambda each: str(each["time"])) if each["paths"] == [f"/.holdfast/log/{DATASET}"]]


def lose_catalog(scene: RepositoryScene) -> None:
    for path in scene.home.glob("catalog*"):
        path.unlink()


def said_again(scene: RepositoryScene, repository: Repository, source: FollowedSource) -> tuple[Gap, ...]:
    """What is said after the catalog was lost; the repository is closed, and sound."""
    source.leave()
    repository.close()
    lose_catalog(scene)
    repository = scene.open()
    gaps = repository.gaps(DATASET)
    repository.close()
    scene.restic.check()
    return gaps


def test_gaps_go_with_the_moments_around_them(scene: RepositoryScene) -> None:
    repository, source = followed(scene)
    old = [with_gap(source, repository) for _ in range(3)]
    for _ in range(20):
        wait(repository, scene, HOUR_S)
        some_states(source, repository, 1)
    assert repository.gaps(DATASET) == tuple(old)
    for _ in range(12):
        wait(repository, scene, HOUR_S)
        some_states(source, repository, 1)
    newer = with_gap(source, repository)
    repository.seal()
    assert repository.gaps(DATASET) == (newer,)
    assert said_again(scene, repository, source) == (newer,)


def test_where_no_moments_are_kept_gaps_go_with_the_points_before_them(scene: RepositoryScene) -> None:
    """Their logs are joined meanwhile: one that cannot be watched has a gap a minute."""
    repository, source = followed(scene, LIVE)
    found = []
    for _ in range(30):
        found.append(with_gap(source, repository))
        repository.seal()
        wait(repository, scene, HOUR_S // 5)
    assert repository.gaps(DATASET) == tuple(found)
    assert len(logs_of(scene)) <= 12
    source.send(repository, "live")
    first, _ = repository.points()
    assert source.send(repository, "live").durability is Durability.SEALED
    last = with_gap(source, repository)
    repository.seal()
    source.leave()
    scene.restic.run("forget", first.snapshot)
    wait(repository, scene, HOUR_S + 600)
    assert repository.gaps(DATASET) == (last,)
    assert said_again(scene, repository, source) == (last,)


def test_gaps_go_with_a_log_that_stock_restic_forgets(scene: RepositoryScene) -> None:
    repository, source = followed(scene)
    with_gap(source, repository)
    repository.seal()
    staying = with_gap(source, repository)
    repository.seal()
    source.leave()
    scene.restic.run("forget", logs_of(scene)[0])
    assert repository.gaps(DATASET) == (staying,)
    assert said_again(scene, repository, source) == (staying,)


@pytest.mark.parametrize("catalog", ["kept", "lost"])
def test_gaps_that_only_the_journal_of_a_killed_owner_knows_are_said(scene: RepositoryScene, catalog: str) -> None:
    """Of a commit that is sealed, and of one that is not."""
    repository, source = followed(scene)
    gaps = (with_gap(source, repository, full=True), with_gap(source, repository))
    assert repository.gaps(DATASET) == gaps
    scene.kill(repository)
    if catalog == "lost":
        lose_catalog(scene)
    again = scene.open()
    assert again.gaps(DATASET) == gaps
    source.session = None
    assert said_again(scene, again, source) == gaps


def test_a_gap_that_two_commits_tell_is_one(scene: RepositoryScene) -> None:
    repository, source = followed(scene)
    since = now(scene.clock)
    gap = Gap(path=b"/data", since=since, until=since + timedelta(seconds=1), reason=GapReason.MOUNT)
    for number in range(2):
        scene.clock.advance(2)
        source.write(b"/data/one", b"%d" % number)
        source.send(repository, gaps=(gap,))
    assert repository.gaps(DATASET) == (gap,)
    assert said_again(scene, repository, source) == (gap,)

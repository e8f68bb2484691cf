"""Older versions of single files, for operations that keep those: in one snapshot, named NAME@TIME, each to be had again."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from holdfast.core.clock import now
from holdfast.core.errors import UnknownName
from holdfast.model import rules
from holdfast.model.listing_questions import AskHistory, AskListing
from holdfast.model.moments import time_text
from holdfast.repository.pruning.prune import PruneOrder
from holdfast.repository.pruning.prune_plan import Thresholds
from holdfast.repository.repository import Repository
from holdfast.testing.repository_scene import DATASET, RepositoryScene
from tests.repository.followed import FollowedSource

VERSIONS = f"{DATASET}@versions"
LAST_THREE = rules.StoredOperation(name="version", kind="version", last=3)
A_DAY = rules.StoredOperation(name="version", kind="version", within_s=86_400.0)


def _content(repository: Repository, source: FollowedSource) -> dict[str, bytes]:
    """Everything in the lineage, read."""
    reader = repository.reader(repository.point(VERSIONS))
    try:
        files = [entry for entry in reader.entries() if entry.chunks]
        for payload in reader.payloads(sorted({ref.id for entry in files for ref in entry.chunks})):
            assert payload.id in source.chunks
        return {entry.path.decode(): b"".join(source.chunks[ref.id] for ref in entry.chunks) for entry in files}
    finally:
        reader.close()


def _named(path: str, at: datetime) -> str:
    return f"{path}@{time_text(at)}"


@pytest.mark.parametrize("one_batch", [True, False])
def test_the_newest_versions_of_each_file_stay(scene: RepositoryScene, tmp_path: Path, one_batch: bool) -> None:
    repository, source = scene.open(), FollowedSource(scene, following=(LAST_THREE,))
    source.folder(b"/data/sub")
    source.write(b"/data/one", b"first")
    source.write(b"/data/sub/other", b"only one")
    source.send(repository, "backup")
    begin = now(scene.clock)
    times = [begin]
    for number in range(5):
        scene.clock.advance(10)
        source.write(b"/data/one", b"state %d" % number)
        times.append(now(scene.clock))
        source.send(repository)
        if not one_batch:
            repository.seal()
    scene.clock.advance(10)
    source.remove(b"/data/sub")
    source.send(repository)
    repository.seal()
    expected = {
        _named("/data/one", times[3]): b"state 2",
        _named("/data/one", times[4]): b"state 3",
        _named("/data/sub/other", begin): b"only one",
    }
    assert _content(repository, source) == expected
    listed = repository.listing(AskListing(point=VERSIONS, path=b"/data", recursive=True))
    assert {row.path for row in listed.rows} == {*expected, "/data/sub"}
    # What a moment or point has is named by that; what none has any more, by the lineage. Each version once.
    rows = repository.history(AskHistory(path=b"/data/one")).rows
    assert {*times[3:6]} <= {row.valid_from for row in rows}
    assert len({row.valid_from for row in rows}) == len(rows)
    _days_pass(scene, repository, source)
    rows = repository.history(AskHistory(path=b"/data/one")).rows
    named = {row.path: row for row in rows if row.point == VERSIONS}
    assert set(named) == {name for name in expected if "one" in name}
    assert named[_named("/data/one", times[4])].valid_to == times[5]
    order = PruneOrder(grace_s=0, thresholds=Thresholds(max_unused=0))
    source.leave()
    repository.prune(order)
    assert {name: _content(repository, source)[name] for name in expected} == expected
    repository.close()
    for path in scene.home.glob("catalog*"):
        path.unlink()
    repository = scene.open()
    assert {name: _content(repository, source)[name] for name in expected} == expected
    repository.close()
    (lineage,) = [each for each in scene.restic.json("snapshots") if each["paths"] == [f"/.holdfast/versions/{DATASET}"]]
    scene.restic.restore(lineage["id"], tmp_path / "out")
    assert (tmp_path / "out" / _named("data/one", times[4])).read_bytes() == b"state 3"
    scene.restic.check()


def _days_pass(scene: RepositoryScene, repository: Repository, source: FollowedSource) -> None:
    """Bases come and moments go, but for those of the last hours."""
    for number in range(30):
        scene.clock.advance(6 * 3_600)
        repository.tick()
        source.write(b"/data/clock", b"%d" % number)
        source.send(repository)
        repository.seal()


def test_versions_go_when_they_were_replaced_long_ago(scene: RepositoryScene) -> None:
    repository, source = scene.open(), FollowedSource(scene, following=(A_DAY,))
    source.write(b"/data/one", b"first")
    source.send(repository, "backup")
    begin = now(scene.clock)
    scene.clock.advance(10)
    source.write(b"/data/one", b"second")
    source.send(repository)
    repository.seal()
    assert _content(repository, source) == {_named("/data/one", begin): b"first"}
    for _ in range(17):
        scene.clock.advance(3 * 3_600)
        repository.tick()
        source.write(b"/data/clock", b"%d" % source.feeder.seq)
        source.send(repository)
        repository.seal()
    assert _named("/data/one", begin) not in _content(repository, source)
    source.leave()
    repository.close()
    scene.restic.check()


def test_what_a_large_commit_replaced_is_kept_too(scene: RepositoryScene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its changes are too many to be written down."""
    monkeypatch.setattr("holdfast.repository.points.receiving._MOST_OPS", 3)
    monkeypatch.setattr("holdfast.repository.continuous.small_commit.MOST_CHANGES", 3)
    repository, source = scene.open(), FollowedSource(scene, following=(LAST_THREE,))
    for number in range(6):
        source.write(b"/data/file%d" % number, b"first %d" % number)
    source.send(repository, "backup")
    begin = now(scene.clock)
    scene.clock.advance(5)
    for number in range(6):
        source.write(b"/data/file%d" % number, b"second %d" % number)
    source.remove(b"/data/file5")
    source.send(repository)
    repository.seal()
    assert _content(repository, source) == {_named(f"/data/file{number}", begin): b"first %d" % number for number in range(6)}
    source.leave()
    repository.close()


def test_without_the_operation_there_are_none(scene: RepositoryScene) -> None:
    repository, source = scene.open(), FollowedSource(scene, following=(LAST_THREE,))
    source.write(b"/data/one", b"first")
    source.send(repository, "backup")
    scene.clock.advance(timedelta(minutes=1).total_seconds())
    source.write(b"/data/one", b"second")
    source.send(repository)
    repository.seal()
    assert _content(repository, source)
    source.leave()
    source.following = ()
    source.write(b"/data/one", b"third")
    source.send(repository)
    repository.seal()
    with pytest.raises(UnknownName, match="no older versions"):
        repository.point(VERSIONS)
    source.leave()
    repository.close()
    scene.restic.check()

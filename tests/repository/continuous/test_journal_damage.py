"""A journal that lacks something of what was held: what is there is kept, what is not is shown nowhere, and both are told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest

from holdfast.model.entry import Entry
from holdfast.model.jobs import Severity
from holdfast.repository.continuous.journal import scan
from holdfast.repository.repository import Repository
from holdfast.testing.repository_scene import DATASET, RepositoryScene
from tests.repository.followed import FollowedSource, assert_all_is_sent_again, read_all, some_states

States = Mapping[datetime, dict[bytes, Entry]]


def _killed_with(scene: RepositoryScene, count: int, *, first_held: bool = False) -> tuple[FollowedSource, States, Path]:
    """So many commits are held, after a point; the journal's file. `first_held`: what the point changed stands there, too."""
    repository, source = scene.open(), FollowedSource(scene)
    source.write(b"/data/one", b"first")
    source.send(repository, "backup")
    if not first_held:
        repository.seal()
    states = some_states(source, repository, count)
    scene.kill(repository)
    (path,) = (scene.home / "journal").iterdir()
    return source, states, path


def _damage(path: Path, place: int) -> None:
    hurt = bytearray(path.read_bytes())
    hurt[place] ^= 1
    path.write_bytes(hurt)


def _lose_catalog(scene: RepositoryScene) -> None:
    for path in scene.home.glob("catalog*"):
        path.unlink()


def _assert_only(repository: Repository, states: States) -> None:
    """No moment says more than there is."""
    for at, tree in states.items():
        assert read_all(repository.reader(repository.point_at(DATASET, at))) == tree
    for moment in repository.moments(DATASET):
        read_all(repository.reader(repository.point(moment.address)))


def test_a_damaged_commit_is_named_and_the_rest_kept(scene: RepositoryScene) -> None:
    source, _, path = _killed_with(scene, 5, first_held=True)
    # The third commit of the six there are.
    _damage(path, scan(path.read_bytes()).groups[1].end + 100)
    again = scene.open()
    assert [finding.code for finding in again.held_problems] == ["journal-damaged"]
    newest = {entry.path: entry for entry in read_all(again.reader(again.point_at(DATASET, None))).values()}
    assert set(newest) == set(source.tree) - {b"/data/new1"}
    assert newest == {path: entry for path, entry in source.tree.items() if path in newest}
    assert len(again.moments(DATASET)) == 5
    _assert_only(again, {})
    assert_all_is_sent_again(scene, again, source)


@pytest.mark.parametrize("catalog", ["kept", "lost"])
def test_the_last_commit_may_be_damaged_and_that_is_told(scene: RepositoryScene, catalog: str) -> None:
    """It was taken for one that was cut off, so something acknowledged was gone and nothing said so."""
    source, states, path = _killed_with(scene, 3)
    _damage(path, -20)
    if catalog == "lost":
        _lose_catalog(scene)
    again = scene.open()
    (finding,) = again.held_problems
    assert (finding.code, finding.severity) == ("journal-damaged", Severity.ERROR)
    assert "the last commit" in finding.message
    _assert_only(again, dict(list(states.items())[:-1]))
    assert again.moments(DATASET)[0].time == list(states)[-2]
    assert_all_is_sent_again(scene, again, source)


def test_where_nothing_in_it_can_be_read_the_catalog_shows_no_more_than_there_is(scene: RepositoryScene) -> None:
    source, states, path = _killed_with(scene, 1)
    _damage(path, -20)
    again = scene.open()
    assert [finding.code for finding in again.held_problems] == ["journal-damaged", "held-lost"]
    _assert_only(again, {})
    assert again.moments(DATASET)[0].time < min(states)
    assert_all_is_sent_again(scene, again, source)


def test_where_its_file_is_gone_what_was_held_is_told_and_sent_again(scene: RepositoryScene) -> None:
    source, states, path = _killed_with(scene, 3)
    path.unlink()
    again = scene.open()
    (finding,) = again.held_problems
    assert finding.code == "held-lost"
    assert finding.message.startswith("3 held commits")
    _assert_only(again, {})
    assert again.moments(DATASET)[0].time < min(states)
    assert_all_is_sent_again(scene, again, source)


def test_one_that_was_cut_off_while_it_was_written_is_told_as_that(scene: RepositoryScene) -> None:
    _, states, path = _killed_with(scene, 2)
    with path.open("ab") as file:
        file.write(path.read_bytes()[:200])
    again = scene.open()
    assert [(finding.code, finding.severity) for finding in again.held_problems] == [("journal-cut", Severity.INFO)]
    _assert_only(again, states)
    again.close()

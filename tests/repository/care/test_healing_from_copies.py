"""What is known to be lost is asked for in other copies; and what an owner across the wire may ask of a repository."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.core.errors import NotReachable
from holdfast.core.ids import NodeId
from holdfast.repository._format.pack import BlobType
from holdfast.repository.care.healing import BlobCopy, Wanted
from holdfast.repository.diagnosis import BlobKey
from holdfast.repository.repository import Repository
from holdfast.testing.repository_scene import SENDER, RepositoryScene
from tests.repository.damage import TwoPoints, flip, read_point


@pytest.fixture
def stored(scene: RepositoryScene, tree: Path) -> TwoPoints:
    return TwoPoints(scene, tree)


@pytest.fixture
def copy(stored: TwoPoints, tmp_path: Path) -> Iterator[Repository]:
    other = RepositoryScene(tmp_path / "second")
    shutil.copytree(stored.scene.place, other.place)
    repository = other.open()
    yield repository
    repository.close()


class Away:
    """A copy on a machine that is off; one in wrong hands gives other bytes."""

    def __init__(self, lie: bytes = b"") -> None:
        self.title = "repository far on dr"
        self.asked: list[Wanted] = []
        self._lie = lie

    def blobs(self, wanted: Wanted) -> Iterator[tuple[BlobKey, bytes]]:
        self.asked.append(wanted)
        if not self._lie:
            raise NotReachable("dr does not answer")
        yield from ((key, self._lie) for key in wanted)


def hurt(stored: TwoPoints) -> None:
    for pack in stored.scene.place.glob("data/*/*"):
        for at in range(3, pack.stat().st_size - 40, 30):
            flip(pack, at)


def test_what_a_scrub_found_lost_is_had_from_the_first_copy_that_gives_it(stored: TwoPoints, copy: Repository) -> None:
    hurt(stored)
    repository = stored.scene.open()
    assert repository.care.scrub(1.0) != ()
    away, lying = Away(), Away(lie=b"another")
    copies: list[BlobCopy] = [away, lying, copy.copy]
    steps = repository.care.heal(copies)
    assert [step.code for step in steps] == ["copy-not-asked", "blobs-refused", "blobs-healed"]
    assert away.asked == lying.asked != []
    stored.assert_whole(repository)
    assert repository.care.heal(copies) == ()
    assert len(away.asked) == 1
    # What is damaged still lies there.
    assert repository.check(read_data=True) != ()
    assert repository.care.repair().findings == ()
    repository.close()
    stored.scene.restic.check()


def test_what_a_reader_met_is_asked_for_too_and_then_no_source_is(stored: TwoPoints, copy: Repository) -> None:
    hurt(stored)
    repository = stored.scene.open()
    for point in repository.points():
        read_point(repository, point.id)
    action = stored.scene.action(repository)
    assert action.cursor() is None
    action.close()
    # One layer of listings shows the next, as it is read.
    for _ in range(12):
        repository.care.heal([copy.copy])
        for point in repository.points():
            read_point(repository, point.id)
    stored.assert_whole(repository)
    again = stored.scene.action(repository)
    assert again.cursor() is not None
    again.close()
    repository.close()


def test_a_plan_says_which_copy_would_give_what_and_keeps_nothing(stored: TwoPoints, copy: Repository) -> None:
    hurt(stored)
    repository = stored.scene.open()
    before = sorted(path.name for path in stored.scene.place.glob("data/*/*"))
    planned = repository.care.repair(dry_run=True, copies=[Away(), copy.copy])
    codes = [step.code for step in planned.steps]
    assert codes[:2] == ["copy-not-asked", "blobs-healed"]
    assert "blobs-lost" not in codes
    assert sorted(path.name for path in stored.scene.place.glob("data/*/*")) == before
    alone = repository.care.repair(dry_run=True)
    assert "blobs-lost" in [step.code for step in alone.steps]
    repository.close()


def test_another_owner_is_given_only_what_the_named_nodes_have_stored(copy: Repository) -> None:
    chunks = sorted(row[0] for row in copy._interior.catalog.rows("SELECT DISTINCT id FROM blobs WHERE type = 0"))
    trees = sorted(row[0] for row in copy._interior.catalog.rows("SELECT DISTINCT id FROM blobs WHERE type = 1"))
    assert chunks
    assert trees
    given = copy.copy_for([SENDER])
    assert sorted(blob for blob, _ in given.give([*chunks, bytes(32)], False)) == chunks
    assert list(given.give(chunks, True)) == []
    assert sorted(blob for blob, _ in given.give(trees, True)) == trees
    stranger = copy.copy_for([NodeId("9" * 32)])
    assert list(stranger.give(chunks, False)) == []
    assert list(copy.copy_for([]).give(chunks, False)) == []
    assert {key for key, _ in copy.copy.blobs({BlobKey(BlobType.DATA, chunk): () for chunk in chunks})} == {
        BlobKey(BlobType.DATA, chunk) for chunk in chunks
    }

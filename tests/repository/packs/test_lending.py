"""Chunks that two commits bring at the same moment: stored once, and lost by neither, whatever becomes of the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from holdfast.backend.backend import FileType
from holdfast.core.errors import HoldfastError, NoSpace, RepositoryLocked
from holdfast.core.ids import DatasetId, Epoch, NodeId, PointId
from holdfast.delivery.ports import Action
from holdfast.model.change import Begin, Commit, Mark, Put
from holdfast.model.entry import ChunkRef, Entry, Kind
from holdfast.repository.repository import Repository
from holdfast.testing.faulty_backend import FaultyBackend
from holdfast.testing.feeding import PlainChunk, chunk_id, segment_of
from holdfast.testing.repository_scene import START, RepositoryScene

EPOCH = Epoch("e" * 32)
COMMON = bytes(range(32, 127)) * 270


class Delivery:
    """One source's commit, step by step. Each is another node with a dataset of its own."""

    def __init__(self, scene: RepositoryScene, repository: Repository, number: int) -> None:
        self.dataset = DatasetId(f"{number}" * 32)
        self.number = number
        self.seq = 0
        self.action: Action = scene.action(repository, sender=NodeId(f"{number + 4}" * 32), dataset=self.dataset)
        self.action.cursor()
        self.begin()

    def begin(self) -> None:
        self.seq += 1
        begin = Begin(dataset=self.dataset, label="l", epoch=EPOCH, seq=self.seq, base=None, roots=(b"/a",), hostname="h")
        self.action.begin(begin)

    def bring(self, data: bytes, name: bytes = b"", segment: int = 0) -> bool:
        """True when the receiver wanted it."""
        chunk = chunk_id(data)
        refs = (ChunkRef(chunk, len(data)),)
        path = b"/a" + name
        file = Entry(path=path, kind=Kind.FILE, mode=0o644 + self.number, size_bytes=len(data), chunks=refs)
        told = segment_of(segment, changes=(Put(file),))
        wanted = self.action.wanted(told)
        self.action.apply(told, {chunk: PlainChunk(chunk, data)} if wanted else {}, frozenset())
        return bool(wanted)

    def commit(self) -> None:
        mark = Mark(operation="backup", kind="backup", point=PointId(f"{self.number}{self.seq}" * 16))
        at = START + timedelta(hours=self.seq)
        self.action.commit(Commit(dataset=self.dataset, epoch=EPOCH, seq=self.seq, captured_at=at, marks=(mark,)))


@pytest.fixture
def place(scene: RepositoryScene) -> Iterator[tuple[RepositoryScene, Repository, FaultyBackend]]:
    repository, backend = scene.open_faulty()
    with closing(repository):
        yield scene, repository, backend


def copies(scene: RepositoryScene, data: bytes = COMMON) -> int:
    lines = scene.restic.run("list", "blobs", "--no-lock").splitlines()
    return Counter(lines)[f"data {chunk_id(data).hex()}"]


def assert_all_there(scene: RepositoryScene, points: int) -> None:
    scene.restic.check()
    assert len(scene.restic.json("snapshots", "--no-lock")) == points
    for snapshot in scene.restic.json("snapshots", "--no-lock"):
        assert scene.restic.run("dump", "--no-lock", snapshot["id"], "/a") == COMMON.decode()


def test_the_second_borrows_and_the_first_ends_first(place: tuple[RepositoryScene, Repository, FaultyBackend]) -> None:
    scene, repository, _ = place
    one, two = Delivery(scene, repository, 1), Delivery(scene, repository, 2)
    assert one.bring(COMMON)
    assert two.bring(COMMON), "it is asked for all the same: a sender must prove that it has it"
    one.commit()
    two.commit()
    two.begin()
    assert not two.bring(COMMON), "from now on it counts as sent by this one, too"
    two.commit()
    for each in (one, two):
        each.action.close()
    assert copies(scene) == 1
    assert_all_there(scene, 3)


def test_the_second_ends_first_and_has_it_handed_over(place: tuple[RepositoryScene, Repository, FaultyBackend]) -> None:
    scene, repository, _ = place
    one, two = Delivery(scene, repository, 1), Delivery(scene, repository, 2)
    one.bring(COMMON)
    two.bring(COMMON)
    two.commit()
    two.action.close()
    scene.restic.check()
    one.commit()
    one.action.close()
    assert copies(scene) == 1
    assert_all_there(scene, 2)


def test_what_is_lent_stays_when_the_lender_is_broken_off(place: tuple[RepositoryScene, Repository, FaultyBackend]) -> None:
    scene, repository, _ = place
    one, two = Delivery(scene, repository, 1), Delivery(scene, repository, 2)
    one.bring(COMMON)
    two.bring(COMMON)
    one.action.close()
    two.commit()
    two.action.close()
    assert copies(scene) == 1
    assert_all_there(scene, 1)


def test_what_was_stored_between_question_and_answer_is_not_stored_again(
    place: tuple[RepositoryScene, Repository, FaultyBackend],
) -> None:
    scene, repository, _ = place
    two = Delivery(scene, repository, 2)
    chunk = chunk_id(COMMON)
    file = Entry(path=b"/a", kind=Kind.FILE, mode=0o644, size_bytes=len(COMMON), chunks=(ChunkRef(chunk, len(COMMON)),))
    told = segment_of(0, changes=(Put(file),))
    assert two.action.wanted(told) == {chunk}
    one = Delivery(scene, repository, 1)
    one.bring(COMMON)
    one.commit()
    one.action.close()
    two.action.apply(told, {chunk: PlainChunk(chunk, COMMON)}, frozenset())
    two.commit()
    two.action.close()
    assert copies(scene) == 1
    assert_all_there(scene, 2)


@pytest.mark.parametrize("verb", ["save_later", "settle", "save"])
def test_a_handing_over_that_fails_ends_both_and_both_come_back(
    place: tuple[RepositoryScene, Repository, FaultyBackend], verb: str
) -> None:
    """`save` of the index, too: nobody may seal what rests on blobs of which nobody knows whether they are there."""
    scene, repository, backend = place
    one, two = Delivery(scene, repository, 1), Delivery(scene, repository, 2)
    one.bring(COMMON)
    two.bring(COMMON)
    armed = iter([NoSpace("the disk is full")])
    fits = FileType.INDEX if verb == "save" else FileType.DATA
    seen = [0]

    def plan(_step: int, what: str, kind: FileType) -> BaseException | None:
        # The first of these steps is the borrower's own trees, the second the lender's.
        if what == verb and kind is fits:
            seen[0] += 1
            return next(armed, None) if seen[0] == 2 else None
        return None

    backend.plan = plan
    with pytest.raises(RepositoryLocked) as caught:
        two.commit()
    assert caught.value.retryable
    assert backend.fired == 1
    with pytest.raises(HoldfastError, match="full"):
        one.commit()
    for each in (one, two):
        each.action.close()
    scene.restic.check()
    assert repository.points() == ()
    for number in (1, 2):
        again = Delivery(scene, repository, number)
        again.bring(COMMON)
        again.commit()
        again.action.close()
    assert_all_there(scene, 2)


def test_a_file_may_name_what_was_borrowed_in_an_earlier_segment(place: tuple[RepositoryScene, Repository, FaultyBackend]) -> None:
    scene, repository, _ = place
    one, two = Delivery(scene, repository, 1), Delivery(scene, repository, 2)
    one.bring(COMMON)
    two.bring(COMMON)
    again = Entry(path=b"/b", kind=Kind.FILE, mode=0o600, size_bytes=len(COMMON), chunks=(ChunkRef(chunk_id(COMMON), len(COMMON)),))
    told = segment_of(1, changes=(Put(again),))
    assert two.action.wanted(told) == frozenset()
    two.action.apply(told, {}, frozenset())
    two.commit()
    one.commit()
    for each in (one, two):
        each.action.close()
    assert copies(scene) == 1
    assert_all_there(scene, 2)

"""Whom a node asks for what it has lost, and whom it gives single blobs: what the rules say, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from holdfast.core.entropy import SystemEntropy
from holdfast.core.errors import NotGranted, NotReachable, UnknownName
from holdfast.core.ids import ActionId, DatasetId, NodeId, PointId, RepositoryId
from holdfast.model.rules import CopyGrant, MirrorAction, OtherCopy, Receive, RepositoryRule, Rules
from holdfast.node.owned.repositories import Repositories
from holdfast.node.store.copies import FarCopy, copies_for, give_copy
from holdfast.repository.care.healing import Wanted, WantedAt
from holdfast.repository.diagnosis import blob_key
from holdfast.testing.node_rules import DOCUMENTS, DR, MAIL, MAIN, MIRROR, VAULT, source_rules
from holdfast.testing.virtual_clock import VirtualClock
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import OpenCopy

OFFSITE = RepositoryId("9" * 32)
CHUNK, TREE = blob_key(b"\x01" * 32, is_tree=False), blob_key(b"\x02" * 32, is_tree=True)


@pytest.fixture
def repositories(tmp_path: Path) -> Iterator[Repositories]:
    with closing(Repositories(tmp_path / "home", clock=VirtualClock(datetime(2026, 1, 1, tzinfo=UTC)), entropy=SystemEntropy())) as made:
        made.configure((RepositoryRule(id=MAIN, name="main", location=str(tmp_path / "store")),))
        yield made


def rules(*grants: CopyGrant, copies: tuple[OtherCopy, ...] = ()) -> Rules:
    mirror = MirrorAction(id=MIRROR, targets=(("/srv/data", "/srv/mirror"),))
    receive = Receive(dataset=DOCUMENTS, label="files1/documents", sender=DR, actions=(mirror,))
    return msgspec.structs.replace(source_rules(), node=VAULT, receives=(receive,), copy_grants=grants, other_copies=copies)


def copy(dataset: DatasetId, repository: RepositoryId = OFFSITE, mirror: ActionId | None = None) -> OtherCopy:
    there = RepositoryId("") if mirror else repository
    return OtherCopy(repository=MAIN, dataset=dataset, owner=DR, title="there", their_repository=there, their_mirror=mirror or ActionId(""))


GRANTS = (CopyGrant(reader=DR, dataset=DOCUMENTS, repository=MAIN), CopyGrant(reader=DR, dataset=DOCUMENTS, mirror=MIRROR))


def test_what_the_grants_name_is_given(repositories: Repositories) -> None:
    give = give_copy(DR, OpenCopy(dataset=DOCUMENTS, repository=MAIN), rules(*GRANTS), repositories)
    assert list(give([CHUNK.id], False)) == []
    assert list(give_copy(DR, OpenCopy(dataset=DOCUMENTS, mirror=MIRROR), rules(*GRANTS), repositories)([CHUNK.id], False)) == []


@pytest.mark.parametrize(
    ("peer", "opening"),
    [
        (NodeId("7" * 32), OpenCopy(dataset=DOCUMENTS, repository=MAIN)),
        (DR, OpenCopy(dataset=MAIL, repository=MAIN)),
        (DR, OpenCopy(dataset=DOCUMENTS, repository=OFFSITE)),
        (DR, OpenCopy(dataset=DOCUMENTS, mirror=ActionId("7" * 32))),
        (DR, OpenCopy(dataset=DOCUMENTS)),
        (DR, OpenCopy(dataset=DOCUMENTS, repository=MAIN, mirror=MIRROR)),
    ],
)
def test_anybody_and_anything_else_is_refused(repositories: Repositories, peer: NodeId, opening: OpenCopy) -> None:
    with pytest.raises(NotGranted):
        give_copy(peer, opening, rules(*GRANTS), repositories)


def test_a_grant_for_what_has_left_the_rules_gives_nothing(repositories: Repositories) -> None:
    gone = msgspec.structs.replace(rules(*GRANTS), receives=())
    with pytest.raises(NotGranted, match="no such mirror"):
        give_copy(DR, OpenCopy(dataset=DOCUMENTS, mirror=MIRROR), gone, repositories)
    repositories.configure(())
    with pytest.raises(UnknownName):
        give_copy(DR, OpenCopy(dataset=DOCUMENTS, repository=MAIN), gone, repositories)


class Line:
    """Notes who is dialled; nobody answers."""

    def __init__(self) -> None:
        self.dialled: list[NodeId] = []

    def __call__(self, owner: NodeId) -> Channel:
        self.dialled.append(owner)
        raise NotReachable("nobody answers")


def needed_by(*datasets: DatasetId) -> list[WantedAt]:
    return [WantedAt(dataset, PointId(""), b"") for dataset in datasets]


def test_each_place_is_one_copy_and_repositories_come_before_mirrors(repositories: Repositories) -> None:
    there = (copy(DOCUMENTS, mirror=MIRROR), copy(DOCUMENTS), copy(MAIL))
    other = msgspec.structs.replace(copy(MAIL), repository=OFFSITE)
    found = copies_for(MAIN, repositories, rules(copies=(*there, other)), Line())
    assert [each.copies for each in found if isinstance(each, FarCopy)] == [
        (copy(DOCUMENTS), copy(MAIL)),
        (copy(DOCUMENTS, mirror=MIRROR),),
    ]


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({CHUNK: needed_by(DOCUMENTS)}, 1),
        ({CHUNK: needed_by(DOCUMENTS, MAIL)}, 2),
        ({CHUNK: needed_by(DOCUMENTS), TREE: []}, 2),
        ({CHUNK: needed_by(DatasetId("0" * 32))}, 0),
    ],
)
def test_only_the_datasets_that_need_something_are_asked_about(wanted: Wanted, count: int) -> None:
    line = Line()
    far = FarCopy((copy(DOCUMENTS), copy(MAIL)), line)
    if count:
        with pytest.raises(NotReachable):
            list(far.blobs(wanted))
    else:
        assert list(far.blobs(wanted)) == []
    assert len(line.dialled) == count


def test_a_mirror_is_not_dialled_for_listings_alone() -> None:
    line = Line()
    assert list(FarCopy((copy(DOCUMENTS, mirror=MIRROR),), line).blobs({TREE: needed_by(DOCUMENTS)})) == []
    assert line.dialled == []

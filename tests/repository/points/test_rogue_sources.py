"""A source with a grant for its own dataset tries to learn of, hide, or pass for what others have stored."""

from __future__ import annotations

import hashlib
import os
from contextlib import closing, nullcontext
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest

from holdfast.core.errors import HoldfastError, ProtocolError
from holdfast.core.ids import DatasetId, Epoch, NodeId, PointId
from holdfast.delivery.ports import Action
from holdfast.model.change import Begin, Commit, Mark, Segment
from holdfast.model.entry import ChunkRef
from holdfast.model.point_changes import Lock
from holdfast.repository.points.point_changes import Chosen
from holdfast.repository.repository import Repository
from holdfast.testing.repository_scene import DATASET, RepositoryScene
from holdfast.testing.tree_source import TreeSource

ROGUE, OWN = NodeId("f" * 32), DatasetId("e" * 32)


@pytest.fixture
def stored(scene: RepositoryScene, tree: Path) -> tuple[Repository, TreeSource]:
    """A repository in which an honest source has stored its tree."""
    repository, state = scene.open(), TreeSource(tree)
    scene.store(repository, scene.feeder(state), None, state.all)
    return repository, state


def rogue_action(scene: RepositoryScene, repository: Repository) -> Action:
    action = scene.action(repository, sender=ROGUE, dataset=OWN)
    action.cursor()
    return action


def opened(action: Action, **changes: object) -> Begin:
    begin = Begin(dataset=OWN, label="x", epoch="e" * 32, seq=1, base=None, roots=(b"/x",), hostname="h")  # type: ignore[arg-type]
    begin = msgspec.structs.replace(begin, **changes)
    action.begin(begin)
    return begin


def test_an_offer_tells_nothing_of_what_others_have_stored(scene: RepositoryScene, stored: tuple[Repository, TreeSource]) -> None:
    """Neither with the right length nor with a wrong one: a chunk of somebody else is answered like one nobody has."""
    repository, state = stored
    known, plain = next(iter(state.chunks.items()))
    unknown = hashlib.sha256(b"nobody has this").digest()
    for size in (len(plain), len(plain) + 1, 1):
        answers = []
        for chunk in (known, unknown):
            action = rogue_action(scene, repository)
            opened(action)
            answers.append(action.wanted(Segment(number=0, offered=(ChunkRef(chunk, size),))) == {chunk})
            action.close()
        assert answers == [True, True], size
    repository.close()


def deliver_own(scene: RepositoryScene, repository: Repository, tree: Path, **changes: object) -> Commit:
    """One honest commit of the rogue's own dataset, its closing message changed."""
    state = TreeSource(tree)
    feeder = scene.feeder(state, OWN)
    commit = msgspec.structs.replace(msgspec.structs.replace(feeder.commit(), seq=1), **changes)
    feeder.commit = lambda: commit  # type: ignore[method-assign]
    action = rogue_action(scene, repository)
    try:
        feeder.send(action, None, state.all)
    finally:
        action.close()
    return commit


def test_a_point_of_another_dataset_is_neither_replaced_nor_doubled(
    scene: RepositoryScene, stored: tuple[Repository, TreeSource], tree: Path
) -> None:
    repository, _ = stored
    (victim,) = repository.points()
    (tree / "top").write_bytes(b"forged")
    with pytest.raises(HoldfastError, match="point"):
        deliver_own(scene, repository, tree, marks=(Mark(operation="backup", kind="backup", point=victim.id),))
    assert repository.point(victim.id) == victim
    again = scene.open()
    assert again.point(victim.id) == victim
    again.close()
    repository.close()


@pytest.mark.parametrize("point", ["", "short", "../x", "A" * 32])
def test_a_point_without_a_proper_id_is_refused(
    scene: RepositoryScene, stored: tuple[Repository, TreeSource], tree: Path, point: str
) -> None:
    repository, _ = stored
    with pytest.raises(ProtocolError, match="point"):
        deliver_own(scene, repository, tree, marks=(Mark(operation="backup", kind="backup", point=PointId(point)),))
    assert {found.dataset_id for found in repository.points()} == {DATASET}
    repository.close()


def test_a_dataset_bears_the_name_of_the_grant(scene: RepositoryScene, stored: tuple[Repository, TreeSource], tree: Path) -> None:
    """What the sender calls it would let a rogue put its points among those of somebody else."""
    repository, _ = stored
    deliver_own(scene, repository, tree, marks=(Mark(operation="backup", kind="backup", point=PointId("9" * 32)),))
    assert repository.point("9" * 32).dataset == "files1/documents"  # the label of the grant in this scene, not the feeder's "test"
    repository.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"captured_at": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))},
        {"captured_at": datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-14)))},
        {"captured_at": datetime(1, 1, 1, tzinfo=UTC)},
        {"captured_at": datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)},
        {"zone": "../../../etc/passwd"},
        {"zone": "No/Such,Place hf:lock=2999-01-01T00:00:00Z"},
        {"files": 2**63 - 1, "size_bytes": 2**63 - 1, "warnings": 2**63 - 1},
    ],
)
def test_impossible_facts_harm_nobody_else(
    scene: RepositoryScene, stored: tuple[Repository, TreeSource], tree: Path, changes: dict[str, object]
) -> None:
    repository, _ = stored
    (victim,) = repository.points()
    with nullcontext() if "zone" in changes else pytest.raises(ProtocolError):
        deliver_own(scene, repository, tree, marks=(Mark(operation="backup", kind="backup", point=PointId("9" * 32)),), **changes)
    repository.close()
    again = scene.open()
    assert victim in again.points()
    assert all(point.locked_until is None for point in again.points())
    again.close()
    scene.restic.check()


def test_a_point_of_its_own_dataset_is_neither_replaced_nor_doubled(scene: RepositoryScene, tree: Path) -> None:
    """Whoever rules the Master can give a machine of his own the grant for a dataset with locked points. A new state under the id of such
    a point must not pass for it: the next thing that touches the point would clear the real one away."""
    repository, state = scene.open(), TreeSource(tree)
    feeder = scene.feeder(state)
    scene.store(repository, feeder, None, state.all)
    (victim,) = repository.points()
    repository.change_points(Chosen(points=(victim.id,)), Lock(for_s=86_400 * 30))
    (victim,) = repository.points()

    (tree / "top").write_bytes(b"forged")
    forged = TreeSource(tree)
    feeder.chunks.update(forged.chunks)
    commit = feeder.commit
    for seq, epoch in ((2, feeder.epoch), (1, Epoch("9" * 32))):
        feeder.seq, feeder.epoch = seq - 1, epoch
        feeder.commit = lambda: msgspec.structs.replace(commit(), marks=(Mark(operation="backup", kind="backup", point=victim.id),))  # type: ignore[method-assign]
        with pytest.raises(HoldfastError, match="is here already"):
            scene.store(repository, feeder, None, forged.all)
        assert repository.points() == (victim,)
    both = (
        Mark(operation="backup", kind="backup", point=PointId("8" * 32)),
        Mark(operation="archive", kind="archive", point=PointId("8" * 32)),
    )
    feeder.commit = lambda: msgspec.structs.replace(commit(), marks=both)  # type: ignore[method-assign]
    feeder.seq = 1
    with pytest.raises(ProtocolError, match="two points of one id"):
        scene.store(repository, feeder, None, forged.all)

    # A commit that says it is the one of long ago is taken, and leaves the point of that one as it is.
    first_epoch = scene.feeder(state).epoch
    feeder.commit = commit  # type: ignore[method-assign]
    feeder.seq, feeder.epoch = 0, Epoch("9" * 32)
    feeder.operations = ()
    scene.store(repository, feeder, None, forged.all)
    feeder.seq, feeder.epoch, feeder.operations = 0, first_epoch, ("backup",)
    scene.store(repository, feeder, None, forged.all)
    assert repository.points() == (victim,)
    repository.close()
    (scene.home / "catalog.db").unlink()
    again = scene.open()
    assert again.points() == (victim,)
    with closing(again.reader(victim)) as reader:
        assert {entry.path: entry.chunks for entry in reader.entries()}[os.fsencode(tree / "top")] == state.all[
            os.fsencode(tree / "top")
        ].chunks
    again.close()
    scene.restic.check()

"""A catalog made anew while the repository is open: what comes after it goes to the right places, also from sessions that began before."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from holdfast.core.ids import DatasetId, NodeId
from holdfast.model.change import Cursor
from holdfast.model.document import KeepRules
from holdfast.model.listing_questions import AskFind
from holdfast.model.point_changes import Forget
from holdfast.repository.points.point_changes import Chosen
from holdfast.testing.repository_scene import DATASET, RepositoryScene
from holdfast.testing.tree_source import TreeSource

OTHER, THEIR_NODE = DatasetId("0" * 32), NodeId("0" * 32)


def test_what_comes_afterwards_is_found(scene: RepositoryScene, tree: Path) -> None:
    """The tables remember numbers of folders and owners, which are others then."""
    state = {path: replace(entry, user="u", uid=7) for path, entry in TreeSource(tree).all.items()}
    repository = scene.open()
    feeder = scene.feeder(TreeSource(tree))
    scene.store(repository, feeder, None, state)
    repository.change_points(Chosen(dataset=DATASET), Forget(newest=True))
    other = scene.feeder(TreeSource(tree), dataset=OTHER)
    action = scene.action(repository, dataset=OTHER)
    other.send(action, None, {path: replace(entry, user="v", uid=8) for path, entry in state.items()})
    action.close()
    repository.care.rebuild()
    scene.store(repository, feeder, None, state)
    rows = repository.find(AskFind(pattern="*", dataset=DATASET)).rows
    assert {row.path for row in rows} == {path.decode() for path in state}
    assert {(row.user, row.uid) for row in rows} == {("u", 7)}
    repository.close()


def test_a_session_goes_on_with_its_own_dataset(scene: RepositoryScene, tree: Path) -> None:
    """It has asked how far the repository is, and begins its commit when the catalog is another."""
    source = TreeSource(tree)
    repository = scene.open()
    feeder, other = scene.feeder(source), scene.feeder(source, dataset=OTHER)
    for each, sender in ((feeder, NodeId("a" * 32)), (other, THEIR_NODE)):
        for _ in range(3):
            action = scene.action(repository, dataset=each.dataset, sender=sender)
            each.send(action, None, source.all)
            action.close()
    action = scene.action(repository, keep=KeepRules(last=1))
    assert action.cursor() == Cursor(feeder.epoch, 3)
    repository.change_points(Chosen(points=(feeder.point_id("backup"),)), Forget(newest=True))
    feeder.seq = 2
    repository.care.rebuild()
    assert action.cursor() == Cursor(feeder.epoch, 2)
    feeder.send(action, None, source.all)
    action.close()
    assert [point.seq for point in repository.points(DATASET)] == [3]
    assert [point.seq for point in repository.points(OTHER)] == [1, 2, 3]
    repository.close()
    (scene.home / "catalog.db").unlink()
    repository = scene.open()
    assert [point.seq for point in repository.points(OTHER)] == [1, 2, 3]
    repository.close()

"""Stock restic prunes beside us: what a source holds here it is still told that it need not send."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.model.point_changes import Forget
from holdfast.repository.points.point_changes import Chosen
from holdfast.testing.repository_scene import RepositoryScene
from holdfast.testing.stock_restic import StockRestic
from holdfast.testing.tree_source import TreeSource

pytestmark = pytest.mark.skipif(not StockRestic.is_here(), reason="needs restic")


def test_nothing_is_sent_again_after_a_stock_prune(scene: RepositoryScene, tree: Path) -> None:
    first = TreeSource(tree)
    feeder = scene.feeder(first)
    repository = scene.open()
    scene.store(repository, feeder, None, first.all)
    for name in ("large", "top", "one/file0"):
        (tree / name).write_bytes(f"changed {name} ".encode() * 900)
    second = TreeSource(tree)
    feeder.chunks.update(second.chunks)
    scene.store(repository, feeder, first.all, second.all)
    old = repository.points()[0]
    repository.change_points(Chosen(points=(old.id,)), Forget())
    repository.close()

    packs = {path.name for path in scene.place.glob("data/*/*")}
    indexes = {path.name for path in scene.place.glob("index/*")}
    scene.restic.run("prune", "--max-unused", "0")
    assert packs - {path.name for path in scene.place.glob("data/*/*")}, "packs were copied"
    assert not indexes & {path.name for path in scene.place.glob("index/*")}, "all index files were written anew"

    repository = scene.open()
    feeder.given = 0
    scene.store(repository, feeder, None, second.all)
    assert feeder.given == 0
    repository.close()
    scene.restic.check()

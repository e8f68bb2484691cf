"""Binding snapshots of stock restic to a dataset: whole, or taken up where it was broken off."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.core.errors import StoreError
from holdfast.repository.adopting import Binding
from holdfast.testing.faulty_backend import no_fault
from holdfast.testing.repository_scene import DATASET, SENDER, RepositoryScene


def _binding(tree: Path) -> Binding:
    return Binding(f"other:{tree}", DATASET, "files1/documents", SENDER)


@pytest.mark.parametrize("at", [1, 2, 3, 4])
@pytest.mark.parametrize("stays_open", [True, False])
def test_a_binding_that_was_broken_off_leaves_no_snapshot_twice(scene: RepositoryScene, tree: Path, at: int, stays_open: bool) -> None:
    for day in (1, 2):
        scene.restic.run("backup", str(tree), "--host", "other", "--time", f"2026-01-0{day} 00:00:00")
    broken, backend = scene.open_faulty(lambda step, *_: StoreError("killed") if step >= at else None)
    with pytest.raises(StoreError):
        broken.bind(_binding(tree))
    if stays_open:
        backend.plan = no_fault
        assert broken.bind(_binding(tree)) == 2 - at // 2
        assert len(broken.points()) == 2
        broken.close()
        return
    broken.close()
    repository = scene.open()
    points = repository.points()
    assert len(points) == len(scene.restic.json("snapshots", "--no-lock")) == 2
    assert sum(point.dataset == "files1/documents" for point in points) == at // 2
    assert repository.bind(_binding(tree)) == 2 - at // 2
    assert {point.dataset_id for point in repository.points()} == {DATASET}
    repository.close()
    scene.restic.check()


def test_snapshots_that_somebody_else_doubled_are_left_alone(scene: RepositoryScene, tree: Path) -> None:
    """Alike, but made twice: nobody asked for one of them to go."""
    for _ in range(2):
        scene.restic.run("backup", str(tree), "--host", "other", "--time", "2026-01-01 00:00:00")
    repository = scene.open()
    assert repository.bind(_binding(tree)) == 2
    repository.close()
    repository = scene.open()
    assert len(repository.points()) == 2
    repository.close()

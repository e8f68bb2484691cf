"""Points that another program removed: noticed, told apart from what we let go ourselves, and an alarm where one was locked."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from holdfast.backend.backend import FileType
from holdfast.core.clock import now
from holdfast.core.errors import StoreError
from holdfast.model.document import KeepRules
from holdfast.model.point_changes import Forget, Lock, Tag
from holdfast.repository.points.point_changes import Chosen
from holdfast.repository.repository import Repository
from holdfast.testing.faulty_backend import no_fault
from holdfast.testing.repository_scene import RepositoryScene
from holdfast.testing.tree_source import TreeSource


def three_points(scene: RepositoryScene, repository: Repository, tree: Path) -> list[str]:
    source = TreeSource(tree)
    feeder = scene.feeder(source)
    for _ in range(3):
        scene.store(repository, feeder, None, source.all)
    return [point.id for point in repository.points()]


def taken(repository: Repository) -> list[tuple[str, bool]]:
    repository.points()
    return [(gone.point.id, gone.unseen) for gone in repository.vanished.take()]


def snapshot(repository: Repository, point: str) -> str:
    return repository.point(point).snapshot


def test_what_stock_forget_removed_is_told_once(scene: RepositoryScene, tree: Path) -> None:
    with closing(scene.open()) as repository:
        ids = three_points(scene, repository, tree)
        scene.restic.run("forget", snapshot(repository, ids[0]))
        assert taken(repository) == [(ids[0], False)]
        assert taken(repository) == []
        assert not repository.vanished.has_alarms
    scene.restic.run("forget", snapshot_of(scene, ids[1]))
    with closing(scene.open()) as repository:
        assert taken(repository) == [(ids[1], True)], "nobody was at work: it may have been a life of ours that was cut off"


def snapshot_of(scene: RepositoryScene, point: str) -> str:
    (found,) = [row["id"] for row in scene.restic.json("snapshots", "--no-lock") if f"hf:point={point}" in row["tags"]]
    return str(found)


def test_what_we_do_ourselves_is_nobody_elses_doing(scene: RepositoryScene, tree: Path) -> None:
    with closing(scene.open()) as repository:
        ids = three_points(scene, repository, tree)
        repository.change_points(Chosen(points=(ids[0],)), Tag(add=("mine",)))
        repository.change_points(Chosen(points=(ids[0],)), Forget())
        source = TreeSource(tree)
        feeder = scene.feeder(source)
        feeder.seq = 3
        with closing(scene.action(repository, keep=KeepRules(last=1))) as action:
            feeder.send(action, None, source.all)
        assert len(repository.points()) == 1
        assert taken(repository) == []


def test_a_change_of_tags_by_stock_restic_is_none(scene: RepositoryScene, tree: Path) -> None:
    with closing(scene.open()) as repository:
        ids = three_points(scene, repository, tree)
        before = snapshot(repository, ids[2])
        scene.restic.run("tag", "--add", "theirs", before)
        assert taken(repository) == []
        assert snapshot(repository, ids[2]) != before


def test_a_forgetting_that_fails_half_way_is_ours(scene: RepositoryScene, tree: Path) -> None:
    repository, backend = scene.open_faulty()
    with closing(repository):
        ids = three_points(scene, repository, tree)
        removed = [0]

        def plan(_step: int, verb: str, kind: FileType) -> BaseException | None:
            removed[0] += verb == "remove" and kind is FileType.SNAPSHOT
            return StoreError("the disk is gone") if removed[0] == 2 else None

        backend.plan = plan
        with pytest.raises(StoreError):
            repository.change_points(Chosen(points=tuple(ids[:2])), Forget())
        assert backend.fired
        backend.plan = no_fault
        assert [point.id for point in repository.points()] == ids[1:], "one is gone, and the catalog knows it again"
        assert taken(repository) == []


def test_a_locked_one_is_an_alarm_until_it_is_back_or_its_lock_would_have_ended(scene: RepositoryScene, tree: Path) -> None:
    with closing(scene.open()) as repository:
        ids = three_points(scene, repository, tree)
        repository.change_points(Chosen(points=(ids[0],)), Lock(for_s=86_400))
        (path,) = [scene.place / "snapshots" / snapshot(repository, ids[0])]
        content = path.read_bytes()
        path.unlink()
        assert taken(repository) == [(ids[0], False)]
        (alarm,) = repository.vanished.alarms(now(scene.clock))
        assert (alarm.point, alarm.dataset) == (ids[0], "files1/documents")
    with closing(scene.open()) as repository:
        assert [each.point for each in repository.vanished.alarms(repository.time.now())] == [ids[0]], "a restart does not end it"
        path.write_bytes(content)
        repository.points()
        assert not repository.vanished.has_alarms
        path.unlink()
        assert taken(repository) == [(ids[0], False)]
        scene.clock.advance(86_401)
        assert repository.vanished.alarms(repository.time.now()) == ()


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b"[" * 100_000])
def test_a_record_that_cannot_be_read_has_no_alarms(scene: RepositoryScene, content: bytes) -> None:
    scene.home.mkdir(exist_ok=True)
    (scene.home / "vanished.json").write_bytes(content)
    with closing(scene.open()) as repository:
        assert not repository.vanished.has_alarms

"""Tag, lock, expire, forget: what stays, what goes, and what a broken-off change leaves."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast.backend.backend import FileType
from holdfast.core.errors import Refused, StoreError, UnknownName, UsageError
from holdfast.model.document import KeepRules
from holdfast.model.point_changes import Expire, Forget, Lock, Tag, check_change
from holdfast.model.points import Point
from holdfast.repository._format.snapshot import Snapshot
from holdfast.repository.facts import facts_of
from holdfast.repository.points.point_changes import Chosen
from holdfast.repository.pruning.prune import PruneOrder
from holdfast.repository.repository import Repository
from holdfast.testing.repository_scene import START, MarkingFeeder, RepositoryScene
from holdfast.testing.tree_source import TreeSource


class Made:
    """Three points of one dataset."""

    def __init__(self, scene: RepositoryScene, tree: Path) -> None:
        self.scene, self.tree = scene, tree
        self.feeder: MarkingFeeder = scene.feeder(TreeSource(tree))
        self.repository = scene.open()
        for _ in range(3):
            self.commit()

    def commit(self, keep: KeepRules | None = None, *, marks: bool = True) -> None:
        (self.tree / "top").write_bytes(b"state %d" % self.feeder.seq)
        state = TreeSource(self.tree)
        self.feeder.chunks.update(state.chunks)
        self.feeder.operations = ("backup",) if marks else ()
        action = self.scene.action(self.repository, keep=keep)
        try:
            answer = self.feeder.send(action, None, state.all)
        finally:
            action.close()
        assert answer.error is None

    @property
    def points(self) -> tuple[Point, ...]:
        return self.repository.points()

    def reopen(self) -> Repository:
        self.repository.close()
        self.repository = self.scene.open()
        return self.repository


@pytest.fixture
def made(scene: RepositoryScene, tree: Path) -> Made:
    return Made(scene, tree)


def test_tags_come_and_go_and_stock_restic_sees_them(made: Made) -> None:
    first = made.points[0]
    (changed,) = made.repository.change_points(Chosen(points=(first.id[:8],)), Tag(add=("before the move", "x")))
    assert changed.outcome == "changed"
    assert made.points[0].tags == ("before the move", "x")
    made.repository.change_points(Chosen(points=(first.id,)), Tag(remove=("x",)))
    assert made.repository.change_points(Chosen(points=(first.id,)), Tag(remove=("x",)))[0].outcome == "unchanged"
    after = made.points[0]
    assert replace(after, tags=(), snapshot="") == replace(first, tags=(), snapshot="")
    rows = made.scene.restic.json("snapshots", "--no-lock")
    assert len(rows) == 3
    (row,) = [row for row in rows if row["id"] == after.snapshot]
    assert "before the move" in row["tags"]
    # What it inherited is another thing, and stays.
    assert (after.inherited, "hf:tags=linux/prod" in row["tags"]) == (("linux", "prod"), True)
    assert (after.bears("before the move"), after.bears("prod"), after.bears("x")) == (True, True, False)
    assert row["original"] == first.snapshot
    made.repository.close()
    (made.scene.home / "catalog.db").unlink()
    made.repository = made.scene.open()
    assert made.points[0] == after
    made.scene.restic.check()


def test_a_lock_is_only_ever_lengthened_and_holds_against_everything(made: Made) -> None:
    first, second, _ = made.points
    until = START + timedelta(days=30)
    made.repository.change_points(Chosen(points=(first.id,)), Lock(until=until))
    made.repository.change_points(Chosen(points=(second.id,)), Lock(for_s=86_400))
    assert made.points[0].locked_until == until
    assert made.points[1].locked_until == START + timedelta(days=1)
    earlier = made.repository.change_points(Chosen(points=(first.id,)), Lock(until=until - timedelta(days=1)))
    assert (earlier[0].outcome, made.points[0].locked_until) == ("unchanged", until)
    with pytest.raises(Refused, match="locked until 2026-01-02"):
        made.repository.change_points(Chosen(points=(second.id, first.id)), Forget())
    with pytest.raises(Refused, match="locked"):
        made.repository.change_points(Chosen(points=(first.id,)), Expire(at=until - timedelta(days=2)))
    made.commit(KeepRules(last=1))
    assert [point.seq for point in made.points] == [1, 2, 4]
    made.repository.prune(PruneOrder(grace_s=0))
    made.scene.restic.check()
    stayed = made.repository.change_points(Chosen(dataset="files1/documents"), Forget(newest=True))
    assert {change.point.seq: change.outcome for change in stayed} == {1: "stays", 2: "stays", 4: "forgotten"}
    made.scene.clock.advance(86_401)
    made.repository.change_points(Chosen(points=(second.id,)), Forget(newest=True))
    assert [point.seq for point in made.points] == [1]


def test_a_wall_clock_that_was_set_ends_no_lock(made: Made) -> None:
    first = made.points[0]
    made.repository.change_points(Chosen(points=(first.id,)), Lock(for_s=86_400 * 365))
    made.scene.clock.set_wall(START + timedelta(days=4_000))
    with pytest.raises(Refused, match="locked"):
        made.repository.change_points(Chosen(points=(first.id,)), Forget())
    made.scene.clock.advance(3_600)
    made.repository.time.now()
    made.scene.clock.advance(3_600)
    made.commit(KeepRules(last=1))
    assert len(made.points) == 4, "nothing expires while the time is doubted"
    with pytest.raises(Refused, match="nobody confirms"):
        made.repository.prune(PruneOrder(grace_s=0))
    made.repository.time.hear(made.scene.clock.now_ns())
    made.commit(KeepRules(last=1))
    assert [point.seq for point in made.points] == [5]


def test_an_expired_point_goes_with_the_next_run(made: Made) -> None:
    first = made.points[0]
    made.repository.change_points(Chosen(points=(first.id,)), Expire(at=START + timedelta(hours=2)))
    made.commit(KeepRules(last=10))
    assert made.points[0].expires_at == START + timedelta(hours=2)
    assert len(made.points) == 4
    made.scene.clock.advance(7_201)
    made.commit(KeepRules(last=10))
    assert [point.seq for point in made.points] == [2, 3, 4, 5]
    made.repository.change_points(Chosen(points=(made.points[0].id,)), Expire(at=START))
    made.repository.change_points(Chosen(points=(made.points[0].id,)), Expire())
    made.commit()
    assert [point.seq for point in made.points] == [2, 3, 4, 5, 6]


def test_the_newest_point_goes_only_when_it_is_meant(made: Made) -> None:
    newest = made.points[-1]
    with pytest.raises(Refused, match="newest of its dataset"):
        made.repository.change_points(Chosen(points=(newest.id,)), Forget())
    planned = made.repository.change_points(Chosen(points=(newest.id,)), Forget(newest=True), dry_run=True)
    assert planned[0].outcome == "forgotten"
    assert len(made.points) == 3
    made.repository.change_points(Chosen(points=(newest.id,)), Forget(newest=True))
    assert [point.seq for point in made.points] == [1, 2]
    made.commit()
    assert [point.seq for point in made.points] == [1, 2, 4]
    made.repository.close()
    made.scene.restic.check()


def test_a_dataset_is_forgotten_whole_with_its_head(made: Made) -> None:
    made.commit(marks=False)
    assert len(made.scene.restic.json("snapshots", "--no-lock")) == 4
    done = made.repository.change_points(Chosen(dataset="files1/documents"), Forget(newest=True))
    assert [change.outcome for change in done] == ["forgotten"] * 3
    assert made.scene.restic.json("snapshots", "--no-lock") == []
    assert made.repository.change_points(Chosen(dataset="files1/documents"), Forget(newest=True)) == ()


def test_a_dataset_that_has_no_point_is_forgotten_too(made: Made) -> None:
    made.commit(marks=False)
    made.repository.change_points(Chosen(points=tuple(point.id for point in made.points)), Forget(newest=True))
    assert len(made.scene.restic.json("snapshots", "--no-lock")) == 1
    made.repository.change_points(Chosen(dataset="files1/documents"), Forget(newest=True))
    assert made.scene.restic.json("snapshots", "--no-lock") == []


def test_snapshots_of_other_programs_are_left_alone(made: Made) -> None:
    made.scene.restic.run("backup", str(made.tree))
    (foreign,) = [point for point in made.points if point.foreign]
    for change in (Forget(), Lock(for_s=60), Tag(add=("x",)), Expire(at=START)):
        with pytest.raises(Refused, match="another program"):
            made.repository.change_points(Chosen(points=(foreign.id,)), change)
    with pytest.raises(UnknownName):
        made.repository.change_points(Chosen(points=("ffffffff",)), Forget())


@pytest.mark.parametrize("at", [1, 2])
def test_a_change_that_was_broken_off_counts_and_is_cleaned_up(made: Made, at: int) -> None:
    first = made.points[0]
    made.repository.close()
    broken, _ = made.scene.open_faulty(lambda step, *_: StoreError("killed") if step >= at else None)
    with pytest.raises(StoreError):
        broken.change_points(Chosen(points=(first.id,)), Lock(for_s=60))
    broken.close()
    rows = made.scene.restic.json("snapshots", "--no-lock")
    assert len(rows) == (3 if at == 1 else 4)
    made.repository = made.scene.open()
    assert len(made.scene.restic.json("snapshots", "--no-lock")) == 3
    assert (made.points[0].locked_until is not None) == (at == 2)
    assert [point.id for point in made.points] == [first.id, *(point.id for point in made.points[1:])]
    made.scene.restic.check()


@pytest.mark.parametrize(
    "change",
    [Tag(), Tag(add=("a,b",)), Tag(add=("hf:lock=1",)), Tag(add=(" ",)), Tag(add=("x" * 300,)), Lock(), Lock(for_s=-1), Lock(for_s=1e99)],
)
def test_changes_that_make_no_sense(change: Tag | Lock) -> None:
    with pytest.raises(UsageError):
        check_change(change)


def test_files_of_snapshots_are_one_a_point(made: Made) -> None:
    backend_names = {path.name for path in (made.scene.place / FileType.SNAPSHOT.value).iterdir()}
    assert backend_names == {point.snapshot for point in made.points}


def test_an_absurd_proof_is_refused_and_takes_no_lock_with_it(made: Made) -> None:
    """A machine that made a drill says how many files it restored."""
    identity = made.points[0].id
    made.repository.change_points(Chosen(points=(identity,)), Lock(for_s=86_400 * 30))
    locked = made.repository.point(identity)
    for files in (-1, 1 << 62):
        with pytest.raises(UsageError):
            made.repository.care.prove(locked, holds=True, files=files)
    assert made.reopen().point(identity) == locked


@pytest.mark.parametrize("files", ["-1", str(1 << 62), "9" * 5_000, "many"])
def test_an_absurd_number_of_proven_files_voids_no_other_fact(files: str) -> None:
    known = {"v": "1", "point": "5" * 32, "dataset": "d" * 32, "op": "backup", "lock": "2030-01-01T00:00:00Z"}
    told = {"proven": "2026-01-01T00:00:00Z", "proven-files": files}
    tags = tuple(f"hf:{key}={value}" for key, value in {**known, **told}.items())
    facts = facts_of(Snapshot(time="2026-01-01T00:00:00Z", tree="0" * 64, paths=("/a",), tags=tags))
    assert facts is not None
    assert (facts.locked_until is not None, facts.proof is not None and facts.proof.proven_files) == (True, 0)

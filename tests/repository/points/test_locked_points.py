"""Everything that a Master's orders can have done to a repository, against a point that is locked: it stays, whole, and restic reads it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from holdfast.core.errors import Refused, RepositoryPaused, UsageError
from holdfast.model.document import KeepRules
from holdfast.model.point_changes import Expire, Forget, Lock, Tag
from holdfast.model.points import Point
from holdfast.repository.points.point_changes import Chosen
from holdfast.repository.pruning.prune import PruneOrder
from holdfast.repository.pruning.prune_plan import Thresholds
from holdfast.repository.repository import Repository
from holdfast.testing.repository_scene import START, MarkingFeeder, RepositoryScene
from holdfast.testing.tree_source import TreeSource
from tests.repository.damage import read_point

LOCK_S = 365 * 86_400.0
FAR = timedelta(days=3_650)


class Locked:
    """Three points, of which nobody else has what the first one holds, and the first is locked for a year."""

    def __init__(self, scene: RepositoryScene, tree: Path) -> None:
        self.scene, self.tree = scene, tree
        self.feeder: MarkingFeeder = scene.feeder(TreeSource(tree))
        self.repository: Repository = scene.open()
        self.run()
        self.first: Point = self.repository.points()[0]
        self.repository.change_points(Chosen(points=(self.first.id,)), Lock(for_s=LOCK_S))
        self.first = self.repository.points()[0]
        self.content = read_point(self.repository, self.first.id)
        self.run()
        self.run()

    def run(self, keep: KeepRules | None = None) -> None:
        """One backup of a tree that has nothing of the one before it."""
        for path in self.tree.rglob("*"):
            if path.is_file():
                path.write_bytes(random.Random(f"{self.feeder.seq} {path.name}").randbytes(30_000))
        state = TreeSource(self.tree)
        self.feeder.chunks.update(state.chunks)
        action = self.scene.action(self.repository, keep=keep)
        try:
            assert self.feeder.send(action, None, state.all).error is None
        finally:
            action.close()

    def prune(self) -> None:
        self.repository.prune(PruneOrder(grace_s=0, thresholds=Thresholds(max_unused=0)))

    def forget(self, *, newest: bool = True) -> None:
        with pytest.raises(Refused, match="locked until"):
            self.repository.change_points(Chosen(points=(self.first.id,)), Forget(newest=newest))

    def hear(self, moment_ns: int) -> None:
        self.repository.time.hear(moment_ns)

    def wait_in_doubt(self) -> None:
        """Long enough for nobody to be asked any more."""
        for _ in range(3):
            self.scene.clock.advance(400)
            self.repository.time.now()


@pytest.fixture
def locked(scene: RepositoryScene, tree: Path) -> Iterator[Locked]:
    made = Locked(scene, tree)
    yield made
    made.repository.close()


def keep_one(locked: Locked) -> None:
    locked.run(KeepRules(last=1))


def keep_nothing_that_is_old(locked: Locked) -> None:
    locked.scene.clock.advance(86_400)
    locked.run(KeepRules(within_s=1))


def forget_point(locked: Locked) -> None:
    locked.forget()


def forget_dataset(locked: Locked) -> None:
    stays = locked.repository.change_points(Chosen(dataset=locked.first.dataset), Forget(newest=True))
    assert [change.point.id for change in stays if change.outcome == "stays"] == [locked.first.id]


def expire(locked: Locked) -> None:
    for at in (START, START - FAR, locked.first.locked_until):
        with suppress(Refused):
            locked.repository.change_points(Chosen(points=(locked.first.id,)), Expire(at=at))
    locked.run(KeepRules(last=1))
    locked.repository.change_points(Chosen(points=(locked.first.id,)), Expire())


def shorten(locked: Locked) -> None:
    for change in (Lock(for_s=1), Lock(until=START), Lock(until=START - FAR)):
        locked.repository.change_points(Chosen(points=(locked.first.id,)), change)
    locked.forget()


def tag(locked: Locked) -> None:
    """The lock stands in the snapshot's tags, which are not people's."""
    for change in (Tag(remove=("hf:lock=2027-01-01T00:00:00Z",)), Tag(add=("hf:lock=",)), Tag(add=("x,hf:lock=",))):
        with pytest.raises(UsageError):
            locked.repository.change_points(Chosen(points=(locked.first.id,)), change)


def rebuild(locked: Locked) -> None:
    locked.repository.care.rebuild()
    locked.forget()


def pause(locked: Locked) -> None:
    """It keeps everybody out, and ends no lock; nor does the time that passes meanwhile."""
    locked.repository.pause(by="the Master's admin")
    with pytest.raises(RepositoryPaused):
        locked.repository.change_points(Chosen(points=(locked.first.id,)), Forget(newest=True))
    with pytest.raises(RepositoryPaused):
        locked.prune()
    locked.repository.resume()
    locked.forget()


def repair(locked: Locked) -> None:
    locked.repository.care.repair(forget_damaged=True)
    locked.repository.care.scrub(1.0)
    locked.repository.care.check(read_data=True)


def master_says_it_is_later(locked: Locked) -> None:
    """His word alone moves nothing."""
    for _ in range(5):
        locked.hear(locked.scene.clock.now_ns() + int(FAR.total_seconds()) * 1_000_000_000)
        locked.scene.clock.advance(700)
    locked.forget()
    locked.run(KeepRules(last=1))


def clock_forward(locked: Locked) -> None:
    """Ten years, confirmed by nobody, or by a Master that says something else."""
    locked.scene.clock.set_wall(START + FAR)
    locked.forget()
    locked.hear(int(START.timestamp()) * 1_000_000_000)
    locked.wait_in_doubt()
    locked.forget()
    locked.run(KeepRules(last=1))
    with pytest.raises(Refused, match="nobody confirms"):
        locked.prune()


def clock_forward_and_back(locked: Locked) -> None:
    locked.scene.clock.set_wall(START + FAR)
    locked.wait_in_doubt()
    locked.scene.clock.set_wall(START + timedelta(seconds=1_200))
    locked.forget()
    locked.scene.clock.set_wall(START - FAR)
    locked.wait_in_doubt()
    locked.forget()
    locked.scene.clock.set_wall(START + timedelta(seconds=2_400))
    locked.run(KeepRules(last=1))


def clock_in_small_steps(locked: Locked) -> None:
    """Each step is too small to be doubted; it is followed no faster than clocks drift."""
    for _ in range(200):
        locked.scene.clock.set_wall(START + timedelta(seconds=(locked.scene.clock.now_ns() - START.timestamp() * 1e9) / 1e9 + 119))
        locked.repository.time.now()
    locked.forget()
    locked.run(KeepRules(last=1))


def restart_with_another_clock(locked: Locked) -> None:
    locked.repository.close()
    locked.scene.clock.reboot(away_s=60)
    locked.scene.clock.set_wall(START + FAR)
    locked.repository = locked.scene.open()
    locked.forget()
    locked.wait_in_doubt()
    locked.forget()
    locked.run(KeepRules(last=1))


ROUTES: tuple[Callable[[Locked], None], ...] = (
    keep_one,
    keep_nothing_that_is_old,
    forget_point,
    forget_dataset,
    expire,
    shorten,
    tag,
    pause,
    rebuild,
    repair,
    master_says_it_is_later,
    clock_forward,
    clock_forward_and_back,
    clock_in_small_steps,
    restart_with_another_clock,
)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.__name__)
def test_a_locked_point_stays_whole(locked: Locked, route: Callable[[Locked], None]) -> None:
    route(locked)
    with suppress(Refused):
        # Whatever was reached, it is pruned for good.
        locked.prune()
    point = locked.repository.point(locked.first.id)
    assert point.locked_until == locked.first.locked_until
    assert (point.time, point.files, point.tags) == (locked.first.time, locked.first.files, ())
    assert read_point(locked.repository, point.id) == locked.content
    locked.repository.close()
    (locked.scene.home / "catalog.db").unlink()
    locked.repository = locked.scene.open()
    assert read_point(locked.repository, point.id) == locked.content
    locked.scene.restic.check()


def test_damage_takes_what_is_lost_and_leaves_the_lock(locked: Locked) -> None:
    """Nobody can read what is damaged, so that giving it up destroys nothing; the rest of the point is as locked as before."""
    for path in sorted((locked.scene.place / "data").rglob("*")):
        if path.is_file():
            path.chmod(0o600)
            size = path.stat().st_size
            with path.open("r+b") as file:
                file.seek(size // 3)
                file.write(b"\xff" * 8)
            break
    locked.repository.care.repair(forget_damaged=True)
    (left,) = [point for point in locked.repository.points() if point.id == locked.first.id]
    assert left.locked_until == locked.first.locked_until
    locked.first = left
    locked.forget()
    for name, content in read_point(locked.repository, left.id).items():
        assert content == locked.content[name]


def test_what_ends_a_lock_is_its_time(locked: Locked) -> None:
    locked.scene.clock.advance(LOCK_S + 1)
    locked.run(KeepRules(last=1))
    locked.prune()
    assert locked.first.id not in [point.id for point in locked.repository.points()]

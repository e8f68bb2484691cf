"""What a repository should hold, as dictionaries: the model that the state machine holds the real one against.

A step says how it changes the model. Where a step was cut off, what is there must lie between the model before and the model after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from holdfast.core.ids import DatasetId, PointId
from holdfast.model.change import Cursor
from holdfast.model.document import KeepRules
from holdfast.model.points import Point
from tests.repository.modelled.sources import Tree


@dataclass(frozen=True)
class ModelPoint:
    """A point, and the commit it shows."""

    id: PointId
    operation: str
    cursor: Cursor
    time: datetime
    tags: tuple[str, ...] = ()
    locked_until: datetime | None = None
    expires_at: datetime | None = None

    def is_locked(self, now: datetime) -> bool:
        return self.locked_until is not None and self.locked_until > now


@dataclass(frozen=True)
class ModelCommit:
    """`order`: commits of a dataset by their arrival."""

    cursor: Cursor
    order: int
    time: datetime
    tree: Tree

    def __deepcopy__(self, _memo: object) -> ModelCommit:
        return self


@dataclass(frozen=True)
class ForeignSnapshot:
    """One that stock restic made: what its folder held, by path, and the dataset it was bound to."""

    group: str
    files: dict[bytes, tuple[object, ...]]
    tags: tuple[str, ...] = ()
    bound: str = ""


class Stored(NamedTuple):
    """How the points of a commit are kept at a receiver."""

    keep: KeepRules = KeepRules()
    lock_s: float | None = None


@dataclass
class ModelDataset:
    commits: dict[Cursor, ModelCommit] = field(default_factory=dict)
    points: dict[PointId, ModelPoint] = field(default_factory=dict)
    heads: set[Cursor] = field(default_factory=set)

    @property
    def newest(self) -> ModelCommit | None:
        alive = self.heads | {point.cursor for point in self.points.values()}
        return max((self.commits[cursor] for cursor in alive), key=lambda commit: commit.order, default=None)

    def receive(self, commit: ModelCommit, marks: Iterable[tuple[str, PointId]], stored: Stored, now: datetime) -> None:
        """A commit arrives, or once more the one that is the newest."""
        newest, marks = self.newest, tuple(marks)
        again = newest is not None and newest.cursor == commit.cursor
        new = [(operation, point) for operation, point in marks if point not in self.points]
        if not again:
            self.commits[commit.cursor] = replace(commit, order=newest.order + 1 if newest else 1)
        locked_until = now + timedelta(seconds=stored.lock_s) if stored.lock_s else None
        for operation, point in new:
            self.points[point] = ModelPoint(point, operation, commit.cursor, commit.time, locked_until=locked_until)
        if new or not again:
            self.heads = set() if new else {commit.cursor}
        for operation, _ in marks:
            self.keep(operation, stored.keep, now)

    def keep(self, operation: str, keep: KeepRules, now: datetime) -> None:
        """`last` and `within`; the newest of an operation stays, and so do the points of the newest commit."""
        newest = self.newest
        own = sorted((point for point in self.points.values() if point.operation == operation), key=lambda point: point.time, reverse=True)
        expired = [point for point in own if point.expires_at is not None and point.expires_at <= now]
        counted = [point for point in own if point not in expired]
        stay = [point for point in own if point.is_locked(now)] + own[:1]
        stay += [point for point in own if newest is not None and point.cursor == newest.cursor]
        if keep.is_empty():
            stay += counted
        stay += counted[: keep.last]
        if keep.within_s and counted:
            stay += [point for point in counted if point.time > counted[0].time - timedelta(seconds=keep.within_s)]
        self.forget(point.id for point in own if point not in stay)

    def forget(self, going: Iterable[PointId]) -> None:
        for point in list(going):
            self.points.pop(point, None)


@dataclass
class Model:
    """Foreign snapshots by their times: no two have the same."""

    datasets: dict[DatasetId, ModelDataset] = field(default_factory=dict)
    foreign: dict[datetime, ForeignSnapshot] = field(default_factory=dict)

    def of(self, dataset: DatasetId) -> ModelDataset:
        return self.datasets.setdefault(dataset, ModelDataset())

    def points(self) -> list[tuple[DatasetId, ModelPoint]]:
        """In an order that no random id decides."""
        found = [(dataset, point) for dataset, held in self.datasets.items() for point in held.points.values()]
        return sorted(found, key=lambda pair: (pair[0], pair[1].time, pair[1].cursor.seq, pair[1].operation))

    def copy(self) -> Model:
        return deepcopy(self)


@dataclass(frozen=True)
class Observed:
    """What is there. Foreign snapshots may be there twice when binding them was cut off."""

    points: dict[DatasetId, dict[PointId, Point]]
    heads: dict[DatasetId, set[Cursor]]
    foreign: dict[datetime, Point]


def assert_equal(model: Model, seen: Observed) -> None:
    for dataset in model.datasets.keys() | seen.points.keys() | seen.heads.keys():
        held, points = model.of(dataset), seen.points.get(dataset, {})
        assert points.keys() == held.points.keys(), f"points of {dataset}"
        for point in points.values():
            assert is_seen_as(held.points[point.id], point), (held.points[point.id], point)
        assert seen.heads.get(dataset, set()) == held.heads, f"heads of {dataset}"
    assert {time: (point.dataset_id, point.tags) for time, point in seen.foreign.items()} == {
        time: (snapshot.bound, snapshot.tags) for time, snapshot in model.foreign.items()
    }


def is_seen_as(point: ModelPoint, seen: Point) -> bool:
    return (point.operation, point.cursor, point.time, point.tags, point.locked_until, point.expires_at) == (
        seen.operation,
        Cursor(seen.epoch, seen.seq),
        seen.time,
        seen.tags,
        seen.locked_until,
        seen.expires_at,
    )


def between(before: Model, after: Model, seen: Observed) -> Model:
    """The model of what a step that was cut off has left; an assertion fails where it left something else."""
    found = Model()
    for dataset in before.datasets.keys() | after.datasets.keys():
        found.datasets[dataset] = _dataset_between(before.of(dataset), after.of(dataset), seen, dataset)
    assert seen.points.keys() | seen.heads.keys() <= found.datasets.keys()
    known = before.foreign | after.foreign
    assert before.foreign.keys() & after.foreign.keys() <= seen.foreign.keys() <= known.keys()
    for time, point in seen.foreign.items():
        may = [model.foreign[time] for model in (before, after) if time in model.foreign]
        found.foreign[time] = next(snapshot for snapshot in may if (snapshot.bound, snapshot.tags) == (point.dataset_id, point.tags))
    return found


def _dataset_between(before: ModelDataset, after: ModelDataset, seen: Observed, dataset: DatasetId) -> ModelDataset:
    points, heads = seen.points.get(dataset, {}), seen.heads.get(dataset, set())
    assert before.points.keys() & after.points.keys() <= points.keys() <= before.points.keys() | after.points.keys()
    assert before.heads & after.heads <= heads <= before.heads | after.heads
    found = ModelDataset(commits={**before.commits, **after.commits}, heads=set(heads))
    for id_, point in points.items():
        may = [model.points[id_] for model in (before, after) if id_ in model.points]
        matching = [each for each in may if is_seen_as(each, point)]
        assert matching, (may, point)
        found.points[id_] = matching[0]
    fresh = after.commits.keys() - before.commits.keys()
    if fresh and not any(cursor in fresh for cursor in heads | {point.cursor for point in found.points.values()}):
        # The commit did not come to be, so nothing of what was there may be gone.
        assert (points.keys(), heads) == (before.points.keys(), before.heads)
    return found

"""A cascade: the points of one dataset, from a repository here to another node, with their times, ids and totals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from holdfast.core.ids import ActionId, Epoch
from holdfast.model.change import Commit, Cursor, Mark
from holdfast.model.points import Point
from holdfast.model.rules import Cascade


@dataclass(frozen=True)
class Hop:
    """One commit to forward: the points that share it, and the point before it, if the receiver stands exactly there."""

    points: tuple[Point, ...]
    base: Point | None

    @property
    def point(self) -> Point:
        """They share one tree; any of them shows it."""
        return self.points[0]


def plan_hops(points: Iterable[Point], cursor: Cursor | None, operations: Sequence[str]) -> tuple[Hop, ...]:
    """What the receiver lacks, oldest first. Points of one (epoch, seq) are one commit.

    Epochs follow each other in time; a cursor's own epoch and those that came after it are forwarded, those before are passed. A cursor
    whose exact point expired here gets a full commit first, as does one whose epoch is no longer here at all.
    """
    mine = sorted((p for p in points if p.operation in operations and not p.foreign), key=lambda p: (p.time, p.seq, p.operation))
    commits = [tuple(group) for _, group in groupby(mine, key=lambda p: (p.epoch, p.seq))]
    at = _position(commits, cursor)
    base = commits[at - 1][0] if at and cursor is not None and _stands_at(commits[at - 1][0], cursor) else None
    hops = []
    for commit in commits[at:]:
        hops.append(Hop(commit, base))
        base = commit[0]
    return tuple(hops)


def commit_of(hop: Hop, kinds: dict[str, str]) -> Commit:
    """The commit as the source made it. `kinds` by operation name."""
    point = hop.point
    return Commit(
        dataset=point.dataset_id,
        epoch=point.epoch,
        seq=point.seq,
        captured_at=point.time,
        marks=tuple(Mark(operation=p.operation, kind=kinds.get(p.operation, "backup"), point=p.id) for p in hop.points),
        files=point.files,
        size_bytes=point.bytes,
        warnings=point.warnings,
        zone=point.zone,
    )


def _position(commits: Sequence[tuple[Point, ...]], cursor: Cursor | None) -> int:
    """Index of the first commit behind the cursor."""
    if cursor is None:
        return 0
    same = [index for index, commit in enumerate(commits) if commit[0].epoch == cursor.epoch]
    if not same:
        return 0
    passed = [index for index in same if commits[index][0].seq <= cursor.seq]
    return passed[-1] + 1 if passed else same[0]


def _stands_at(point: Point, cursor: Cursor) -> bool:
    return (point.epoch, point.seq) == (cursor.epoch, cursor.seq)

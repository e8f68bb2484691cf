"""Finding points: all of them, one by its id, the newest at a time. None of this decodes a snapshot's JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from holdfast.core.clock import ns_of
from holdfast.core.errors import UnknownName
from holdfast.core.units import format_utc
from holdfast.model.points import Point
from holdfast.repository._format.index import hash_from
from holdfast.repository.catalog.commit_table import ListedRow
from holdfast.repository.interior import Interior
from holdfast.repository.points.sealing import points_of

# Where a prefix is shorter, only the whole id counts.
SHORTEST_PREFIX = 4


class PlacedPoint(NamedTuple):
    """A point with its tree, and with the catalog's numbers of its dataset and commit: None for foreign ones, and while its commit is
    not known."""

    point: Point
    tree: bytes
    dataset: int | None
    commit_no: int | None


def points(interior: Interior, dataset: str = "") -> tuple[Point, ...]:
    """Oldest first. `dataset` is a label or an id; foreign snapshots have a label of host and paths."""
    found = points_of(interior.commits.listed(), interior.name)
    chosen = [point for point in found if dataset in ("", point.dataset, point.dataset_id)]
    return tuple(sorted(chosen, key=_age))


def point(interior: Interior, prefix: str) -> Point:
    """By the beginning of its id or of its restic snapshot's; raises `UnknownName` when there is none or several."""
    found = points_of(interior.commits.listed_as_point(prefix), interior.name)
    return choose_point(sorted(found, key=_age), prefix)


def placed(interior: Interior, wanted: Point) -> PlacedPoint:
    """Raises `UnknownName` when it is gone."""
    snapshot_id = hash_from(wanted.snapshot) if len(wanted.snapshot) == 64 else b""
    row = interior.commits.listed_snapshot(snapshot_id)
    if row is None:
        # Its snapshot's id changes when tags do; the point's own does not.
        rows = interior.commits.listed_as_point(wanted.id)
        current = {point.snapshot for point in points_of(rows, "") if (point.dataset_id, point.id) == (wanted.dataset_id, wanted.id)}
        row = next((row for row in rows if row.id.hex() in current), None)
    if row is None:
        raise UnknownName(f"point {wanted.id} is not in {interior.name} any more", hint="`holdfast points` lists what is there")
    return _placed(wanted, row)


def newest_at(interior: Interior, dataset: str, at: datetime | None) -> PlacedPoint:
    """The newest point of a dataset (label or id) captured at or before a time, None = of all. Raises `UnknownName`."""
    rows = _newest_rows(interior, dataset, at)
    found = points_of(rows, interior.name)
    if not found:
        # A foreign one, or one of a dataset that was called so.
        found = [point for point in points(interior, dataset) if at is None or point.time <= at]
        rows = []
    if not found:
        oldest = min(points(interior, dataset), key=_age, default=None) if at is not None else None
        if at is not None and oldest is not None:
            text = f"there is no point of {dataset!r} at or before {format_utc(at)} in {interior.name}"
            raise UnknownName(text, hint=f"the oldest there is of {format_utc(oldest.time)}; `holdfast points` lists them")
        raise UnknownName(f"there is no point of {dataset!r} in {interior.name}", hint="`holdfast points` lists them", dataset=dataset)
    newest = max(found, key=_age)
    row = next((row for row in rows if row.id.hex() == newest.snapshot), None)
    return _placed(newest, row) if row is not None else placed(interior, newest)


def _newest_rows(interior: Interior, dataset: str, at: datetime | None) -> list[ListedRow]:
    """Of several datasets of that name those of each. Of a foreign one nothing is known but its time."""
    commits, found = interior.commits, []
    for number in commits.known_as(dataset):
        rows = commits.listed_at(number, ns_of(at) + 999 if at is not None else 1 << 63)
        found += commits.listed_newest(number) if at is None and all(row.commit_no for row in rows) else rows
    return found


def _placed(point: Point, row: ListedRow) -> PlacedPoint:
    return PlacedPoint(point, row.tree, row.dataset, row.commit_no)


def _age(point: Point) -> tuple[datetime, int, str]:
    return point.time, point.seq, point.id


def choose_point(points: Sequence[Point], prefix: str) -> Point:
    """The one point whose id begins so; raises `UnknownName` when there is none or more than one."""
    exact = [point for point in points if point.id == prefix]
    found = exact or [point for point in points if point.id.startswith(prefix) or (point.snapshot.startswith(prefix))]
    if len(prefix) < SHORTEST_PREFIX and not exact:
        raise UnknownName(f"{prefix!r} is too short for a point", hint="give at least 4 characters; `holdfast points` lists them")
    if not found:
        raise UnknownName(f"there is no point {prefix!r}", hint="`holdfast points` lists them", point=prefix)
    if len(found) > 1:
        raise UnknownName(f"{len(found)} points begin with {prefix!r}", hint="give more characters")
    return found[0]

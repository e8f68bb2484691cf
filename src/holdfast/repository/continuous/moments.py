"""Moments: any state of a followed dataset that can still be had, point or not, by its time.

Its address (`model.moments`) outlives sealing and joining of logs. To the layers above a moment is a `Point` whose id is its address and
which no snapshot is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from holdfast.core.clock import ns_of
from holdfast.core.errors import UnknownName
from holdfast.core.ids import DatasetId
from holdfast.model.gaps import Gap
from holdfast.model.moments import Moment, address_of, archive_of, dataset_of_archive, dataset_of_versions, parse_address, versions_of
from holdfast.model.points import Point, paths_of_point
from holdfast.repository.catalog.commit_table import CommitRow, ListedRow
from holdfast.repository.facts import ARCHIVE, LINEAGE, moment_of
from holdfast.repository.interior import Interior
from holdfast.repository.past_state import PastState, PastStates
from holdfast.repository.points import point_lookup
from holdfast.repository.points.bases import followed_of
from holdfast.repository.points.point_lookup import PlacedPoint
from holdfast.repository.points.sealing import points_of

MOST_GAPS = 1_000


def newest_at(interior: Interior, dataset: str, at: datetime | None) -> PlacedPoint:
    """The newest point or moment of a dataset (label or id) captured at or before a time, None = of all. A point where both are the
    same. Raises `UnknownName`."""
    until_ns = ns_of(at) + 999 if at is not None else None
    rows = [row for number in interior.commits.known_as(dataset) if (row := interior.moments.newest_at(number, until_ns))]
    newest = max(rows, key=lambda row: (row.captured_ns, row.no), default=None)
    if newest is None:
        return point_lookup.newest_at(interior, dataset, at)
    points = points_of(interior.commits.listed_of_commit(newest), interior.name)
    try:
        other = point_lookup.newest_at(interior, dataset, at)
    except UnknownName:
        other = None
    if other is not None and (points or _is_later(other, newest, at)):
        return other
    return PlacedPoint(_point(interior, newest), newest.tree, newest.dataset, newest.no)


def _is_later(point: PlacedPoint, moment: CommitRow, at: datetime | None) -> bool:
    """By their times where a time was asked for. The newest of all is the newest commit, whatever clocks did."""
    if at is None and point.dataset == moment.dataset and point.commit_no:
        return point.commit_no > moment.no
    return point.point.time > moment_of(moment.captured_ns)


def moment_at(interior: Interior, address: str) -> PlacedPoint:
    """What an address means now; a point where it is one. Raises `UnknownName`."""
    if of_versions := dataset_of_versions(address):
        return versions(interior, of_versions)
    if of_archive := dataset_of_archive(address):
        return archived(interior, of_archive)
    dataset, time = parse_address(address)
    return newest_at(interior, dataset, time)


def versions(interior: Interior, dataset: str) -> PlacedPoint:
    """The older versions of a dataset's (label or id) single files as a point. Raises `UnknownName` when it has none."""
    for number in interior.commits.known_as(dataset):
        row = interior.commits.lineage(number)
        if row is not None:
            return _lineage(interior, number, row, LINEAGE)
    raise UnknownName(f"no older versions of files of {dataset!r} are kept in {interior.name}", hint="the operation `version` keeps them")


def archived(interior: Interior, dataset: str) -> PlacedPoint:
    """The archived files of a dataset (label or id) as a point. Raises `UnknownName` when it has none."""
    for number in interior.commits.known_as(dataset):
        row = interior.commits.archive(number)
        if row is not None:
            return _lineage(interior, number, row, ARCHIVE)
    raise UnknownName(f"no archived files of {dataset!r} are kept in {interior.name}", hint="the operation `archive` keeps them")


def _lineage(interior: Interior, number: int, row: ListedRow, operation: str) -> PlacedPoint:
    followed = followed_of(interior, number)
    identity = _identity(interior, number)
    roots = () if followed is None or operation == ARCHIVE else followed.roots
    point = Point(
        id=archive_of(identity) if operation == ARCHIVE else versions_of(identity),
        dataset=interior.commits.label(number),
        dataset_id=identity,
        operation=operation,
        repository=interior.name,
        time=moment_of(row.time_ns),
        files=0,
        bytes=0,
        seq=row.brief.seq,
        epoch=row.brief.epoch,
        paths=paths_of_point(roots),
    )
    return PlacedPoint(point, row.tree, None, None)


def moments(interior: Interior, dataset: str, since: datetime | None, until: datetime | None, limit: int) -> tuple[Moment, ...]:
    """Newest first. Empty where no moments are kept, or no such dataset is."""
    found: list[Moment] = []
    logged = set(interior.moments.logged())
    for number in interior.commits.known_as(dataset):
        if number not in logged:
            continue
        identity = _identity(interior, number)
        points = _points_of(interior, number)
        rows = interior.moments.listed(
            number, ns_of(since) if since is not None else 0, ns_of(until) + 999 if until is not None else 1 << 63, limit
        )
        found += [_moment(identity, row, points.get(row.no, ())) for row in rows]
    return tuple(sorted(found, key=lambda each: (each.time, each.seq), reverse=True)[:limit])


def oldest(interior: Interior, dataset: str) -> datetime | None:
    """Since when every state of a dataset (label or id) can be restored but for what the gaps hide; None where no moments are kept."""
    logged = set(interior.moments.logged())
    numbers = [number for number in interior.commits.known_as(dataset) if number in logged]
    return moment_of(min(found)) if (found := [ns for number in numbers if (ns := interior.moments.oldest(number)) is not None]) else None


def gaps(interior: Interior, dataset: str, since: datetime | None, until: datetime | None) -> tuple[Gap, ...]:
    """Those of a dataset (label or id) that have a part of the span, oldest first."""
    since_ns, until_ns = ns_of(since) if since is not None else 0, ns_of(until) if until is not None else 1 << 63
    found = [gap for number in interior.commits.known_as(dataset) for gap in interior.moments.gaps(number, since_ns, until_ns, MOST_GAPS)]
    return tuple(sorted(found, key=lambda gap: (gap.until, gap.since, gap.path)))


def state_of(interior: Interior, placed: PlacedPoint) -> PastState:
    """The whole tree of a moment or point; the caller has sealed what was held. Raises `RepositoryDamaged`, `UnknownName`."""
    row = interior.commits.numbered(placed.commit_no) if placed.commit_no else None
    if row is None:
        return PastState(placed.tree, {}, (placed.tree,))
    return PastStates(interior.storage, interior.blobs, interior.moments).of(row)


def _points_of(interior: Interior, number: int) -> dict[int, list[Point]]:
    """The points of a dataset by the commits that they are."""
    points: dict[int, list[Point]] = {}
    for row in interior.commits.listed(number):
        if row.commit_no and not row.is_head and row.brief.point is not None:
            points.setdefault(row.commit_no, []).append(row.brief.point)
    return points


def _size_of(row: CommitRow, points: Sequence[Point]) -> tuple[int, int]:
    """Files and bytes. Of a commit that is a point and was never held, only the point knows."""
    return (points[0].files, points[0].bytes) if points and not row.files else (row.files, row.size_bytes)


def _moment(dataset: DatasetId, row: CommitRow, points: Sequence[Point]) -> Moment:
    time = moment_of(row.captured_ns)
    files, size_bytes = _size_of(row, points)
    return Moment(
        address=address_of(dataset, time),
        time=time,
        seq=row.seq,
        files=files,
        size_bytes=size_bytes,
        points=tuple(dict.fromkeys(point.id for point in points)),
    )


def _point(interior: Interior, row: CommitRow) -> Point:
    followed = followed_of(interior, row.dataset)
    identity = _identity(interior, row.dataset)
    time = moment_of(row.captured_ns)
    points = [each.brief.point for each in interior.commits.listed_of_commit(row)] if not row.files else ()
    files, size_bytes = _size_of(row, [point for point in points if point is not None])
    return Point(
        id=address_of(identity, time),
        dataset=followed.label if followed is not None else identity,
        dataset_id=identity,
        operation=followed.moment_operation if followed is not None else "moment",
        repository=interior.name,
        time=time,
        files=files,
        bytes=size_bytes,
        seq=row.seq,
        epoch=row.epoch,
        paths=paths_of_point(followed.roots) if followed is not None else (),
        zone=followed.zone if followed is not None else "UTC",
    )


def _identity(interior: Interior, number: int) -> DatasetId:
    return DatasetId(next((identity for each, identity in interior.commits.datasets() if each == number), ""))

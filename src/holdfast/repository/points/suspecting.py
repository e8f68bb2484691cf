"""An anomaly as a fact of the last clean point of its dataset, and what that says of the other points."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from holdfast.core.ids import DatasetId, PointId
from holdfast.model.anomalies import Suspicion
from holdfast.model.point_changes import ChangedPoint
from holdfast.model.points import Point
from holdfast.repository.interior import Interior
from holdfast.repository.points.point_changes import replace_point
from holdfast.repository.points.sealing import points_of


def newest_clean(interior: Interior, dataset: DatasetId, before: datetime) -> Point | None:
    """The newest point of a dataset that was captured before a time."""
    points = points_of(interior.commits.listed(interior.catalog.number_of("datasets", dataset)), interior.name)
    return max(
        (point for point in points if point.time < before and not point.foreign), key=lambda point: (point.time, point.seq), default=None
    )


def record_suspicion(interior: Interior, dataset: DatasetId, point: PointId, suspicion: Suspicion) -> None:
    """Nothing where the point is gone. Raises `RepositoryLocked`."""
    with interior.lock.session():
        interior.refresh()
        with interior.catalog.transaction():
            rows = interior.commits.listed_as_point(point)
            own = [row for row in rows if row.brief.point and (row.brief.point.dataset_id, row.brief.point.id) == (dataset, point)]
            for found in points_of(own, interior.name):
                replace_point(interior, own, ChangedPoint(point=replace(found, suspicion=suspicion), outcome="changed"))

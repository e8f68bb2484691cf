"""What a drill found, as a fact of the point that it tried."""

from __future__ import annotations

from msgspec.structs import replace

from holdfast.core.errors import UnknownName, UsageError
from holdfast.model.drills import Proof
from holdfast.model.point_changes import ChangedPoint
from holdfast.model.points import Point
from holdfast.repository.facts import LARGEST
from holdfast.repository.interior import Interior
from holdfast.repository.points.point_changes import replace_point
from holdfast.repository.points.sealing import points_of


def record_proof(interior: Interior, point: Point, *, holds: bool, files: int) -> Point:
    """The point as it is now. `files`: how many were tried. Raises `RepositoryLocked`, `UnknownName` when it is gone."""
    if not 0 <= files < LARGEST:
        raise UsageError(f"{files} is no number of files", hint="tell how many were restored")
    with interior.lock.session():
        interior.refresh()
        with interior.catalog.transaction():
            rows = [row for row in interior.commits.listed_as_point(point.id) if row.brief.point and row.brief.point.id == point.id]
            found = next((each for each in points_of(rows, interior.name) if each.dataset_id == point.dataset_id), None)
            if found is None:
                raise UnknownName(f"point {point.id[:8]} is not there any more", hint="`holdfast points` lists what there is")
            before, moment = found.proof or Proof(), interior.time.now()
            proof = replace(before, proven_at=moment, proven_files=files) if holds else replace(before, doubted_at=moment)
            own = [row for row in rows if row.brief.point is not None and row.brief.point.dataset_id == point.dataset_id]
            return replace_point(interior, own, ChangedPoint(point=replace(found, proof=proof), outcome="changed")).point

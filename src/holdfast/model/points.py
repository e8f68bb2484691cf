"""Restore points, as every layer above the repository sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from holdfast.core.ids import DatasetId, Epoch, PointId
from holdfast.model.anomalies import Suspicion
from holdfast.model.drills import Proof
from holdfast.model.subsets import holds_all

H = TypeVar("H")


class Point(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A commit made restorable by an operation, in one repository. `time` is capture time in UTC.

    `dataset` is the label (`files1/documents`), `dataset_id` the identity. `snapshot` is the restic snapshot's id at the
    moment; it changes when tags do. `foreign` marks a restic snapshot that Holdfast did not make. `added_bytes` is what storing it cost.
    Until `locked_until` nothing lets it go; from `expires_at` on no keep rule keeps it. `proof`: what drills know of it. `suspicion`: it is
    the last point of its dataset before what looks like its destruction. `suspect`: the id of the anomaly in whose time it was made (empty
    = none). `held_until`: an anomaly came after it, and until then no keep rule lets it go.
    `tags` are people's own, given by hand; `inherited` are those that its source, its policy and its flows had when it was made.
    """

    id: PointId
    dataset: str
    dataset_id: DatasetId
    operation: str
    repository: str
    time: datetime
    files: int
    bytes: int
    seq: int = 0
    epoch: Epoch = Epoch("")
    snapshot: str = ""
    paths: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    locked_until: datetime | None = None
    warnings: int = 0
    added_bytes: int = 0
    zone: str = "UTC"
    foreign: bool = False
    expires_at: datetime | None = None
    proof: Proof | None = None
    suspicion: Suspicion | None = None
    suspect: str = ""
    held_until: datetime | None = None
    inherited: tuple[str, ...] = ()

    def bears(self, tag: str) -> bool:
        """Given by hand or inherited. No tag is borne by all."""
        return not tag or tag in self.tags or tag in self.inherited


def paths_of_point(paths: Iterable[bytes]) -> tuple[str, ...]:
    """As a point and its restic snapshot name them: UTF-8, other bytes as `\\xNN`."""
    return tuple(path.decode("utf-8", "backslashreplace") for path in paths)


def imagined(time: datetime, zone: str, locked_until: datetime | None = None) -> Point:
    """One that nobody made, to ask what keep rules would do with it."""
    return Point(
        id=PointId(""),
        dataset="",
        dataset_id=DatasetId(""),
        operation="",
        repository="",
        time=time,
        files=0,
        bytes=0,
        zone=zone,
        locked_until=locked_until,
    )


def newest_of(points: Sequence[Point]) -> Point:
    """The one that was captured last; there is at least one. Within an epoch `seq` decides: a point of a clock that was ahead has a later
    time than those that came after it."""
    latest = max(points, key=lambda point: (point.time, point.seq, point.id))
    alike = [point for point in points if (point.dataset_id, point.epoch) == (latest.dataset_id, latest.epoch)]
    return max(alike, key=lambda point: (point.seq, point.time, point.id))


def whole_copies(holders: Sequence[H], point: Callable[[H], Point | None], wanted: Sequence[str] = ()) -> list[H]:
    """Those that hold no mere part of what another of them holds: what a mover forwarded of a point (`only`) bears its id, too. Where only
    some paths are `wanted`, those that have these will do."""
    return [
        holder
        for holder, mine in ((each, point(each)) for each in holders)
        if mine is None
        or (wanted and holds_all(mine.paths, wanted))
        or not any(_is_part(mine, theirs) for theirs in map(point, holders) if theirs is not None)
    ]


def _is_part(copy: Point, other: Point) -> bool:
    if (copy.dataset_id, copy.id) != (other.dataset_id, other.id) or not copy.paths or copy.paths == other.paths:
        return False
    return holds_all(other.paths, copy.paths) and not holds_all(copy.paths, other.paths)


class Listing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of `ls`, `find` or `history`. `path_raw` (base64 in JSON) is set when `path` does not spell it: it is not UTF-8, or holds
    control characters. `points` (of `history`): how many points hold this version; `point` is the newest of them.
    `content`, where it was asked for: a hash over the ids of the chunks of a file; equal for equal content that was cut alike."""

    path: str
    kind: str
    mode: int
    size_bytes: int
    mtime_ns: int
    user: str = ""
    group: str = ""
    uid: int = 0
    gid: int = 0
    link_target: str = ""
    path_raw: bytes = b""
    dataset: str = ""
    repository: str = ""
    point: str = ""
    points: int = 0
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    content: str = ""


class LostListing(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of a point whose own listing is damaged, so that nobody can say what was in it."""

    path: str
    reason: str

"""Restore points, as every layer above the repository sees them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from holdfast.core.ids import DatasetId, Epoch, PointId
from holdfast.model.anomalies import Suspicion
from holdfast.model.drills import Proof


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

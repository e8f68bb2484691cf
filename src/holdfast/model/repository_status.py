"""What the owner of a repository tells of it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import RepositoryId
from holdfast.model.anomalies import Anomaly
from holdfast.model.drills import DrillStatus
from holdfast.model.keys import KitState
from holdfast.model.pausing import Pause
from holdfast.model.room import Room
from holdfast.model.seeding import SeedRecord


class RepositoryLock(msgspec.Struct, frozen=True, kw_only=True):
    """One of restic's lock files: who works in the repository. `at`: when it was last written, which happens every 5 minutes (null = it
    cannot be read). `exclusive`: nobody else may work there meanwhile. `own`: it is the owner's. `stale`: whoever it was is gone."""

    id: str
    at: datetime | None = None
    exclusive: bool = False
    username: str = ""
    hostname: str = ""
    pid: int = 0
    own: bool = False
    stale: bool = False


class StoreAbilities(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an object store can do, as it was tried out at `probed_at`. `object_lock`: it keeps files until a time whoever asks, so that
    locked points are safe from its owner's keys, too (null = not known, `object_lock_problem` says why). `default_retention`: it locks
    every new file by itself, session locks too, which pile up then. `versions`: what is deleted stays as an old version. `one_owner`: of
    two machines that take it at one moment one wins."""

    probed_at: datetime
    object_lock: bool | None = None
    object_lock_problem: str = ""
    default_retention: bool = False
    versions: bool = False
    one_owner: bool = False


class JobAtRepository(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What has a place of `parallel_jobs`, or waits for one, `since` then: all runs of `node`, or its cascade of `dataset`."""

    node: str
    dataset: str = ""
    since: datetime


class RepositoryStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """`points_bytes`: what all points would take if each were restored; `unique_bytes`: what is in the packs, each chunk and tree once, in
    plain; `stored_bytes`: what the packs take. So the first by the second is what deduplication saves, the second by the third what
    compression saves. `checked_at` to `checked_data` tell of the last check that came to its end (null = none yet): when, whether it found
    nothing wrong, whether it read every byte. `scrubbed_at`: the last scrub, `scrub_done_ratio`: how far
    its pass is. `proven_at`: when every byte was last proven readable, by a whole pass of scrubs or a check of all, with nothing wrong
    found since (null = never). `key_slots`: how many passwords open it; `kit`: whether there is a recovery kit, and somebody
    keeps it (null = the place cannot be read). `locks`: who is at work in it, as of a few seconds ago. `pause`: nobody begins
    work in it (null = as ever). `store`: what the object store it lies in can do (null = it lies in a folder, or was never reached).
    `room`: how much is left of the file system it lies on (null = it lies in an object store, or cannot be reached).
    `drills`: of each dataset that is restored on trial, how that stands. `anomalies`: changes that looked like the
    destruction of a dataset, newest first. `parallel_jobs`: so many jobs deliver to it at once at most (null = no limit), `delivering`: so
    many do now; where there is a limit, `holders` are those, the first first, and `waiting` others that were refused and come again, in
    the order in which it is their turn: 20 of each at most, and `waiting_total` is how many wait in all. `seeds`: of each dataset that was
    filled from a carried disk, until which point.
    """

    id: RepositoryId
    name: str
    location: str
    points: int = 0
    points_bytes: int = 0
    unique_bytes: int = 0
    stored_bytes: int = 0
    newest_at: datetime | None = None
    checked_at: datetime | None = None
    checked_ok: bool | None = None
    checked_data: bool = False
    scrubbed_at: datetime | None = None
    scrub_done_ratio: float = 0.0
    proven_at: datetime | None = None
    key_slots: int = 0
    kit: KitState | None = None
    locks: tuple[RepositoryLock, ...] = ()
    pause: Pause | None = None
    store: StoreAbilities | None = None
    room: Room | None = None
    drills: tuple[DrillStatus, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()
    parallel_jobs: int | None = None
    delivering: int = 0
    holders: tuple[JobAtRepository, ...] = ()
    waiting: tuple[JobAtRepository, ...] = ()
    waiting_total: int = 0
    seeds: tuple[SeedRecord, ...] = ()
    error: ErrorFacts | None = None

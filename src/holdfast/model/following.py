"""How a dataset is followed: what a node tells of it, and what people are shown."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import msgspec

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import DatasetId
from holdfast.model.gaps import Gap

GAPS_SHOWN = 20
"""So many of a dataset, the newest, are kept to be shown."""


class FollowState(str, Enum):
    """`starting`: the first scan is not done. `following`: changes are delivered as they happen. `reconciling`: after a gap a tree is
    looked at whole. `waiting`: changes are known and cannot be delivered now: something is wrong (`error`), or the windows of
    all movers are closed. `not-watched`: all is looked at now and then."""

    STARTING = "starting"
    FOLLOWING = "following"
    RECONCILING = "reconciling"
    WAITING = "waiting"
    NOT_WATCHED = "not-watched"


class Spooled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What waits in the spool of the source for one receiver: commits, each with its own time, the oldest captured `since`. `error`: why it
    is not sent now; none = it is being sent. `falls_behind`: for a minute and longer it becomes more although it is being sent."""

    receiver: str
    runs: int
    size_bytes: int
    since: datetime
    error: ErrorFacts | None = None
    falls_behind: bool = False


class Following(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`pending`: names and trees that changed and were not delivered yet, the oldest known since `pending_since`: so long is the lag.
    `pending_bytes`: the sizes of the files among them, of the first 2,000.
    `means`: by what it is watched; `shortfalls`: what that does not see. `gaps`: the newest ones, the newest first; one that is not healed
    yet has no end. `error`: why it waits, or is not watched. `waits_until`: the windows of all its movers are closed until then.
    `spooled`: by receiver that is away, what it will get when it is back."""

    dataset: str
    dataset_id: DatasetId
    state: FollowState
    pending: int = 0
    pending_since: datetime | None = None
    means: tuple[str, ...] = ()
    shortfalls: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()
    open_gap_since: datetime | None = None
    error: ErrorFacts | None = None
    waits_until: datetime | None = None
    pending_bytes: int = 0
    spooled: tuple[Spooled, ...] = ()

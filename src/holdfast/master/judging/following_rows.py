"""How followed datasets do, as people are shown it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import DatasetId
from holdfast.model.entry import display_path
from holdfast.model.following import Following, FollowState, Spooled
from holdfast.model.gaps import GapReason

_WORST_FIRST = (FollowState.WAITING, FollowState.NOT_WATCHED, FollowState.RECONCILING, FollowState.STARTING, FollowState.FOLLOWING)


class GapRow(msgspec.Struct, frozen=True, kw_only=True):
    """`path` as people read it."""

    path: str
    since: datetime
    until: datetime
    reason: GapReason


class FollowingRow(msgspec.Struct, frozen=True, kw_only=True):
    """As `model.following.Following`, of one node."""

    node: str
    dataset: str
    dataset_id: DatasetId
    state: FollowState
    pending: int
    pending_since: datetime | None
    means: tuple[str, ...]
    shortfalls: tuple[str, ...]
    gaps: tuple[GapRow, ...]
    open_gap_since: datetime | None
    error: ErrorFacts | None
    waits_until: datetime | None
    pending_bytes: int
    spooled: tuple[Spooled, ...]


def following_row(node: str, told: Following) -> FollowingRow:
    """`node`: its name."""
    return FollowingRow(
        node=node,
        dataset=told.dataset,
        dataset_id=told.dataset_id,
        state=told.state,
        pending=told.pending,
        pending_since=told.pending_since,
        means=told.means,
        shortfalls=told.shortfalls,
        gaps=tuple(GapRow(path=display_path(gap.path), since=gap.since, until=gap.until, reason=gap.reason) for gap in told.gaps),
        open_gap_since=told.open_gap_since,
        error=told.error,
        waits_until=told.waits_until,
        pending_bytes=told.pending_bytes,
        spooled=told.spooled,
    )


def worst_first(rows: Iterable[FollowingRow]) -> list[FollowingRow]:
    """By state, then by label."""
    return sorted(rows, key=lambda row: (_WORST_FIRST.index(row.state), row.dataset))

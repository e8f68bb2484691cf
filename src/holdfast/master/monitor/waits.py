"""Why a mover stands still, from the waits of all that goes along it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from holdfast.core.errors import NotReachable
from holdfast.master.judging.following_rows import FollowingRow
from holdfast.master.monitor.values import Waiting
from holdfast.model.node_status import Protection
from holdfast.model.waits import Wait, WaitReason

# What somebody has to do something about goes first; a window opens by itself.
_ORDER = tuple(map(WaitReason, ("paused", "receiver", "not-called", "low-disk", "upstream", "limit", "job", "window")))


def waiting_on(protections: Sequence[Protection], followed: Iterable[FollowingRow], receivers: set[str]) -> tuple[Waiting, ...]:
    """Each reason once for each thing that is waited for. `followed`: what is followed for the mover; its changes are in no job.
    `receivers`: where the mover leads."""
    found: dict[tuple[WaitReason, str], list[tuple[str, Wait]]] = {}
    told = [(each.dataset, each.wait) for each in protections if each.wait is not None]
    told += [(row.dataset, wait) for row in followed for wait in _of_followed(row, receivers)]
    for dataset, wait in told:
        found.setdefault((wait.reason, wait.what), []).append((dataset, wait))
    return tuple(_joined(found[key]) for key in sorted(found, key=lambda key: (_ORDER.index(key[0]), key[1])))


def _of_followed(row: FollowingRow, receivers: set[str]) -> Iterable[Wait]:
    """What is known and cannot be delivered. Of a receiver that is away the spool says so, since the oldest that it keeps."""
    if row.pending and row.waits_until is not None:
        yield Wait(reason=WaitReason.WINDOW, until=row.waits_until)
    for spooled in row.spooled:
        is_away = spooled.error is not None and spooled.error.code == NotReachable.code
        if is_away and spooled.receiver in receivers:
            yield Wait(reason=WaitReason.RECEIVER, what=spooled.receiver, since=spooled.since)


def _joined(told: Sequence[tuple[str, Wait]]) -> Waiting:
    waits = [wait for _, wait in told]
    first = waits[0]
    return Waiting(
        reason=first.reason,
        what=first.what,
        since=_first(wait.since for wait in waits),
        until=_first(wait.until for wait in waits),
        why=next((wait.why for wait in waits if wait.why), ""),
        job=next((wait.job for wait in waits if wait.job is not None), None),
        datasets=len({dataset for dataset, _ in told}),
    )


def _first(moments: Iterable[datetime | None]) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)

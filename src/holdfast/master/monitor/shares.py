"""What the promises of one node come to on one mover: folded once for each thing the node says, since of thousands of nodes few have said
something new when somebody looks again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from holdfast.compiler.passes.merge import PromiseKey
from holdfast.core.ids import DatasetId, JobId
from holdfast.master.judging.verdict import is_still_to_come, places_kept
from holdfast.master.monitor.values import MonitorState
from holdfast.model.jobs import State
from holdfast.model.node_status import Protection

# What has not run yet is not kept anywhere: among others that are well it must be seen, unless it is only still to come.
WORST_FIRST: tuple[MonitorState, ...] = ("failed", "overdue", "unknown", "running", "warning", "off", "ok")
RANK: Mapping[MonitorState, int] = {state: rank for rank, state in enumerate(WORST_FIRST)}
_BUSY = (State.RUNNING, State.QUEUED)
Row = tuple[tuple[int, str, str, str], Protection]
"""A protection behind what it is ordered by, the worst first."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """`notable`: those rows of which more is to be said than when they ran and run: a job, a fault, something that waits or is behind.
    `rank`: of the worst. `last_at` is the oldest, `due_at` the soonest, `lag_s` the largest. In all of them: the order of the node."""

    rows: tuple[Row, ...]
    notable: tuple[Row, ...]
    rank: int
    lag_s: float | None
    last_at: datetime | None
    due_at: datetime | None
    labels: frozenset[str]
    datasets: frozenset[DatasetId]
    receivers: frozenset[str]


def state_of(protection: Protection) -> MonitorState:
    """In one word. `off`: it has not run yet. A run on its way is shown as that, whatever came before it."""
    if protection.state is State.UNKNOWN and protection.error is not None:
        return "unknown"
    if protection.job is not None and protection.state in _BUSY:
        return "running"
    if protection.error is not None:
        return "failed"
    if protection.overdue:
        return "overdue"
    if protection.last_at is None:
        return "failed" if protection.state is State.FAILED else "off"
    return "warning" if protection.state is State.WARNINGS else "ok"


def lag_s(protection: Protection) -> float | None:
    if protection.last_at is None:
        return None
    newest = protection.newest_at or protection.last_at
    return max(0.0, (newest - protection.last_at).total_seconds())


def shares_of(protections: Iterable[Protection], ways: Mapping[PromiseKey, tuple[tuple[str, int], ...]], flow: str) -> dict[int, Share]:
    """By index of the mover of this flow, for all that run over one."""
    rows: dict[int, list[Row]] = {}
    for each in protections:
        row = ((RANK[state_of(each)], each.dataset, each.operation, each.action), each)
        for owner, index in ways.get((each.dataset_id, each.operation, each.action_id), ()):
            if owner == flow:
                rows.setdefault(index, []).append(row)
    return {index: _folded(found) for index, found in rows.items()}


def earliest(moments: Iterable[datetime | None]) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def jobs_of(rows: Iterable[Row]) -> tuple[JobId, ...]:
    return tuple(dict.fromkeys(p.job for _, p in rows if p.job is not None))


def _folded(rows: list[Row]) -> Share:
    protections = [protection for _, protection in rows]
    kept = places_kept(protections)
    ranks = [key[0] for key, each in rows if key[0] != RANK["off"] or not is_still_to_come(each, kept)]
    return Share(
        rows=tuple(rows),
        notable=tuple(row for row in rows if _is_notable(row[1])),
        rank=min(ranks),
        lag_s=max((lag for p in protections if (lag := lag_s(p)) is not None), default=None),
        last_at=earliest(p.last_at for p in protections),
        due_at=earliest(p.due_at for p in protections),
        labels=frozenset(p.dataset for p in protections),
        datasets=frozenset(p.dataset_id for p in protections),
        receivers=frozenset(p.receiver for p in protections),
    )


def _is_notable(each: Protection) -> bool:
    said = (each.job, each.error, each.wait, each.owed, each.closed_until, each.behind_since)
    return bool(each.behind_runs) or each.waits or any(about is not None for about in said)

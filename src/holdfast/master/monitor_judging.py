"""How vertices and movers do, from what the nodes promise and say. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from holdfast.compiler.drawing import DrawnMover, DrawnVertex
from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import JobId
from holdfast.master.following_rows import FollowingRow, worst_first
from holdfast.master.monitor_values import (
    MOST_NAMES,
    MOST_PROTECTIONS,
    MonitoredNode,
    MonitorState,
    MoverMonitor,
    VertexMonitor,
)
from holdfast.master.monitor_waits import waiting_on
from holdfast.master.node_parts import NodeFinding
from holdfast.master.records.inventory import REVOKED
from holdfast.model.bottleneck import Bottleneck
from holdfast.model.change import Amount
from holdfast.model.jobs import LaneProgress, Progress, Severity, State
from holdfast.model.keys import is_about_kit
from holdfast.model.questions import Protection, RepositoryStatus

# What has not run yet is not kept anywhere: among others that are well it must be seen.
WORST_FIRST: tuple[MonitorState, ...] = ("failed", "overdue", "unknown", "running", "warning", "off", "ok")
_BUSY = (State.RUNNING, State.QUEUED)


@dataclass
class Facts:
    """What is known of the nodes of a flow. `protections`: by index of the mover. `lanes`: by job and delivery. The rest by name of the
    node or repository; of a node that is silent there are no findings but that it is."""

    protections: dict[int, list[Protection]] = field(default_factory=dict)
    lanes: dict[tuple[JobId, str], LaneProgress] = field(default_factory=dict)
    nodes: dict[str, MonitoredNode] = field(default_factory=dict)
    findings: dict[str, tuple[NodeFinding, ...]] = field(default_factory=dict)
    silent: dict[str, ErrorFacts] = field(default_factory=dict)
    repositories: dict[str, RepositoryStatus] = field(default_factory=dict)
    following: list[FollowingRow] = field(default_factory=list)


def lanes_of(progress: Mapping[JobId, Progress]) -> dict[tuple[JobId, str], LaneProgress]:
    return {(job, lane.delivery): lane for job, figure in progress.items() for lane in figure.lanes}


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


def worst(states: Iterable[MonitorState]) -> MonitorState:
    return min(states, key=WORST_FIRST.index, default="off")


def lag_s(protection: Protection) -> float | None:
    if protection.last_at is None:
        return None
    newest = protection.newest_at or protection.last_at
    return max(0.0, (newest - protection.last_at).total_seconds())


def mover_monitor(mover: DrawnMover, facts: Facts) -> MoverMonitor:
    protections = sorted(
        facts.protections.get(mover.index, ()), key=lambda p: (WORST_FIRST.index(state_of(p)), p.dataset, p.operation, p.action)
    )
    keys = dict.fromkeys((p.job, p.delivery) for p in protections if p.job is not None)
    lanes = {key: facts.lanes[key] for key in keys if key in facts.lanes}
    running = dict.fromkeys((p.job, p.delivery) for p in protections if p.job is not None and p.state is State.RUNNING)
    lags = [lag for p in protections if (lag := lag_s(p)) is not None]
    plain = mover.mover
    continuous = plain.mode == "continuous" or any(carried.spec.continuous for carried in mover.carries)
    backlog_runs = sum(p.behind_runs for p in protections)
    followed = _followed_on(protections, facts) if continuous else []
    owed = [] if continuous else owed_on(protections)
    return MoverMonitor(
        index=mover.index,
        source=plain.source,
        target=plain.target,
        mode="continuous" if continuous else "batch",
        carries=plain.carries,
        state=worst(map(state_of, protections)),
        rate_bytes_s=sum(lane.rate_bytes_s for lane in lanes.values()),
        lag_s=max(lags, default=None),
        backlog_runs=backlog_runs,
        backlog_bytes=_backlog_bytes([lanes.get(key) for key in running], followed, owed, idle=not keys),
        backlog_changes=sum(row.pending for row in followed) + sum(each.changes for each in owed if each is not None),
        backlog_estimated=any(each is not None and each.changes for each in owed) or any(row.pending_bytes for row in followed),
        backlog_since=_earliest([*(row.pending_since for row in followed), *(p.behind_since for p in protections)]),
        closed_until=_closed_until(protections),
        waits=any(p.waits for p in protections) or any(row.pending and row.waits_until for row in followed),
        bottleneck=_bottleneck(lanes.values()),
        waiting=waiting_on(protections, followed)[:MOST_NAMES],
        last_at=_oldest(protections),
        next_at=_soonest(protections),
        running_jobs=_jobs(protections)[:MOST_NAMES],
        error=next((p.error for p in protections if p.error is not None), None),
        protections=tuple(protections[:MOST_PROTECTIONS]),
        protections_total=len(protections),
    )


def followed_along(movers: Iterable[MoverMonitor], facts: Facts) -> list[FollowingRow]:
    """Datasets that are followed for one of these movers, the worst first."""
    protections = [p for mover in movers if mover.mode == "continuous" for p in facts.protections.get(mover.index, ())]
    return worst_first(_followed_on(protections, facts))


def _followed_on(protections: Iterable[Protection], facts: Facts) -> list[FollowingRow]:
    datasets = {p.dataset_id for p in protections}
    return [row for row in facts.following if row.dataset_id in datasets]


def _closed_until(protections: Sequence[Protection]) -> datetime | None:
    """When the first of them opens, where all are closed."""
    found = [p.closed_until for p in protections if p.closed_until is not None]
    return min(found) if found and len(found) == len(protections) else None


def _earliest(moments: Iterable[datetime | None]) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def vertex_monitor(vertex: DrawnVertex, movers: Sequence[DrawnMover], facts: Facts) -> VertexMonitor:
    """A source does as well as what leaves it, everything else as what arrives there; and no better than its machines."""
    name = vertex.vertex.name
    touching = [m for m in movers if name == (m.mover.source if vertex.is_source else m.mover.target)]
    protections = [p for mover in touching for p in facts.protections.get(mover.index, ())]
    places = vertex.machines
    # A kit that nobody has made is said in `status`; it is no matter of how data moves.
    findings = [found for place in places for found in facts.findings.get(place, ()) if not is_about_kit(found.finding)]
    labels = sorted({p.dataset for p in protections})
    return VertexMonitor(
        name=name,
        kind=vertex.vertex.kind,
        nodes=tuple(facts.nodes[place] for place in places[:MOST_NAMES] if place in facts.nodes),
        nodes_total=len(places),
        state=worst([*map(state_of, protections), *_own_states(vertex, places, findings, facts)]),
        datasets=tuple(labels[:MOST_NAMES]),
        datasets_total=len(labels),
        last_at=_oldest(protections),
        next_at=_soonest(protections),
        running_jobs=_jobs(protections)[:MOST_NAMES],
        findings=tuple(findings[:MOST_NAMES]),
        findings_total=len(findings),
    )


def _own_states(vertex: DrawnVertex, places: Sequence[str], findings: Sequence[NodeFinding], facts: Facts) -> Iterable[MonitorState]:
    if any(place in facts.silent for place in places):
        yield "unknown"
    repository = facts.repositories.get(vertex.repository.name) if vertex.repository is not None else None
    if repository is not None:
        yield "failed" if repository.error is not None else "ok"
    for found in findings:
        if found.node not in facts.silent and found.finding.severity is not Severity.INFO:
            yield "failed" if found.finding.severity is Severity.ERROR else "warning"


def _backlog_bytes(
    running: Sequence[LaneProgress | None], followed: Sequence[FollowingRow], owed: Sequence[Amount | None], *, idle: bool
) -> int | None:
    """A part of it is not told for the whole. `running`: the lanes of running jobs, None for one that has told nothing. `owed`: what other
    runs left behind. `idle`: no job is there for it."""
    known_owed = [each for each in owed if each is not None]
    if len(known_owed) < len(owed):
        return None
    pending_bytes = sum(row.pending_bytes for row in followed) + sum(each.size_bytes for each in known_owed)
    if not running:
        return pending_bytes if idle or known_owed else None
    known = [lane for lane in running if lane is not None and lane.total_bytes]
    left_bytes = sum(max(0, lane.total_bytes - lane.done_bytes) for lane in known)
    return left_bytes + pending_bytes if len(known) == len(running) else None


def _bottleneck(lanes: Iterable[LaneProgress]) -> Bottleneck | None:
    """Of the one with most to go, since that ends last."""
    told = [lane for lane in lanes if lane.bottleneck is not None]
    return max(told, key=lambda lane: lane.total_bytes - lane.done_bytes).bottleneck if told else None


def owed_on(protections: Sequence[Protection]) -> list[Amount | None]:
    """What is behind, of each stream once, however many operations it serves; None = not known. A job that runs tells of its own."""
    found: dict[tuple[str, str], list[Protection]] = {}
    for each in protections:
        if each.behind_runs and not (each.job is not None and each.state is State.RUNNING):
            found.setdefault((each.dataset_id, each.delivery), []).append(each)
    return [_most([each.owed for each in rows]) for rows in found.values()]


def _most(owed: Sequence[Amount | None]) -> Amount | None:
    known = [each for each in owed if each is not None]
    return max(known, key=lambda each: each.size_bytes) if len(known) == len(owed) else None


def _oldest(protections: Iterable[Protection]) -> datetime | None:
    return _earliest(p.last_at for p in protections)


def _soonest(protections: Iterable[Protection]) -> datetime | None:
    return _earliest(p.due_at for p in protections)


def _jobs(protections: Iterable[Protection]) -> tuple[JobId, ...]:
    return tuple(dict.fromkeys(p.job for p in protections if p.job is not None))


def node_of(name: str, recorded: str | None, is_online: bool) -> MonitoredNode:
    """`recorded`: its state in the records; None = it has not joined."""
    if recorded is None:
        return MonitoredNode(name=name, state="not-joined")
    if recorded == REVOKED:
        return MonitoredNode(name=name, state="revoked")
    return MonitoredNode(name=name, state="online" if is_online else "offline")

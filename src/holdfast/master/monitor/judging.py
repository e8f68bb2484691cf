"""How vertices and movers do, from what the nodes promise and say. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter

from holdfast.compiler.drawing import DrawnMover, DrawnVertex
from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import JobId, NodeId
from holdfast.master.hub.presence import Presence
from holdfast.master.judging.following_rows import FollowingRow, worst_first
from holdfast.master.judging.node_parts import NodeFinding
from holdfast.master.monitor.shares import RANK, WORST_FIRST, Share, earliest, jobs_of
from holdfast.master.monitor.values import (
    MOST_NAMES,
    MOST_PROTECTIONS,
    MonitoredNode,
    MonitorState,
    MoverMonitor,
    VertexMonitor,
)
from holdfast.master.monitor.waits import waiting_on
from holdfast.master.records.inventory import REVOKED
from holdfast.model.bottleneck import Bottleneck
from holdfast.model.change import Amount
from holdfast.model.jobs import Finding, LaneProgress, Progress, Severity, State
from holdfast.model.keys import is_about_kit
from holdfast.model.node_status import Protection
from holdfast.model.repository_status import RepositoryStatus


@dataclass
class Facts:
    """What is known of the nodes of a flow. `shares`: by index of the mover, in the order of the nodes. `lanes`: by job and delivery,
    of those that the node itself names as its own.
    The rest by name of the node or repository; of a node that is silent there are no findings but that it is."""

    shares: dict[int, list[Share]] = field(default_factory=dict)
    lanes: dict[tuple[JobId, str], LaneProgress] = field(default_factory=dict)
    nodes: dict[str, MonitoredNode] = field(default_factory=dict)
    findings: dict[str, tuple[NodeFinding, ...]] = field(default_factory=dict)
    silent: dict[str, ErrorFacts] = field(default_factory=dict)
    repositories: dict[str, RepositoryStatus] = field(default_factory=dict)
    following: list[FollowingRow] = field(default_factory=list)


def lanes_of(node: NodeId, share: Share, moving: Mapping[tuple[NodeId, JobId], Progress]) -> dict[tuple[JobId, str], LaneProgress]:
    """The live figures of what this node does for this share, as it told them: never what another says of a job of that id."""
    jobs = {p.job: moving[node, p.job] for _, p in share.notable if p.job is not None and (node, p.job) in moving}
    return {(job, lane.delivery): lane for job, figure in jobs.items() for lane in figure.lanes}


def worst(ranks: Iterable[int]) -> MonitorState:
    return WORST_FIRST[min(ranks, default=RANK["off"])]


def mover_monitor(mover: DrawnMover, facts: Facts) -> MoverMonitor:
    shares = facts.shares.get(mover.index, ())
    rows = sorted((row for share in shares for row in share.rows), key=itemgetter(0))
    notable = [p for _, p in sorted((row for share in shares for row in share.notable), key=itemgetter(0))]
    keys = dict.fromkeys((p.job, p.delivery) for p in notable if p.job is not None)
    lanes = {key: facts.lanes[key] for key in keys if key in facts.lanes}
    running = dict.fromkeys((p.job, p.delivery) for p in notable if p.job is not None and p.state is State.RUNNING)
    plain = mover.mover
    continuous = plain.mode == "continuous" or any(carried.spec.continuous for carried in mover.carries)
    backlog_runs = sum(p.behind_runs for p in notable)
    followed = _followed_on(shares, facts) if continuous else []
    owed = [] if continuous else owed_on(notable)
    receivers = {receiver for share in shares for receiver in share.receivers}
    return MoverMonitor(
        index=mover.index,
        source=plain.source,
        target=plain.target,
        mode="continuous" if continuous else "batch",
        carries=plain.carries,
        state=worst(share.rank for share in shares),
        rate_bytes_s=sum(lane.rate_bytes_s for lane in lanes.values()),
        lag_s=max((share.lag_s for share in shares if share.lag_s is not None), default=None),
        backlog_runs=backlog_runs,
        backlog_bytes=_backlog_bytes([lanes.get(key) for key in running], followed, owed, idle=not keys),
        backlog_changes=sum(row.pending for row in followed) + sum(each.changes for each in owed if each is not None),
        backlog_estimated=any(each is not None and each.changes for each in owed) or any(row.pending_bytes for row in followed),
        backlog_since=earliest([*(row.pending_since for row in followed), *(p.behind_since for p in notable)]),
        closed_until=_closed_until(notable, len(rows)),
        waits=any(p.waits for p in notable) or any(row.pending and row.waits_until for row in followed),
        bottleneck=_bottleneck(lanes.values()),
        waiting=waiting_on(notable, followed, receivers)[:MOST_NAMES],
        last_at=earliest(share.last_at for share in shares),
        next_at=earliest(share.due_at for share in shares),
        running_jobs=tuple(dict.fromkeys(p.job for p in notable if p.job is not None))[:MOST_NAMES],
        error=next((p.error for p in notable if p.error is not None), None),
        protections=tuple(p for _, p in rows[:MOST_PROTECTIONS]),
        protections_total=len(rows),
    )


def followed_along(movers: Iterable[MoverMonitor], facts: Facts) -> list[FollowingRow]:
    """Datasets that are followed for one of these movers, the worst first."""
    shares = [share for mover in movers if mover.mode == "continuous" for share in facts.shares.get(mover.index, ())]
    return worst_first(_followed_on(shares, facts))


def _followed_on(shares: Iterable[Share], facts: Facts) -> list[FollowingRow]:
    datasets = {dataset for share in shares for dataset in share.datasets} if facts.following else set()
    return [row for row in facts.following if row.dataset_id in datasets]


def _closed_until(protections: Sequence[Protection], total: int) -> datetime | None:
    """When the first of them opens, where all are closed: `total` of them."""
    found = [p.closed_until for p in protections if p.closed_until is not None]
    return min(found) if found and len(found) == total else None


def vertex_monitor(vertex: DrawnVertex, movers: Sequence[DrawnMover], facts: Facts) -> VertexMonitor:
    """A source does as well as what leaves it, everything else as what arrives there; and no better than its machines."""
    name = vertex.vertex.name
    touching = [m for m in movers if name == (m.mover.source if vertex.is_source else m.mover.target)]
    shares = [share for mover in touching for share in facts.shares.get(mover.index, ())]
    places = vertex.machines
    other = _troubles_elsewhere(vertex, facts)
    own = vertex.repository.name if vertex.repository is not None else ""
    findings = [
        found
        for place in places
        for found in facts.findings.get(place, ())
        if _is_of_moving(found.finding) and found.finding.repository in ("", own) and found.finding.message not in other
    ]
    labels = sorted({label for share in shares for label in share.labels})
    return VertexMonitor(
        name=name,
        kind=vertex.vertex.kind,
        nodes=tuple(facts.nodes[place] for place in places[:MOST_NAMES] if place in facts.nodes),
        nodes_total=len(places),
        state=worst([*(share.rank for share in shares), *(RANK[own] for own in _own_states(vertex, places, findings, facts))]),
        datasets=tuple(labels[:MOST_NAMES]),
        datasets_total=len(labels),
        last_at=earliest(share.last_at for share in shares),
        next_at=earliest(share.due_at for share in shares),
        running_jobs=jobs_of(row for share in shares for row in share.notable)[:MOST_NAMES],
        findings=tuple(findings[:MOST_NAMES]),
        findings_total=len(findings),
    )


def _is_of_moving(finding: Finding) -> bool:
    """A kit that nobody has made, and a machine without limits, are said in `status`; they are no matter of how data moves."""
    return not is_about_kit(finding) and finding.code != "no-limits"


def _troubles_elsewhere(vertex: DrawnVertex, facts: Facts) -> set[str]:
    """In what words other repositories say that they cannot be opened: their machine says the same for them, which is no matter of what
    else that machine does."""
    own = vertex.repository.name if vertex.repository is not None else ""
    errors = {name: repository.error.message for name, repository in facts.repositories.items() if repository.error is not None}
    return {message for name, message in errors.items() if name != own} - {errors.get(own, "")}


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


def node_of(name: str, recorded: str | None, presence: Presence, node: NodeId) -> MonitoredNode:
    """`recorded`: its state in the records; None = it has not joined."""
    if recorded is None:
        return MonitoredNode(name=name, state="not-joined")
    if recorded == REVOKED:
        return MonitoredNode(name=name, state="revoked")
    return MonitoredNode(name=name, state=presence.word(node))

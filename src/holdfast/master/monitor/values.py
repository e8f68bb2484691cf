"""The answer of the monitor: a flow that is in force, each vertex and each mover with how it does."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import JobId
from holdfast.master.judging.following_rows import FollowingRow
from holdfast.master.judging.node_parts import NodeFinding
from holdfast.master.rules.activation import FlowState
from holdfast.model.bottleneck import Bottleneck
from holdfast.model.node_status import Protection
from holdfast.model.waits import WaitReason

MonitorState = Literal["ok", "running", "warning", "failed", "overdue", "unknown", "off"]
MOST_NAMES = 50
MOST_PROTECTIONS = 200


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Base."""


class MonitoredNode(_Part, frozen=True, kw_only=True):
    name: str
    state: Literal["online", "silent", "offline", "revoked", "not-joined"]


class SilentNode(_Part, frozen=True, kw_only=True):
    """A node that gave no answer: what it does is told as it was last known, with the state unknown."""

    node: str
    error: ErrorFacts


class VertexMonitor(_Part, frozen=True, kw_only=True):
    """`nodes`, `datasets` (labels), `running_jobs` and `findings` hold at most `MOST_NAMES`. `kind` as in the document.

    `last_at`: capture time of what was acknowledged last, the oldest of all that is promised here; null = nothing was yet. `next_at`: the
    soonest next run by itself.
    """

    name: str
    kind: Literal["node", "group", "repository", "mirror", "relay"]
    nodes: tuple[MonitoredNode, ...]
    nodes_total: int
    state: MonitorState
    datasets: tuple[str, ...]
    datasets_total: int
    last_at: datetime | None
    next_at: datetime | None
    running_jobs: tuple[JobId, ...]
    findings: tuple[NodeFinding, ...]
    findings_total: int


class Waiting(_Part, frozen=True, kw_only=True):
    """As `model.waits.Wait`. `datasets`: how many of the mover's wait so; `since` is the earliest of them, `until` the soonest."""

    reason: WaitReason
    what: str
    since: datetime | None
    until: datetime | None
    why: str
    job: JobId | None
    datasets: int


class MoverMonitor(_Part, frozen=True, kw_only=True):
    """`index` is its place among the movers of the flow. Of many datasets: the worst state, sums, the oldest `last_at`, the soonest
    `next_at`, the largest `lag_s`; `running_jobs` holds at most `MOST_NAMES`.

    `lag_s`: how much older what the target has acknowledged is than the newest capture there is for it (0 = up to date, null = it never
    acknowledged anything). `backlog_runs`: finished runs it has not acknowledged. `backlog_bytes`: still to go in jobs that run, and what
    runs and followed changes left behind; null = not known of all of them. `backlog_changes`: changes known at a source and not delivered,
    `backlog_since` the oldest of them, or of the runs. `backlog_estimated`: changes and bytes are those of whole files, each run for
    itself, of which a receiver may hold much already. `bottleneck`: what it waits for most just now, of the lane with most left; null =
    nothing runs, or it is not known. `closed_until`: its window is closed until then; `waits`: something waits for that. `waiting`: why it
    stands still, each reason once for each thing that is waited for, at most `MOST_NAMES`. `protections` holds at most
    `MOST_PROTECTIONS`, the worst first.
    """

    index: int
    source: str
    target: str
    mode: Literal["batch", "continuous"]
    carries: tuple[str, ...]
    state: MonitorState
    rate_bytes_s: float
    lag_s: float | None
    backlog_runs: int
    backlog_bytes: int | None
    backlog_changes: int
    backlog_since: datetime | None
    backlog_estimated: bool
    closed_until: datetime | None
    waits: bool
    bottleneck: Bottleneck | None
    waiting: tuple[Waiting, ...]
    last_at: datetime | None
    next_at: datetime | None
    running_jobs: tuple[JobId, ...]
    error: ErrorFacts | None
    protections: tuple[Protection, ...]
    protections_total: int


class FlowMonitor(_Part, frozen=True, kw_only=True):
    """Vertices and movers are those in force, in the order of the document that was activated; none of a flow that is not active.
    `following`: the datasets that are followed for its movers, the worst first, at most `MOST_NAMES`."""

    flow: str
    state: FlowState
    active_revision: int | None
    vertices: tuple[VertexMonitor, ...]
    movers: tuple[MoverMonitor, ...]
    unreachable: tuple[SilentNode, ...]
    unreachable_total: int
    following: tuple[FollowingRow, ...] = ()
    following_total: int = 0

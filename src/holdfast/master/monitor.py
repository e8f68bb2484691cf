"""How an active flow does, told by its drawing: each vertex and each mover with its state, rate, lag and backlog."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from holdfast.compiler.nearest import nearest_hint
from holdfast.core.errors import ErrorFacts, UnknownName
from holdfast.core.ids import JobId
from holdfast.master.activation import Activation, FlowState
from holdfast.master.foundation import Foundation
from holdfast.master.status import NodeFinding, StatusBoard
from holdfast.model.questions import Protection

MonitorState = Literal["ok", "running", "warning", "failed", "overdue", "unknown", "off"]
MOST_NAMES = 50
MOST_PROTECTIONS = 200


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Base."""


class MonitoredNode(_Part, frozen=True, kw_only=True):
    name: str
    state: Literal["online", "offline", "revoked", "not-joined"]


class SilentNode(_Part, frozen=True, kw_only=True):
    """A node that gave no answer: what it does is told as it was last known, with the state unknown."""

    node: str
    error: ErrorFacts


class VertexMonitor(_Part, frozen=True, kw_only=True):
    """`nodes`, `datasets` (labels), `running_jobs` and `findings` hold at most `MOST_NAMES`. `kind` as in the document.

    `last_at`: capture time of what was acknowledged last by all that is promised here (the oldest of them); null = one never was.
    `next_at`: the soonest next run.
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


class MoverMonitor(_Part, frozen=True, kw_only=True):
    """`index` is its place among the movers of the flow. Of many datasets: the worst state, sums, the oldest `last_at`, the soonest
    `next_at`, the largest `lag_s`.

    `lag_s`: how much older what the target has acknowledged is than the newest capture there is for it (0 = up to date, null = it never
    acknowledged). `backlog_runs`: finished runs it has not acknowledged. `backlog_bytes`: still to go in jobs that run; null = not known.
    `protections` holds at most `MOST_PROTECTIONS`, the worst first.
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
    last_at: datetime | None
    next_at: datetime | None
    running_jobs: tuple[JobId, ...]
    error: ErrorFacts | None
    protections: tuple[Protection, ...]
    protections_total: int


class FlowMonitor(_Part, frozen=True, kw_only=True):
    """Vertices and movers are those in force, in the order of the document that was activated; none of a flow that is not active."""

    flow: str
    state: FlowState
    active_revision: int | None
    vertices: tuple[VertexMonitor, ...]
    movers: tuple[MoverMonitor, ...]
    unreachable: tuple[SilentNode, ...]
    unreachable_total: int


class Monitor:
    def __init__(self, base: Foundation, activation: Activation, board: StatusBoard) -> None:
        self._base = base
        self._activation = activation
        self._board = board

    async def flow(self, flow: str) -> FlowMonitor:
        """Raises `UnknownName` when neither the document nor what is active has such a flow."""
        views = {view.name: view for view in await self._activation.flows()}
        if flow not in views:
            raise UnknownName(f"there is no flow {flow!r}", hint=nearest_hint(flow, views, "`holdfast status` shows them"), flow=flow)
        return FlowMonitor(
            flow=flow,
            state=views[flow].state,
            active_revision=views[flow].active_revision,
            vertices=(),
            movers=(),
            unreachable=(),
            unreachable_total=0,
        )

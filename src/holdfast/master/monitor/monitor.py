"""How an active flow does, told by its drawing: the rules that are in force, and what their nodes say of themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from holdfast.compiler.nearest import nearest_hint
from holdfast.compiler.ways import Ways, find_ways
from holdfast.core.errors import UnknownName
from holdfast.core.ids import NodeId
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.hub.looks import Looks, Told
from holdfast.master.judging.hops import with_upstream
from holdfast.master.judging.node_parts import NodePart, NodeParts, Said
from holdfast.master.monitor.judging import Facts, followed_along, lanes_of, mover_monitor, node_of, vertex_monitor
from holdfast.master.monitor.shares import Share, shares_of
from holdfast.master.monitor.values import MOST_NAMES, FlowMonitor, SilentNode
from holdfast.master.records import inventory
from holdfast.master.rules.activation import FlowView, flow_views
from holdfast.master.rules.compiling import DrawingKey, Situation, current_situation, drawing_key
from holdfast.master.rules.deployment import Deployment
from holdfast.model.node_status import NodeStatus
from holdfast.model.rules import Rules


@dataclass(frozen=True)
class _Chart:
    """What is drawn and in force: it stays the same, as `key` does, until somebody edits, activates or joins. `shares`: kept ones."""

    key: DrawingKey
    flows: dict[str, FlowView]
    rules: dict[NodeId, Rules]
    ways: Ways
    shares: dict[tuple[str, NodeId], tuple[NodePart, dict[int, Share]]] = field(default_factory=dict)

    def shares_of(self, flow: str, node: NodeId, part: NodePart) -> dict[int, Share]:
        """Of what a node brings, by index of the mover; kept until it brings something else."""
        known = self.shares.get((flow, node))
        if known is None or known[0] is not part:
            known = self.shares[flow, node] = (part, shares_of(part.protections, self.ways.of, flow))
        return known[1]

    def places(self, flow: str) -> dict[str, NodeId | None]:
        """The machines of a flow by their names in the document; None for one that has not joined."""
        vertices = [vertex for vertex in self.ways.vertices if vertex.flow == flow]
        names = (name for vertex in vertices for name in vertex.machines)
        return {name: member.id if (member := self.ways.members.get(name)) else None for name in names}


@dataclass(frozen=True)
class _Read:
    """The records at one moment. `states`: of all that ever joined. `drawn`: the chart, or what it has to be drawn from anew."""

    key: DrawingKey
    states: dict[NodeId, str]
    drawn: _Chart | Situation


class Monitor:
    def __init__(self, base: Foundation, hub: Hub, looks: Looks, parts: NodeParts) -> None:
        self._base = base
        self._hub = hub
        self._looks = looks
        self._parts = parts
        self._chart: _Chart | None = None

    async def flow(self, flow: str) -> FlowMonitor:
        """Raises `UnknownName` when neither the document nor what is active has such a flow."""
        read = await self._base.database.run(self._read)
        chart = read.drawn if isinstance(read.drawn, _Chart) else await asyncio.to_thread(_draw, read.key, read.drawn)
        self._chart = chart
        view = chart.flows.get(flow)
        if view is None:
            raise UnknownName(f"there is no flow {flow!r}", hint=nearest_hint(flow, chart.flows, "`holdfast status` shows them"), flow=flow)
        places = chart.places(flow) if view.state != "draft" else {}
        told = await self._looks.glance(node for node in places.values() if node in chart.rules)
        facts = self._facts(chart, flow, places, told)
        presence = self._hub.presence()
        shown = (name for vertex in chart.ways.vertices if vertex.flow == flow for name in vertex.machines[:MOST_NAMES])
        for name in shown:
            if name in places and name not in facts.nodes:
                node = places[name] or NodeId("")
                facts.nodes[name] = node_of(name, read.states.get(node), presence, node)
        return await asyncio.to_thread(_answer, view, chart.ways, facts)

    def _read(self, session: Session) -> _Read:
        known = inventory.node_states(session)
        key = drawing_key(session)
        chart = self._chart
        drawn = chart if chart is not None and chart.key == key else current_situation(session, self._base)
        return _Read(key, {node: state for node, (_, state) in known.items()}, drawn)

    def _facts(self, chart: _Chart, flow: str, places: Mapping[str, NodeId | None], told: Mapping[NodeId, Told]) -> Facts:
        facts, moving = Facts(), self._hub.moving()
        asked = [(name, node) for name, node in places.items() if node is not None and node in told]
        every = ((node, Said(name, chart.rules[node], told[node], self._looks.last_known(node))) for name, node in asked)
        for (name, node), part in zip(asked, with_upstream(self._parts.of(every)), strict=True):
            answer = told[node]
            for index, share in chart.shares_of(flow, node, part).items():
                facts.shares.setdefault(index, []).append(share)
                facts.lanes.update(lanes_of(node, share, moving))
            if part.findings:
                facts.findings[name] = part.findings
            if isinstance(answer, NodeStatus):
                facts.repositories.update((repository.name, repository) for repository in answer.repositories)
                facts.following.extend(part.following)
            else:
                facts.silent[name] = answer
        return facts


def _draw(key: DrawingKey, situation: Situation) -> _Chart:
    views = flow_views(situation, Deployment(nodes={}, rules=situation.rules))
    return _Chart(key, {view.name: view for view in views}, situation.rules, find_ways(situation.flows, situation.inventory))


def _answer(view: FlowView, ways: Ways, facts: Facts) -> FlowMonitor:
    """Of a draft nothing is in force, so that it has neither vertices nor movers here."""
    movers = [mover for mover in ways.movers if mover.flow == view.name]
    vertices = [vertex for vertex in ways.vertices if vertex.flow == view.name]
    monitors = tuple(mover_monitor(mover, facts) for mover in movers)
    following = followed_along(monitors, facts)
    silent = tuple(SilentNode(node=name, error=error) for name, error in facts.silent.items())
    return FlowMonitor(
        flow=view.name,
        state=view.state,
        active_revision=view.active_revision,
        vertices=tuple(vertex_monitor(vertex, movers, facts) for vertex in vertices),
        movers=monitors,
        unreachable=silent[:MOST_NAMES],
        unreachable_total=len(silent),
        following=tuple(following[:MOST_NAMES]),
        following_total=len(following),
    )

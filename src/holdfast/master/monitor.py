"""How an active flow does, told by its drawing: the rules that are in force, and what their nodes say of themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from holdfast.compiler.nearest import nearest_hint
from holdfast.compiler.ways import Ways, find_ways
from holdfast.core.errors import UnknownName
from holdfast.core.ids import NodeId
from holdfast.master.activation import FlowView, flow_views
from holdfast.master.compiling import Situation, current_situation
from holdfast.master.deployment import Deployment
from holdfast.master.following_rows import following_row
from holdfast.master.foundation import Foundation
from holdfast.master.hub import Hub
from holdfast.master.looks import Looks, Told
from holdfast.master.monitor_judging import Facts, followed_along, lanes_of, mover_monitor, node_of, vertex_monitor
from holdfast.master.monitor_values import MOST_NAMES, FlowMonitor, SilentNode
from holdfast.master.records import documents, inventory
from holdfast.master.status import findings_of, protections_of
from holdfast.model.questions import NodeStatus
from holdfast.model.rules import Rules


@dataclass(frozen=True)
class _Chart:
    """What is drawn and in force: it stays the same, as `key` does, until somebody edits, activates or joins."""

    key: tuple[object, ...]
    flows: dict[str, FlowView]
    rules: dict[NodeId, Rules]
    ways: Ways

    def places(self, flow: str) -> dict[str, NodeId | None]:
        """The machines of a flow by their names in the document; None for one that has not joined."""
        vertices = [vertex for vertex in self.ways.vertices if vertex.flow == flow]
        names = (name for vertex in vertices for name in (vertex.nodes if vertex.is_source else (vertex.place,)))
        return {name: member.id if (member := self.ways.members.get(name)) else None for name in names}


@dataclass(frozen=True)
class _Read:
    """The records at one moment. `states`: of all that ever joined. `drawn`: the chart, or what it has to be drawn from anew."""

    key: tuple[object, ...]
    states: dict[NodeId, str]
    drawn: _Chart | Situation


class Monitor:
    def __init__(self, base: Foundation, hub: Hub, looks: Looks) -> None:
        self._base = base
        self._hub = hub
        self._looks = looks
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
        facts = self._facts(chart, flow, told)
        online = self._hub.online()
        facts.nodes.update((name, node_of(name, read.states.get(node or NodeId("")), node in online)) for name, node in places.items())
        return await asyncio.to_thread(_answer, view, chart.ways, facts)

    def _read(self, session: Session) -> _Read:
        known = inventory.node_states(session)
        active = tuple((flow.flow, flow.revision, flow.activated_at) for flow in documents.active_flows(session))
        newest = documents.revisions(session, limit=1, before=None)
        key = (newest, active, inventory.newest_generations(session), known)
        chart = self._chart
        drawn = chart if chart is not None and chart.key == key else current_situation(session, self._base)
        return _Read(key, {node: state for node, (_, state) in known.items()}, drawn)

    def _facts(self, chart: _Chart, flow: str, told: Mapping[NodeId, Told]) -> Facts:
        facts = Facts()
        for name, node in chart.places(flow).items():
            if node is None or node not in told:
                continue
            answer = told[node]
            for protection in protections_of(chart.rules[node], answer, self._looks.last_known(node)):
                way = chart.ways.of.get((protection.dataset_id, protection.operation, protection.action_id), ())
                for index in (index for owner, index in way if owner == flow):
                    facts.protections.setdefault(index, []).append(protection)
            facts.lanes.update(lanes_of(self._hub.progress_of(node)))
            facts.findings[name] = findings_of(name, answer)
            if isinstance(answer, NodeStatus):
                facts.repositories.update((repository.name, repository) for repository in answer.repositories)
                facts.following.extend(following_row(name, each) for each in answer.following)
            else:
                facts.silent[name] = answer
        return facts


def _draw(key: tuple[object, ...], situation: Situation) -> _Chart:
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

"""What is changing now in a flow: asked of the nodes it begins at, merged by time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec

from holdfast.compiler.nearest import nearest_hint
from holdfast.core.errors import ErrorFacts, HoldfastError, UnknownName, UsageError
from holdfast.core.ids import NodeId
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.judging.following_rows import FollowingRow, following_row, worst_first
from holdfast.master.rules.deployment import Deployment, deployment
from holdfast.model.tail import NOT_CONTINUOUS, AskTail, Tailed, TailEvent

ANSWER_TIMEOUT_S = 8.0
# Each has a part in the word that says where to go on, which has to fit into a query.
MOST_NODES = 200


class SilentSource(msgspec.Struct, frozen=True, kw_only=True):
    """A node that gave no answer: what happens there is missing."""

    node: str
    error: ErrorFacts


class FlowTail(msgspec.Struct, frozen=True, kw_only=True):
    """Oldest first. Ask again with `after` for what comes next. `skipped`: nodes some of whose events since `after` are not kept any more.
    `more`: there are others already. `following`: how the datasets are followed now, the worst first."""

    flow: str
    events: tuple[TailEvent, ...]
    after: str
    more: bool = False
    skipped: tuple[str, ...] = ()
    following: tuple[FollowingRow, ...] = ()
    unreachable: tuple[SilentSource, ...] = ()


@dataclass(frozen=True)
class _Mark:
    """How far a node was read. The word of it: `NODE.LIFE.NUMBER`."""

    life: str
    number: int


class Tailing:
    def __init__(self, base: Foundation, hub: Hub) -> None:
        self._base = base
        self._hub = hub

    async def tail(self, flow: str, dataset: str, after: str, limit: int) -> FlowTail:
        """`after` empty = the newest. Raises `UnknownName`, and `UsageError` when nothing of it is continuous or `after` is none."""
        marks = _marks(after)
        rolled_out = await self._base.database.run(deployment)
        nodes = _sources(rolled_out, flow, dataset)
        answers = await asyncio.gather(*(self._ask(node, flow, dataset, marks.get(node), limit) for node in nodes))
        told = {node: answer for node, answer in zip(nodes, answers, strict=True) if isinstance(answer, Tailed)}
        silent = {node: answer for node, answer in zip(nodes, answers, strict=True) if isinstance(answer, HoldfastError)}
        datasets = {node: {rule.id for rule in rolled_out.rules[node].datasets if dataset in ("", rule.id, rule.label)} for node in told}
        events = sorted((event for answer in told.values() for event in answer.events), key=lambda event: event.time)
        marks |= {node: _Mark(answer.life, answer.last) for node, answer in told.items()}
        rows = [
            following_row(rolled_out.name(node), each)
            for node, answer in told.items()
            for each in answer.following
            if each.dataset_id in datasets[node]
        ]
        return FlowTail(
            flow=flow,
            events=tuple(events),
            after=",".join(f"{node}.{mark.life}.{mark.number}" for node, mark in marks.items() if node in nodes),
            more=any(answer.more for answer in told.values()),
            skipped=tuple(rolled_out.name(node) for node, answer in told.items() if answer.skipped),
            following=tuple(worst_first(rows)),
            unreachable=tuple(SilentSource(node=rolled_out.name(node), error=error.facts()) for node, error in silent.items()),
        )

    async def _ask(self, node: NodeId, flow: str, dataset: str, mark: _Mark | None, limit: int) -> Tailed | HoldfastError:
        ask = AskTail(flow=flow, dataset=dataset, limit=limit)
        if mark is not None:
            ask = msgspec.structs.replace(ask, after=mark.number, life=mark.life)
        try:
            return await self._hub.ask_for(node, ask, Tailed, ANSWER_TIMEOUT_S)
        except HoldfastError as error:
            return error


def _sources(rolled_out: Deployment, flow: str, dataset: str) -> tuple[NodeId, ...]:
    """The nodes that follow something of the flow."""
    parts = {node: part for node, rules in rolled_out.rules.items() for part in rules.flows if part.name == flow}
    if not parts:
        active = sorted({part.name for rules in rolled_out.rules.values() for part in rules.flows})
        otherwise = f"active: {', '.join(active) or 'none'}"
        raise UnknownName(f"no flow {flow!r} is active", hint=nearest_hint(flow, active, otherwise), flow=flow)
    chosen = {
        node: {rule.id for rule in rolled_out.rules[node].datasets if rule.id in part.datasets and dataset in ("", rule.id, rule.label)}
        for node, part in parts.items()
    }
    if dataset and not any(chosen.values()):
        labels = rolled_out.dataset_labels(flow)
        hint = nearest_hint(dataset, labels, f"it has {', '.join(sorted(labels))}")
        raise UnknownName(f"flow {flow!r} captures no dataset {dataset!r}", hint=hint, flow=flow)
    followed = {node: {d.dataset for d in rolled_out.rules[node].deliveries if d.mode == "continuous"} for node in parts}
    nodes = tuple(node for node in parts if chosen[node] & followed[node])
    if not nodes:
        raise UsageError(f"nothing of {dataset or flow!r} is continuous", hint=NOT_CONTINUOUS)
    if len(nodes) > MOST_NODES:
        raise UsageError(f"flow {flow!r} begins at {len(nodes)} nodes", hint=f"name a dataset; at most {MOST_NODES} are watched at once")
    return nodes


def _marks(after: str) -> dict[NodeId, _Mark]:
    try:
        words = [word.split(".") for word in after.split(",") if word]
        return {NodeId(node): _Mark(life, int(number)) for node, life, number in words}
    except ValueError:
        raise UsageError(f"{after[:40]!r} is no place to go on from", hint="take `after` from the answer before") from None

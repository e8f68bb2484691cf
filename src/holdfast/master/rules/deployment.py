"""What is rolled out: the nodes and the newest rules of each, and what follows from them. Pure, but for `deployment`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from sqlalchemy.orm import Session

from holdfast.compiler.nearest import nearest_hint
from holdfast.core.errors import UnknownName
from holdfast.core.ids import DatasetId, NodeId, RepositoryId
from holdfast.master.records import inventory
from holdfast.master.records.database import KEPT
from holdfast.master.records.inventory import Node
from holdfast.master.records.tables import NodeRow, RulesRow
from holdfast.master.records.versions import kept
from holdfast.model.questions import AskTrigger
from holdfast.model.rules import Cascade, FlowOfNode, ForwardAction, RepositoryRule, Rules, StoreAction, decode_rules


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """One question of a stage, to one node."""

    node: NodeId
    ask: AskTrigger


Stage = tuple[Asking, ...]
_DECODED = "decoded rules"


@dataclass(frozen=True)
class Selection:
    """Which part of a flow; empty = all of it."""

    policy: str = ""
    operation: str = ""
    accept: bool = False
    adopt: bool = False
    first: bool = False


@dataclass(frozen=True)
class Deployment:
    nodes: dict[NodeId, Node]
    rules: dict[NodeId, Rules]

    def name(self, node: NodeId) -> str:
        known = self.nodes.get(node)
        return known.name if known else node

    def node_named(self, name_or_id: str) -> Node:
        """Raises `UnknownName`."""
        for node in self.nodes.values():
            if name_or_id in (node.name, node.id):
                return node
        hint = nearest_hint(name_or_id, [node.name for node in self.nodes.values()], "`holdfast nodes` lists them")
        raise UnknownName(f"no node {name_or_id!r} has joined", hint=hint, node=name_or_id)

    def repositories(self) -> Iterator[tuple[Node, RepositoryRule]]:
        for node_id, rules in self.rules.items():
            for repository in rules.repositories:
                yield self.nodes[node_id], repository

    def repository(self, name_or_id: str) -> tuple[Node, RepositoryRule]:
        """Owner and rule; raises `UnknownName`."""
        for owner, repository in self.repositories():
            if name_or_id in (repository.name, repository.id):
                return owner, repository
        known = [repository.name for _, repository in self.repositories()]
        hint = nearest_hint(name_or_id, known, f"there is {', '.join(sorted(known))}" if known else "activate a flow that stores in it")
        raise UnknownName(f"no active flow uses a repository {name_or_id!r}", hint=hint, repository=name_or_id)

    def dataset_labels(self, flow: str) -> tuple[str, ...]:
        """Of what the flow captures."""
        return tuple(d.label for rules in self.rules.values() for d in rules.datasets if d.id in _part(rules, flow).datasets)

    def rule_names(self, flow: str) -> frozenset[str]:
        """How jobs of this flow are called: labels of datasets, ids and labels of cascades."""
        names: set[str] = set()
        for rules in self.rules.values():
            part = _part(rules, flow)
            names.update(dataset.label for dataset in rules.datasets if dataset.id in part.datasets)
            names.update(name for c in rules.cascades if c.id in part.cascades for name in (c.id, c.delivery.label))
        return frozenset(names)

    def stages(self, flow: str, selection: Selection, trigger: str) -> tuple[Stage, ...]:
        """Sources first, then cascades, each after those that feed it. Raises `UnknownName` when the selection is empty."""
        chosen = self._datasets(flow, selection)
        first = tuple(_asking(node, trigger, selection, datasets=ids) for node, ids in chosen.items())
        all_ids = frozenset(dataset for ids in chosen.values() for dataset in ids)
        cascades = [
            (node, cascade)
            for node, rules in self.rules.items()
            for cascade in rules.cascades
            if cascade.id in _part(rules, flow).cascades
            and cascade.delivery.dataset in all_ids
            and (not selection.operation or selection.operation in cascade.delivery.operations)
        ]
        if not first and not cascades:
            raise self._nothing_to_run(flow, selection)
        return ((first,) if first else ()) + self._cascade_stages(cascades, selection, trigger)

    def _nothing_to_run(self, flow: str, selection: Selection) -> UnknownName:
        """Which of the names is wrong, and what it may have been meant to be."""
        active = {part.name for rules in self.rules.values() for part in rules.flows}
        if flow not in active:
            otherwise = f"`holdfast activate {flow}` puts it into force; active: {', '.join(sorted(active)) or 'none'}"
            return UnknownName(f"no flow {flow!r} is active", hint=nearest_hint(flow, active, otherwise), flow=flow)
        datasets = [d for rules in self.rules.values() for d in rules.datasets if d.id in _part(rules, flow).datasets]
        policies = {dataset.policy for dataset in datasets}
        if selection.policy and selection.policy not in policies:
            hint = nearest_hint(selection.policy, policies, f"it has {', '.join(sorted(policies))}")
            return UnknownName(f"flow {flow!r} has no policy {selection.policy!r}", hint=hint, flow=flow)
        operations = {o.name for d in datasets if selection.policy in ("", d.policy) for o in d.operations}
        hint = nearest_hint(selection.operation, operations, f"it has {', '.join(sorted(operations))}")
        return UnknownName(f"flow {flow!r} runs no operation {selection.operation!r}", hint=hint, flow=flow)

    def _datasets(self, flow: str, selection: Selection) -> dict[NodeId, tuple[DatasetId, ...]]:
        found = {}
        for node, rules in self.rules.items():
            part = _part(rules, flow)
            ids = tuple(
                d.id
                for d in rules.datasets
                if d.id in part.datasets
                and selection.policy in ("", d.policy)
                and (not selection.operation or any(o.name == selection.operation for o in d.operations))
            )
            if ids:
                found[node] = ids
        return found

    def _cascade_stages(self, cascades: list[tuple[NodeId, Cascade]], selection: Selection, trigger: str) -> tuple[Stage, ...]:
        written = {cascade.id: self._written(node, cascade) for node, cascade in cascades}
        left, stages = list(cascades), []
        while left:
            ready = [(n, c) for n, c in left if not any(_feeds(other, c, written[other.id]) for _, other in left)]
            # The compiler refuses loops; should one come all the same, its members run together instead of never.
            ready = ready or left
            by_node: dict[NodeId, list[str]] = {}
            for node, cascade in ready:
                by_node.setdefault(node, []).append(cascade.id)
            stages.append(tuple(_asking(n, trigger, selection, cascades=tuple(ids)) for n, ids in by_node.items()))
            left = [item for item in left if item not in ready]
        return tuple(stages)

    def _written(self, node: NodeId, cascade: Cascade) -> frozenset[RepositoryId]:
        """Repositories that a cascade ends in, through relays too."""
        found: set[RepositoryId] = set()
        open_hops = [(node, cascade.delivery)]
        seen: set[tuple[NodeId, str]] = set()
        while open_hops:
            sender, hop = open_hops.pop()
            if (sender, hop.id) in seen or hop.receiver not in self.rules:
                continue
            seen.add((sender, hop.id))
            receiver = self.rules[hop.receiver]
            for action in (a for r in receiver.receives if r.dataset == hop.dataset for a in r.actions if a.id in hop.actions):
                if isinstance(action, StoreAction):
                    found.add(action.repository)
                elif isinstance(action, ForwardAction):
                    open_hops.extend((hop.receiver, d) for d in receiver.deliveries if d.id == action.delivery)
        return frozenset(found)


def deployment(session: Session) -> Deployment:
    """What is rolled out now, revoked nodes left out. The same object until nodes or rules change."""
    return kept(session, "deployment", (NodeRow, RulesRow), lambda: _deployment(session))


def _deployment(session: Session) -> Deployment:
    nodes = {n.id: n for n in inventory.nodes(session) if n.state == inventory.JOINED}
    rules = _newest_rules(session)
    return Deployment(nodes=nodes, rules={n: rules[n] for n in nodes if n in rules})


def _newest_rules(session: Session) -> dict[NodeId, Rules]:
    """Of every node that has any. Decoded rules are kept from one session to the next, by their digests: of a large fleet all together
    are megabytes, and every view asks for them."""
    digests = inventory.newest_digests(session)
    kept: dict[NodeId, tuple[str, Rules]] = session.info[KEPT].get(_DECODED, {})
    fresh = [node for node, digest in digests.items() if node not in kept or kept[node][0] != digest]
    if fresh or len(kept) != len(digests):
        bodies = inventory.newest_bodies(session, fresh)
        decoded = {node: (digests[node], decode_rules(body)) for node, body in bodies.items()}
        kept = {node: decoded.get(node) or kept[node] for node in digests}
        session.info[KEPT][_DECODED] = kept
    return {node: rules for node, (_, rules) in kept.items()}


def _part(rules: Rules, flow: str) -> FlowOfNode:
    return next((part for part in rules.flows if part.name == flow), FlowOfNode(name=flow))


def _feeds(upper: Cascade, lower: Cascade, written: frozenset[RepositoryId]) -> bool:
    return upper.id != lower.id and upper.delivery.dataset == lower.delivery.dataset and lower.repository in written


def _asking(
    node: NodeId,
    trigger: str,
    selection: Selection,
    *,
    datasets: tuple[DatasetId, ...] = (),
    cascades: tuple[str, ...] = (),
) -> Asking:
    ask = AskTrigger(
        trigger=trigger,
        datasets=datasets,
        cascades=cascades,
        operations=(selection.operation,) if selection.operation else (),
        accept=selection.accept,
        adopt=selection.adopt,
        first=selection.first,
    )
    return Asking(node=node, ask=ask)

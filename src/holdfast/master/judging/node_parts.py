"""What each node brings to the status of the whole, worked out once for each thing it says: of thousands of nodes a few have said
something new since somebody last looked. What is not new stays the same object, by which others can keep what they made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import ActionId, DatasetId, NodeId
from holdfast.master.answers.found import Unreachable
from holdfast.master.hub.looks import Told
from holdfast.master.judging.following_rows import FollowingRow, following_row
from holdfast.master.judging.verdict import DatasetStanding, standings
from holdfast.model.jobs import Finding, Severity, State
from holdfast.model.node_status import NodeStatus, Protection
from holdfast.model.repository_status import RepositoryStatus
from holdfast.model.rules import Rules, StoreAction, title_of


class RepositoryView(msgspec.Struct, frozen=True, kw_only=True):
    node: str
    status: RepositoryStatus


class NodeFinding(msgspec.Struct, frozen=True, kw_only=True):
    node: str
    finding: Finding


class Said(NamedTuple):
    """`known`: what it said when it last answered. All of these are kept by others, so that the same thing is the same object."""

    name: str
    rules: Rules
    told: Told
    known: NodeStatus | None

    def is_same(self, other: Said) -> bool:
        same = self.rules is other.rules and self.told is other.told and self.known is other.known
        return same and self.name == other.name


@dataclass(frozen=True)
class Feed:
    """What brings a cascade that it forwards: actions that store in its repository, and the operation it waits for if not its own."""

    actions: tuple[ActionId, ...]
    after: str


@dataclass(frozen=True)
class NodePart:
    """`silent`: its repositories, while it does not answer. `feeds`: of its cascades, by delivery."""

    said: Said
    protections: tuple[Protection, ...]
    standings: dict[DatasetId, DatasetStanding]
    findings: tuple[NodeFinding, ...]
    repositories: tuple[RepositoryView, ...]
    silent: tuple[Unreachable, ...]
    following: tuple[FollowingRow, ...]
    feeds: Mapping[str, Feed] = field(default_factory=dict)


class NodeParts:
    def __init__(self) -> None:
        self._kept: dict[NodeId, NodePart] = {}

    def of(self, every: Iterable[tuple[NodeId, Said]]) -> tuple[NodePart, ...]:
        """In their order."""
        found = []
        for node, said in every:
            known = self._kept.get(node)
            if known is None or not known.said.is_same(said):
                known = self._kept[node] = _part(said)
            found.append(known)
        return tuple(found)


def _part(said: Said) -> NodePart:
    protections = protections_of(said.rules, said.told, said.known)
    told = said.told if isinstance(said.told, NodeStatus) else None
    error = said.told if isinstance(said.told, ErrorFacts) else None
    return NodePart(
        said=said,
        protections=protections,
        standings=standings(protections),
        findings=findings_of(said.name, said.told),
        repositories=tuple(RepositoryView(node=said.name, status=each) for each in told.repositories) if told else (),
        silent=tuple(Unreachable(repository=each.name, node=said.name, error=error) for each in said.rules.repositories) if error else (),
        following=tuple(following_row(said.name, each) for each in told.following) if told else (),
        feeds=feeds_of(said.rules),
    )


def feeds_of(rules: Rules) -> dict[str, Feed]:
    """Of its cascades, by delivery."""
    found = {}
    for cascade in rules.cascades:
        stores = (
            action
            for receive in rules.receives
            if receive.dataset == cascade.delivery.dataset
            for action in receive.actions
            if isinstance(action, StoreAction) and action.repository == cascade.repository
        )
        found[cascade.delivery.id] = Feed(tuple(dict.fromkeys(action.id for action in stores)), cascade.after)
    return found


def protections_of(rules: Rules, told: Told, known: NodeStatus | None) -> tuple[Protection, ...]:
    """What a node says of its promises; of one that is silent what is known, with the state unknown. `known`: what it said last."""
    return told.protections if isinstance(told, NodeStatus) else tuple(_last_known(rules, known, told))


def findings_of(node: str, told: Told) -> tuple[NodeFinding, ...]:
    """What a node has to say; of one that is silent, that it is. `node` is its name."""
    if isinstance(told, NodeStatus):
        return tuple(NodeFinding(node=node, finding=finding) for finding in told.findings)
    message = "the node does not answer; what it protects is not known at the moment"
    return (NodeFinding(node=node, finding=Finding(code="node-silent", severity=Severity.ERROR, message=message, hint=told.hint)),)


def _last_known(rules: Rules, known: NodeStatus | None, why: ErrorFacts) -> list[Protection]:
    """The protections a silent node should be giving: state unknown, times as last told."""
    told = known.protections if known else ()
    every = {(d.id, o.name): o.every_s for d in rules.datasets for o in d.operations}
    captured = {dataset.id for dataset in rules.datasets}
    own = (delivery for delivery in rules.deliveries if delivery.dataset in captured)
    deliveries = (*own, *(cascade.delivery for cascade in rules.cascades))
    untold = [
        Protection(
            dataset=delivery.label,
            dataset_id=delivery.dataset,
            operation=operation,
            receiver=delivery.receiver_name,
            action=title_of(delivery, action),
            state=State.UNKNOWN,
            every_s=every.get((delivery.dataset, operation)),
            action_id=action,
            delivery=delivery.id,
        )
        for delivery in deliveries
        for action, operations in delivery.action_operations
        for operation in operations
        if not any((p.dataset_id, p.operation, p.action) == (delivery.dataset, operation, title_of(delivery, action)) for p in told)
    ]
    return [msgspec.structs.replace(p, state=State.UNKNOWN, error=why, job=None) for p in (*told, *untold)]

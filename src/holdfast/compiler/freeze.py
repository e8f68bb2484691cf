"""Frozen flows: what is active is not the draft but what a flow, and all it names, were when it was activated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from holdfast.model.document import Document, Flow, Group, NodeEntry, Policy, RepositoryEntry, ScheduleEntry, Vertex

Part = NodeEntry | Group | RepositoryEntry | ScheduleEntry | Policy
P = TypeVar("P", NodeEntry, Group, RepositoryEntry, ScheduleEntry, Policy)

_SECTIONS = ("nodes", "groups", "repositories", "schedules", "policies")


class FrozenFlow(msgspec.Struct, frozen=True, kw_only=True):
    """`document` holds the flow and what it names, nothing else; groups by tags have become lists of nodes; places on the canvas
    are gone: they say nothing of what is to be done."""

    name: str
    document: Document


class ActiveFlows(msgspec.Struct, frozen=True, kw_only=True):
    """The flows in force, and those that are to be activated now from the draft.

    `repositories` were once in use: their owners keep them open for reading as long as the document still has them, also when no
    active flow uses them any more.
    """

    flows: tuple[FrozenFlow, ...] = ()
    repositories: tuple[RepositoryEntry, ...] = ()
    activating: tuple[str, ...] = ()

    def activate(self, *names: str) -> ActiveFlows:
        return msgspec.structs.replace(self, activating=names)

    def deactivate(self, *names: str) -> ActiveFlows:
        return msgspec.structs.replace(self, flows=tuple(flow for flow in self.flows if flow.name not in names), activating=())


def group_members(group: Group, nodes: Iterable[NodeEntry]) -> tuple[str, ...]:
    """Names of the group's nodes: as listed, or every node that bears all its tags."""
    if group.nodes or not group.tags:
        return group.nodes
    wanted = frozenset(group.tags)
    return tuple(node.name for node in nodes if wanted.issubset(node.tags))


def freeze_flow(document: Document, name: str) -> Document | None:
    """The part of the document that a flow names; None when there is no such flow. Names that lead nowhere are left to the compiler."""
    flow = next((flow for flow in document.flows if flow.name == name), None)
    if flow is None:
        return None
    groups = tuple(
        Group(name=group.name, nodes=group_members(group, document.nodes))
        for group in _picked(document.groups, {vertex.group for vertex in flow.vertices})
    )
    repositories = _picked(document.repositories, {vertex.repository for vertex in flow.vertices})
    policies = _picked(document.policies, _policy_names(flow))
    schedules = {operation.when.schedule for policy in policies for operation in policy.operations}
    nodes = {vertex.node or vertex.mirror or vertex.relay for vertex in flow.vertices}
    nodes.update(repository.node for repository in repositories)
    nodes.update(policy.drill.on for policy in policies if policy.drill is not None)
    nodes.update(node for group in groups for node in group.nodes)
    return Document(
        environment="",
        nodes=_picked(document.nodes, nodes),
        groups=groups,
        repositories=repositories,
        schedules=_picked(document.schedules, schedules),
        policies=policies,
        flows=(msgspec.structs.replace(flow, vertices=tuple(map(_unplaced, flow.vertices))),),
    )


def _unplaced(vertex: Vertex) -> Vertex:
    return vertex if vertex.place is None else msgspec.structs.replace(vertex, place=None)


def _policy_names(flow: Flow) -> set[str]:
    return {name for vertex in flow.vertices for name in vertex.policies}


def _picked(parts: tuple[P, ...], names: set[str]) -> tuple[P, ...]:
    return tuple(part for part in parts if part.name in names)


def changed_flows(document: Document, active: ActiveFlows) -> tuple[str, ...]:
    """Active flows whose draft is no longer what is active: "changed, not active". A flow that left the draft counts."""
    return tuple(frozen.name for frozen in active.flows if freeze_flow(document, frozen.name) != frozen.document)


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """The flows that are compiled together. `because`: flows that are activated again with the others -> what they share."""

    flows: tuple[FrozenFlow, ...]
    unknown: tuple[str, ...] = ()
    because: dict[str, str] = {}


def select_flows(document: Document, active: ActiveFlows) -> Selection:
    """Frozen flows stay as they are, unless they share with an activated one what has changed: then they are taken from the draft too."""
    chosen = {frozen.name: frozen.document for frozen in active.flows}
    fresh: dict[str, Document] = {}
    unknown, because = [], {}
    waiting = list(dict.fromkeys(active.activating))
    while waiting:
        name = waiting.pop(0)
        part = freeze_flow(document, name)
        if part is None:
            unknown.append(name)
            continue
        fresh[name] = chosen[name] = part
        for other, frozen in chosen.items():
            shared = "" if other in fresh or other in waiting else _first_difference(part, frozen)
            if shared and freeze_flow(document, other) is not None:
                because[other] = shared
                waiting.append(other)
            elif shared:
                chosen[other] = _brought_up_to(frozen, part)
                because[other] = shared
    flows = tuple(FrozenFlow(name=name, document=part) for name, part in chosen.items())
    return Selection(flows=flows, unknown=tuple(unknown), because=because)


def _parts(document: Document, section: str) -> dict[str, Part]:
    return {part.name: part for part in getattr(document, section)}


def _first_difference(one: Document, other: Document) -> str:
    """`policy documents`: what both have and is not equal; empty if nothing."""
    for section in _SECTIONS:
        mine, theirs = _parts(one, section), _parts(other, section)
        for name, part in mine.items():
            if name in theirs and theirs[name] != part:
                singular = {"repositories": "repository", "policies": "policy"}.get(section, section.removesuffix("s"))
                return f"{singular} `{name}`"
    return ""


def _brought_up_to(frozen: Document, fresh: Document) -> Document:
    """A frozen flow that the draft no longer has, with the parts it shares as they are in `fresh`."""
    changes = {}
    for section in _SECTIONS:
        newer = _parts(fresh, section)
        changes[section] = tuple(newer.get(part.name, part) for part in getattr(frozen, section))
    return msgspec.structs.replace(frozen, **changes)


def merge_frozen(flows: Iterable[FrozenFlow], environment: str) -> Document:
    """One document of all of them. Shared parts are equal by now; the first counts."""
    frozen = [flow.document for flow in flows]
    merged = {
        section: tuple({part.name: part for each in reversed(frozen) for part in getattr(each, section)}.values()) for section in _SECTIONS
    }
    return Document(environment=environment, flows=tuple(flow for each in frozen for flow in each.flows), **merged)

"""Frozen flows: what is active is not the draft but what a flow, and all it names, were when it was activated."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import TypeVar

import msgspec

from holdfast.model.document import Document, Flow, Group, NodeEntry, Policy, RepositoryEntry, ScheduleEntry, Vertex

Part = NodeEntry | Group | RepositoryEntry | ScheduleEntry | Policy
P = TypeVar("P", NodeEntry, Group, RepositoryEntry, ScheduleEntry, Policy)

_SINGULAR = {"nodes": "node", "groups": "group", "repositories": "repository", "schedules": "schedule", "policies": "policy"}
_SECTIONS = tuple(_SINGULAR)


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
        gone = frozenset(names)
        return msgspec.structs.replace(self, flows=tuple(flow for flow in self.flows if flow.name not in gone), activating=())


def group_members(group: Group, nodes: Iterable[NodeEntry]) -> tuple[str, ...]:
    """Names of the group's nodes: as listed, or every node that bears all its tags."""
    if group.nodes or not group.tags:
        return group.nodes
    wanted = frozenset(group.tags)
    return tuple(node.name for node in nodes if wanted.issubset(node.tags))


class Freezer:
    """Takes flows out of one document. What they name is looked up by name, so that of many flows each costs what is in it."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._flows = {flow.name: flow for flow in document.flows}
        self._nodes = _by_name(document.nodes)
        self._groups = _by_name(document.groups)
        self._repositories = _by_name(document.repositories)
        self._schedules = _by_name(document.schedules)
        self._policies = _by_name(document.policies)
        self._listed: dict[str, Group] = {}

    def has(self, name: str) -> bool:
        return name in self._flows

    def freeze(self, name: str) -> Document | None:
        """The part of the document that a flow names; None when there is no such flow. Names that lead nowhere are left to the compiler."""
        flow = self._flows.get(name)
        if flow is None:
            return None
        groups = tuple(map(self._as_list, _picked(self._groups, {vertex.group for vertex in flow.vertices})))
        repositories = _picked(self._repositories, {vertex.repository for vertex in flow.vertices})
        policies = _picked(self._policies, _policy_names(flow))
        schedules = {operation.when.schedule for policy in policies for operation in policy.operations}
        nodes = {vertex.node or vertex.mirror or vertex.relay for vertex in flow.vertices}
        nodes.update(repository.node for repository in repositories)
        nodes.update(policy.drill.on for policy in policies if policy.drill is not None)
        nodes.update(node for group in groups for node in group.nodes)
        return Document(
            environment="",
            nodes=_picked(self._nodes, nodes),
            groups=groups,
            repositories=repositories,
            schedules=_picked(self._schedules, schedules),
            policies=policies,
            flows=(msgspec.structs.replace(flow, vertices=tuple(map(_unplaced, flow.vertices))),),
        )

    def _as_list(self, group: Group) -> Group:
        if group.name not in self._listed:
            self._listed[group.name] = Group(name=group.name, nodes=group_members(group, self._document.nodes))
        return self._listed[group.name]


def _unplaced(vertex: Vertex) -> Vertex:
    return vertex if vertex.place is None else msgspec.structs.replace(vertex, place=None)


def _policy_names(flow: Flow) -> set[str]:
    return {name for vertex in flow.vertices for name in vertex.policies}


def _by_name(parts: tuple[P, ...]) -> dict[str, tuple[int, P]]:
    """With its place in the document."""
    return {part.name: (number, part) for number, part in enumerate(parts)}


def _picked(parts: Mapping[str, tuple[int, P]], names: set[str]) -> tuple[P, ...]:
    found = sorted((parts[name] for name in names if name in parts), key=lambda placed: placed[0])
    return tuple(part for _, part in found)


def changed_flows(document: Document, active: ActiveFlows) -> tuple[str, ...]:
    """Active flows whose draft is no longer what is active: "changed, not active". A flow that left the draft counts."""
    freezer = Freezer(document)
    return tuple(frozen.name for frozen in active.flows if freezer.freeze(frozen.name) != frozen.document)


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """The flows that are compiled together. `because`: flows that are activated again with the others -> what they share."""

    flows: tuple[FrozenFlow, ...]
    unknown: tuple[str, ...] = ()
    because: dict[str, str] = {}


def select_flows(document: Document, active: ActiveFlows) -> Selection:
    """Frozen flows stay as they are, unless they share with an activated one what has changed: then they are taken from the draft too."""
    freezer, shares = Freezer(document), _Shares(active)
    chosen = {frozen.name: frozen.document for frozen in active.flows}
    named = tuple(dict.fromkeys(active.activating))
    waiting = deque(filter(freezer.has, named))
    drafted = set(waiting)
    because: dict[str, str] = {}
    while waiting:
        name = waiting.popleft()
        part = freezer.freeze(name)
        assert part is not None
        chosen[name] = part
        for other, shared in shares.differing(part, drafted):
            because[other] = shared
            if freezer.has(other):
                waiting.append(other)
                drafted.add(other)
            else:
                chosen[other] = _brought_up_to(chosen[other], part)
    flows = tuple(FrozenFlow(name=name, document=part) for name, part in chosen.items())
    return Selection(flows=flows, unknown=tuple(name for name in named if not freezer.has(name)), because=because)


class _Shares:
    """Which active flows have a part of a document, and as what. Each part is asked for once: whatever is taken from the draft has it as
    the draft has it, and so have all that were told of it."""

    def __init__(self, active: ActiveFlows) -> None:
        self._place = {frozen.name: number for number, frozen in enumerate(active.flows)}
        self._having: dict[tuple[str, str], list[tuple[str, Part]]] = {}
        for frozen in active.flows:
            for key, part in _parts(frozen.document):
                self._having.setdefault(key, []).append((frozen.name, part))

    def differing(self, fresh: Document, drafted: Container[str]) -> list[tuple[str, str]]:
        """Active flows, but for those that are `drafted` anew, that have another form of something in `fresh`; with the first such thing:
        `policy documents`."""
        found: dict[str, str] = {}
        for (section, name), part in _parts(fresh):
            for flow, theirs in self._having.pop((section, name), ()):
                if flow not in drafted and flow not in found and theirs != part:
                    found[flow] = f"{_SINGULAR[section]} `{name}`"
        return sorted(found.items(), key=lambda each: self._place[each[0]])


def _parts(document: Document) -> Iterator[tuple[tuple[str, str], Part]]:
    for section in _SECTIONS:
        for part in getattr(document, section):
            yield (section, part.name), part


def _brought_up_to(frozen: Document, fresh: Document) -> Document:
    """A frozen flow that the draft no longer has, with the parts it shares as they are in `fresh`."""
    changes = {}
    for section in _SECTIONS:
        newer = {part.name: part for part in getattr(fresh, section)}
        changes[section] = tuple(newer.get(part.name, part) for part in getattr(frozen, section))
    return msgspec.structs.replace(frozen, **changes)


def merge_frozen(flows: Iterable[FrozenFlow], environment: str) -> Document:
    """One document of all of them. Shared parts are equal by now; the first counts."""
    frozen = [flow.document for flow in flows]
    merged = {
        section: tuple({part.name: part for each in reversed(frozen) for part in getattr(each, section)}.values()) for section in _SECTIONS
    }
    return Document(environment=environment, flows=tuple(flow for each in frozen for flow in each.flows), **merged)

"""Pass `names`: every name becomes what it names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from holdfast.compiler.drawing import Carried, Drawing, DrawnMover, DrawnVertex, mover_where, operation_where, policy_where
from holdfast.compiler.nearest import nearest_hint
from holdfast.compiler.report import Report
from holdfast.model.diagnostics import Where
from holdfast.model.document import Document, Flow, Group, Mover, NodeEntry, Policy, RepositoryEntry, ScheduleEntry, Vertex

P = TypeVar("P", NodeEntry, Group, RepositoryEntry, ScheduleEntry, Policy)


class _Names:
    """Looks names up and reports those that are not there, with the nearest one."""

    def __init__(self, scene: Document, draft: Document, report: Report) -> None:
        self.report = report
        self.nodes = _by_name(scene.nodes)
        self.groups = _by_name(scene.groups)
        self.repositories = _by_name(scene.repositories)
        self.schedules = _by_name(scene.schedules)
        self.policies = _by_name(scene.policies)
        self.draft = draft

    def find(self, kind: str, name: str, known: Mapping[str, P], where: Where) -> P | None:
        found = known.get(name)
        if found is None:
            section = {"repository": "repositories", "policy": "policies"}.get(kind, f"{kind}s")
            names = [part.name for part in getattr(self.draft, section)]
            hint = nearest_hint(name, names, f"add it under `{section}:`")
            self.report.add(f"unknown-{kind}", where, f"there is no {kind} `{name}`", hint)
        return found


def _by_name(parts: Iterable[P]) -> dict[str, P]:
    return {part.name: part for part in parts}


def resolve_names(scene: Document, draft: Document, report: Report) -> Drawing:
    names = _Names(scene, draft, report)
    vertices: list[DrawnVertex] = []
    movers: list[DrawnMover] = []
    for repository in scene.repositories:
        where = Where(path=f"repositories.{repository.name}.node", kind="repository", name=repository.name)
        names.find("node", repository.node, names.nodes, where)
    for policy in scene.policies:
        _check_operations(policy, names)
    for flow in scene.flows:
        drawn = {vertex.name: _vertex(flow, vertex, names) for vertex in flow.vertices}
        known = {name: vertex for name, vertex in drawn.items() if vertex is not None}
        vertices.extend(known.values())
        for index, mover in enumerate(flow.movers):
            found = _mover(flow, index, mover, known, names)
            if found is not None:
                movers.append(found)
    return Drawing(document=scene, draft=draft, vertices=tuple(vertices), movers=tuple(movers))


def _check_operations(policy: Policy, names: _Names) -> None:
    if policy.drill is not None and policy.drill.on:
        names.find("node", policy.drill.on, names.nodes, policy_where(policy, "drill.on"))
    known = {operation.name for operation in policy.operations}
    for operation in policy.operations:
        when = operation.when
        if when.schedule:
            names.find("schedule", when.schedule, names.schedules, operation_where(policy, operation, "schedule"))
        if when.after and when.after not in known:
            hint = nearest_hint(when.after, known, "name an operation of this policy")
            where = operation_where(policy, operation, "after")
            names.report.add("unknown-operation", where, f"policy `{policy.name}` has no operation `{when.after}`", hint)


def _vertex(flow: Flow, vertex: Vertex, names: _Names) -> DrawnVertex | None:
    plain = DrawnVertex(flow.name, vertex)
    if vertex.kind == "repository":
        repository = names.find("repository", vertex.repository, names.repositories, plain.where("repository"))
        if repository is None or repository.node not in names.nodes:
            return None
        return DrawnVertex(flow.name, vertex, repository=repository, place=repository.node)
    if vertex.kind in ("mirror", "relay"):
        place = vertex.mirror or vertex.relay
        found = names.find("node", place, names.nodes, plain.where(vertex.kind))
        return None if found is None else DrawnVertex(flow.name, vertex, place=place)
    policies = [names.find("policy", name, names.policies, plain.where(f"policies[{index}]")) for index, name in enumerate(vertex.policies)]
    nodes = _members(vertex, plain, names)
    return DrawnVertex(flow.name, vertex, nodes=nodes, policies=tuple(policy for policy in policies if policy is not None))


def _members(vertex: Vertex, plain: DrawnVertex, names: _Names) -> tuple[str, ...]:
    if vertex.kind == "node":
        return (vertex.node,) if names.find("node", vertex.node, names.nodes, plain.where("node")) else ()
    group = names.find("group", vertex.group, names.groups, plain.where("group"))
    if group is None:
        return ()
    if not group.nodes:
        hint = "give nodes the tags of the group, or list them under `nodes:`"
        names.report.add("empty-group", plain.where("group"), f"group `{group.name}` has no nodes", hint)
    known = []
    for index, name in enumerate(group.nodes):
        where = Where(path=f"groups.{group.name}.nodes[{index}]", kind="group", name=group.name)
        if name in names.nodes or names.find("node", name, names.nodes, where):
            known.append(name)
    return tuple(known)


def _mover(flow: Flow, index: int, mover: Mover, known: Mapping[str, DrawnVertex], names: _Names) -> DrawnMover | None:
    drawn = [vertex.name for vertex in flow.vertices]
    for key, end in (("from", mover.source), ("to", mover.target)):
        if end not in drawn:
            hint = nearest_hint(end, drawn, f"add it under `flows.{flow.name}.vertices`")
            names.report.add("unknown-vertex", mover_where(flow.name, index, mover, key), f"the flow has no vertex `{end}`", hint)
    carries = [_carried(flow, index, mover, position, names) for position in range(len(mover.carries))]
    if mover.source not in known or mover.target not in known:
        return None
    found = tuple(carried for carried in carries if carried is not None)
    return DrawnMover(flow.name, index, mover, known[mover.source], known[mover.target], found)


def _carried(flow: Flow, index: int, mover: Mover, position: int, names: _Names) -> Carried | None:
    policy_name, _, operation_name = mover.carries[position].partition("/")
    where = mover_where(flow.name, index, mover, f"carries[{position}]")
    policy = names.policies.get(policy_name) or next((each for each in names.draft.policies if each.name == policy_name), None)
    if policy is None:
        names.find("policy", policy_name, names.policies, where)
        return None
    operation = next((each for each in policy.operations if each.name == operation_name), None)
    if operation is None:
        known = [each.name for each in policy.operations]
        hint = nearest_hint(operation_name, known, f"it has {', '.join(known)}" if known else "give it operations")
        names.report.add("unknown-operation", where, f"policy `{policy_name}` has no operation `{operation_name}`", hint)
        return None
    return Carried(policy, operation, position)

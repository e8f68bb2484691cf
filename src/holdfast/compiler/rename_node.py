"""A node's new name, wherever the document says the old one: as edits of the text, and in what was frozen when a flow was activated."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from holdfast.model.document import Document, Flow, Group, NodeEntry, Policy, RepositoryEntry, Vertex
from holdfast.model.edit import Edit, Value

_OF_VERTEX = ("node", "mirror", "relay")


def rename_edits(values: dict[str, Value], old: str, new: str) -> tuple[Edit, ...]:
    """What to change in a document of these values. Empty when it does not name the node."""
    return tuple(_edits(values, old, new))


def _edits(values: dict[str, Value], old: str, new: str) -> Iterator[Edit]:
    for name, group in _mapping(values, "groups").items():
        listed = group.get("nodes") if isinstance(group, dict) else None
        if isinstance(listed, list):
            yield from (
                Edit(op="set", path=("groups", name, "nodes", place), value=new) for place, node in enumerate(listed) if node == old
            )
    for name, repository in _mapping(values, "repositories").items():
        if isinstance(repository, dict) and repository.get("node") == old:
            yield Edit(op="set", path=("repositories", name, "node"), value=new)
    for name, policy in _mapping(values, "policies").items():
        drill = policy.get("drill") if isinstance(policy, dict) else None
        if isinstance(drill, dict) and drill.get("on") == old:
            yield Edit(op="set", path=("policies", name, "drill", "on"), value=new)
    for name, flow in _mapping(values, "flows").items():
        for vertex, fields in _mapping(flow if isinstance(flow, dict) else {}, "vertices").items():
            keys = (key for key in _OF_VERTEX if isinstance(fields, dict) and fields.get(key) == old)
            yield from (Edit(op="set", path=("flows", name, "vertices", vertex, key), value=new) for key in keys)
    entries = _mapping(values, "nodes")
    if old in entries:
        yield Edit(op="rename", path=("nodes", old), value=new)
    # Once the records know the new name, where it came from leads nowhere: a machine may be called so again.
    entry = entries.get(old, entries.get(new))
    if isinstance(entry, dict) and entry.get("was") in (old, new):
        yield Edit(op="remove", path=("nodes", new, "was"))


def _mapping(values: dict[str, Value], key: str) -> dict[str, Value]:
    found = values.get(key)
    return found if isinstance(found, dict) else {}


def renamed_document(document: Document, old: str, new: str) -> Document:
    """The same values under the new name; the document itself when it does not have the old one."""
    changed = replace(
        document,
        nodes=tuple(_node(entry, old, new) for entry in document.nodes),
        groups=tuple(_group(group, old, new) for group in document.groups),
        policies=tuple(_policy(policy, old, new) for policy in document.policies),
        repositories=tuple(renamed_owner(repository, old, new) for repository in document.repositories),
        flows=tuple(replace(flow, vertices=tuple(_vertex(vertex, old, new) for vertex in flow.vertices)) for flow in document.flows),
    )
    return document if changed == document else changed


def renamed_owner(repository: RepositoryEntry, old: str, new: str) -> RepositoryEntry:
    return replace(repository, node=new) if repository.node == old else repository


def _policy(policy: Policy, old: str, new: str) -> Policy:
    return policy if policy.drill is None or policy.drill.on != old else replace(policy, drill=replace(policy.drill, on=new))


def _node(entry: NodeEntry, old: str, new: str) -> NodeEntry:
    name = new if entry.name == old else entry.name
    return replace(entry, name=name, was="" if name == new and entry.was in (old, new) else entry.was)


def _group(group: Group, old: str, new: str) -> Group:
    return replace(group, nodes=tuple(new if node == old else node for node in group.nodes))


def _vertex(vertex: Vertex, old: str, new: str) -> Vertex:
    return replace(vertex, **{key: new for key in _OF_VERTEX if getattr(vertex, key) == old})


def moved_mirrors(document: Document, node: str) -> tuple[str, ...]:
    """Mirrors of a frozen document, as `FLOW/VERTEX`, that stand in another place once the node has another name: their path has `{node}`
    in it, and the node is a source of their flow, itself or in a group."""
    return tuple(
        f"{flow.name}/{vertex.name}"
        for flow in document.flows
        for vertex in flow.vertices
        if vertex.mirror and any("{node}" in path for path in (vertex.path, *vertex.path_map.values())) and _is_source(document, flow, node)
    )


def _is_source(document: Document, flow: Flow, node: str) -> bool:
    groups = {group.name for group in document.groups if node in group.nodes}
    return any(vertex.policies and (vertex.node == node or vertex.group in groups) for vertex in flow.vertices)

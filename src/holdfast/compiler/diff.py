"""Differences as values: of two documents for `plan`, of the rules in force and the new ones for `activate`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from holdfast.core.ids import NodeId
from holdfast.core.units import format_duration, format_size
from holdfast.model.document import Document
from holdfast.model.rate_table import RateTable, in_words
from holdfast.model.rules import Cascade, Delivery, ForwardAction, MirrorAction, Receive, Rules

Kind = Literal["added", "removed", "changed"]

_WHATS = {
    "nodes": "node",
    "groups": "group",
    "repositories": "repository",
    "schedules": "schedule",
    "policies": "policy",
    "flows": "flow",
}

_WINDOW = re.compile(r"movers\.[0-9]+\.window")
# A vertex may be named `x.place`; a place is two numbers.
_PLACE = re.compile(r"vertices\..+\.place")


class DocumentChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One part of the document. `details`: lines like `operations.backup.every: 1h -> 2h`. A removed part needs `--yes`; it never
    destroys data."""

    kind: Kind
    what: str
    name: str
    details: tuple[str, ...] = ()

    @property
    def is_removal(self) -> bool:
        return self.kind == "removed"


def diff_documents(old: Document, new: Document) -> tuple[DocumentChange, ...]:
    """In the order of the grammar; within a section first what the new text has, in its order, then what is gone."""
    found = []
    if old.environment != new.environment:
        details = (f"environment: {old.environment or 'nothing'} -> {new.environment or 'nothing'}",)
        found.append(DocumentChange(kind="changed", what="environment", name=new.environment, details=details))
    for section, what in _WHATS.items():
        found.extend(_section(what, getattr(old, section), getattr(new, section)))
    return tuple(found)


def _section(what: str, old: tuple[msgspec.Struct, ...], new: tuple[msgspec.Struct, ...]) -> Iterator[DocumentChange]:
    before: dict[str, msgspec.Struct] = {getattr(part, "name", ""): part for part in old}
    after: dict[str, msgspec.Struct] = {getattr(part, "name", ""): part for part in new}
    renamed: set[str] = set()
    for name, part in after.items():
        was = getattr(part, "was", "")
        follows = name not in before and was in before and was not in after
        if follows:
            renamed.add(was)
        earlier = before.get(was if follows else name)
        if earlier is None:
            yield DocumentChange(kind="added", what=what, name=name, details=())
        elif earlier != part:
            details = ([f"renamed from {was}"] if follows else []) + list(_details(earlier, part))
            yield DocumentChange(kind="changed", what=what, name=name, details=tuple(details))
    for name in before:
        if name not in after and name not in renamed:
            yield DocumentChange(kind="removed", what=what, name=name)


def _details(old: msgspec.Struct, new: msgspec.Struct) -> Iterator[str]:
    before, after = dict(_flat("", _plain(old))), dict(_flat("", _plain(new)))
    differing = [key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]
    placed = [key for key in differing if _PLACE.fullmatch(key) and isinstance(before.get(key, after.get(key)), (list, tuple))]
    for key in differing:
        if key not in placed:
            yield f"{_shown_key(key)}: {_shown(key, before.get(key))} -> {_shown(key, after.get(key))}"
    # Tidying a canvas moves everything: one line says it, and last.
    if placed:
        yield "places on the canvas"


def _plain(part: msgspec.Struct) -> object:
    plain = msgspec.to_builtins(part)
    return {key: value for key, value in plain.items() if key not in ("name", "was")}


def _flat(path: str, value: object) -> Iterator[tuple[str, object]]:
    """Leaves by dotted path. Lists of named parts are keyed by name, lists of plain values are one leaf."""
    prefix = f"{path}." if path else ""
    if _WINDOW.fullmatch(path):
        yield path, None if value is None else in_words(msgspec.convert(value, RateTable))
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{prefix}{key}", inner)
    elif isinstance(value, (list, tuple)) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            name = item.get("name", index)
            yield f"{prefix}{name}", "there"
            yield from _flat(f"{prefix}{name}", {key: inner for key, inner in item.items() if key != "name"})
    else:
        yield path, value


def _shown_key(key: str) -> str:
    return key.removesuffix("_bytes_s").removesuffix("_bytes").removesuffix("_s").replace("removed_keep", "removed: keep")


def _shown(key: str, value: object) -> str:
    if value is None:
        return "default"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if key.endswith("_bytes_s"):
            return f"{format_size(value)}/s"
        if key.endswith("_bytes"):
            return format_size(value)
        return format_duration(value) if key.endswith("_s") else f"{value:g}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(str(item) for item in value) + "]"
    return str(value)


class RulesChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What begins, ends and changes on one node, as lines for people. Nothing that ends destroys data."""

    node: NodeId
    node_name: str
    starts: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()


def diff_rules(old: Mapping[NodeId, Rules], new: Mapping[NodeId, Rules]) -> tuple[RulesChange, ...]:
    """Nodes whose orders differ, by name. A node in `old` only stops everything."""
    found = []
    for node in dict.fromkeys((*old, *new)):
        before, after = old.get(node), new.get(node)
        mine = {} if before is None else dict(_orders(before))
        theirs = {} if after is None else dict(_orders(after))
        change = RulesChange(
            node=node,
            node_name=(after or before or _never()).node_name,
            starts=tuple(sorted(line for key, (line, _) in theirs.items() if key not in mine)),
            stops=tuple(sorted(line for key, (line, _) in mine.items() if key not in theirs)),
            changes=tuple(sorted(line for key, (line, value) in theirs.items() if key in mine and mine[key][1] != value)),
        )
        if change.starts or change.stops or change.changes:
            found.append(change)
    return tuple(sorted(found, key=lambda change: (change.node_name, change.node)))


def _never() -> Rules:
    raise AssertionError("a node is in one of the two")


Orders = Iterator[tuple[tuple[str, ...], tuple[str, object]]]


def _orders(rules: Rules) -> Orders:
    """Everything a node has to do, keyed by what stays the same when details change."""
    names: dict[str, str] = {peer.id: peer.name for peer in rules.peers}
    names[rules.node] = rules.node_name
    repositories: dict[str, str] = {repository.id: repository.name for repository in rules.repositories}
    forwarded = {action.delivery for receive in rules.receives for action in receive.actions if isinstance(action, ForwardAction)}
    if rules.parallel_jobs is not None:
        yield ("limit",), (f"runs {rules.parallel_jobs} jobs at once at most", rules.parallel_jobs)
    for dataset in rules.datasets:
        yield ("capture", dataset.id), (f"captures {dataset.label}", dataset)
    for delivery in rules.deliveries:
        verb = "forwards" if delivery.id in forwarded else "sends"
        yield ("delivery", delivery.id), (_sent(verb, delivery), delivery)
    for cascade in rules.cascades:
        yield ("delivery", cascade.id), (_cascaded(cascade, repositories), cascade)
    for repository in rules.repositories:
        yield ("repository", repository.id), (f"keeps repository {repository.name} at {repository.location}", repository)
    for receive in rules.receives:
        yield from _received(receive, names, repositories)
    for read in rules.reads:
        line = f"lets {names.get(read.reader, read.reader)} read its own data in {repositories.get(read.repository, read.repository)}"
        yield ("read", read.reader, read.repository), (line, None)


def _sent(verb: str, delivery: Delivery) -> str:
    return f"{verb} {delivery.label} to {delivery.receiver_name} ({', '.join(delivery.operations)})"


def _cascaded(cascade: Cascade, repositories: Mapping[str, str]) -> str:
    return f"{_sent('sends', cascade.delivery)} from repository {repositories.get(cascade.repository, cascade.repository)}"


def _received(receive: Receive, names: Mapping[str, str], repositories: Mapping[str, str]) -> Orders:
    sender = names.get(receive.sender, receive.sender)
    yield ("receive", receive.dataset, receive.sender), (f"receives {receive.label} from {sender}", (receive.trust, receive.tags))
    for action in receive.actions:
        if isinstance(action, MirrorAction):
            line = f"mirrors {receive.label} at {', '.join(target for _, target in action.targets)}"
        elif isinstance(action, ForwardAction):
            continue
        else:
            line = f"stores {receive.label} in repository {repositories.get(action.repository, action.repository)}"
        yield ("action", receive.sender, action.id), (line, action)

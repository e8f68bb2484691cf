"""What people read before they activate: who implements, sends, receives, stores, mirrors and forwards what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from holdfast.core.ids import ActionId, NodeId
from holdfast.model.rate_table import times_in_words
from holdfast.model.rules import Action, Delivery, ForwardAction, MirrorAction, Receive, Rules

Verb = Literal["implements", "sends", "receives", "stores", "mirrors", "forwards", "limits"]

_SHOWN = 12
_ALIKE = 3


class SummaryLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`peer`: to whom or from whom. `target`: a repository, a mirror's folders, or what is captured. `times`: when it is sent and how fast,
    of movers with a limit or a window. Of `limits` there is no dataset: `target` says of what how many jobs run at once."""

    verb: Verb
    dataset: str
    operations: tuple[str, ...] = ()
    peer: str = ""
    target: str = ""
    times: str = ""


class NodeSummary(msgspec.Struct, frozen=True, kw_only=True):
    node: str
    lines: tuple[SummaryLine, ...]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes that have nothing to do are left out, also those that have a limit for it."""

    flows: tuple[str, ...]
    nodes: tuple[NodeSummary, ...]


def summarize(rules: Mapping[NodeId, Rules], flows: tuple[str, ...]) -> Summary:
    concerned: dict[ActionId, tuple[str, ...]] = {}
    names: dict[str, str] = {}
    for one in rules.values():
        for delivery in (*one.deliveries, *(cascade.delivery for cascade in one.cascades)):
            concerned.update(delivery.action_operations)
            names[delivery.id] = delivery.receiver_name
    nodes = (NodeSummary(node=one.node_name, lines=tuple(_lines(one, rules, concerned, names))) for one in rules.values())
    return Summary(flows=flows, nodes=tuple(sorted((node for node in nodes if node.lines), key=lambda node: node.node)))


def _lines(
    one: Rules, rules: Mapping[NodeId, Rules], concerned: Mapping[ActionId, tuple[str, ...]], names: Mapping[str, str]
) -> Iterator[SummaryLine]:
    forwarded = {action.delivery for receive in one.receives for action in receive.actions if isinstance(action, ForwardAction)}
    repositories: dict[str, str] = {repository.id: repository.name for repository in one.repositories}
    if one.parallel_jobs is not None and (one.datasets or one.cascades or one.repositories):
        yield SummaryLine(verb="limits", dataset="", target=f"its jobs: {one.parallel_jobs} at once")
    for repository in one.repositories:
        if repository.parallel_jobs is not None:
            yield SummaryLine(verb="limits", dataset="", target=f"jobs into {repository.name}: {repository.parallel_jobs} at once")
    for dataset in one.datasets:
        operations = tuple(operation.name for operation in dataset.operations)
        target = ", ".join(dataset.classification.paths)
        yield SummaryLine(verb="implements", dataset=dataset.label, operations=operations, target=target)
    for delivery in one.deliveries:
        if delivery.id not in forwarded:
            yield _sent(delivery)
    for cascade in one.cascades:
        delivery, origin = cascade.delivery, f"from repository {repositories.get(cascade.repository, '')}"
        if cascade.only:
            origin += f", only {', '.join(cascade.only)}"
        yield _sent(delivery, origin)
    for receive in one.receives:
        sender = rules[receive.sender].node_name if receive.sender in rules else receive.sender
        yield SummaryLine(verb="receives", dataset=receive.label, peer=sender)
        for action in receive.actions:
            targets = names if isinstance(action, ForwardAction) else repositories
            yield _action_line(receive, action, concerned.get(action.id, ()), targets)


def _sent(delivery: Delivery, origin: str = "") -> SummaryLine:
    if delivery.dial == "to":
        origin = f"{origin}, which dials" if origin else "which dials"
    return SummaryLine(
        verb="sends",
        dataset=delivery.label,
        operations=delivery.operations,
        peer=delivery.receiver_name,
        target=origin,
        times=times_in_words(delivery.windows, delivery.limit_bytes_s),
    )


def _action_line(receive: Receive, action: Action, operations: tuple[str, ...], names: Mapping[str, str]) -> SummaryLine:
    if isinstance(action, MirrorAction):
        target = ", ".join(target for _, target in action.targets)
        return SummaryLine(verb="mirrors", dataset=receive.label, operations=operations, target=target)
    if isinstance(action, ForwardAction):
        return SummaryLine(verb="forwards", dataset=receive.label, operations=operations, peer=names.get(action.delivery, ""))
    return SummaryLine(verb="stores", dataset=receive.label, operations=operations, target=names.get(action.repository, ""))


def format_summary(summary: Summary) -> str:
    """A plain table. Machines that do alike are shown once, with how many they are; of many lines of one kind the first dozen."""
    alike: dict[tuple[object, ...], list[NodeSummary]] = {}
    for node in summary.nodes:
        alike.setdefault(_shape(node), []).append(node)
    rows: list[tuple[str, ...]] = []
    for nodes in alike.values():
        if len(nodes) > _ALIKE:
            rows.extend(_rows(nodes[0], f"{nodes[0].node} (and {len(nodes) - 1} alike)"))
        else:
            rows.extend(row for node in nodes for row in _rows(node, node.node))
    if not rows:
        return "nothing to do for any node\n"
    widths = [*(max(len(row[column]) for row in rows) for column in range(4)), 0]
    return "".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows)


def _shape(node: NodeSummary) -> tuple[object, ...]:
    """Equal for machines whose lines differ only in their own name."""
    own = f"{node.node}/"
    return tuple(
        (line.verb, line.dataset.removeprefix(own) if line.dataset.startswith(own) else ("", line.dataset), line.operations, line.peer,
         line.target, line.times)
        for line in node.lines
    )  # fmt: skip


def _rows(node: NodeSummary, name: str) -> Iterator[tuple[str, ...]]:
    counts: dict[str, int] = {}
    for line in node.lines:
        counts[line.verb] = counts.get(line.verb, 0) + 1
        if counts[line.verb] > _SHOWN:
            continue
        way = {"receives": f"from {line.peer}", "sends": f"to {line.peer}", "forwards": f"to {line.peer}"}.get(line.verb, "")
        detail = "; ".join(part for part in (" ".join(part for part in (way, line.target) if part), line.times) if part)
        yield name, line.verb, line.dataset, ", ".join(line.operations), detail
        name = ""
    for verb, count in counts.items():
        if count > _SHOWN:
            yield "", verb, f"and {count - _SHOWN} more", "", ""

"""The log as people ask for it: by node, severity, flow, dataset, job and words; acknowledged, and taken elsewhere."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import msgspec
from sqlalchemy.orm import Session

from holdfast.compiler.nearest import nearest_hint
from holdfast.core.errors import UnknownName
from holdfast.core.ids import NodeId
from holdfast.master.foundation import Foundation
from holdfast.master.live.deltas import NamedEvent
from holdfast.master.news import Subject
from holdfast.master.records import inventory, lines
from holdfast.master.records.lines import Line, LineChoice, Told
from holdfast.master.rules.deployment import Deployment, deployment
from holdfast.model.jobs import Severity
from holdfast.model.sight import Sight

OPEN_FOR = timedelta(days=30)
"""An error that nobody acknowledged for so long is no news any more."""


class LogLine(NamedEvent, frozen=True, kw_only=True):
    """`number`: by which it is acknowledged. `acknowledged_at` null: by nobody yet."""

    number: int = 0
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    comment: str = ""


class LinesWanted(msgspec.Struct, frozen=True, kw_only=True):
    """As `LineChoice`, by names. `dataset`: a label; `flow`: lines about its datasets; `job`, `session`: an id or the beginning of one.
    `tag`: lines of nodes, and about datasets, that bear it in the rules in force."""

    node: str = ""
    severity: str = ""
    code: str = ""
    flow: str = ""
    dataset: str = ""
    job: str = ""
    tag: str = ""
    text: str = ""
    session: str = ""
    since: datetime | None = None
    until: datetime | None = None
    acknowledged: bool | None = None
    before: int = 0


class LogDesk:
    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def page(self, wanted: LinesWanted, limit: int, sight: Sight) -> tuple[tuple[LogLine, ...], int | None]:
        """Newest first, of the nodes in sight, and what to give as `before` for those that follow; None = there are no more. Raises
        `UnknownName`, also for a node, flow or tag that is not in sight."""
        return await self._base.database.run(partial(_read, wanted=wanted, limit=limit, sight=sight))

    async def acknowledge(self, numbers: tuple[int, ...], by: str, comment: str) -> int:
        """How many were acknowledged by this. Raises `UnknownName`."""
        now = self._base.now()
        count = await self._base.database.run(lambda s: lines.acknowledge(s, numbers, by, comment, now))
        self._base.news.tell(Subject("log"))
        return count

    async def open_errors(self) -> int:
        """Of the last 30 days."""
        since = self._base.now() - OPEN_FOR
        return await self._base.database.run(lambda s: lines.open_errors(s, since))


def _read(session: Session, wanted: LinesWanted, limit: int, sight: Sight) -> tuple[tuple[LogLine, ...], int | None]:
    rolled_out = deployment(session)
    if wanted.node and not sight.has_node(wanted.node):
        raise UnknownName(f"there is no node {wanted.node!r}", hint="`holdfast nodes` shows those that there are", node=wanted.node)
    if wanted.flow and not sight.has_flow(wanted.flow):
        raise UnknownName(f"no flow {wanted.flow!r} is active", hint="`holdfast status` shows flows", flow=wanted.flow)
    choice = LineChoice(
        node=inventory.named_node(session, wanted.node).id if wanted.node else None,
        severity=Severity(wanted.severity) if wanted.severity else None,
        code=wanted.code,
        words=_words(rolled_out, wanted),
        text=wanted.job or wanted.text,
        since=wanted.since,
        until=wanted.until,
        session=wanted.session,
        acknowledged=wanted.acknowledged,
        before=wanted.before,
        only=None if sight.everything else tuple(map(NodeId, sorted(sight.nodes))),
        told=_bearing(rolled_out, wanted.tag, sight) if wanted.tag else None,
    )
    found, following = lines.lines(session, choice, limit)
    return tuple(_named(line, rolled_out) for line in found), following


def _words(rolled_out: Deployment, wanted: LinesWanted) -> tuple[str, ...]:
    """Lines name datasets by label or by id."""
    ids = {dataset.label: dataset.id for rules in rolled_out.rules.values() for dataset in rules.datasets}
    labels: tuple[str, ...] = ()
    if wanted.flow:
        labels = rolled_out.dataset_labels(wanted.flow)
        if not labels:
            raise UnknownName(f"no flow {wanted.flow!r} is active", hint="`holdfast status` shows flows", flow=wanted.flow)
    if wanted.dataset:
        if wanted.flow and wanted.dataset not in labels:
            hint = nearest_hint(wanted.dataset, labels, "`holdfast status` shows the datasets of a flow")
            raise UnknownName(f"flow {wanted.flow!r} has no dataset {wanted.dataset!r}", hint=hint, dataset=wanted.dataset)
        labels = (wanted.dataset,)
    return tuple(word for label in labels for word in (label, ids.get(label, "")) if word)


def _bearing(rolled_out: Deployment, tag: str, sight: Sight) -> Told:
    """By the rules of nodes in sight alone: no other lines are read, and no tag of another is betrayed. Raises `UnknownName`."""
    seen = {node: rules for node, rules in rolled_out.rules.items() if sight.everything or node in sight.nodes}
    nodes = frozenset(node for node, rules in seen.items() if tag in rules.tags)
    words = {word for rules in seen.values() for each in rules.tagged() if tag in each.tags for word in (each.label, each.dataset)}
    if not nodes and not words:
        known = {known for rules in seen.values() for tags in (rules.tags, *(each.tags for each in rules.tagged())) for known in tags}
        hint = nearest_hint(tag, known, "tags of the document count once the flow is activated")
        raise UnknownName(f"no rules in force bear a tag {tag!r}", hint=hint, tag=tag)
    return Told(nodes=nodes, words=tuple(sorted(words)))


def _named(line: Line, rolled_out: Deployment) -> LogLine:
    event = line.event
    return LogLine(
        **{field: getattr(event, field) for field in event.__struct_fields__},
        node_name=rolled_out.nodes[event.node].name if event.node in rolled_out.nodes else "",
        number=line.number,
        acknowledged_at=line.acknowledged_at,
        acknowledged_by=line.acknowledged_by,
        comment=line.comment,
    )

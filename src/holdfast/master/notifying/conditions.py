"""What stands in the environment that somebody may want to be told of. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from holdfast.core.ids import NodeId
from holdfast.master.hub.presence import SILENT, SILENT_HINT
from holdfast.master.hub.roll_call import NodeView
from holdfast.master.judging.verdict import Standing, standing_of
from holdfast.master.rules.deployment import Deployment
from holdfast.model.jobs import Event, Job, Severity
from holdfast.model.node_status import NodeStatus, Protection
from holdfast.model.notifications import Notice, NoticeChange
from holdfast.model.rules import Rules

AWAY_S = 90.0
"""A node that is away for less is one that restarts."""
OF_DATASETS = frozenset({"run", "cascade", "catch-up"})
"""Jobs that are runs of a dataset: what becomes of them is a condition of the dataset."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """`told`: what each node says, or last said. `tags`: of nodes, by name. `up_since`: since when this Master runs."""

    now: datetime
    up_since: datetime
    rolled_out: Deployment
    nodes: tuple[NodeView, ...]
    told: Mapping[NodeId, NodeStatus]
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def unknown_nodes(self) -> frozenset[str]:
        """Nodes that have rules and have said nothing since this Master started: of them nothing is over."""
        silent = (node for node in self.rolled_out.rules if node not in self.told)
        return frozenset(self.rolled_out.name(node) for node in silent)


def conditions(look: Look) -> dict[str, Notice]:
    """By key."""
    found = (*_of_nodes(look), *(notice for node in look.told for notice in _of_node(look, node)))
    return {notice.key: notice for notice in found}


def said(look: Look, number: int, event: Event) -> Notice:
    """A line of the log, of this number."""
    node = look.rolled_out.name(event.node)
    rules = look.rolled_out.rules.get(event.node)
    dataset = _label(rules, event.facts.get("dataset", ""))
    return Notice(
        code=event.code,
        severity=event.severity,
        subject=dataset or event.facts.get("repository", "") or node,
        message=event.message,
        since=event.time,
        key=f"event {number}",
        node=node,
        dataset=dataset,
        flows=_flows(rules, dataset),
        tags=look.tags.get(node, ()),
        hint=event.facts.get("hint", ""),
    )


def failed_job(look: Look, job: Job) -> Notice:
    node = look.rolled_out.name(job.node)
    dataset = job.datasets[0] if len(job.datasets) == 1 else ""
    reason = f": {job.error.message}" if job.error else ""
    return Notice(
        code="job-failed",
        severity=Severity.ERROR,
        subject=job.rule,
        message=f"{job.kind} {job.id[:8]} failed{reason}",
        since=job.ended_at or job.created_at,
        key=f"job {job.id}",
        node=node,
        dataset=dataset,
        flows=_flows(look.rolled_out.rules.get(job.node), dataset),
        tags=look.tags.get(node, ()),
        hint=job.error.hint if job.error else "",
    )


@dataclass(frozen=True)
class _Node:
    """One node of a look, to make notices of it."""

    look: Look
    id: NodeId
    name: str

    @property
    def rules(self) -> Rules | None:
        return self.look.rolled_out.rules.get(self.id)

    def notice(self, code: str, subject: str, message: str, *, hint: str = "", since: datetime | None = None) -> Notice:
        rules = self.rules
        is_dataset = rules is not None and any(dataset.label == subject for dataset in rules.datasets)
        dataset = subject if is_dataset else ""
        return Notice(
            code=code,
            severity=Severity.ERROR,
            subject=subject,
            message=message,
            since=since or self.look.now,
            key=f"{code} {self.name} {subject}",
            change=NoticeChange.BEGAN,
            node=self.name,
            dataset=dataset,
            flows=_flows(rules, dataset),
            tags=self.look.tags.get(self.name, ()),
            hint=hint,
        )


_AWAY = {
    "offline": ("the node is not connected", "see whether the machine is up and `holdfast node run` works there"),
    "silent": (SILENT, SILENT_HINT),
}


def _of_nodes(look: Look) -> Iterator[Notice]:
    for view in look.nodes:
        since = max(view.last_seen or look.up_since, look.up_since)
        if view.state in _AWAY and (look.now - since).total_seconds() >= AWAY_S:
            message, hint = _AWAY[view.state]
            away_since = view.last_seen or since
            yield _Node(look, view.id, view.name).notice("node-away", view.name, message, hint=hint, since=away_since)


def _of_node(look: Look, node_id: NodeId) -> Iterator[Notice]:
    node, status = _Node(look, node_id, look.rolled_out.name(node_id)), look.told[node_id]
    for dataset, protections in _by_dataset(status.protections).items():
        yield from _of_dataset(node, dataset, protections)
    for following in status.following:
        if following.open_gap_since is not None:
            message = "its changes may go unseen just now" + (f": {following.error.message}" if following.error else "")
            yield node.notice("gap", following.dataset, message, since=following.open_gap_since)
    for repository in status.repositories:
        if repository.error is not None:
            yield node.notice("repository-error", repository.name, repository.error.message, hint=repository.error.hint)
    for finding in status.findings:
        if finding.severity is not Severity.INFO:
            notice = node.notice(finding.code, finding.path or node.name, finding.message, hint=finding.hint)
            yield msgspec.structs.replace(notice, severity=finding.severity)


def _of_dataset(node: _Node, dataset: str, protections: list[Protection]) -> Iterator[Notice]:
    standings = {standing_of(protection): protection for protection in reversed(protections)}
    failed, overdue = standings.get(Standing.FAILED), standings.get(Standing.OVERDUE)
    if failed is not None:
        what = f"{failed.operation} to {failed.action or failed.receiver} failed"
        error = failed.error
        message = f"{what}: {error.message}" if error else what
        yield node.notice("dataset-failed", dataset, message, hint=error.hint if error else "")
    if overdue is not None:
        what = f"{overdue.operation} to {overdue.action or overdue.receiver} is overdue"
        yield node.notice("dataset-overdue", dataset, what, since=overdue.due_at)


def _by_dataset(protections: Iterable[Protection]) -> dict[str, list[Protection]]:
    found: dict[str, list[Protection]] = {}
    for protection in protections:
        found.setdefault(protection.dataset, []).append(protection)
    return found


def _label(rules: Rules | None, dataset: str) -> str:
    """Events name datasets by id or by label."""
    known = rules.datasets if rules is not None else ()
    return next((each.label for each in known if dataset in (each.id, each.label)), "")


def _flows(rules: Rules | None, dataset: str) -> tuple[str, ...]:
    """The flows a dataset is in; of what is no dataset all flows of the node."""
    if rules is None:
        return ()
    ids = {each.id for each in rules.datasets if each.label == dataset}
    return tuple(flow.name for flow in rules.flows if not ids or not ids.isdisjoint(flow.datasets))

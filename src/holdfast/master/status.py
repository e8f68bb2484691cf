"""How the environment does: every node's own judgement, merged; for a node that is away, what was last known, said to be so."""

from __future__ import annotations

from collections import Counter

import msgspec
from sqlalchemy.orm import Session

from holdfast.core.errors import ErrorFacts
from holdfast.master.deployment import deployment
from holdfast.master.following_rows import FollowingRow, following_row
from holdfast.master.foundation import Foundation
from holdfast.master.hub import Hub
from holdfast.master.looks import Looks, Told
from holdfast.master.queries import Unreachable
from holdfast.master.records import notifications
from holdfast.master.roll_call import NodeView, node_views
from holdfast.master.verdict import Standing, standings, verdict
from holdfast.model.jobs import Finding, Severity, State
from holdfast.model.questions import NodeStatus, Protection, RepositoryStatus
from holdfast.model.rules import Rules, title_of
from holdfast.model.sight import SEES_ALL, Sight

MASTER = "Master"
"""Where findings are that are no node's."""


class RepositoryView(msgspec.Struct, frozen=True, kw_only=True):
    node: str
    status: RepositoryStatus


class NodeFinding(msgspec.Struct, frozen=True, kw_only=True):
    node: str
    finding: Finding


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """`datasets` are counted, each once by its worst, in `protected`, `failed`, `overdue`, `unknown` and `fresh` (`verdict.Standing`).
    `following`: the datasets that are followed as they change. `ok` = none failed, overdue or unknown, no repository has an error, no
    finding is one, no gap is open."""

    ok: bool
    verdict: str
    datasets: int
    protected: int
    protections: tuple[Protection, ...]
    nodes: tuple[NodeView, ...]
    repositories: tuple[RepositoryView, ...]
    unreachable: tuple[Unreachable, ...]
    findings: tuple[NodeFinding, ...]
    overdue: int
    failed: int
    unknown: int
    fresh: int
    following: tuple[FollowingRow, ...]


class StatusBoard:
    def __init__(self, base: Foundation, hub: Hub, looks: Looks) -> None:
        self._base = base
        self._hub = hub
        self._looks = looks

    async def nodes(self, sight: Sight = SEES_ALL) -> tuple[NodeView, ...]:
        """All that ever joined, revoked ones too."""
        online = self._hub.online()
        known = await self._base.database.run(lambda s: node_views(s, online))
        return tuple(node for node in known if sight.has_node(node.id))

    async def repositories(self, sight: Sight = SEES_ALL) -> tuple[tuple[RepositoryView, ...], tuple[Unreachable, ...]]:
        status = await self.status(sight)
        return status.repositories, status.unreachable

    async def status(self, sight: Sight = SEES_ALL) -> Status:
        """Of what may be seen; the verdict is on that alone."""
        rolled_out = await self._base.database.run(deployment)
        asked = [node for node in rolled_out.nodes.values() if node.id in rolled_out.rules]
        answers = await self._looks.look(node.id for node in asked)
        protections: list[Protection] = []
        repositories: list[RepositoryView] = []
        silent: list[Unreachable] = []
        findings: list[NodeFinding] = []
        following: list[FollowingRow] = []
        for node in asked:
            answer, rules = answers[node.id], rolled_out.rules[node.id]
            known = protections_of(rules, answer, self._looks.last_known(node.id))
            protections.extend(each for each in known if sight.has_dataset(each.dataset_id))
            if sight.has_node(node.id):
                findings.extend(findings_of(node.name, answer))
            if isinstance(answer, NodeStatus):
                following.extend(following_row(node.name, each) for each in answer.following if sight.has_dataset(each.dataset_id))
                repositories.extend(RepositoryView(node=node.name, status=r) for r in answer.repositories if sight.has_repository(r.id))
            else:
                missing = (r for r in rules.repositories if sight.has_part_of(r.name))
                silent.extend(Unreachable(repository=r.name, node=node.name, error=answer) for r in missing)
        if sight.everything:
            findings.extend(await self._base.database.run(failing_channels))
        return _judge(await self.nodes(sight), protections, repositories, silent, findings, following)


def failing_channels(session: Session) -> tuple[NodeFinding, ...]:
    """Channels of notifications that take nothing: findings of the Master itself."""
    failing = (channel for channel in notifications.channels(session) if channel.failing_since is not None)
    hint = "`holdfast notify test NAME` tries again; `holdfast notify channel set NAME` gives another address"
    return tuple(
        NodeFinding(
            node=MASTER,
            finding=Finding(
                code="notify-failing",
                severity=Severity.WARNING,
                message=f"notifications do not get through by channel {channel.name}: {channel.error}",
                hint=hint,
            ),
        )
        for channel in failing
    )


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


def _judge(
    nodes: tuple[NodeView, ...],
    protections: list[Protection],
    repositories: list[RepositoryView],
    silent: list[Unreachable],
    findings: list[NodeFinding],
    following: list[FollowingRow],
) -> Status:
    datasets = standings(protections)
    count = Counter(dataset.standing for dataset in datasets)
    broken = [f"repository {view.status.name}" for view in repositories if view.status.error is not None]
    errors = [f"node {found.node}" for found in findings if found.finding.severity is Severity.ERROR]
    troubles = tuple(dict.fromkeys((*broken, *errors)))
    in_gap = any(each.open_gap_since is not None for each in following)
    return Status(
        ok=not troubles and not in_gap and not any(count[bad] for bad in (Standing.FAILED, Standing.OVERDUE, Standing.UNKNOWN)),
        verdict=verdict(datasets, troubles),
        datasets=len(datasets),
        protected=count[Standing.PROTECTED],
        protections=tuple(protections),
        nodes=nodes,
        repositories=tuple(repositories),
        unreachable=tuple(silent),
        findings=tuple(findings),
        overdue=count[Standing.OVERDUE],
        failed=count[Standing.FAILED],
        unknown=count[Standing.UNKNOWN],
        fresh=count[Standing.FRESH],
        following=tuple(following),
    )

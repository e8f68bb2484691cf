"""How the environment does: every node's own judgement, merged; for a node that is away, what was last known, said to be so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec
from sqlalchemy.orm import Session

from holdfast.core.ids import NodeId
from holdfast.master.answers.found import Unreachable
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.hub.looks import Looks
from holdfast.master.hub.roll_call import NodeView, RollCall
from holdfast.master.judging.following_rows import FollowingRow
from holdfast.master.judging.hops import with_upstream
from holdfast.master.judging.node_parts import NodeFinding, NodePart, NodeParts, RepositoryView, Said
from holdfast.master.judging.verdict import Standing, merged, standings, verdict
from holdfast.master.records import notifications
from holdfast.master.reports.due_times import report_findings
from holdfast.master.rules.deployment import deployment
from holdfast.model.jobs import Finding, Severity
from holdfast.model.node_status import Protection
from holdfast.model.sight import SEES_ALL, Sight

MASTER = "Master"
"""Where findings are that are no node's."""


class StatusTotals(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows each list of the status would have without a limit."""

    protections: int
    nodes: int
    repositories: int
    unreachable: int
    findings: int
    following: int


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
    totals: StatusTotals


class StatusBoard:
    def __init__(self, base: Foundation, hub: Hub, looks: Looks, parts: NodeParts) -> None:
        self._base = base
        self._hub = hub
        self._looks = looks
        self._parts = parts
        self._roll_call = RollCall()
        # What is to be said of the Master itself (`safety.backup`).
        self.of_master: Callable[[], Awaitable[tuple[Finding, ...]]] = _nothing

    async def nodes(self, sight: Sight) -> tuple[NodeView, ...]:
        """All that ever joined, revoked ones too."""
        presence = self._hub.presence()
        known = await self._base.database.run(lambda s: self._roll_call.views(s, presence))
        return known if sight.everything else tuple(node for node in known if sight.has_node(node.id))

    async def repositories(self, sight: Sight = SEES_ALL) -> tuple[tuple[RepositoryView, ...], tuple[Unreachable, ...]]:
        status = await self.status(sight)
        return status.repositories, status.unreachable

    async def status(self, sight: Sight = SEES_ALL) -> Status:
        """Of what may be seen; the verdict is on that alone."""
        rolled_out = await self._base.database.run(deployment)
        asked = [node for node in rolled_out.nodes.values() if node.id in rolled_out.rules]
        answers = await self._looks.look(node.id for node in asked)
        every = ((node.id, Said(node.name, rolled_out.rules[node.id], answers[node.id], self._looks.last_known(node.id))) for node in asked)
        parts = with_upstream(self._parts.of(every))
        nodes = await self.nodes(sight)
        if not sight.everything:
            return _status(nodes, [_narrowed(part, node.id, sight) for part, node in zip(parts, asked, strict=True)], ())
        own = (
            *await self.of_master(),
            *await self._base.database.run(lambda s: (*failing_channels(s), *report_findings(s, self._base.now()))),
        )
        return _status(nodes, parts, [NodeFinding(node=MASTER, finding=finding) for finding in own])


async def _nothing() -> tuple[Finding, ...]:
    return ()


def failing_channels(session: Session) -> tuple[Finding, ...]:
    """Channels of notifications that take nothing: findings of the Master itself."""
    failing = (channel for channel in notifications.channels(session) if channel.failing_since is not None)
    hint = "`holdfast notify test NAME` tries again; `holdfast notify channel set NAME` gives another address"
    return tuple(
        Finding(
            code="notify-failing",
            severity=Severity.WARNING,
            message=f"notifications do not get through by channel {channel.name}: {channel.error}",
            hint=hint,
        )
        for channel in failing
    )


def _narrowed(part: NodePart, node: NodeId, sight: Sight) -> NodePart:
    protections = tuple(each for each in part.protections if sight.has_dataset(each.dataset_id))
    return replace(
        part,
        protections=protections,
        standings=standings(protections),
        findings=part.findings if sight.has_node(node) else (),
        repositories=tuple(each for each in part.repositories if sight.has_repository(each.status.id)),
        silent=tuple(each for each in part.silent if sight.has_part_of(each.repository)),
        following=tuple(each for each in part.following if sight.has_dataset(each.dataset_id)),
    )


def _all_of(field: str, parts: Sequence[NodePart]) -> tuple[Any, ...]:
    """Without a step of ours for each of thousands of nodes."""
    return tuple(chain.from_iterable(map(attrgetter(field), parts)))


def _status(nodes: tuple[NodeView, ...], parts: Sequence[NodePart], of_master: Sequence[NodeFinding]) -> Status:
    """`of_master`: findings of the Master itself."""
    datasets = tuple(merged(part.standings for part in parts).values())
    repositories: tuple[RepositoryView, ...] = _all_of("repositories", parts)
    findings: tuple[NodeFinding, ...] = (*_all_of("findings", parts), *of_master)
    following: tuple[FollowingRow, ...] = _all_of("following", parts)
    protections: tuple[Protection, ...] = _all_of("protections", parts)
    silent: tuple[Unreachable, ...] = _all_of("silent", parts)
    # Nearly all are protected: those are not counted one by one.
    count = Counter(dataset.standing for dataset in datasets if dataset.standing is not Standing.PROTECTED)
    broken = [f"repository {view.status.name}" for view in repositories if view.status.error is not None]
    errors = [f"node {found.node}" for found in findings if found.finding.severity is Severity.ERROR]
    troubles = tuple(dict.fromkeys((*broken, *errors)))
    in_gap = any(each.open_gap_since is not None for each in following)
    return Status(
        ok=not troubles and not in_gap and not any(count[bad] for bad in (Standing.FAILED, Standing.OVERDUE, Standing.UNKNOWN)),
        verdict=verdict(datasets, troubles),
        datasets=len(datasets),
        protected=len(datasets) - count.total(),
        protections=protections,
        nodes=nodes,
        repositories=repositories,
        unreachable=silent,
        findings=findings,
        overdue=count[Standing.OVERDUE],
        failed=count[Standing.FAILED],
        unknown=count[Standing.UNKNOWN],
        fresh=count[Standing.FRESH],
        following=following,
        totals=StatusTotals(
            protections=len(protections),
            nodes=len(nodes),
            repositories=len(repositories),
            unreachable=len(silent),
            findings=len(findings),
            following=len(following),
        ),
    )

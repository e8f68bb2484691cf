"""What the Master tells Prometheus: of itself, of its records, and of every node what that node last said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import msgspec
from sqlalchemy.orm import Session

from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.hub.looks import Looks
from holdfast.master.hub.presence import Presence
from holdfast.master.hub.roll_call import NodeView, node_views
from holdfast.master.judging.verdict import Standing, standings
from holdfast.master.records import happenings, notifications
from holdfast.master.records.notifications import Channel
from holdfast.master.rules.deployment import Deployment, deployment
from holdfast.model.jobs import Job, State
from holdfast.model.metrics import OF_MASTER, OF_NODES, OF_PROCESSES, Sample, of_node
from holdfast.model.node_status import NodeStatus
from holdfast.wire.exposition import Latency, exposed, of_process

RECENT = timedelta(hours=24)


class _Records(msgspec.Struct, frozen=True, kw_only=True):
    nodes: tuple[NodeView, ...]
    states: dict[State, int]
    moved: tuple[Job, ...]
    channels: tuple[Channel, ...]
    waiting: dict[str, int]


class Metrics:
    def __init__(self, base: Foundation, hub: Hub, looks: Looks) -> None:
        self._base = base
        self._hub = hub
        self._looks = looks
        self.latency = Latency()

    async def text(self) -> bytes:
        """One scrape. Nodes that are slow are told as they last were; of one that never answered nothing is."""
        presence = self._hub.presence()
        rolled_out = await self._base.database.run(deployment)
        await self._looks.glance(rolled_out.rules.keys() & presence.online)
        records = await self._base.database.run(lambda s: self._read(s, presence))
        metrics = (*OF_PROCESSES, *OF_MASTER, *OF_NODES)
        return exposed(metrics, self._samples(rolled_out, records), self.latency.registry)

    def _read(self, session: Session, presence: Presence) -> _Records:
        since = self._base.now() - RECENT
        return _Records(
            nodes=node_views(session, presence),
            states=happenings.job_states(session, since),
            moved=happenings.ended_since(session, since),
            channels=notifications.channels(session),
            waiting=notifications.waiting(session),
        )

    def _samples(self, rolled_out: Deployment, records: _Records) -> Iterator[Sample]:
        yield from of_process()
        yield from _of_nodes(records.nodes)
        yield Sample("holdfast_hub_sessions", (), self._hub.sessions)
        for state in State:
            yield Sample("holdfast_jobs", (state.value,), records.states.get(state, 0))
        yield from _of_moved(records.moved)
        for channel in records.channels:
            yield Sample("holdfast_notifications_waiting", (channel.name,), records.waiting.get(channel.name, 0))
            yield Sample("holdfast_notifications_failing", (channel.name,), float(channel.failing_since is not None))
        known = {node: told for node in rolled_out.rules if (told := self._looks.last_known(node)) is not None}
        yield from _of_standings(tuple(known.values()))
        for node, told in known.items():
            yield from of_node(rolled_out.name(node), told)


def _of_nodes(nodes: tuple[NodeView, ...]) -> Iterator[Sample]:
    for node in nodes:
        if node.state not in ("online", "silent", "offline"):
            continue
        yield Sample("holdfast_node_up", (node.name,), float(node.state == "online"))
        yield Sample("holdfast_node_version_info", (node.name, node.version), 1)
        if node.state != "online" and node.last_seen is not None:
            yield Sample("holdfast_node_last_seen_timestamp_seconds", (node.name,), node.last_seen.timestamp())
        if node.clock_offset_ms is not None:
            yield Sample("holdfast_node_clock_offset_seconds", (node.name,), node.clock_offset_ms / 1_000)


def _of_standings(told: tuple[NodeStatus, ...]) -> Iterator[Sample]:
    count = Counter(each.standing for each in standings(p for status in told for p in status.protections).values())
    for standing in Standing:
        yield Sample("holdfast_datasets", (standing.value,), count[standing])


def _of_moved(jobs: tuple[Job, ...]) -> Iterator[Sample]:
    sent: Counter[tuple[str, str]] = Counter()
    read: Counter[str] = Counter()
    for job in jobs:
        for task in job.tasks:
            if job.datasets:
                read[job.datasets[0]] += task.counters.read_bytes
                if task.receiver:
                    sent[task.dataset or job.datasets[0], task.receiver] += task.counters.sent_bytes
    for labels, count in sent.items():
        yield Sample("holdfast_dataset_sent_bytes", labels, count)
    for dataset, count in read.items():
        yield Sample("holdfast_dataset_read_bytes", (dataset,), count)

"""From news to deltas: one task looks up what changed, in one transaction for all of it, and publishes the new state of each thing.

Looking up after the fact makes deltas equal to what the API answers, and merges bursts: a thousand nodes that come back after the
Master's restart are a handful of transactions.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable
from contextlib import suppress
from functools import partial
from typing import TypeVar

import msgspec
from sqlalchemy.orm import Session

from holdfast.core.ids import JobId, NodeId
from holdfast.master.documents.environment import EnvironmentView, newest_revision
from holdfast.master.feed import Feed
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.hub.presence import Presence
from holdfast.master.hub.roll_call import NodeView, node_views
from holdfast.master.jobs.triggers import TriggerRecord
from holdfast.master.live.deltas import (
    EnvironmentDelta,
    FlowsDelta,
    JobDelta,
    LogDelta,
    NamedEvent,
    NamedJob,
    NodeDelta,
    PointsDelta,
    ProgressDelta,
    Snapshot,
    TriggerDelta,
    TriggerProgress,
)
from holdfast.master.news import Subject
from holdfast.master.records import happenings, inventory
from holdfast.master.rules.activation import Activation
from holdfast.model.jobs import ENDED, Event, Job, Progress, State

# Long enough to merge a burst, short enough to look immediate.
PAUSE_S = 0.1
SNAPSHOT_AGE_S = 1.0
_OPEN_JOBS, _NEWEST_JOBS, _LOG_LINES = 500, 100, 200
_GOOD = frozenset({State.SUCCEEDED, State.WARNINGS})
logger = logging.getLogger(__name__)
T = TypeVar("T", NamedJob, NamedEvent)


class _Records(msgspec.Struct, frozen=True, kw_only=True):
    """What the records say of some subjects, at one moment."""

    nodes: tuple[NodeView, ...] = ()
    jobs: tuple[NamedJob, ...] = ()
    triggers: tuple[TriggerProgress, ...] = ()
    environment: EnvironmentView | None = None
    events: tuple[NamedEvent, ...] = ()
    progressed: tuple[tuple[NodeId, JobId], ...] = ()


class Newsroom:
    """`run` for as long as the Master lives; `snapshot` for every subscriber that begins, or has a gap."""

    def __init__(self, base: Foundation, hub: Hub, activation: Activation) -> None:
        self._base = base
        self._hub = hub
        self._activation = activation
        self._snapshot: Snapshot | None = None
        self._snapshot_at_s = 0.0
        self._taking = asyncio.Lock()
        # The newest line of the log that was told; None while nobody listens.
        self._told: int | None = None

    @property
    def feed(self) -> Feed:
        return self._base.feed

    async def run(self) -> None:
        """Publish until cancelled. What goes wrong becomes a gap: subscribers get a snapshot instead of the lost deltas."""
        seen = 0
        while True:
            await self._base.news.wait(seen)
            seen = self._base.news.count
            try:
                await self.publish()
            except Exception:
                # Whatever one look-up did, the next must be told.
                logger.exception("changes could not be told one by one")
                self.feed.skip()
            await asyncio.sleep(PAUSE_S)

    async def publish(self) -> None:
        """Tell what changed since the last call."""
        subjects = self._base.news.take()
        if subjects == ():
            return
        if subjects is None or not self.feed.readers:
            self._told = None
            self.feed.skip()
            return
        records = await self._base.database.run(partial(self._look_up, presence=self._hub.presence(), subjects=subjects))
        self._publish_records(records)
        if progress := self._progress(records.progressed):
            self.feed.publish(lambda seq: ProgressDelta(seq=seq, progress=progress))
        if any(subject.kind in ("flows", "environment") for subject in subjects):
            flows = await self._activation.flows()
            self.feed.publish(lambda seq: FlowsDelta(seq=seq, flows=flows))

    async def snapshot(self) -> Snapshot:
        """Everything, as of one delta. Many who ask at once share one."""
        async with self._taking:
            now_s = self._base.clock.monotonic_s()
            kept = self._snapshot
            if kept is None or now_s - self._snapshot_at_s > SNAPSHOT_AGE_S or self.feed.after(kept.seq) is None:
                kept = self._snapshot = await self._take_snapshot()
                self._snapshot_at_s = now_s
            return kept

    async def _take_snapshot(self) -> Snapshot:
        # Before looking: what changes while we look is told by a later delta as well.
        seq = self.feed.seq
        presence = self._hub.presence()
        records = await self._base.database.run(lambda s: self._look_up_all(s, presence))
        assert records.environment is not None
        return Snapshot(
            seq=seq,
            environment=records.environment,
            nodes=records.nodes,
            flows=await self._activation.flows(),
            jobs=records.jobs,
            progress=self._progress((job.node, job.id) for job in records.jobs if job.state not in ENDED),
            triggers=records.triggers,
        )

    def _look_up_all(self, session: Session, presence: Presence) -> _Records:
        nodes = node_views(session, presence)
        jobs = {job.id: job for job in happenings.open_jobs(session, _OPEN_JOBS)}
        jobs.update((job.id, job) for job in happenings.jobs(session, limit=_NEWEST_JOBS))
        newest = sorted(jobs.values(), key=lambda job: (job.created_at, job.id), reverse=True)
        if self._told is None:
            self._told = happenings.last_event(session)
        return _Records(
            nodes=nodes,
            jobs=_named(session, newest, NamedJob),
            triggers=tuple(_trigger(stored.record) for stored in happenings.open_triggers(session)),
            environment=_environment(session),
        )

    def _look_up(self, session: Session, presence: Presence, subjects: tuple[Subject, ...]) -> _Records:
        wanted: dict[str, set[str]] = {}
        for subject in subjects:
            wanted.setdefault(subject.kind, set()).add(subject.id)
        return _Records(
            nodes=node_views(session, presence, wanted["node"]) if "node" in wanted else (),
            jobs=_named(session, happenings.jobs_by_id(session, wanted.get("job", ())), NamedJob),
            triggers=tuple(_trigger(happenings.trigger(session, identity).record) for identity in wanted.get("trigger", ())),
            environment=_environment(session) if "environment" in wanted else None,
            events=self._new_events(session) if "log" in wanted else (),
            progressed=_by_their_own_nodes(session, subjects) if "progress" in wanted else (),
        )

    def _new_events(self, session: Session) -> tuple[NamedEvent, ...]:
        """At most `_LOG_LINES`; who wants more asks for the log."""
        if self._told is None:
            self._told = happenings.last_event(session)
            return ()
        found = happenings.events_after(session, self._told, _LOG_LINES)
        self._told = happenings.last_event(session)
        return _named(session, [event for _, event in found], NamedEvent)

    def _publish_records(self, records: _Records) -> None:
        for node in records.nodes:
            self.feed.publish(partial(_node_delta, node))
        for job in records.jobs:
            self.feed.publish(partial(_job_delta, job))
            if job.state in _GOOD and job.operations:
                self.feed.publish(partial(_points_delta, job))
        for trigger in records.triggers:
            self.feed.publish(partial(_trigger_delta, trigger))
        if (environment := records.environment) is not None:
            self.feed.publish(lambda seq: EnvironmentDelta(seq=seq, environment=environment))
        if events := records.events:
            self.feed.publish(lambda seq: LogDelta(seq=seq, events=events))

    def _progress(self, jobs: Iterable[tuple[NodeId, JobId]]) -> tuple[Progress, ...]:
        return tuple(progress for node, job in jobs if (progress := self._hub.progress(node, job)) is not None)


def _by_their_own_nodes(session: Session, subjects: tuple[Subject, ...]) -> tuple[tuple[NodeId, JobId], ...]:
    """Jobs of which their nodes told how far they are. What a node tells of a job that is another's is not heard, as of its reports."""
    told = [(NodeId(subject.node), JobId(subject.id)) for subject in subjects if subject.kind == "progress"]
    known = happenings.nodes_of(session, {job for _, job in told})
    return tuple((node, job) for node, job in told if known.get(job, node) == node)


async def end_task(task: asyncio.Task[None]) -> None:
    """Cancel, and wait until it is over."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def named(records: Iterable[Job | Event], names: dict[NodeId, str], kind: type[T]) -> tuple[T, ...]:
    """Jobs or events with the names of their nodes; empty for a node that never joined."""
    return tuple(
        kind(**{field: getattr(record, field) for field in record.__struct_fields__}, node_name=names.get(record.node, ""))
        for record in records
    )


def _named(session: Session, records: Collection[Job | Event], kind: type[T]) -> tuple[T, ...]:
    return named(records, inventory.names_of(session, {record.node for record in records}), kind)


def _environment(session: Session) -> EnvironmentView:
    return EnvironmentView.of(newest_revision(session))


def _trigger(stored: bytes) -> TriggerProgress:
    record = msgspec.json.decode(stored, type=TriggerRecord)
    jobs = tuple(job for started in record.started for job in started.jobs)
    return TriggerProgress(id=record.id, flow=record.flow, state=record.state, done=record.done, jobs=jobs, problems=record.problems)


def _node_delta(node: NodeView, seq: int) -> NodeDelta:
    return NodeDelta(seq=seq, node=node)


def _job_delta(job: NamedJob, seq: int) -> JobDelta:
    return JobDelta(seq=seq, job=job)


def _points_delta(job: NamedJob, seq: int) -> PointsDelta:
    return PointsDelta(seq=seq, job=job.id, node=job.node, rule=job.rule, operations=job.operations)


def _trigger_delta(trigger: TriggerProgress, seq: int) -> TriggerDelta:
    return TriggerDelta(seq=seq, trigger=trigger)

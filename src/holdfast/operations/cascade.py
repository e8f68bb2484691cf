"""A cascade: the points of one dataset, from a repository here to another node, with their times, ids and totals.

One commit is forwarded for each commit of the source that became a point here; points that share one are its marks. Each builds on the one
before. A receiver that stands at no point still here gets one full commit first: nothing it has is sent again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import msgspec

from holdfast.core.clock import Clock, now, ns_of
from holdfast.core.errors import Cancelled, ErrorFacts, HoldfastError, WindowClosed, waits_its_turn
from holdfast.core.ids import ActionId, Epoch
from holdfast.delivery.fanout import LaneFigures
from holdfast.delivery.session import DeliverySession
from holdfast.model.change import Acknowledgement, Begin, Commit, Cursor, Mark
from holdfast.model.jobs import Counters, Finding, Job, State, Task
from holdfast.model.points import Point
from holdfast.model.rules import Cascade, title_of
from holdfast.model.subsets import epoch_of_part, line_of, part_of
from holdfast.operations.connecting import Dial, open_session, timetable_of
from holdfast.operations.run_lanes import bottleneck_of, shortfall
from holdfast.operations.run_plan import state_of
from holdfast.operations.run_progress import LaneMeter
from holdfast.operations.running import Cancellation, Delivered, Meter, News
from holdfast.repository.answers.forwarding import Totals
from holdfast.repository.repository import Repository
from holdfast.wire.data_messages import ActionState, Open


@dataclass(frozen=True)
class Hop:
    """One commit to forward: the points that share it, the point before it, if the receiver then stands exactly there, and the epoch it
    bears on the way."""

    points: tuple[Point, ...]
    base: Point | None
    epoch: Epoch

    @property
    def point(self) -> Point:
        """They share one tree; any of them shows it."""
        return self.points[0]

    @property
    def cursor(self) -> Cursor:
        """Where the receiver stands once it has it."""
        return Cursor(self.epoch, self.point.seq)

    @property
    def base_cursor(self) -> Cursor | None:
        return None if self.base is None else Cursor(self.epoch, self.base.seq)


def plan_hops(points: Iterable[Point], cursor: Cursor | None, operations: Sequence[str], only: Sequence[str] = ()) -> tuple[Hop, ...]:
    """What the receiver lacks, oldest first. Points of one (epoch, seq) are one commit. `only`: paths; points that hold none of them stay.

    Of the cursor's epoch only what came after it is forwarded, and of the epochs before it nothing. Changes build only on a commit of
    the same epoch, so the first of each epoch is full; so is the first after `only` has changed.
    """
    mine = [p for p in points if p.operation in operations and not p.foreign and (not only or part_of(p.paths, only))]
    # A clock that was set back says nothing of what came first: within an epoch that is `seq`.
    began: dict[Epoch, datetime] = {}
    for point in mine:
        began[point.epoch] = min(point.time, began.get(point.epoch, point.time))
    mine.sort(key=lambda p: (began[p.epoch], p.epoch, p.seq, p.operation))
    commits = [tuple(group) for _, group in groupby(mine, key=lambda p: (p.epoch, p.seq))]
    at = _first_behind(commits, cursor)
    before = commits[at - 1][0] if at else None
    base = before if before is not None and cursor == Cursor(epoch_of_part(before.epoch, only), before.seq) else None
    hops = []
    for commit in commits[at:]:
        epoch = epoch_of_part(commit[0].epoch, only)
        hops.append(Hop(commit, base if base is not None and base.epoch == commit[0].epoch else None, epoch))
        base = commit[0]
    return tuple(hops)


def _first_behind(commits: Sequence[tuple[Point, ...]], cursor: Cursor | None) -> int:
    """Index of the first commit the cursor has not passed."""
    if cursor is None:
        return 0
    same = [index for index, commit in enumerate(commits) if line_of(commit[0].epoch) == line_of(cursor.epoch)]
    passed = [index for index in same if commits[index][0].seq <= cursor.seq]
    return passed[-1] + 1 if passed else (same[0] if same else 0)


def commit_of(hop: Hop, kinds: Mapping[str, str], totals: Totals | None = None) -> Commit:
    """The commit as the source made it. `kinds` by operation name. `totals`: what a part of it holds; None = it is the whole."""
    point = hop.point
    totals = totals or Totals(point.files, point.bytes)
    return Commit(
        dataset=point.dataset_id,
        epoch=hop.epoch,
        seq=point.seq,
        captured_at=point.time,
        marks=tuple(Mark(operation=p.operation, kind=kinds.get(p.operation, "backup"), point=p.id) for p in hop.points),
        files=totals.files,
        size_bytes=totals.size_bytes,
        warnings=point.warnings,
        zone=point.zone,
    )


@dataclass(frozen=True, kw_only=True)
class CascadeOrder:
    """`kinds`: the kind of each operation, by name, as this node stores it. `adopt`: see `Open`."""

    job: Job
    cascade: Cascade
    generation: int
    kinds: Mapping[str, str]
    adopt: bool = False

    @property
    def operations(self) -> tuple[str, ...]:
        return self.cascade.delivery.operations


@dataclass(frozen=True, kw_only=True)
class CascadeTools:
    clock: Clock
    repository: Repository
    dial: Dial
    news: News
    hostname: str


def run_cascade(order: CascadeOrder, tools: CascadeTools, cancellation: Cancellation) -> Job:
    """The ended job. Raises `Cancelled`, and what keeps the receiver from being reached."""
    run = _CascadeRun(order, tools, cancellation)
    try:
        return run.execute()
    except Cancelled:
        raise
    except HoldfastError as error:
        cancellation.check()
        run.tell_unreached(error.facts())
        if isinstance(error, WindowClosed):
            return run.paused(error.facts())
        raise


class _CascadeRun:
    def __init__(self, order: CascadeOrder, tools: CascadeTools, cancellation: Cancellation) -> None:
        self._order = order
        self._tools = tools
        self._cancellation = cancellation
        self._delivery = order.cascade.delivery
        self._meter = Meter(order.job.id, tools.clock, tools.news.progress)
        self._source = f"the stored {self._delivery.label}"
        self._lane = LaneMeter(self._delivery, self._source)
        self._given_bytes = self._sent_bytes = 0
        self._findings: list[Finding] = []

    def execute(self) -> Job:
        timetable = timetable_of(self._delivery, self._tools.clock, by_hand=self._order.job.cause == "trigger")
        timetable.check()
        session = open_session(self._tools.dial, self._delivery, timetable, self._tools.clock, self._cancellation)
        self._meter.lanes = lambda: (self._lane.progress(self._tools.clock.monotonic_s(), self._figures(session), self._meter.total_bytes),)
        try:
            generation, adopt = self._order.generation, self._order.adopt
            opening = Open(dataset=self._delivery.dataset, actions=self._delivery.actions, generation=generation, adopt=adopt)
            points = self._tools.repository.points(self._delivery.dataset)
            tasks = [self._serve(session, state, points) for state in session.open(opening)]
        finally:
            session.close()
        return msgspec.structs.replace(
            self._order.job,
            state=state_of(tasks, self._findings),
            ended_at=now(self._tools.clock),
            tasks=tuple(tasks),
            findings=tuple(self._findings),
            findings_total=len(self._findings),
        )

    def paused(self, error: ErrorFacts) -> Job:
        """Its window has closed: what was forwarded is there, the rest goes on when it opens."""
        state, ended_at = state_of((), (), error), now(self._tools.clock)
        return msgspec.structs.replace(self._order.job, state=state, ended_at=ended_at, error=error)

    def tell_unreached(self, error: ErrorFacts) -> None:
        """Once per run that was due, not once per attempt: each counts as a missed point."""
        if self._order.job.cause == "retry":
            return
        for action in self._delivery.actions:
            self._tell(action, self._order.operations, 0, error)

    def _serve(self, session: DeliverySession, state: ActionState, points: Sequence[Point]) -> Task:
        started_s, times_before = self._tools.clock.monotonic_s(), session.sheet.of_sender()
        counters, error = Counters(), state.error
        hops = plan_hops(points, state.cursor, self._order.operations, self._order.cascade.only) if error is None else ()
        # What a commit changes is known only when it is walked; of a full one it is all that the point holds.
        self._meter.total_bytes = self._given_bytes + hops[0].point.bytes if len(hops) == 1 and hops[0].base is None else 0
        for hop in hops:
            self._cancellation.check()
            acknowledgement = self._forward(session, state.action, hop)
            counters = _added(counters, session.counters, acknowledgement.stored_bytes)
            self._findings += acknowledgement.findings
            error = shortfall(acknowledgement, hop.cursor)
            self._tell(state.action, tuple(p.operation for p in hop.points), ns_of(hop.point.time), error)
            if error is not None:
                break
        if not hops:
            self._tell(state.action, () if error is None else self._order.operations, _newest_ns(points), error)
        return Task(
            name=title_of(self._delivery, state.action),
            state=State.SUCCEEDED if error is None else State.PAUSED if waits_its_turn(error) else State.FAILED,
            counters=counters,
            error=error,
            receiver=self._delivery.receiver_name,
            duration_s=self._tools.clock.monotonic_s() - started_s,
            bottleneck=bottleneck_of(session.sheet.of_sender().since(times_before), self._delivery, self._source),
            dataset=self._delivery.label,
        )

    def _forward(self, session: DeliverySession, action: ActionId, hop: Hop) -> Acknowledgement:
        point, only = hop.point, self._order.cascade.only
        roots = part_of(point.paths, only)
        begin = Begin(
            dataset=point.dataset_id,
            label=self._delivery.label,
            epoch=hop.epoch,
            seq=point.seq,
            base=hop.base_cursor,
            roots=tuple(os.fsencode(path) for path in roots),
            hostname=self._tools.hostname,
        )
        # Beginning sets the session's own count back.
        self._sent_bytes += session.counters.sent_bytes
        try:
            session.begin(begin, [action])
            for outgoing in session.sheet.over(self._tools.repository.outgoing(point, hop.base, roots if only else None)):
                self._cancellation.check()
                session.send(outgoing)
                size_bytes = sum(ref.size_bytes for ref in outgoing.segment.offered)
                self._given_bytes += size_bytes
                self._meter.add("sending", len(outgoing.segment.changes), size_bytes)
            totals = self._tools.repository.totals(point, roots) if only else None
            (acknowledgement,) = session.commit(commit_of(hop, self._order.kinds, totals))
        except HoldfastError as error:
            session.abort(error)
            raise
        return acknowledgement

    def _figures(self, session: DeliverySession) -> LaneFigures:
        done_bytes = max(0, self._given_bytes - session.pending_bytes)
        sent_bytes = self._sent_bytes + session.counters.sent_bytes
        return LaneFigures(self._given_bytes, done_bytes, sent_bytes, True, session.sheet.of_sender())

    def _tell(self, action: ActionId, operations: tuple[str, ...], captured_at_ns: int, error: ErrorFacts | None) -> None:
        self._tools.news.delivered(
            Delivered(
                dataset=self._delivery.dataset,
                delivery=self._delivery.id,
                action=action,
                operations=operations,
                captured_at_ns=captured_at_ns,
                error=error,
            )
        )


def _added(total: Counters, sent: Counters, stored_bytes: int) -> Counters:
    return Counters(
        files=total.files + sent.files,
        changed=total.changed + sent.changed,
        removed=total.removed + sent.removed,
        offered_bytes=total.offered_bytes + sent.offered_bytes,
        sent_bytes=total.sent_bytes + sent.sent_bytes,
        stored_bytes=total.stored_bytes + stored_bytes,
    )


def _newest_ns(points: Sequence[Point]) -> int:
    return max((ns_of(point.time) for point in points), default=0)

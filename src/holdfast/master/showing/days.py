"""How each dataset did, day by day: the strip of the last weeks, from the jobs and events that the Master has on record."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo
from typing import Literal

import msgspec
from sqlalchemy.orm import Session

from holdfast.core.errors import UsageError
from holdfast.core.ids import DatasetId, NodeId
from holdfast.core.units import parse_time
from holdfast.master.foundation import Foundation
from holdfast.master.hub.looks import Looks
from holdfast.master.records import daily
from holdfast.master.rules.deployment import deployment
from holdfast.model.jobs import Event, State
from holdfast.model.rules import OperationRule
from holdfast.model.schedule import due_at, has_schedule, parse_zone
from holdfast.model.spans import instant

DayState = Literal["ok", "warning", "failed", "overdue", "gap", "none"]


class DatasetDay(msgspec.Struct, frozen=True, kw_only=True):
    """One calendar day of one dataset. `runs` counts jobs that began that day (runs, catch-ups, cascades), `failed` those of them that
    failed.

    `ok`: all ended well. `warning`: some with warnings, or some failed and others ended well. `failed`: some failed, none ended well.
    `gap`: points were missed, changes may have gone unseen, or nothing ran although the rules in force promise a run every day.
    `overdue`: today, and a run is overdue now. `none`: nothing ran and nothing was promised.
    """

    date: str
    state: DayState
    runs: int
    failed: int


class DatasetDays(msgspec.Struct, frozen=True, kw_only=True):
    """`days`: oldest first, today last."""

    dataset: str
    days: tuple[DatasetDay, ...]


class StatusDays(msgspec.Struct, frozen=True, kw_only=True):
    """The datasets of the rules in force, by label. `zone` is where days begin and end."""

    zone: str
    datasets: tuple[DatasetDays, ...]


@dataclass(frozen=True, kw_only=True)
class _Record:
    """What is on record of one dataset. `counts` by day, `missed` the days on which missed points were reported or that a gap touches,
    `first_at` of any job."""

    label: str
    operations: tuple[OperationRule, ...]
    first_at: datetime | None = None
    counts: dict[int, Counter[State]] = field(default_factory=dict)
    missed: frozenset[int] = frozenset()
    overdue: bool = False


class Days:
    def __init__(self, base: Foundation, looks: Looks) -> None:
        self._base = base
        self._looks = looks
        self._alike = _Alike()

    async def days(self, count: int, zone: str) -> StatusDays:
        """The last `count` days, today among them. Raises `UsageError` for a zone that is not known."""
        now, place = self._base.now(), parse_zone(zone)
        bounds = day_bounds(now, count, place)
        records = await self._base.database.run(lambda s: self._read(s, bounds))
        dates = [bound.astimezone(place).date().isoformat() for bound in bounds[:-1]]
        return await asyncio.to_thread(_answer, zone, records, dates, bounds, now)

    def _read(self, session: Session, bounds: Sequence[datetime]) -> tuple[_Record, ...]:
        rolled_out = deployment(session)
        rules = {dataset.label: dataset for node in rolled_out.rules.values() for dataset in node.datasets}
        counts: dict[str, dict[int, Counter[State]]] = {}
        for found in daily.job_counts(session, rules, bounds):
            counts.setdefault(found.subject, {}).setdefault(found.day, Counter())[found.state] += found.count
        first = daily.first_jobs(session, rules)
        missed: dict[str, set[int]] = {}
        for event in daily.events_of_code(session, "points-missed", bounds[0]):
            missed.setdefault(event.facts.get("dataset", ""), set()).add(_place(event.time, bounds))
        unseen: dict[str, set[int]] = {}
        for event in daily.events_of_code(session, "gap", bounds[0]):
            unseen.setdefault(event.facts.get("dataset", ""), set()).update(_days_of_gap(event, bounds))
        overdue = self._overdue(rolled_out.rules)
        operations = self._alike.of(rule.operations for rule in rules.values())
        return tuple(
            _Record(
                label=label,
                operations=operations[id(rule.operations)],
                first_at=first.get(label),
                counts=counts.get(label, {}),
                missed=frozenset(missed.get(rule.id, set()) | unseen.get(label, set())),
                overdue=rule.id in overdue,
            )
            for label, rule in sorted(rules.items())
        )

    def _overdue(self, nodes: Iterable[NodeId]) -> frozenset[DatasetId]:
        """By what the nodes said last; nobody is asked for this."""
        known = (self._looks.last_known(node) for node in nodes)
        return frozenset(p.dataset_id for status in known if status is not None for p in status.protections if p.overdue)


def day_bounds(now: datetime, count: int, zone: tzinfo) -> tuple[datetime, ...]:
    """Where the last `count` days of that zone begin (UTC), and where today ends. A day may have 23 or 25 hours."""
    today = now.astimezone(zone).date()
    return tuple(instant(today + timedelta(days=offset), time(), zone) for offset in range(1 - count, 2))


def state_of_day(counts: Mapping[State, int], *, missed: bool, promised: bool) -> DayState:
    """`promised`: the day is over, and a run had to begin on it."""
    if not counts:
        return "gap" if missed or promised else "none"
    failed = _failed(counts)
    warned, well = counts.get(State.WARNINGS, 0), counts.get(State.SUCCEEDED, 0)
    if failed and not warned and not well:
        return "failed"
    if missed:
        return "gap"
    if failed or warned:
        return "warning"
    if well:
        return "ok"
    # Cancelled, or not over yet.
    return "gap" if promised else "none"


def _failed(counts: Mapping[State, int]) -> int:
    """A job whose end is not known is one that nobody can rely on."""
    return counts.get(State.FAILED, 0) + counts.get(State.UNKNOWN, 0)


def _answer(zone: str, records: Sequence[_Record], dates: Sequence[str], bounds: Sequence[datetime], now: datetime) -> StatusDays:
    quiet = _QuietDays(dates, bounds, now)
    return StatusDays(zone=zone, datasets=tuple(DatasetDays(dataset=record.label, days=_days_of(record, quiet)) for record in records))


class _Alike:
    """Equal operations as one object, by which can be told what they share: rules of thousands of nodes name the same ones, and to reckon
    their hash takes longer than all else that is asked of them. Kept for as long as the rules are the same objects."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[tuple[OperationRule, ...], tuple[OperationRule, ...]]] = {}

    def of(self, every: Iterable[tuple[OperationRule, ...]]) -> dict[int, tuple[OperationRule, ...]]:
        """By the identity of what is given. To be asked by one thread."""
        kept: dict[int, tuple[tuple[OperationRule, ...], tuple[OperationRule, ...]]] = {}
        first: dict[tuple[OperationRule, ...], tuple[OperationRule, ...]] = {}
        unknown = []
        for operations in every:
            known = self._kept.get(id(operations))
            if known is not None and known[0] is operations:
                kept[id(operations)] = known
            else:
                unknown.append(operations)
        if unknown:
            first = {one: one for one in {id(one): one for _, one in kept.values()}.values()}
        for operations in unknown:
            kept[id(operations)] = (operations, first.setdefault(operations, operations))
        self._kept = kept
        return {identity: one for identity, (_, one) in kept.items()}


class _QuietDays:
    """Days on which nothing ran. Of thousands of datasets most have the same operations, and most of their days are such: what is promised
    of a day is found out once for all of them."""

    def __init__(self, dates: Sequence[str], bounds: Sequence[datetime], now: datetime) -> None:
        self.dates = dates
        self._bounds = bounds
        self._now = now
        self._kept: dict[tuple[int, int], tuple[DatasetDay, ...]] = {}

    def of(self, operations: tuple[OperationRule, ...], first_at: datetime | None) -> tuple[DatasetDay, ...]:
        """The same object for the same operations. `first_at`: of any job of the dataset, whose rules promise nothing of the day it came in
        or of one before."""
        since = len(self.dates) if first_at is None else bisect_right(self._bounds, first_at)
        known = self._kept.get((id(operations), since))
        if known is None:
            known = tuple(self._day(operations, day, day >= since) for day in range(len(self.dates)))
            self._kept[id(operations), since] = known
        return known

    def _day(self, operations: tuple[OperationRule, ...], day: int, has_begun: bool) -> DatasetDay:
        begin, end = self._bounds[day], self._bounds[day + 1]
        promised = has_begun and end <= self._now and _is_promised(operations, begin, end)
        return DatasetDay(date=self.dates[day], state=state_of_day({}, missed=False, promised=promised), runs=0, failed=0)


def _days_of(record: _Record, quiet: _QuietDays) -> tuple[DatasetDay, ...]:
    """Where nothing is on record the quiet days themselves, so that they can be written once for all who share them."""
    nothing = quiet.of(record.operations, record.first_at)
    if not record.counts and not record.missed and not record.overdue:
        return nothing
    days = list(nothing)
    # What is missed may be of a clock that is ahead of ours.
    for day in (day for day in record.counts.keys() | record.missed if day < len(days)):
        counts = record.counts.get(day, Counter())
        # A day with runs has kept its promise, and one that missed points is a gap whatever was promised.
        state = state_of_day(counts, missed=day in record.missed, promised=False)
        days[day] = DatasetDay(date=quiet.dates[day], state=state, runs=sum(counts.values()), failed=_failed(counts))
    if record.overdue and days[-1].state != "failed":
        days[-1] = msgspec.structs.replace(days[-1], state="overdue")
    return tuple(days)


def _is_promised(operations: Iterable[OperationRule], begin: datetime, end: datetime) -> bool:
    """Whether one of them had to run between these moments, whenever it ran before."""
    for rule in operations:
        if not has_schedule(rule) or (not rule.at and (rule.every_s or 0) > (end - begin).total_seconds()):
            continue
        due = due_at(rule, None, begin, since=begin)
        if due is not None and due < end:
            return True
    return False


def _days_of_gap(event: Event, bounds: Sequence[datetime]) -> range:
    """Those that it touches; what a node says is no more than text."""
    since, until = event.time, event.time
    with suppress(UsageError, KeyError):
        since, until = (parse_time(event.facts[name], event.time) for name in ("since", "until"))
    return range(_place(since, bounds), min(_place(until, bounds), len(bounds) - 2) + 1)


def _place(moment: datetime, bounds: Sequence[datetime]) -> int:
    return max(0, bisect_right(bounds, moment) - 1)

"""What is to come: a document before it is applied, the calendar of what is active, a schedule painted before it is written."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice

import msgspec
from msgspec.structs import asdict

from holdfast.compiler.compile import compile_flows
from holdfast.compiler.diff import DocumentChange
from holdfast.compiler.edits import document_values
from holdfast.compiler.fixes import with_fixes
from holdfast.compiler.flow_errors import FlowError, FlowErrors, find_flow_errors
from holdfast.compiler.freeze import ActiveFlows
from holdfast.compiler.identities import derived_id
from holdfast.compiler.inventory import Inventory
from holdfast.compiler.notes import locate
from holdfast.compiler.parse import Parsed, parse_document
from holdfast.compiler.parse_part import parse_schedule_part
from holdfast.core.ids import DatasetId, NodeId
from holdfast.master.documents.environment import changes_since
from holdfast.master.foundation import Foundation
from holdfast.master.rules.compiling import Situation, current_situation
from holdfast.master.showing.status import StatusBoard
from holdfast.model.courses import CourseStart, runs_of
from holdfast.model.diagnostics import Diagnostic
from holdfast.model.document import Document, OperationUse, ScheduleEntry, ScheduleTimes
from holdfast.model.edit import Value
from holdfast.model.open_times import local_day, open_times, triggers_on
from holdfast.model.rules import DatasetRule, Identity, Rules
from holdfast.model.schedule import share_of
from holdfast.model.simulation import Simulation, simulate

_MOST_SPANS = 2_000
_MOST_UPCOMING = 200


class PlanReport(msgspec.Struct, frozen=True, kw_only=True):
    """What applying a text would change against `revision`, the newest. `valid` = it could be applied. `flow_errors` do not hinder that:
    they are what would keep its flows from being activated, each by itself and beside those in force; what is not active and not changed
    by the text is not held against those. `untried_flows`: those that may have such errors too, and were too many to look at each."""

    valid: bool
    diagnostics: tuple[Diagnostic, ...]
    changes: tuple[DocumentChange, ...]
    removals: tuple[DocumentChange, ...]
    revision: int
    flow_errors: tuple[FlowError, ...] = ()
    untried_flows: tuple[str, ...] = ()


class SimulatedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`simulation` is null when the document cannot be compiled: `diagnostics` say why."""

    diagnostics: tuple[Diagnostic, ...]
    simulation: Simulation | None = None


class ScheduleRow(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule of the draft. `name` is empty for one that is written in an operation. `used_in`: `policy/operation`."""

    name: str
    windows: tuple[str, ...]
    exclude: tuple[str, ...]
    at: tuple[str, ...]
    zone: str
    missed: str
    jitter_s: float
    used_in: tuple[str, ...]


class CalendarRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run to come of one dataset, and what it marks; `at` has its jitter in it."""

    at: datetime
    dataset: str
    node: str
    operations: tuple[str, ...]


class Calendar(msgspec.Struct, frozen=True, kw_only=True):
    """`schedules` of the newest document; `runs`: the next ones by the rules in force, soonest first. One that is late is due now."""

    schedules: tuple[ScheduleRow, ...]
    runs: tuple[CalendarRun, ...]


class OpenSpan(msgspec.Struct, frozen=True, kw_only=True):
    begin: datetime
    end: datetime


class PaintedSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """When runs may start by a schedule between two moments, and its trigger times that no exclusion drops. `valid` false: see
    `diagnostics`, there is nothing in the rest."""

    valid: bool
    diagnostics: tuple[Diagnostic, ...]
    open: tuple[OpenSpan, ...] = ()
    triggers: tuple[datetime, ...] = ()


class Foreseeing:
    def __init__(self, base: Foundation, board: StatusBoard) -> None:
        self._base = base
        self._board = board

    async def plan(self, text: str) -> PlanReport:
        """What applying a text would change, and whether its flows could be activated. Changes nothing."""
        situation = await self._base.database.run(lambda s: current_situation(s, self._base))
        return await asyncio.to_thread(_plan, situation, text, self._base.now())

    async def simulate(self, text: str | None, days: int, since: datetime) -> SimulatedDocument:
        """What a document would do, all its flows active and all its machines there; None = the newest. Changes nothing."""
        situation = await self._base.database.run(lambda s: current_situation(s, self._base))
        return await asyncio.to_thread(_simulate, situation, text, since, since + timedelta(days=days))

    async def calendar(self, most: int) -> Calendar:
        situation = await self._base.database.run(lambda s: current_situation(s, self._base))
        status = await self._board.status()
        last: dict[tuple[DatasetId, str], datetime] = {}
        for protection in status.protections:
            key = (protection.dataset_id, protection.operation)
            if protection.last_at is not None and (key not in last or last[key] < protection.last_at):
                last[key] = protection.last_at
        return await asyncio.to_thread(_calendar, situation, last, self._base.now(), most)

    async def paint(self, schedule: Mapping[str, Value], since: datetime, days: int) -> PaintedSchedule:
        """A schedule as it would stand in the document. Changes nothing."""
        return await asyncio.to_thread(_paint, schedule, since, since + timedelta(days=days))


def _plan(situation: Situation, text: str, now: datetime) -> PlanReport:
    parsed = parse_document(text)
    changes = changes_since(situation.revision, parsed.document)
    found = FlowErrors()
    if parsed.document is not None:
        newest = parse_document(situation.revision.text).document
        found = find_flow_errors(parsed.document, newest, situation.flows, situation.inventory, now)
    return PlanReport(
        valid=parsed.document is not None,
        diagnostics=parsed.diagnostics,
        changes=changes,
        removals=tuple(change for change in changes if change.is_removal),
        revision=situation.revision.number,
        flow_errors=_placed(found.errors, parsed, text),
        untried_flows=found.untried,
    )


def _placed(errors: tuple[FlowError, ...], parsed: Parsed, text: str) -> tuple[FlowError, ...]:
    """With their lines in the text, and ways to mend it."""
    if not errors:
        return ()
    placed = with_fixes(locate((each.error for each in errors), parsed.places), document_values(text))
    return tuple(msgspec.structs.replace(each, error=error) for each, error in zip(errors, placed, strict=True))


def _simulate(situation: Situation, text: str | None, since: datetime, until: datetime) -> SimulatedDocument:
    parsed = parse_document(situation.revision.text if text is None else text)
    if parsed.document is None:
        return SimulatedDocument(diagnostics=parsed.diagnostics)
    document = parsed.document
    active = ActiveFlows(activating=tuple(flow.name for flow in document.flows))
    found = compile_flows(document, active, _everybody(document, situation.inventory), generations={}, created_at=since)
    diagnostics = (*parsed.diagnostics, *locate(found.diagnostics, parsed.places))
    if found.has_errors:
        return SimulatedDocument(diagnostics=diagnostics)
    return SimulatedDocument(diagnostics=diagnostics, simulation=simulate(found.rules, since, until, _MOST_UPCOMING))


def _everybody(document: Document, known: Inventory) -> Inventory:
    """The inventory as it will be when all machines of the document have joined."""
    nodes = {
        node.name: Identity(id=NodeId(derived_id("node", node.name)), name=node.name, address=node.address or f"{node.name}:7442")
        for node in document.nodes
    }
    return msgspec.structs.replace(known, nodes={**nodes, **known.nodes})


def _calendar(situation: Situation, last: Mapping[tuple[DatasetId, str], datetime], now: datetime, most: int) -> Calendar:
    parsed = parse_document(situation.revision.text).document
    courses = [course for rules in situation.rules.values() for course in _courses(rules, last, now)]
    runs = islice(heapq.merge(*courses, key=lambda run: (run.at, run.dataset)), most)
    return Calendar(schedules=() if parsed is None else schedule_rows(parsed), runs=tuple(runs))


def _courses(rules: Rules, last: Mapping[tuple[DatasetId, str], datetime], now: datetime) -> Iterator[Iterator[CalendarRun]]:
    for dataset in rules.datasets:
        names = [operation.name for operation in dataset.operations if (dataset.id, operation.name) in last]
        begun = {name: last[dataset.id, name] for name in names}
        yield _course(rules, dataset, CourseStart(since=now, last=begun, share=share_of(dataset.id)))


def _course(rules: Rules, dataset: DatasetRule, start: CourseStart) -> Iterator[CalendarRun]:
    for run in runs_of(rules, dataset, start):
        yield CalendarRun(at=run.at, dataset=dataset.label, node=rules.node_name, operations=run.operations)


def schedule_rows(document: Document) -> tuple[ScheduleRow, ...]:
    """Named ones in the document's order, then those that are written in an operation."""
    uses: dict[str, list[str]] = {}
    inline: list[tuple[str, OperationUse]] = []
    for policy in document.policies:
        for operation in policy.operations:
            uses.setdefault(operation.when.schedule, []).append(f"{policy.name}/{operation.name}")
            if operation.when.inline is not None:
                inline.append((f"{policy.name}/{operation.name}", operation))
    named = tuple(_row(entry, entry.name, tuple(uses.get(entry.name, ()))) for entry in document.schedules)
    return (*named, *(_row(operation.when.inline, "", (used,)) for used, operation in inline if operation.when.inline is not None))


def _row(times: ScheduleTimes | ScheduleEntry, name: str, used_in: tuple[str, ...]) -> ScheduleRow:
    return ScheduleRow(**{**asdict(times), "name": name, "used_in": used_in})


def _paint(schedule: Mapping[str, Value], since: datetime, until: datetime) -> PaintedSchedule:
    parsed = parse_schedule_part(schedule)
    times = parsed.times
    if times is None:
        return PaintedSchedule(valid=False, diagnostics=parsed.diagnostics)
    spans: list[OpenSpan] = []
    for span in open_times(times.windows, times.exclude, times.zone, since):
        if span.start >= until or len(spans) == _MOST_SPANS:
            break
        spans.append(OpenSpan(begin=max(span.start, since), end=min(span.end, until)))
    triggers = [moment for moment in _triggers(times, since, until) if not _excluded(times, moment)]
    return PaintedSchedule(valid=True, diagnostics=parsed.diagnostics, open=tuple(spans), triggers=tuple(triggers[:_MOST_SPANS]))


def _triggers(times: ScheduleTimes, since: datetime, until: datetime) -> Iterator[datetime]:
    day = local_day(since, times.zone)
    while times.at and day <= local_day(until, times.zone):
        yield from (moment for moment in triggers_on(times.at, times.zone, day) if since <= moment < until)
        day += timedelta(days=1)


def _excluded(times: ScheduleTimes, moment: datetime) -> bool:
    span = next(open_times((), times.exclude, times.zone, moment), None)
    return span is None or span.start > moment

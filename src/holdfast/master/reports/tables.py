"""The tables of reports, from what is on record. Each function reads in one transaction, or nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import msgspec
from sqlalchemy.orm import Session

from holdfast.compiler.parse import parse_document
from holdfast.core.ids import NodeId
from holdfast.core.units import format_utc
from holdfast.master.documents.environment import newest_revision
from holdfast.master.records import documents, happenings
from holdfast.master.records.sizes import Size
from holdfast.master.reports.promises import Kept
from holdfast.master.rules.deployment import Deployment, deployment
from holdfast.model.document import Document
from holdfast.model.forecast import line_through
from holdfast.model.jobs import State
from holdfast.model.node_status import NodeStatus
from holdfast.model.reports import Cell, Column, Table
from holdfast.model.rules import DatasetRule, OperationRule
from holdfast.model.schedule import has_schedule

HORIZONS_DAYS = (30, 90, 365)
_GOOD = (State.SUCCEEDED, State.WARNINGS)
_DAY_S = 86_400
_BEFORE = timedelta(days=31)
Row = tuple[Cell | datetime, ...]


def table(title: str, columns: Iterable[str | tuple[str, str]], rows: Iterable[Row], note: str = "") -> Table:
    """`columns`: names, or a name and its unit. Moments in rows become texts."""
    pairs = [(column, "text") if isinstance(column, str) else column for column in columns]
    return Table(
        title=title,
        columns=tuple(msgspec.convert({"name": name, "unit": unit}, Column) for name, unit in pairs),
        rows=tuple(tuple(format_utc(cell) if isinstance(cell, datetime) else cell for cell in row) for row in rows),
        note=note,
    )


def size_row(repository: str, node: str, found: tuple[Size, ...], until: datetime) -> Row:
    """What is stored, and how that will grow; nothing of the sort where there is too little history."""
    line = line_through([(size.at, float(size.stored_bytes)) for size in found])
    stored = found[-1].stored_bytes if found else None
    if line is None:
        return (repository, node, stored, len(found), "too little history", *((None,) * (2 + 3 * len(HORIZONS_DAYS))))
    today = (until - found[0].at).total_seconds() / _DAY_S
    ahead = [line.at(today + days) for days in HORIZONS_DAYS]
    spans = [value for each in ahead for value in (each.low, each.expected, each.high)]
    return (repository, node, stored, len(found), "linear", line.bytes_a_day, line.uncertain_bytes_a_day, *spans)


def captures(rolled_out: Deployment, node: NodeId) -> bool:
    """Whether its rules let it capture anything."""
    rules = rolled_out.rules.get(node)
    return rules is not None and bool(rules.datasets)


def environment(session: Session) -> tuple[Deployment, Document | None, frozenset[str]]:
    """What is rolled out, what the newest document says, and which flows are active."""
    active = frozenset(flow.flow for flow in documents.active_flows(session))
    return deployment(session), parse_document(newest_revision(session).text).document, active


def promised(rolled_out: Deployment) -> Iterator[tuple[DatasetRule, list[tuple[OperationRule, str]]]]:
    """Each dataset, with its operations that have a schedule and the names of who receives them."""
    cascades = [cascade.delivery for rules in rolled_out.rules.values() for cascade in rules.cascades]
    for rules in rolled_out.rules.values():
        for dataset in rules.datasets:
            pairs = {
                (rule.name, delivery.receiver_name): rule
                for delivery in (*rules.deliveries, *cascades)
                for rule in dataset.operations
                if has_schedule(rule) and delivery.dataset == dataset.id and rule.name in delivery.operations
            }
            yield dataset, [(rule, receiver) for (_, receiver), rule in pairs.items()]


def kept_runs(session: Session, label: str, since: datetime) -> dict[tuple[str, str], list[Kept]]:
    """Acknowledged runs of a dataset by operation and receiver; also those before `since`, at most a month back."""
    found: dict[tuple[str, str], list[Kept]] = defaultdict(list)
    for job in happenings.jobs_about(session, label, since - _BEFORE):
        for task in job.tasks:
            if task.receiver and task.is_about(label) and task.state in _GOOD and job.ended_at is not None:
                kept = Kept(captured_at=job.started_at or job.created_at, acknowledged_at=job.ended_at)
                for operation in job.operations:
                    found[operation, task.receiver].append(kept)
    return found


def moved(session: Session, label: str, since: datetime) -> list[Row]:
    """What each receiver got of a dataset. What was read once for several, receivers or datasets, is told at each."""
    sums: dict[str, list[float]] = {}
    for job in happenings.jobs_about(session, label, since):
        read = sum(task.counters.read_bytes for task in job.tasks)
        for task in job.tasks:
            if task.receiver and task.is_about(label):
                parts = (1, task.state is State.FAILED, read, task.counters.sent_bytes, task.counters.stored_bytes, task.duration_s)
                known = sums.get(task.receiver, [0.0] * len(parts))
                sums[task.receiver] = [have + more for have, more in zip(known, parts, strict=True)]
    rates = {receiver: row[3] / row[5] if row[5] else None for receiver, row in sums.items()}
    return [(label, receiver, *(int(each) for each in row[:5]), row[5], rates[receiver]) for receiver, row in sorted(sums.items())]


def drilled(node: str, told: NodeStatus) -> Iterator[Row]:
    for repository in told.repositories:
        for drill in repository.drills:
            last = drill.last
            at, files, problem = (last.at, last.files, last.problem) if last is not None else (None, None, "")
            overdue = "yes" if drill.overdue else "no"
            yield drill.dataset, repository.name, node, at, drill.proven_at, files, drill.due_at, overdue, problem or "-"

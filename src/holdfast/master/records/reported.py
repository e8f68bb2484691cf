"""What nodes report, written down: of many nodes at once, in a few statements for all of it.

The statements are of the tables: an object of SQLAlchemy's for each record, looked up, merged and flushed, costs ten times its row.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar, cast

import msgspec
from sqlalchemy import Connection, TableClause, bindparam, insert, select, update
from sqlalchemy.orm import Session

from holdfast.core.ids import JobId, NodeId
from holdfast.master.records.tables import EventRow, JobRow, JobSubjectRow, JobTagRow
from holdfast.model.jobs import ENDED, Event, Job, State

T = TypeVar("T")
MOST_AT_ONCE = 1_000
"""Of a statement: a database takes so many values and no more, and a report may have any number."""
_JOBS = cast("TableClause", JobRow.__table__)
_SUBJECTS = cast("TableClause", JobSubjectRow.__table__)
_TAGS = cast("TableClause", JobTagRow.__table__)
_EVENTS = cast("TableClause", EventRow.__table__)
_MOVED = update(_JOBS).where(_JOBS.c.id == bindparam("of"))
_MOVED_SUBJECTS = update(_SUBJECTS).where(_SUBJECTS.c.job == bindparam("of"))


def record_jobs(session: Session, reported: Iterable[tuple[NodeId, Job]]) -> None:
    """Take jobs as their nodes report them, in this order. A report that comes again changes nothing; an ended job never runs again.

    The node is the session's, never what the report claims.
    """
    for part in _parts(reported):
        _record_jobs(session.connection(), part)


def record_events(session: Session, reported: Iterable[tuple[NodeId, Event]]) -> None:
    """Take events as their nodes report them; each is kept once, however often it comes."""
    for part in _parts(reported):
        _record_events(session.connection(), part)


def note_states(session: Session, states: Iterable[tuple[JobId, State]]) -> None:
    """What jobs are found by knows their states, too."""
    if changed := [{"of": job, "state": state.value} for job, state in states]:
        session.connection().execute(_MOVED_SUBJECTS, changed)


def _record_jobs(connection: Connection, part: list[tuple[NodeId, Job]]) -> None:
    query = select(_JOBS.c.id, _JOBS.c.node, _JOBS.c.state).where(_JOBS.c.id.in_({job.id for _, job in part}))
    known = {JobId(job): (node, State(state)) for job, node, state in connection.execute(query)}
    first: dict[JobId, Job] = {}
    new: dict[JobId, dict[str, Any]] = {}
    moved: dict[JobId, dict[str, Any]] = {}
    for node, job in part:
        before = known.get(job.id)
        if before is None:
            first[job.id] = job
        elif before[0] != node or (before[1] in ENDED and job.state not in ENDED):
            continue
        known[job.id] = (node, job.state)
        (new if job.id in first else moved)[job.id] = _job_row(node, job)
    _add(connection, _JOBS, [{"id": job, **row} for job, row in new.items()])
    _add(connection, _SUBJECTS, [row for job in first.values() for row in _subject_rows(job, known[job.id][1])])
    _add(connection, _TAGS, [{"tag": tag, "job": job.id} for job in first.values() for tag in dict.fromkeys(job.tags)])
    if moved:
        connection.execute(_MOVED, [{"of": job, **row} for job, row in moved.items()])
        connection.execute(_MOVED_SUBJECTS, [{"of": job, "state": row["state"]} for job, row in moved.items()])


def _record_events(connection: Connection, part: list[tuple[NodeId, Event]]) -> None:
    rows: dict[str, dict[str, Any]] = {}
    for node, event in part:
        own = event if event.node == node else msgspec.structs.replace(event, node=node)
        record = msgspec.json.encode(own, order="deterministic")
        digest = hashlib.sha256(record).hexdigest()
        rows[digest] = {
            "node": node,
            "time": event.time,
            "digest": digest,
            "code": event.code,
            "severity": event.severity.value,
            "session": event.session,
            "record": record,
        }
    for digest in connection.scalars(select(_EVENTS.c.digest).where(_EVENTS.c.digest.in_(tuple(rows)))):
        del rows[digest]
    _add(connection, _EVENTS, list(rows.values()))


def _add(connection: Connection, table: TableClause, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _job_row(node: NodeId, job: Job) -> dict[str, Any]:
    """All but its id."""
    return {
        "node": node,
        "rule": job.rule,
        "state": job.state.value,
        "created_at": job.created_at,
        "ended_at": job.ended_at,
        "trigger": job.trigger,
        "record": msgspec.json.encode(job if job.node == node else msgspec.structs.replace(job, node=node)),
    }


def _subject_rows(job: Job, state: State) -> Iterator[dict[str, Any]]:
    for subject in dict.fromkeys((job.rule, *job.datasets)):
        yield {"subject": subject, "created_at": job.created_at, "job": job.id, "state": state.value}


def _parts(every: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(every)
    while part := list(itertools.islice(rest, MOST_AT_ONCE)):
        yield part

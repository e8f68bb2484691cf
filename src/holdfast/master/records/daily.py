"""Counting what happened by day, in the database rather than here: a month of a fleet may be a hundred thousand jobs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, case, func, literal, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from holdfast.master.records.tables import EventRow, JobSubjectRow
from holdfast.model.jobs import Event, State

_MOST_NAMED = 500


class DayCount(msgspec.Struct, frozen=True):
    """`count` jobs about `subject` that began on a day (its place in the bounds that were asked for) are in this state."""

    subject: str
    day: int
    state: State
    count: int


def job_counts(session: Session, subjects: Collection[str], bounds: Sequence[datetime]) -> tuple[DayCount, ...]:
    """`bounds`: where the days begin, and where the last one ends."""
    day = _place(JobSubjectRow.created_at, bounds).label("day")
    query = (
        select(JobSubjectRow.subject, day, JobSubjectRow.state, func.count())
        .where(JobSubjectRow.created_at >= bounds[0], JobSubjectRow.created_at < bounds[-1])
        .group_by(JobSubjectRow.subject, day, JobSubjectRow.state)
    )
    return tuple(DayCount(subject, day, State(state), count) for subject, day, state, count in _about(session, query, subjects))


def first_jobs(session: Session, subjects: Collection[str]) -> dict[str, datetime]:
    """When the first job about each began."""
    query = select(JobSubjectRow.subject, func.min(JobSubjectRow.created_at)).group_by(JobSubjectRow.subject)
    return dict(_about(session, query, subjects))


def _about(session: Session, query: Select[*tuple[Any, ...]], subjects: Collection[str]) -> Iterator[Any]:
    """Rows that begin with one of these subjects. Thousands are not named in the statement: to write each of them into it takes longer than
    to read what few others there are."""
    if len(subjects) <= _MOST_NAMED:
        query = query.where(JobSubjectRow.subject.in_(tuple(subjects)))
    wanted = frozenset(subjects)
    return (tuple(row) for row in session.execute(query) if row[0] in wanted)


def events_of_code(session: Session, code: str, since: datetime) -> tuple[Event, ...]:
    """Oldest first."""
    query = select(EventRow.record).where(EventRow.code == code, EventRow.time >= since).order_by(EventRow.time)
    return tuple(msgspec.json.decode(record, type=Event) for record in session.scalars(query))


def _place(moment: InstrumentedAttribute[datetime], bounds: Sequence[datetime]) -> ColumnElement[int]:
    """The index of the span of `bounds` that holds the moment, by halving: five comparisons for a month."""
    return _between(moment, bounds, 0, len(bounds) - 1)


def _between(moment: InstrumentedAttribute[datetime], bounds: Sequence[datetime], low: int, high: int) -> ColumnElement[int]:
    if high - low <= 1:
        return literal(low)
    middle = (low + high) // 2
    return case((moment < bounds[middle], _between(moment, bounds, low, middle)), else_=_between(moment, bounds, middle, high))

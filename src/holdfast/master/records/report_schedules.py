"""Reports that are sent by themselves, and how far each has got: read and written within one transaction."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from holdfast.core.errors import UnknownName
from holdfast.master.records.tables import ReportScheduleRow
from holdfast.model.report_schedules import ReportSchedule


class Progress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`handled_at`: trigger times up to this are done with, or are being sent. `due_at`: of the report that is on its way; null = none is.
    `left`: channels that have not taken it, `file_left`: it is not in its folder yet. `try_at`: when it is tried, `attempts`: how often
    it was. `failing_since`: nothing got through since then, `error` says why. `sent_at`: when one last got to all, `file`: the newest."""

    handled_at: datetime
    due_at: datetime | None = None
    left: tuple[str, ...] = ()
    file_left: bool = False
    try_at: datetime | None = None
    attempts: int = 0
    failing_since: datetime | None = None
    error: str = ""
    sent_at: datetime | None = None
    file: str = ""


class StoredReportSchedule(msgspec.Struct, frozen=True, kw_only=True):
    schedule: ReportSchedule
    progress: Progress


def report_schedules(session: Session) -> tuple[StoredReportSchedule, ...]:
    """By name."""
    return tuple(_value(row) for row in session.scalars(select(ReportScheduleRow).order_by(ReportScheduleRow.name)))


def report_schedule(session: Session, name: str) -> StoredReportSchedule:
    """Raises `UnknownName`."""
    return _value(_row(session, name))


def set_report_schedule(session: Session, schedule: ReportSchedule, now: datetime) -> None:
    """A new one begins now; of one that is changed what was sent stays known, and what had not got through is given up."""
    row = session.get(ReportScheduleRow, schedule.name)
    known = Progress(handled_at=now) if row is None else _value(row).progress
    progress = Progress(handled_at=now, sent_at=known.sent_at, file=known.file)
    session.merge(ReportScheduleRow(name=schedule.name, record=msgspec.json.encode(schedule), progress=msgspec.json.encode(progress)))


def put_progress(session: Session, posted: ReportSchedule, progress: Progress) -> bool:
    """How far the report of `posted` has got. False, and nothing written, where that was changed or removed meanwhile."""
    row = session.get(ReportScheduleRow, posted.name)
    if row is None or _value(row).schedule != posted:
        return False
    row.progress = msgspec.json.encode(progress)
    return True


def remove_report_schedule(session: Session, name: str) -> None:
    """Raises `UnknownName`."""
    session.delete(_row(session, name))


def _row(session: Session, name: str) -> ReportScheduleRow:
    row = session.get(ReportScheduleRow, name)
    if row is None:
        raise UnknownName(f"no report schedule is called {name!r}", hint="`holdfast reports ls` lists them", report=name)
    return row


def _value(row: ReportScheduleRow) -> StoredReportSchedule:
    return StoredReportSchedule(
        schedule=msgspec.json.decode(row.record, type=ReportSchedule), progress=msgspec.json.decode(row.progress, type=Progress)
    )

"""When reports are due: by their own trigger times, or by those of a schedule of the newest document. And what is wrong with the reports
that are sent by themselves: findings of the Master itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from holdfast.compiler.parse import parse_document
from holdfast.master.documents.environment import newest_revision
from holdfast.master.records import report_schedules
from holdfast.master.records.report_schedules import StoredReportSchedule
from holdfast.model.jobs import Finding, Severity
from holdfast.model.report_schedules import ReportSchedule, Times, next_time


def known_times(session: Session, asking: Iterable[ReportSchedule]) -> dict[str, Times]:
    """Of each schedule of the newest document; the document is read only when one of those that ask names a schedule."""
    if not any(each.schedule for each in asking):
        return {}
    document = parse_document(newest_revision(session).text).document
    return {each.name: Times(each.at, each.zone) for each in document.schedules} if document is not None else {}


def times_of(schedule: ReportSchedule, known: Mapping[str, Times]) -> Times | None:
    """None: the schedule it names is not in the document any more."""
    return known.get(schedule.schedule) if schedule.schedule else Times(schedule.at, schedule.zone)


def report_findings(session: Session, now: datetime) -> tuple[Finding, ...]:
    """Of enabled ones: what was due and has not got to all who should have it, and what will never be due."""
    every = tuple(each for each in report_schedules.report_schedules(session) if each.schedule.enabled)
    known = known_times(session, (each.schedule for each in every))
    untimed = ((each.schedule, times_of(each.schedule, known)) for each in every)
    never = tuple(_never_due(schedule, times) for schedule, times in untimed if times is None or next_time(times, now) is None)
    return (*(_not_sent(each) for each in every if each.progress.failing_since is not None), *never)


def _not_sent(each: StoredReportSchedule) -> Finding:
    return Finding(
        code="report-not-sent",
        severity=Severity.WARNING,
        message=f"report {each.schedule.name} could not be sent: {each.progress.error}",
        hint=f"it is tried again by itself; `holdfast reports send {each.schedule.name}` does it now",
    )


def _never_due(schedule: ReportSchedule, times: Times | None) -> Finding:
    if times is None:
        why = f"the document has no schedule {schedule.schedule!r} any more"
    elif not times.at:
        why = f"schedule {schedule.schedule!r} has no trigger times any more"
    else:
        why = "none of its times comes within two years"
    return Finding(
        code="report-never-due",
        severity=Severity.WARNING,
        message=f"report {schedule.name} is not made by itself: {why}",
        hint=f"say when by `holdfast reports schedule {schedule.name}`, or disable or remove it",
    )

"""The service that makes reports at their times and sends them.

What is due and what is left of it are on record, so that a Master that was down makes up for all it missed by one report, and one that dies
while it sends goes on with the channels that are left. What does not get through is made anew and tried again, less and less often.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from sqlalchemy.orm import Session

from holdfast.compiler.parse import parse_document
from holdfast.core.errors import HoldfastError
from holdfast.core.private_files import make_private_folder, write_private
from holdfast.core.units import format_utc
from holdfast.master.environment import newest_revision
from holdfast.master.foundation import Foundation
from holdfast.master.notifying.notifications import Notifications
from holdfast.master.notifying.wording import Attachment, Message
from holdfast.master.records import notifications, report_schedules
from holdfast.master.records.report_schedules import Progress, StoredReportSchedule
from holdfast.master.reports.reports import Reports
from holdfast.model.document import Document
from holdfast.model.jobs import Severity
from holdfast.model.report_schedules import ReportSchedule, Times, newest_due, next_time, validate_report_schedule
from holdfast.model.reports import EnvironmentReport, as_csv, as_html, cell_text

LOOK_EVERY_S = 20.0
FIRST_DELAY_S, LAST_DELAY_S = 60.0, 3_600.0
KEPT_FILES = 100
_MOST_ROWS = 30
_MIME = {"html": "text/html", "csv": "text/csv", "json": "application/json"}
logger = logging.getLogger(__name__)


class ReportScheduleView(msgspec.Struct, frozen=True, kw_only=True):
    """`next_at`: when it is made next; null = never. `error` with `failing_since`: the report of `due_at` has not got through;
    `left` are the channels that have not taken it. `file`: the newest in its folder on the Master's machine."""

    schedule: ReportSchedule
    next_at: datetime | None
    sent_at: datetime | None
    due_at: datetime | None
    left: tuple[str, ...]
    failing_since: datetime | None
    error: str
    file: str


class ReportPost:
    def __init__(self, base: Foundation, reports: Reports, notifying: Notifications) -> None:
        self._base = base
        self._reports = reports
        self._notifying = notifying
        self._working = asyncio.Lock()

    async def view(self) -> tuple[ReportScheduleView, ...]:
        return await self._base.database.run(lambda s: _view(s, self._base.now()))

    async def put(self, wanted: ReportSchedule) -> tuple[ReportScheduleView, ...]:
        """A new one, or another of that name. Raises `UsageError`."""

        def work(session: Session) -> tuple[ReportScheduleView, ...]:
            document = _document(session)
            names = [each.name for each in document.schedules] if document is not None else []
            validate_report_schedule(wanted, (each.name for each in notifications.channels(session)), names)
            report_schedules.set_report_schedule(session, wanted, self._base.now())
            return _view(session, self._base.now())

        return await self._base.database.run(work)

    async def remove(self, name: str) -> None:
        """Its files stay. Raises `UnknownName`."""
        await self._base.database.run(lambda s: report_schedules.remove_report_schedule(s, name))

    async def send(self, name: str) -> ReportScheduleView:
        """Make it now, whether or not it is its time; how that went is in the answer. Raises `UnknownName`."""
        async with self._working:
            stored = await self._base.database.run(lambda s: report_schedules.report_schedule(s, name))
            await self._post(stored.schedule, _begun(stored, self._base.now()))
        return next(each for each in await self.view() if each.schedule.name == name)

    async def run(self) -> None:
        """Send what is due, until cancelled."""
        while True:
            try:
                await self.work()
            except Exception:
                # Whatever one look came to, the next is due.
                logger.exception("reports could not be sent")
            await asyncio.sleep(LOOK_EVERY_S)

    async def work(self) -> None:
        """Once: one at a time, so that nothing is sent twice."""
        async with self._working:
            for schedule, progress in await self._base.database.run(lambda s: _due(s, self._base.now())):
                await self._post(schedule, progress)

    async def _post(self, schedule: ReportSchedule, progress: Progress) -> None:
        """Make it, and give it to whoever has not got it."""
        # First of all it is on record that it is on its way.
        await self._keep(schedule, progress)
        now = self._base.now()
        problems: list[str] = []
        try:
            report = await self._reports.make(schedule.kind, now - timedelta(seconds=schedule.since_s))
        except HoldfastError as error:
            problems.append(error.message)
        else:
            progress = await self._give(schedule, progress, report, problems)
        if problems:
            delay_s = min(LAST_DELAY_S, FIRST_DELAY_S * 2 ** min(progress.attempts, 10))
            failed = {"try_at": self._base.now() + timedelta(seconds=delay_s), "attempts": progress.attempts + 1, "error": problems[0]}
            progress = msgspec.structs.replace(progress, failing_since=progress.failing_since or now, **failed)
        else:
            progress = Progress(handled_at=progress.handled_at, sent_at=self._base.now(), file=progress.file)
        await self._keep(schedule, progress)

    async def _give(self, schedule: ReportSchedule, progress: Progress, report: EnvironmentReport, problems: list[str]) -> Progress:
        content = _written(report, schedule.format)
        attached = Attachment(name=_file_name(report, schedule.format), mime=_MIME[schedule.format], content=content)
        if progress.file_left:
            try:
                path = await asyncio.to_thread(_save, self._base.config.home / "reports" / schedule.name, attached)
                progress = msgspec.structs.replace(progress, file_left=False, file=str(path))
            except OSError as error:
                problems.append(f"it cannot be written into its folder: {error.strerror}")
        left = []
        for channel in progress.left:
            try:
                await self._notifying.post(channel, message_of_report(report, schedule.name), attached)
            except HoldfastError as error:
                left.append(channel)
                problems.append(f"channel {channel}: {error.message}")
        return msgspec.structs.replace(progress, left=tuple(left))

    async def _keep(self, schedule: ReportSchedule, progress: Progress) -> None:
        await self._base.database.run(lambda s: report_schedules.put_progress(s, schedule.name, progress))


def message_of_report(report: EnvironmentReport, name: str) -> Message:
    """What it says at a glance, for channels that take no attachments, too."""
    lines = [report.summary, f"{format_utc(report.since)} to {format_utc(report.until)}"]
    for table in report.tables:
        lines += ["", f"{table.title}: {len(table.rows) or 'none'}"]
        for row in table.rows[:_MOST_ROWS]:
            cells = (f"{column.name} {cell_text(cell, column.unit)}" for column, cell in zip(table.columns, row, strict=True))
            lines.append("- " + ", ".join(_one_line(cell) for cell in cells))
        if len(table.rows) > _MOST_ROWS:
            lines.append(f"- and {len(table.rows) - _MOST_ROWS} more")
    title = _one_line(f"Holdfast {report.environment}: {report.title} ({name})")
    return Message(title=title, body="\n".join(lines), severity=Severity.INFO)


def _due(session: Session, now: datetime) -> list[tuple[ReportSchedule, Progress]]:
    document = _document(session)
    found = []
    for stored in report_schedules.report_schedules(session):
        times = _times(stored.schedule, document)
        moment = newest_due(times, stored.progress.handled_at, now) if times is not None and stored.schedule.enabled else None
        if moment is not None:
            # What had not got through is part of what the new one says.
            found.append((stored.schedule, _begun(stored, moment)))
        elif stored.schedule.enabled and stored.progress.try_at is not None and stored.progress.try_at <= now:
            found.append((stored.schedule, stored.progress))
    return found


def _begun(stored: StoredReportSchedule, moment: datetime) -> Progress:
    known, schedule = stored.progress, stored.schedule
    handled_at = max(known.handled_at, moment)
    return msgspec.structs.replace(
        known, handled_at=handled_at, due_at=moment, left=schedule.to, file_left=schedule.folder, try_at=moment, attempts=0
    )


def _view(session: Session, now: datetime) -> tuple[ReportScheduleView, ...]:
    document = _document(session)
    views = []
    for stored in report_schedules.report_schedules(session):
        times, progress = _times(stored.schedule, document), stored.progress
        views.append(
            ReportScheduleView(
                schedule=stored.schedule,
                next_at=next_time(times, now) if times is not None and stored.schedule.enabled else None,
                sent_at=progress.sent_at,
                due_at=progress.due_at,
                left=progress.left,
                failing_since=progress.failing_since,
                error=progress.error,
                file=progress.file,
            )
        )
    return tuple(views)


def _document(session: Session) -> Document | None:
    return parse_document(newest_revision(session).text).document


def _times(schedule: ReportSchedule, document: Document | None) -> Times | None:
    """None: the schedule it names is not in the document any more."""
    if not schedule.schedule:
        return Times(schedule.at, schedule.zone)
    named = document.schedules if document is not None else ()
    return next((Times(each.at, each.zone) for each in named if each.name == schedule.schedule), None)


def _written(report: EnvironmentReport, form: str) -> str:
    if form == "json":
        return msgspec.json.format(msgspec.json.encode(report)).decode() + "\n"
    return as_html(report) if form == "html" else as_csv(report)


def _file_name(report: EnvironmentReport, form: str) -> str:
    return f"holdfast-{report.kind}-{report.until:%Y-%m-%dT%H%M%SZ}.{form}"


def _save(folder: Path, attached: Attachment) -> Path:
    """The newest files stay. Raises `OSError`."""
    make_private_folder(folder)
    write_private(folder / attached.name, attached.content.encode())
    for old in sorted(folder.glob("holdfast-*"), key=lambda path: path.stat().st_mtime)[:-KEPT_FILES]:
        old.unlink(missing_ok=True)
    return folder / attached.name


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)

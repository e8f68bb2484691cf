"""The service that makes reports at their times and sends them.

What is due and what is left of it are on record after each step, so that a Master that was down makes up for all it missed by one report,
and one that dies while it sends goes on with the channels that are left. What does not get through is made anew and tried again, less and
less often. A schedule that is changed or removed while its report is on its way keeps nothing of that.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from weakref import WeakValueDictionary

import msgspec
from sqlalchemy.orm import Session

from holdfast.core.errors import HoldfastError
from holdfast.core.private_files import make_private_folder, write_private
from holdfast.core.units import format_utc
from holdfast.master.foundation import Foundation
from holdfast.master.notifying.notifications import Notifications
from holdfast.master.notifying.wording import Attachment, Message
from holdfast.master.periodic import repeat
from holdfast.master.records import notifications, report_schedules
from holdfast.master.records.report_schedules import Progress, StoredReportSchedule
from holdfast.master.reports.due_times import known_times, times_of
from holdfast.master.reports.reports import Reports
from holdfast.model.jobs import Severity
from holdfast.model.report_schedules import ReportSchedule, Times, newest_due, next_time, validate_report_schedule
from holdfast.model.reports import EnvironmentReport, as_csv, as_html, cell_text

LOOK_EVERY_S = 20.0
FIRST_DELAY_S, LAST_DELAY_S = 60.0, 3_600.0
KEPT_FILES = 100
CHANNELS_AT_ONCE = 4
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


@dataclass
class _OnItsWay:
    """A report that is being made or sent. `is_current`: its schedule is still the one it is made by."""

    schedule: ReportSchedule
    progress: Progress
    problems: list[str] = field(default_factory=list)
    is_current: bool = True


class ReportPost:
    def __init__(self, base: Foundation, reports: Reports, notifying: Notifications) -> None:
        self._base = base
        self._reports = reports
        self._notifying = notifying
        # One for each name in use: a report that hangs holds up no other.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def view(self) -> tuple[ReportScheduleView, ...]:
        return await self._base.database.run(lambda s: _view(s, self._base.now()))

    async def put(self, wanted: ReportSchedule) -> tuple[ReportScheduleView, ...]:
        """A new one, or another of that name. Raises `UsageError`."""
        wanted = msgspec.structs.replace(wanted, to=tuple(dict.fromkeys(wanted.to)))

        def work(session: Session) -> tuple[ReportScheduleView, ...]:
            validate_report_schedule(wanted, (each.name for each in notifications.channels(session)), known_times(session, [wanted]))
            report_schedules.set_report_schedule(session, wanted, self._base.now())
            return _view(session, self._base.now())

        return await self._base.database.run(work)

    async def remove(self, name: str) -> None:
        """Its files stay. Raises `UnknownName`."""
        await self._base.database.run(lambda s: report_schedules.remove_report_schedule(s, name))

    async def send(self, name: str) -> ReportScheduleView:
        """Make it now, whether or not it is its time; how that went is in the answer. Raises `UnknownName`."""
        async with self._lock(name):
            stored = await self._base.database.run(lambda s: report_schedules.report_schedule(s, name))
            await self._post(_OnItsWay(stored.schedule, _begun(stored, self._base.now())))
        return next(each for each in await self.view() if each.schedule.name == name)

    async def run(self) -> None:
        """Send what is due, until cancelled."""
        await repeat(self.work, LOOK_EVERY_S, logger, "reports could not be sent")

    async def work(self) -> None:
        """Once. No report is sent twice at a time, and what becomes of one concerns no other."""
        for name in await self._base.database.run(lambda s: [schedule.name for schedule, _ in _due(s, self._base.now())]):
            async with self._lock(name):
                # Somebody may have sent, changed or removed it meanwhile.
                due = await self._base.database.run(lambda s: _due(s, self._base.now()))
                for schedule, progress in due:
                    if schedule.name == name:
                        await self._post(_OnItsWay(schedule, progress))

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())

    async def _post(self, on_way: _OnItsWay) -> None:
        """Make it, and give it to whoever has not got it; how that went is on record."""
        # First of all it is on record that it is on its way.
        await self._keep(on_way)
        began = self._base.now()
        try:
            await self._make_and_give(on_way)
        except HoldfastError as error:
            on_way.problems.append(error.message)
        except Exception as error:
            logger.exception("report %s could not be made", on_way.schedule.name)
            on_way.problems.append(_unforeseen(error))
        on_way.progress = _ended(on_way, began, self._base.now())
        await self._keep(on_way)

    async def _make_and_give(self, on_way: _OnItsWay) -> None:
        schedule = on_way.schedule
        if not on_way.is_current:
            return
        report = await self._reports.make(schedule.kind, self._base.now() - timedelta(seconds=schedule.since_s))
        content = await asyncio.to_thread(_written, report, schedule.format)
        attached = Attachment(name=_file_name(report, schedule.format), mime=_MIME[schedule.format], content=content)
        if on_way.progress.file_left:
            try:
                path = await asyncio.to_thread(_save, self._base.config.home / "reports" / schedule.name, attached)
                on_way.progress = msgspec.structs.replace(on_way.progress, file_left=False, file=str(path))
            except OSError as error:
                on_way.problems.append(f"it cannot be written into its folder: {error.strerror}")
        # Making it may have taken long: this asks, too, whether it is still wanted.
        await self._keep(on_way)
        message, limit = message_of_report(report, schedule.name), asyncio.Semaphore(CHANNELS_AT_ONCE)

        async def give(channel: str) -> None:
            async with limit:
                await self._give(on_way, channel, message, attached)

        await asyncio.gather(*(give(channel) for channel in on_way.progress.left))

    async def _give(self, on_way: _OnItsWay, channel: str, message: Message, attached: Attachment) -> None:
        """What goes wrong with one channel keeps it from no other."""
        if not on_way.is_current:
            return
        try:
            await self._notifying.post(channel, message, attached)
            left = tuple(each for each in on_way.progress.left if each != channel)
            on_way.progress = msgspec.structs.replace(on_way.progress, left=left)
            await self._keep(on_way)
        except HoldfastError as error:
            on_way.problems.append(f"channel {channel}: {error.message}")
        except Exception as error:
            logger.exception("report %s could not be sent to channel %s", on_way.schedule.name, channel)
            on_way.problems.append(f"channel {channel}: {_unforeseen(error)}")

    async def _keep(self, on_way: _OnItsWay) -> None:
        progress = on_way.progress
        is_kept = await self._base.database.run(lambda s: report_schedules.put_progress(s, on_way.schedule, progress))
        on_way.is_current = on_way.is_current and is_kept


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
    every = report_schedules.report_schedules(session)
    known = known_times(session, (each.schedule for each in every))
    found = []
    for stored in every:
        times = times_of(stored.schedule, known)
        moment = newest_due(times, stored.progress.handled_at, now) if times is not None and stored.schedule.enabled else None
        if moment is not None:
            # What had not got through is part of what the new one says.
            found.append((stored.schedule, _begun(stored, moment)))
        elif stored.schedule.enabled and stored.progress.try_at is not None and stored.progress.try_at <= now:
            found.append((stored.schedule, stored.progress))
    return found


def _begun(stored: StoredReportSchedule, moment: datetime) -> Progress:
    known, schedule = stored.progress, stored.schedule
    begun = {"handled_at": max(known.handled_at, moment), "due_at": moment, "left": schedule.to, "file_left": schedule.folder}
    return msgspec.structs.replace(known, **begun, try_at=moment if schedule.enabled else None, attempts=0)


def _ended(on_way: _OnItsWay, began: datetime, now: datetime) -> Progress:
    """What is disabled was sent by hand, and is not tried again by itself."""
    progress, problems = on_way.progress, on_way.problems
    if not problems:
        return Progress(handled_at=progress.handled_at, sent_at=now, file=progress.file)
    delay_s = min(LAST_DELAY_S, FIRST_DELAY_S * 2 ** min(progress.attempts, 10))
    try_at = now + timedelta(seconds=delay_s) if on_way.schedule.enabled else None
    failing_since = progress.failing_since or began
    return msgspec.structs.replace(progress, try_at=try_at, attempts=progress.attempts + 1, failing_since=failing_since, error=problems[0])


def _unforeseen(error: Exception) -> str:
    return f"{type(error).__name__}; the Master's log has more"


def _view(session: Session, now: datetime) -> tuple[ReportScheduleView, ...]:
    every = report_schedules.report_schedules(session)
    known = known_times(session, (each.schedule for each in every))
    return tuple(_shown(stored, times_of(stored.schedule, known), now) for stored in every)


def _shown(stored: StoredReportSchedule, times: Times | None, now: datetime) -> ReportScheduleView:
    progress = stored.progress
    return ReportScheduleView(
        schedule=stored.schedule,
        next_at=next_time(times, now) if times is not None and stored.schedule.enabled else None,
        sent_at=progress.sent_at,
        due_at=progress.due_at,
        left=progress.left,
        failing_since=progress.failing_since,
        error=progress.error,
        file=progress.file,
    )


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

"""Taking a restore back, as a job; and forgetting what is kept of restores when its time is over."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import msgspec

from holdfast.core.clock import Clock, now
from holdfast.core.errors import HoldfastError, UnknownName
from holdfast.core.ids import JobId
from holdfast.core.units import format_size
from holdfast.model.jobs import Finding, Job, Severity, State, Task
from holdfast.model.maintenance import Report, Step
from holdfast.model.restoring import AskUndo
from holdfast.model.rules import Rules
from holdfast.node.bounds.limits import load_limits
from holdfast.node.restoring.job import files_text
from holdfast.node.workers.jobs import LinkNews
from holdfast.node.workers.periodic import Periodic
from holdfast.operations.restore_attempt import expires_at, held, record_of, records_in
from holdfast.operations.restore_undo import UndoResult, UndoWatch, drop_unfinished_files, forget_restore, undo_restore
from holdfast.operations.running import Cancellation, Meter

_logger = logging.getLogger(__name__)
_LOOK_EVERY_S = 600.0


@dataclass(frozen=True, kw_only=True)
class UndoTask:
    home: Path
    rules: Rules
    ask: AskUndo
    job: Job
    news: LinkNews
    clock: Clock

    def run(self, cancellation: Cancellation) -> Job:
        """The ended job. Raises `UnknownName` where nothing is kept of the restore, `Conflict` while it runs, and what stops all of it."""
        limits = load_limits(self.home, [repository.location for repository in self.rules.repositories])
        meter, started_s = Meter(self.job.id, self.clock, self.news.progress), self.clock.monotonic_s()
        watch = UndoWatch(
            check=cancellation.check,
            check_write=limits.check_write,
            on_progress=lambda done: meter.report("undoing", done, 0, 0),
        )
        record = record_of(self.home, self.ask.job)
        with held(record):
            result = undo_restore(record, watch, dry_run=self.ask.dry_run)
        state = State.WARNINGS if result.left or result.findings else State.SUCCEEDED
        findings = (_summary(result, dry_run=self.ask.dry_run), *result.findings)
        return msgspec.structs.replace(
            self.job,
            state=state,
            tasks=(Task(name="undo", state=state, duration_s=self.clock.monotonic_s() - started_s),),
            findings=findings[:1_000],
            findings_total=len(findings),
            report=_report(result, dry_run=self.ask.dry_run),
        )


def drop_unfinished(home: Path, job: JobId) -> None:
    """What a restore that was held up and is cancelled had not finished. What cannot go now goes with what is kept of the restore."""
    folder = record_of(home, job)
    try:
        with held(folder):
            drop_unfinished_files(folder)
    except UnknownName:
        return
    except HoldfastError as error:
        facts = {"facts": {"restore": job, "error": error.message}}
        _logger.warning("unfinished files of a restore could not be removed yet", extra=facts)


class UndoExpiry(Periodic):
    """Forgets what is kept of restores when its time is over."""

    def __init__(self, home: Path, *, clock: Clock) -> None:
        super().__init__("undo-expiry", _LOOK_EVERY_S, at_once=True)
        self._home = home
        self._clock = clock

    def look(self) -> None:
        """Once. What cannot be forgotten now is tried again."""
        for folder in records_in(self._home):
            expires = expires_at(folder)
            if expires is None or expires > now(self._clock):
                continue
            try:
                with held(folder):
                    forget_restore(folder)
            except HoldfastError as error:
                facts = {"facts": {"restore": folder.name, "error": error.message}}
                _logger.warning("what a restore replaced could not be forgotten yet", extra=facts)


def _summary(result: UndoResult, *, dry_run: bool) -> Finding:
    would = "would be " if dry_run else ""
    parts = [f"{files_text(result.back)} ({format_size(result.back_bytes)}) {would}brought back", f"{result.removed:,} {would}removed"]
    parts += [f"{result.dressed:,} {would}given back their metadata"] if result.dressed else []
    parts += [f"{result.left:,} left as they are"] if result.left else []
    return Finding(code="dry-run" if dry_run else "undone", severity=Severity.INFO, message=", ".join(parts))


def _report(result: UndoResult, *, dry_run: bool) -> Report:
    rows = (
        ("bring-back", "things that the restore replaced", result.back, result.back_bytes),
        ("remove", "things that the restore made, unchanged since", result.removed, 0),
        ("dress", "files that get back their metadata", result.dressed, 0),
        ("leave", "things that were changed since", result.left, 0),
    )
    steps = tuple(Step(code=code, message=text, count=count, size_bytes=size) for code, text, count, size in rows if count)
    return Report(steps=steps, dry_run=dry_run)

"""The archive operation of this machine's datasets: before a run what an earlier life left is put in order, after it files are archived."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from holdfast.capture.rows import is_copied
from holdfast.capture.state import CaptureState
from holdfast.core.clock import now, utc
from holdfast.core.errors import HoldfastError, UnknownName
from holdfast.core.ids import ActionId
from holdfast.model.archive_questions import ArchivePlanned, AskArchivePlan, PlannedArchive, PlannedFile, why_of
from holdfast.model.archiving import RECALL_FOLDER
from holdfast.model.entry import display_path, raw_of
from holdfast.model.jobs import Finding, Job, Severity, State, Task
from holdfast.model.roots import normal_roots, share_paths
from holdfast.model.rules import DatasetRule, Delivery, OperationRule, Rules
from holdfast.node.bounds.limits import Limits
from holdfast.operations.archiving.book import FILE, ArchiveBook
from holdfast.operations.archiving.choosing import all_lack, old_files
from holdfast.operations.archiving.findings import aside
from holdfast.operations.archiving.letting_go import Undone, undo
from holdfast.operations.archiving.run import ArchiveOrder, ArchiveResult, ArchiveTools, archive
from holdfast.operations.following.claims import Claims
from holdfast.operations.recalling.recalled import Recalled
from holdfast.operations.run_order import RunOrder, RunTools
from holdfast.operations.run_plan import concerned, state_of
from holdfast.operations.running import Cancellation


@dataclass(frozen=True)
class ArchivingHere:
    """Of one run of some datasets, which nothing else captures meanwhile."""

    home: Path
    order: RunOrder
    limits: Limits

    @property
    def recall(self) -> bytes:
        return os.fsencode((self.home / RECALL_FOLDER).absolute())

    def settle(self, claims: Claims) -> tuple[Finding, ...]:
        """What was begun and not ended is undone: every file is back in its place, or in the archive alone. Of these datasets, which are
        claimed, and of whatever nobody has claimed: it may be that no rules name it any more. Elsewhere another run may be at it."""
        if not (self.home / FILE).exists():
            return ()
        mine = [root for rule in self.order.datasets for root in normal_roots(rule.classification.paths)]
        with closing(ArchiveBook(self.home)) as book:
            others = {move.root for move in book.begun() if not share_paths((move.root,), mine)}
            with claims.free_roots(others) as free:
                # Asked anew: who had claimed a root may have come to its end meanwhile.
                begun = [move for move in book.begun() if move.root in free or share_paths((move.root,), mine)]
                undone = [(move, undo(move)) for move in begun]
                # What cannot be looked at now is tried again the next time.
                book.end(move for move, how in undone if how is not Undone.AWAY)
        return tuple(aside(move) for move, how in undone if how is Undone.ASIDE)

    def after(self, ended: Job, tools: RunTools, cancellation: Cancellation) -> Job:
        """The job with what was archived. Nothing is archived after a run that failed: the receivers may not have what is there."""
        if ended.state not in (State.SUCCEEDED, State.WARNINGS) or self.order.catch_up:
            return ended
        for rule in self.order.datasets:
            for operation in self._due(rule):
                ended = _with(ended, rule, self._archived(rule, operation, tools, cancellation), tools)
        return ended

    def _due(self, rule: DatasetRule) -> Sequence[OperationRule]:
        due = self.order.operations.get(rule.id, ())
        return [operation for operation in rule.operations if operation.archive is not None and operation.name in due]

    def _archived(self, rule: DatasetRule, operation: OperationRule, tools: RunTools, cancellation: Cancellation) -> ArchiveResult:
        assert operation.archive is not None
        order = ArchiveOrder(rule, operation.archive, receivers_of(self.order.deliveries, rule, operation))
        try:
            if operation.archive.leave != "copy":
                # To let go of a file is to write where it lies.
                for path in rule.classification.paths:
                    self.limits.check_write(path)
            with closing(ArchiveBook(self.home)) as book, closing(Recalled(self.home)) as recalled:
                archiving = ArchiveTools(
                    clock=tools.clock,
                    entropy=tools.entropy,
                    state=tools.state,
                    book=book,
                    dial_read=tools.dial_read,
                    recall=self.recall,
                    recalled=recalled.at_ns,
                )
                return archive(order, archiving, cancellation)
        except HoldfastError as error:
            cancellation.check()
            return ArchiveResult(error=error.facts())


@dataclass(frozen=True)
class Archived:
    """What is known on this machine of what was captured, archived and brought back."""

    state: CaptureState
    book: ArchiveBook
    recalled: Recalled


def plan_archives(ask: AskArchivePlan, rules: Rules, archived: Archived, now_ns: int) -> ArchivePlanned:
    """By what was captured last. Raises `UnknownName` when no dataset of that name is archived."""
    chosen = [
        (rule, operation)
        for rule in rules.datasets
        for operation in rule.operations
        if operation.archive is not None and ask.dataset in ("", rule.id, rule.label)
    ]
    if ask.dataset and not chosen:
        raise UnknownName(f"no archive operation of {ask.dataset!r} is in force here", hint="`holdfast archive plan` lists those that are")
    return ArchivePlanned(plans=tuple(_planned(rule, operation, ask.limit, archived, now_ns) for rule, operation in chosen))


def _planned(rule: DatasetRule, operation: OperationRule, limit: int, archived: Archived, now_ns: int) -> PlannedArchive:
    assert operation.archive is not None
    lacking = partial(archived.book.not_copied, rule.id) if operation.archive.leave == "copy" else all_lack
    files = size_bytes = 0
    first: list[PlannedFile] = []
    for rows, due in old_files(archived.state, rule.id, operation.archive, now_ns, archived.recalled.at_ns, lacking):
        # A run leaves databases out, and says so.
        entries = [entry for row, entry in zip(rows, due, strict=True) if not is_copied(row, entry)]
        files += len(entries)
        size_bytes += sum(entry.size_bytes for entry in entries)
        for entry in entries[: max(0, limit - len(first))]:
            path, raw = display_path(entry.path), raw_of(entry.path)
            first.append(PlannedFile(path=path, path_raw=raw, size_bytes=entry.size_bytes, modified_at=utc(entry.mtime_ns)))
    return PlannedArchive(
        dataset=rule.label,
        dataset_id=rule.id,
        operation=operation.name,
        why=why_of(operation.archive),
        leave=operation.archive.leave,
        files=files,
        size_bytes=size_bytes,
        first=tuple(first),
    )


def receivers_of(deliveries: Sequence[Delivery], rule: DatasetRule, operation: OperationRule) -> tuple[tuple[Delivery, ActionId], ...]:
    """Where the operation keeps what it archives."""
    return tuple(
        (delivery, action)
        for delivery in deliveries
        if delivery.dataset == rule.id
        for action in delivery.actions
        if concerned(delivery, action, (operation.name,))
    )


def _with(job: Job, rule: DatasetRule, result: ArchiveResult, tools: RunTools) -> Job:
    if not (result.files or result.findings or result.error):
        return job
    doubtful = any(finding.severity is not Severity.INFO for finding in result.findings)
    state = State.FAILED if result.error is not None else State.WARNINGS if doubtful else State.SUCCEEDED
    task = Task(name=f"archive {rule.label}", state=state, counters=result.counters, error=result.error, dataset=rule.label)
    findings, tasks = (*job.findings, *result.findings), (*job.tasks, task)
    return msgspec.structs.replace(
        job,
        tasks=tasks,
        findings=findings,
        findings_total=job.findings_total + result.findings_total,
        state=state_of(tasks, findings, job.error),
        ended_at=now(tools.clock),
    )


def with_findings(job: Job, findings: Sequence[Finding]) -> Job:
    """The ended job, with something more to say."""
    if not findings:
        return job
    every = (*job.findings, *findings)
    total = job.findings_total + len(findings)
    return msgspec.structs.replace(job, findings=every, findings_total=total, state=state_of(job.tasks, every, job.error))

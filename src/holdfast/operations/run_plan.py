"""What a run owes to whom: pure decisions about cursors, bases, marks and the state of a job."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from holdfast.capture.ports import CaptureResult
from holdfast.core.entropy import Entropy
from holdfast.core.errors import ErrorFacts, waits_its_turn
from holdfast.core.ids import ActionId, PointId, new_id
from holdfast.model.change import Commit, Mark
from holdfast.model.gaps import Gap, GapReason
from holdfast.model.jobs import Counters, Finding, Job, Severity, State, Task
from holdfast.model.operations import SPECS
from holdfast.model.rules import DatasetRule, Delivery, OperationRule

MAX_FINDINGS = 1_000
CAPTURE = "capture"
# A look at all that is shorter is of one moment, as people see it.
LONG_SCAN = timedelta(seconds=5)
# A file that is written all the time is looked at as seldom.
LATE = timedelta(seconds=5)


def lowest_base(bases: Iterable[int | None]) -> int | None:
    """The seq from which one stream serves all of these; None = one of them needs everything."""
    found = list(bases)
    known = [base for base in found if base is not None]
    return min(known) if known and len(known) == len(found) else None


def marked_by(rule: DatasetRule, due: Sequence[str], deliveries: Sequence[Delivery]) -> tuple[OperationRule, ...]:
    """The due operations that make points and that some delivery carries."""
    carried = {name for delivery in deliveries for name in delivery.operations}
    return tuple(
        operation
        for operation in rule.operations
        if operation.name in due and operation.name in carried and SPECS[operation.kind].makes_points
    )


def marks_for(rule: DatasetRule, due: Sequence[str], deliveries: Sequence[Delivery], entropy: Entropy) -> tuple[Mark, ...]:
    """A mark for each of `marked_by`, with a fresh point id."""
    return tuple(
        Mark(operation=operation.name, kind=operation.kind, point=PointId(new_id(entropy)))
        for operation in marked_by(rule, due, deliveries)
    )


def looks_at_all(healed: tuple[Gap, ...] | None) -> bool:
    """Whether a run that healed these looked at more than what was told to change; None = it was a scan."""
    return healed is None or bool(healed)


def gaps_for(rule: DatasetRule, healed: tuple[Gap, ...] | None, captured: CaptureResult, due: datetime | None = None) -> tuple[Gap, ...]:
    """Of the commit of a run that healed these, None = that was a scan. Where moments are kept and all was looked at for long that is a
    gap, too: the commit bears the time at which the look began, and is shown for moments before some of it was read. So is the time
    since the run was `due`, if it is long: nobody looked."""
    told, at, until = healed or (), captured.captured_at, captured.read_until
    if not any(SPECS[operation.kind].keeps_moments for operation in rule.operations):
        return told
    paths = [os.fsencode(path) for path in rule.classification.paths]
    if due is not None and at - due >= LATE:
        told = (*told, *(Gap(path=path, since=due, until=at, reason=GapReason.LATE) for path in paths))
    if until is not None and looks_at_all(healed) and until - at >= LONG_SCAN:
        told = (*told, *(Gap(path=path, since=at, until=until, reason=GapReason.SCAN) for path in paths))
    return told


def concerned(delivery: Delivery, action: ActionId, due: Sequence[str]) -> tuple[str, ...]:
    """The due operations this action answers for."""
    names = dict(delivery.action_operations).get(action, delivery.operations)
    return tuple(name for name in names if name in due)


def answered(rule: DatasetRule, delivery: Delivery, action: ActionId, commit: Commit) -> tuple[str, ...]:
    """The operations this action answers for by an earlier commit that it gets now: those of its marks, and those without points."""
    marked = {mark.operation for mark in commit.marks}
    plain = {operation.name for operation in rule.operations if not SPECS[operation.kind].makes_points}
    return concerned(delivery, action, [*marked, *plain])


def state_of(tasks: Sequence[Task], findings: Sequence[Finding], error: ErrorFacts | None = None) -> State:
    """Failed when the job or any task failed; warnings when something was left out, or a window closed before anything was done; else
    succeeded. A task that waits for its window is as it should be."""
    if error is not None:
        return State.WARNINGS if waits_its_turn(error) else State.FAILED
    if any(task.state is State.FAILED for task in tasks):
        return State.FAILED
    if any(task.state is State.CANCELLED for task in tasks):
        return State.CANCELLED
    doubtful = any(finding.severity is not Severity.INFO for finding in findings)
    return State.WARNINGS if doubtful or any(task.state is State.WARNINGS for task in tasks) else State.SUCCEEDED


def joined(job: Job, parts: Sequence[Job]) -> Job:
    """The end of a job that made several runs, of other datasets each: one capture, and what became of every delivery."""
    captures = [task for part in parts for task in part.tasks if task.name == CAPTURE]
    tasks = tuple(task for part in parts for task in part.tasks if task.name != CAPTURE)
    if captures:
        counters = Counters(**{name: sum(getattr(task.counters, name) for task in captures) for name in Counters.__struct_fields__})
        duration_s = sum(task.duration_s for task in captures)
        tasks = (Task(name=CAPTURE, state=State.SUCCEEDED, counters=counters, duration_s=duration_s), *tasks)
    findings = tuple(finding for part in parts for finding in part.findings)
    # A closed window counts where nothing was captured; what is wrong goes before it.
    errors = [part.error for part in parts if part.error is not None and not (captures and waits_its_turn(part.error))]
    errors.sort(key=waits_its_turn)
    error = errors[0] if errors else None
    return msgspec.structs.replace(
        job,
        state=state_of(tasks, findings, error),
        ended_at=max((part.ended_at for part in parts if part.ended_at is not None), default=None),
        tasks=tasks,
        findings=findings[:MAX_FINDINGS],
        findings_total=sum(part.findings_total for part in parts),
        error=error,
    )

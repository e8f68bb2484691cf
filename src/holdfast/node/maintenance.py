"""Maintenance of a repository as a job of the store worker: one task, one outcome."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from holdfast.core.errors import HoldfastError, RepositoryDamaged
from holdfast.model.jobs import Finding, Job, Severity, State
from holdfast.model.maintenance import Check, Prune, Report, Task
from holdfast.operations.run import MAX_FINDINGS
from holdfast.repository.checking import Watch
from holdfast.repository.prune import PruneOrder
from holdfast.repository.prune_plan import Thresholds
from holdfast.repository.repository import Repository


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a task found and did. `error` is set when it failed; findings of severity error without one fail the job, too."""

    findings: tuple[Finding, ...] = ()
    report: Report | None = None
    error: HoldfastError | None = None


def do_task(task: Task, repository: Repository, watch: Watch, *, dry_run: bool) -> Outcome:
    """Raises what the task raises; `watch` may break it off."""
    match task:
        case Check():
            return _check(task, repository, watch)
        case Prune():
            thresholds = Thresholds(max_unused=task.max_unused, max_repack_bytes=task.max_repack_bytes)
            order = PruneOrder(grace_s=task.grace_s, thresholds=thresholds)
            return Outcome(report=repository.prune(order, watch, dry_run=dry_run))


def ended_job(job: Job, outcome: Outcome) -> Job:
    failed = outcome.error is not None or any(finding.severity is Severity.ERROR for finding in outcome.findings)
    state = State.FAILED if failed else (State.WARNINGS if outcome.findings else State.SUCCEEDED)
    return msgspec.structs.replace(
        job,
        state=state,
        findings=outcome.findings[:MAX_FINDINGS],
        findings_total=len(outcome.findings),
        error=outcome.error.facts() if outcome.error is not None else None,
        report=outcome.report,
    )


def _check(task: Check, repository: Repository, watch: Watch) -> Outcome:
    findings = repository.check(task.read_data, watch)
    if all(finding.severity is not Severity.ERROR for finding in findings):
        return Outcome(findings=findings)
    error = RepositoryDamaged(
        f"the check of {repository.name} found damage",
        hint="the job's findings name it; look at the disk, then restore from another copy",
    )
    return Outcome(findings=findings, error=error)

"""Maintenance of a repository as a job of the store worker: one task, one outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from holdfast.core.errors import HoldfastError, RepositoryDamaged
from holdfast.core.ids import NodeId
from holdfast.model.jobs import Event, Finding, Job, Severity, State
from holdfast.model.maintenance import Check, Prune, Rebuild, Repair, Report, Scrub, Step, Task, parse_subset
from holdfast.operations.run_plan import MAX_FINDINGS
from holdfast.repository.care.checking import Watch
from holdfast.repository.care.healing import BlobCopy
from holdfast.repository.pruning.prune import PruneOrder
from holdfast.repository.pruning.prune_plan import Thresholds
from holdfast.repository.quarantine import Met
from holdfast.repository.repository import Repository


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a task found and did. `error` is set when it failed; findings of severity error without one fail the job, too."""

    findings: tuple[Finding, ...] = ()
    report: Report | None = None
    error: HoldfastError | None = None


def do_task(
    task: Check | Prune | Repair | Rebuild | Scrub, repository: Repository, watch: Watch, *, copies: Sequence[BlobCopy] = (), dry_run: bool
) -> Outcome:
    """Raises what the task raises; `watch` may break it off. `copies` are where lost blobs may be had from."""
    match task:
        case Check():
            return _check(task, repository, watch)
        case Prune():
            thresholds = Thresholds(max_unused=task.max_unused, max_repack_bytes=task.max_repack_bytes)
            order = PruneOrder(grace_s=task.grace_s, thresholds=thresholds)
            return Outcome(report=repository.prune(order, watch, dry_run=dry_run))
        case Repair():
            return _repair(task, repository, watch, copies, dry_run=dry_run)
        case Rebuild():
            steps = (Step(code="catalog-rebuilt", message="make the catalog anew from the repository alone"),)
            if not dry_run:
                repository.care.rebuild(watch)
            return Outcome(findings=repository.problems, report=Report(steps=steps, dry_run=dry_run))
        case Scrub():
            return _scrub(task, repository, watch, copies)


def event_of(task: Task, outcome: Outcome, job: Job, at: datetime) -> Event | None:
    """What people are told in the log beside the job: damage that was found, and what was mended."""
    damage = [finding for finding in outcome.findings if finding.severity is Severity.ERROR]
    facts = {"job": job.id, "repository": job.rule}
    if isinstance(task, Repair) and outcome.report is not None and outcome.report.steps and not outcome.report.dry_run:
        healed = _healed(outcome)
        text = f"{job.rule} was repaired, {healed} blobs healed" + (f"; {len(damage)} findings are left" if damage else "")
        severity = Severity.WARNING if damage else Severity.INFO
        return Event(code="damage-mended", severity=severity, message=text, node=job.node, time=at, facts=facts)
    if damage and isinstance(task, Check | Scrub):
        text = f"{job.rule} has damage: {damage[0].message} ({damage[0].path}; {len(damage)} findings)"
        if healed := _healed(outcome):
            text += f"; {healed} lost blobs were had from other copies"
        return Event(code="damage-found", severity=Severity.ERROR, message=text, node=job.node, time=at, facts=facts)
    if isinstance(task, Scrub) and (healed := _healed(outcome)):
        text = f"{job.rule}: {healed} lost blobs were had from other copies"
        return Event(code="damage-mended", severity=Severity.INFO, message=text, node=job.node, time=at, facts=facts)
    return None


def _healed(outcome: Outcome) -> int:
    steps = outcome.report.steps if outcome.report is not None else ()
    return sum(step.count for step in steps if step.code == "blobs-healed")


def event_of_met(repository: str, met: tuple[Met, ...], node: NodeId, at: datetime) -> Event:
    """What people are told of damage that readers met, one event for what one of them met."""
    first = met[0]
    more = f"; {len(met)} blobs" if len(met) > 1 else ""
    text = (
        f"{repository} has damage, met in reading {first.label}: {first.reason}{more}."
        " It is not relied on any more, and the next run of the source sends again what it still has"
    )
    facts = {"repository": repository, "dataset": first.label}
    return Event(code="damage-found", severity=Severity.ERROR, message=text, node=node, time=at, facts=facts)


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
    subset = parse_subset(task.subset) if task.subset and not task.read_data else None
    findings = repository.care.check(read_data=task.read_data, subset=subset, watch=watch)
    return _damage_or_none(repository, findings, "check")


def _scrub(task: Scrub, repository: Repository, watch: Watch, copies: Sequence[BlobCopy]) -> Outcome:
    """What is lost, now or since readers met it, is asked for in the other copies at once; what is damaged stays for a repair."""
    outcome = _damage_or_none(repository, repository.care.scrub(task.ratio, watch), "scrub")
    steps = repository.care.heal(copies, watch)
    return replace(outcome, report=Report(steps=steps)) if steps else outcome


def _damage_or_none(repository: Repository, findings: tuple[Finding, ...], look: str) -> Outcome:
    if all(finding.severity is not Severity.ERROR for finding in findings):
        return Outcome(findings=findings)
    error = RepositoryDamaged(
        f"the {look} of {repository.name} found damage",
        hint=f"the job's findings name it; look at the disk, then `holdfast repository repair {repository.name} --dry-run`",
    )
    return Outcome(findings=findings, error=error)


def _repair(task: Repair, repository: Repository, watch: Watch, copies: Sequence[BlobCopy], *, dry_run: bool) -> Outcome:
    repaired = repository.care.repair(forget_damaged=task.forget_damaged, dry_run=dry_run, copies=copies, watch=watch)
    report = Report(steps=repaired.steps, dry_run=dry_run)
    left = tuple(finding for finding in repaired.findings if finding.severity is not Severity.INFO)
    if not left or dry_run:
        return Outcome(findings=left if not dry_run else (), report=report)
    error = RepositoryDamaged(
        f"not all damage of {repository.name} could be mended",
        hint="the next run of each source sends again what it still has; then repair once more. Or give up what is lost: --forget-damaged",
    )
    return Outcome(findings=left, report=report, error=error)

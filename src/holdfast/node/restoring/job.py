"""Restores as jobs: with orders from repositories of other nodes, or without from a repository here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec

from holdfast.core.clock import Clock, now
from holdfast.core.errors import ErrorFacts, HoldfastError, UsageError
from holdfast.core.units import format_size
from holdfast.delivery.reading import RemoteReader
from holdfast.model.jobs import Counters, Finding, Job, Severity, State, Task
from holdfast.model.maintenance import Report, Step
from holdfast.model.orders import RestoreOrder, SignedOrder
from holdfast.model.reading import PointReader
from holdfast.model.restoring import AskRestore
from holdfast.model.rules import Rules
from holdfast.node.bounds.limits import Limits, load_limits
from holdfast.node.bounds.restores import RestoreBounds, restore_bounds
from holdfast.node.restoring.copies import Copy
from holdfast.node.restoring.mirrors import open_nearest
from holdfast.node.restoring.orders import open_order
from holdfast.node.restoring.speeds import Speeds
from holdfast.node.workers.dial import Dialler
from holdfast.node.workers.jobs import LinkNews
from holdfast.operations.restore import Findings, RestoreResult, restore
from holdfast.operations.restore_attempt import AboutRestore, Attempt, begin_attempt, drop_unused, existing_above, held, record_of
from holdfast.operations.restore_surplus import Captured
from holdfast.operations.running import Cancellation, Meter
from holdfast.wire.data_messages import OpenRead


@dataclass(frozen=True, kw_only=True)
class RestoreTask:
    """One restore to this machine, whatever it reads from."""

    home: Path
    rules: Rules
    ask: AskRestore
    job: Job
    news: LinkNews
    clock: Clock

    def run(
        self,
        reader: PointReader,
        paths: Sequence[bytes],
        roots: Sequence[bytes],
        cancellation: Cancellation,
        told: Findings | None = None,
    ) -> Job:
        """The ended job. `roots` are the dataset's paths where they are known: folders above them keep their own metadata. `told` collects
        what the reader has to say meanwhile."""
        limits = load_limits(self.home, [repository.location for repository in self.rules.repositories])
        bounds = restore_bounds(limits, self.rules)
        meter = Meter(self.job.id, self.clock, self.news.progress)
        started_s = self.clock.monotonic_s()
        with ExitStack() as at_end:
            attempt = self._attempt(at_end)
            result = restore(
                reader,
                self.ask.request,
                paths,
                clock=self.clock,
                check_write=bounds.check_write,
                check_remove=bounds.check_remove,
                is_clear=bounds.is_clear,
                on_progress=lambda files, done, total: meter.report("restoring", files, done, total),
                cancelled=lambda: cancellation.requested,
                wait=cancellation.wait,
                roots=roots,
                attempt=attempt,
                captured=self._captured(limits, bounds),
                # Whoever cancels wants nothing left; all else, a pause or the end of the worker, may go on.
                may_go_on=lambda: not cancellation.requested or cancellation.is_pause,
            )
        return self._ended(result, told or Findings(), self.clock.monotonic_s() - started_s, attempt)

    def _captured(self, limits: Limits, bounds: RestoreBounds) -> Captured | None:
        """What the dataset is here, by the rules in force; None = it is not captured on this machine, or another may be meant."""
        dataset = None if self.ask.order is None else msgspec.json.decode(self.ask.order.body, type=RestoreOrder).dataset
        for rule in self.rules.datasets:
            if rule.id == dataset:
                ours = limits.without_ours(rule)
                return Captured(
                    classification=rule.classification,
                    own=ours.exclude_paths,
                    now_ns=self.clock.now_ns(),
                    check_remove=bounds.check_remove,
                )
        return None

    def _attempt(self, at_end: ExitStack) -> Attempt | None:
        """What is written down of it is held until the end, so that nobody takes back or forgets a restore while it runs."""
        request = self.ask.request
        if request.dry_run or not request.undo_for_s:
            return None
        target, moment = os.path.realpath(os.fsencode(request.target)), now(self.clock)
        about = AboutRestore(
            job=self.job.id,
            target=target,
            existing=existing_above(target),
            begun_at=moment,
            expires_at=moment + timedelta(seconds=request.undo_for_s),
        )
        attempt = begin_attempt(record_of(self.home, self.job.id), about)
        at_end.callback(drop_unused, attempt)
        at_end.enter_context(held(attempt.folder))
        return attempt

    def _ended(self, result: RestoreResult, told: Findings, duration_s: float, attempt: Attempt | None) -> Job:
        found = (*told.kept, *result.findings)
        doubtful = any(finding.severity is not Severity.INFO for finding in found)
        did = result.files or result.kept or result.skipped or result.removed
        nothing = None if did else _why_nothing(result)
        state = State.FAILED if nothing is not None else State.WARNINGS if result.failed or doubtful else State.SUCCEEDED
        kept = _undo_kept(self.ask, self.clock) if attempt is not None and attempt.steps.exists() else ()
        is_dry = self.ask.request.dry_run
        findings = (_summary(result, dry_run=is_dry), *kept, *found)
        task = Task(name="restore", state=state, counters=Counters() if is_dry else result.counters, error=nothing, duration_s=duration_s)
        return msgspec.structs.replace(
            self.job,
            state=state,
            error=nothing,
            tasks=(task,),
            findings=findings[:1_000],
            findings_total=result.findings_total + told.total + 1 + len(kept),
            report=_report(result, dry_run=is_dry),
        )


def restore_with_order(task: RestoreTask, signing_key: bytes, cancellation: Cancellation) -> Job:
    """Reads by the orders, the nearest copy first: this node's own without leaving the machine, then the fastest that was measured."""
    if task.ask.order is None:
        raise UsageError("a restore without an order is the store worker's", hint="this is a fault in Holdfast; the log has the details")
    speeds, told = Speeds(task.home), Findings()
    signed = [(one, open_order(one, signing_key)) for one in (task.ask.order, *task.ask.spares)]
    ranked = speeds.nearest_first(task.rules.node, [order for _, order in signed])
    by_id = {order.id: one for one, order in signed}
    order = ranked[0].order
    told.add(Finding(code="copy-chosen", severity=Severity.INFO, message=f"reads {order.label or 'the point'}: {ranked[0].why}"))
    roots = [os.fsencode(path) for rule in task.rules.datasets if rule.id == order.dataset for path in rule.classification.paths]
    started_s = task.clock.monotonic_s()

    def copy_of(order: RestoreOrder) -> Copy:
        return _copy(task, by_id[order.id], signing_key, cancellation)

    try:
        reader = open_nearest([each.order for each in ranked], copy_of, check=cancellation.check, tell=told.add)
        try:
            job = task.run(reader, task.ask.paths or order.paths, roots, cancellation, told)
        finally:
            reader.close()
    except HoldfastError:
        cancellation.check()
        raise
    if reader.label == _label(order):
        speeds.note(order.place, sum(each.counters.stored_bytes for each in job.tasks), task.clock.monotonic_s() - started_s)
    return job


def _copy(task: RestoreTask, signed: SignedOrder, signing_key: bytes, cancellation: Cancellation) -> Copy:
    order = open_order(signed, signing_key)

    def begin() -> PointReader:
        channel = Dialler(task.home, task.rules).read(order.owner, order.owner_address)
        cancellation.on_cancel(channel.close)
        try:
            return RemoteReader(channel, OpenRead(repository=order.repository, dataset=order.dataset, order=signed, point=order.point))
        except HoldfastError:
            channel.close()
            raise

    return Copy(_label(order), begin)


def _label(order: RestoreOrder) -> str:
    return order.label or order.place


def _why_nothing(result: RestoreResult) -> ErrorFacts | None:
    """Why not a single file came back; None = there was none to bring."""
    first = next((finding for finding in result.findings if finding.severity is Severity.ERROR), None)
    if first is None or not result.failed:
        return None
    return ErrorFacts(first.code, f"nothing was restored: {first.message}", first.hint)


def _undo_kept(ask: AskRestore, clock: Clock) -> tuple[Finding]:
    until = now(clock) + timedelta(seconds=ask.request.undo_for_s)
    text = f"it can be taken back until {until:%Y-%m-%d %H:%M} UTC"
    return (Finding(code="undo-kept", severity=Severity.INFO, message=text, hint="holdfast restore undo JOB"),)


def _summary(result: RestoreResult, *, dry_run: bool) -> Finding:
    verb = "would be written" if dry_run else "written"
    plan = result.plan
    parts = [f"{files_text(result.files)} ({format_size(result.bytes)}) {verb}"]
    # Which of the files that were to be written failed is not counted by what becomes of others.
    which = "were to be" if result.failed else "of them"
    parts += [f"{plan.replaced:,} {which} in the place of others ({format_size(plan.replaced_bytes)})"] if plan.replaced else []
    parts += [f"{plan.renamed:,} {which} beside others"] if plan.renamed else []
    removed = f"{result.removed:,} that the point does not have {'would be taken' if dry_run else 'taken'} away"
    parts += [f"{removed} ({format_size(result.removed_bytes)})"] if result.removed else []
    parts += [f"{result.kept:,} equal already"] if result.kept else []
    parts += [f"{result.skipped:,} skipped"] if result.skipped else []
    parts += [f"{result.failed:,} failed"] if result.failed else []
    return Finding(code="restored" if not dry_run else "dry-run", severity=Severity.INFO, message=", ".join(parts))


def _report(result: RestoreResult, *, dry_run: bool) -> Report:
    """Counts and bytes for each thing that is done."""
    plan = result.plan
    rows = (
        ("create", "files that are not there", plan.files - plan.replaced - plan.renamed, plan.bytes),
        ("replace", "files that take the place of others; bytes: of those that go", plan.replaced, plan.replaced_bytes),
        ("rename", "files that come to lie beside others", plan.renamed, plan.renamed_bytes),
        ("remove", "things that the point does not have; folders with all that is in them", result.removed, result.removed_bytes),
        ("keep", "files that are equal already", plan.kept, plan.kept_bytes),
        ("skip", "files that stay as they are, by the conflict rule", plan.skipped, plan.skipped_bytes),
        ("refuse", "things that may not be written on this machine", plan.refused, 0),
    )
    steps = tuple(Step(code=code, message=text, count=count, size_bytes=size) for code, text, count, size in rows if count)
    return Report(steps=steps, dry_run=dry_run)


def files_text(count: int) -> str:
    return f"{count:,} file{'' if count == 1 else 's'}"

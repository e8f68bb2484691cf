"""Restores as jobs: with an order from another node's repository, or without one from a repository here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from holdfast.core.clock import Clock
from holdfast.core.errors import HoldfastError, UsageError
from holdfast.core.units import format_size
from holdfast.delivery.reading import RemoteReader
from holdfast.model.jobs import Finding, Job, Severity, State, Task
from holdfast.model.questions import AskRestore
from holdfast.model.reading import PointReader
from holdfast.model.rules import Rules
from holdfast.node.limits import load_limits
from holdfast.node.orders import open_order
from holdfast.node.worker_dial import Dialler
from holdfast.node.worker_jobs import LinkNews
from holdfast.operations.restore import RestoreResult, restore
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

    def run(self, reader: PointReader, paths: Sequence[bytes], roots: Sequence[bytes], cancellation: Cancellation) -> Job:
        """The ended job. `roots` are the dataset's paths where they are known: folders above them keep their own metadata."""
        limits = load_limits(self.home, [repository.location for repository in self.rules.repositories])
        meter = Meter(self.job.id, self.clock, self.news.progress)
        started_s = self.clock.monotonic_s()
        result = restore(
            reader,
            self.ask.request,
            paths,
            clock=self.clock,
            check_write=limits.check_write,
            check_remove=limits.check_mirror,
            on_progress=lambda files, done, total: meter.report("restoring", files, done, total),
            cancelled=lambda: cancellation.requested,
            wait=cancellation.wait,
            roots=roots,
        )
        return self._ended(result, self.clock.monotonic_s() - started_s)

    def _ended(self, result: RestoreResult, duration_s: float) -> Job:
        doubtful = any(finding.severity is not Severity.INFO for finding in result.findings)
        state = State.WARNINGS if result.failed or doubtful else State.SUCCEEDED
        findings = (_summary(result, dry_run=self.ask.request.dry_run), *result.findings)
        task = Task(name="restore", state=state, counters=result.counters, duration_s=duration_s)
        return msgspec.structs.replace(
            self.job, state=state, tasks=(task,), findings=findings[:1_000], findings_total=result.findings_total + 1
        )


def restore_with_order(task: RestoreTask, signing_key: bytes, cancellation: Cancellation) -> Job:
    """Dials the owner's data server, or this node's own without leaving the machine, and shows the order."""
    if task.ask.order is None:
        raise UsageError("a restore without an order is the store worker's", hint="this is a fault in Holdfast; the log has the details")
    order = open_order(task.ask.order, signing_key)
    channel = Dialler(task.home, task.rules).read(order.owner, order.owner_address)
    cancellation.on_cancel(channel.close)
    roots = [os.fsencode(path) for rule in task.rules.datasets if rule.id == order.dataset for path in rule.classification.paths]
    try:
        reader = RemoteReader(
            channel, OpenRead(repository=order.repository, dataset=order.dataset, order=task.ask.order, point=order.point)
        )
        return task.run(reader, task.ask.paths or order.paths, roots, cancellation)
    except HoldfastError:
        cancellation.check()
        raise
    finally:
        channel.close()


def _summary(result: RestoreResult, *, dry_run: bool) -> Finding:
    verb = "would be written" if dry_run else "written"
    parts = [f"{result.files:,} file{'' if result.files == 1 else 's'} ({format_size(result.bytes)}) {verb}"]
    parts += [f"{result.kept:,} equal already"] if result.kept else []
    parts += [f"{result.skipped:,} skipped"] if result.skipped else []
    parts += [f"{result.failed:,} failed"] if result.failed else []
    return Finding(code="restored" if not dry_run else "dry-run", severity=Severity.INFO, message=", ".join(parts))

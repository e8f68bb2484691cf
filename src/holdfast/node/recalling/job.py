"""Recalling archived files, as a job of the source worker."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from holdfast.core.clock import Clock
from holdfast.core.units import format_size
from holdfast.model.jobs import Counters, Finding, Job, Severity, State, Task
from holdfast.model.maintenance import Report, Step
from holdfast.model.recalling import AskRecall
from holdfast.model.rules import Rules
from holdfast.node.config import recall_path
from holdfast.node.recalling.archives import Archives
from holdfast.node.restoring.job import files_text
from holdfast.node.workers.jobs import LinkNews
from holdfast.operations.recalling.plan import find_stubs
from holdfast.operations.recalling.recall import Recall, RecallResult, RecallTools
from holdfast.operations.recalling.recalled import Recalled
from holdfast.operations.running import Cancellation, Meter


@dataclass(frozen=True, kw_only=True)
class RecallTask:
    home: Path
    rules: Rules
    ask: AskRecall
    job: Job
    news: LinkNews
    clock: Clock

    def run(self, cancellation: Cancellation) -> Job:
        """The ended job. What stays a stub is a finding each. Raises what stops all of it."""
        meter, started_s = Meter(self.job.id, self.clock, self.news.progress), self.clock.monotonic_s()
        result, recall = RecallResult(), os.fsencode(recall_path(self.home))
        stubs = list(find_stubs(self.ask.paths, recall, recursive=self.ask.recursive, report=result.report))
        record = Recalled(self.home)
        try:
            tools = RecallTools(
                archived=Archives(self.home, self.rules),
                recall=recall,
                record=record,
                clock=self.clock,
                check=cancellation.check,
                on_progress=lambda files, done, total: meter.report("recalling", files, done, total),
            )
            Recall(tools, result).run(stubs, dry_run=self.ask.dry_run)
        finally:
            record.close()
        state = State.WARNINGS if result.failed else State.SUCCEEDED
        moved = Counters(files=result.files, changed=result.files, stored_bytes=result.size_bytes)
        counters = Counters() if self.ask.dry_run else moved
        findings = (self._summary(result), *result.findings)
        return msgspec.structs.replace(
            self.job,
            state=state,
            tasks=(Task(name="recall", state=state, counters=counters, duration_s=self.clock.monotonic_s() - started_s),),
            findings=findings,
            findings_total=1 + max(result.failed, len(result.findings)),
            report=self._report(result),
        )

    def _summary(self, result: RecallResult) -> Finding:
        verb = "would be recalled" if self.ask.dry_run else "recalled"
        text = f"{files_text(result.files)} ({format_size(result.size_bytes)}) {verb}"
        text += f", {result.failed:,} not" if result.failed else ""
        return Finding(code="dry-run" if self.ask.dry_run else "recalled", severity=Severity.INFO, message=text)

    def _report(self, result: RecallResult) -> Report:
        rows = (
            ("recall", "files that take the places of their stubs", result.files, result.size_bytes),
            ("leave", "paths that stay as they are", result.failed, 0),
        )
        steps = tuple(Step(code=code, message=text, count=count, size_bytes=size) for code, text, count, size in rows if count)
        return Report(steps=steps, dry_run=self.ask.dry_run)

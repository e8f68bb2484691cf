"""The run that new rules begin with by themselves: whoever wants the first run of what was just activated, and comes a moment later than
the schedule, is served by that one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from holdfast.core.clock import utc
from holdfast.core.ids import DatasetId, JobId
from holdfast.model.jobs import Job, State
from holdfast.model.rules import Rules
from holdfast.node.records.job_book import JobBook
from holdfast.node.records.journal import ProtectionRow
from holdfast.node.workers.messages import RunDatasets

JUST_NOW = timedelta(seconds=60)
_LOOKED_AT = 20


def first_run(
    book: JobBook,
    rules: Rules,
    rows: Mapping[tuple[str, str, str], ProtectionRow],
    chosen: Mapping[DatasetId, tuple[str, ...]],
    moment: datetime,
) -> JobId | None:
    """The run of all these, queued, under way or ended well, that began just now and since each of them came into the rules."""
    sought = [row for row in rows.values() if row.operation in chosen.get(row.dataset, ())]
    if not sought or any(row.attempted_ns is None for row in sought):
        return None
    attempted = utc(min(row.attempted_ns or 0 for row in sought))
    begins = max(utc(max(row.since_ns for row in sought)), moment - JUST_NOW)
    return next((job.id for job in _runs_of(book, rules, chosen) if begins <= job.created_at <= attempted), None)


def _runs_of(book: JobBook, rules: Rules, chosen: Mapping[DatasetId, tuple[str, ...]]) -> Iterator[Job]:
    for live in book.live:
        request = live.request
        if not isinstance(request, RunDatasets) or request.catch_up or live.quiet_failure is not None:
            continue
        if all(set(names) <= set(request.operations.get(dataset, ())) for dataset, names in chosen.items()):
            yield live.job
    # What an ended run did by dataset is not known any more: that each was attempted since it began says that it was in it.
    labels = {rule.label for rule in rules.datasets if rule.id in chosen}
    operations = {name for names in chosen.values() for name in names}
    for job in book.newest(_LOOKED_AT):
        is_good = job.kind == "run" and job.cause == "schedule" and job.state in (State.SUCCEEDED, State.WARNINGS)
        if is_good and labels <= set(job.datasets) and operations <= set(job.operations):
            yield job

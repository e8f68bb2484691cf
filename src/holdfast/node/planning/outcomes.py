"""What news of workers mean for status and retries. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from holdfast.core.clock import MOST_AHEAD
from holdfast.core.errors import ErrorFacts, RepositoryBusy, WindowClosed, waits_its_turn
from holdfast.model.change import Amount
from holdfast.model.jobs import Job, Severity, State
from holdfast.model.promises import promises_of
from holdfast.model.rules import Rules
from holdfast.node.planning.retries import Kind, Retry, may_heal, opening_ns
from holdfast.node.records.job_book import Signature, failure_of
from holdfast.node.records.journal import ProtectionRow, Request
from holdfast.node.workers.messages import Acknowledged, RunCascade, RunDatasets

_CLOCK_STEP_NS = 300 * 10**9
"""So far may a clock be set back without anything that it gave being doubted."""
_MOST_AHEAD_NS = int(MOST_AHEAD.total_seconds()) * 10**9

Rows = Mapping[tuple[str, str, str], ProtectionRow]


def subjects_of(request: Request) -> frozenset[str]:
    """Jobs that share one of these run one after another."""
    if isinstance(request, RunDatasets):
        return frozenset(request.datasets)
    return frozenset({request.cascade if isinstance(request, RunCascade) else request.job.id})


def is_known(rules: Rules, request: Request) -> bool:
    """Whether the rules still name what the request is about."""
    if isinstance(request, RunCascade):
        return any(cascade.id == request.cascade for cascade in rules.cascades)
    if isinstance(request, RunDatasets):
        known = {dataset.id for dataset in rules.datasets} | {delivery.dataset for delivery in rules.deliveries}
        return known.issuperset(request.datasets)
    return True


def acknowledged_rows(
    rows: Rows, news: Acknowledged, now_ns: int, *, catching_up: bool, forwards: bool = False
) -> tuple[ProtectionRow, ...]:
    """The rows that change. A success also ends the troubles of the action's other operations: it is up to date again. The points of
    theirs that it missed stay counted until their next one. `catching_up`: no new point was due. `forwards`: the news is of a cascade."""
    changed = []
    for known in rows.values():
        if known.dataset != news.dataset or known.action != news.action:
            continue
        row = _without_what_is_to_come(known, now_ns)
        marked = row.operation in news.operations
        if news.error is not None and (marked or not news.operations):
            missed = _missed(row, news.error, again=catching_up, forwards=forwards)
            capture_failed = news.error.code == "capture-needed"
            told = msgspec.structs.replace(row, error=news.error, missed=missed, capture_failed=capture_failed)
            changed.append(with_capture(told, news.captured_at_ns, now_ns, news.amount))
        elif news.error is None and marked:
            # Later than now it was not: a source that waits for its clock gives times that are a little ahead.
            captured_ns = max(row.captured_ns or 0, min(news.captured_at_ns, now_ns))
            told = msgspec.structs.replace(row, error=None, missed=0, captured_ns=captured_ns, capture_failed=False)
            changed.append(_taken(told, news.captured_at_ns))
        elif news.error is None and news.captured_at_ns >= (row.newest_ns or 0) and row.behind:
            # It holds what it missed, as part of something newer; the points are never made up.
            told = row if row.capture_failed else msgspec.structs.replace(row, error=None)
            changed.append(msgspec.structs.replace(told, newest_ns=row.captured_ns, behind=0, owed=None))
        elif news.error is None and row.error is not None and not row.capture_failed:
            changed.append(msgspec.structs.replace(row, error=None))
    return tuple(changed)


def _missed(row: ProtectionRow, error: ErrorFacts, *, again: bool, forwards: bool = False) -> int:
    """What waits for a window is not missed: it is drawn so; nor is what waits for a place, but only until the next point is due. A cascade
    forwards every point when there is a place."""
    if forwards or WindowClosed.says(error):
        return row.missed + (not again and not waits_its_turn(error))
    return max(0, not_made(row) + (not again) - RepositoryBusy.says(error))


def not_made(row: ProtectionRow) -> int:
    """The points that were due and are not made, with the one that waits for a place."""
    return row.missed + RepositoryBusy.says(row.error)


def with_error_time(before: ProtectionRow | None, row: ProtectionRow, now_ns: int) -> ProtectionRow:
    """The row with when errors of its kind began: another attempt that fails the same way begins none."""
    code = None if row.error is None else row.error.code
    known = None if before is None or before.error is None else before.error.code
    since_ns = None if code is None else now_ns if before is None or code != known else before.error_since_ns
    return row if row.error_since_ns == since_ns else msgspec.structs.replace(row, error_since_ns=since_ns)


def _without_what_is_to_come(row: ProtectionRow, now_ns: int) -> ProtectionRow:
    """The row without times of a clock that has since been set back: against them nothing would ever be newer, nor overdue."""
    captured_ns, newest_ns = row.captured_ns, row.newest_ns
    if captured_ns is not None and captured_ns > now_ns + _CLOCK_STEP_NS:
        row = msgspec.structs.replace(row, captured_ns=None)
    if newest_ns is not None and newest_ns > now_ns + _MOST_AHEAD_NS:
        row = msgspec.structs.replace(row, newest_ns=None)
    return row


def with_capture(row: ProtectionRow, captured_at_ns: int, now_ns: int, amount: Amount | None = None) -> ProtectionRow:
    """The row once there is this capture for it, not acknowledged yet. One it knows of changes nothing. `amount`: what it changed."""
    row = _without_what_is_to_come(row, now_ns)
    if captured_at_ns <= (row.newest_ns or 0):
        return row
    since_ns = row.behind_since_ns if row.behind else captured_at_ns
    owed = amount if not row.behind else None
    if row.behind and row.owed is not None and amount is not None:
        owed = Amount(row.owed.changes + amount.changes, row.owed.size_bytes + amount.size_bytes)
    return msgspec.structs.replace(row, newest_ns=captured_at_ns, behind=row.behind + 1, behind_since_ns=since_ns, owed=owed)


def _taken(row: ProtectionRow, captured_at_ns: int) -> ProtectionRow:
    """The row once this capture is acknowledged. A cascade takes one commit after the other, the oldest first."""
    newest_ns = max(row.newest_ns or 0, captured_at_ns)
    behind = 0 if captured_at_ns >= newest_ns else max(0, row.behind - 1)
    return msgspec.structs.replace(row, newest_ns=newest_ns, behind=behind, owed=_left_of(row, behind))


def _left_of(row: ProtectionRow, behind: int) -> Amount | None:
    """Which run brought how much is not kept: what is left is taken to be in proportion."""
    if row.owed is None or not behind:
        return None
    share = behind / max(row.behind, 1)
    return Amount(round(row.owed.changes * share), round(row.owed.size_bytes * share))


def uncaptured_rows(job: Job, request: RunDatasets, rows: Rows) -> tuple[ProtectionRow, ...]:
    """After a run that failed before it had anything to send: what was to be marked is missed."""
    error = _capture_error(job, request)
    if error is None:
        return ()
    return tuple(
        msgspec.structs.replace(row, error=error, missed=_missed(row, error, again=job.cause == "retry"), capture_failed=True)
        for row in rows.values()
        if row.operation in request.operations.get(row.dataset, ())
    )


def state_of_rest(job: Job, rows: Iterable[ProtectionRow]) -> State:
    """How a run ended for those of its rows that bear no error: what one receiver did wrong, its own rows say."""
    if job.state is not State.FAILED:
        return job.state
    codes = {row.error.code for row in rows if row.error is not None}
    if not codes or (job.error is not None and job.error.code not in codes):
        return job.state
    return State.WARNINGS if any(finding.severity is not Severity.INFO for finding in job.findings) else State.SUCCEEDED


def after_run(job: Job, request: RunDatasets, rules: Rules | None, rows: Rows) -> tuple[Retry, ...]:
    """What is to be tried again, of what the rules name still: a job may end when they have ceased to. Before there are rules nobody knows.
    `rows` as they are after the news and `uncaptured_rows`."""
    if job.state is State.CANCELLED:
        return ()
    named = None if rules is None else {promise.delivery.dataset for promise in promises_of(rules) if not promise.cascade}
    return tuple(retry for retry in _after_run(job, request, rows) if named is None or retry.subject in named)


def _after_run(job: Job, request: RunDatasets, rows: Rows) -> tuple[Retry, ...]:
    failure = failure_of(job)
    capture_error = _capture_error(job, request)
    if capture_error is not None:
        if not may_heal(capture_error):
            return ()
        return tuple(
            Retry(
                subject=dataset,
                kind="capture",
                operations=request.operations.get(dataset, ()),
                failure=failure,
                not_before_ns=opening_ns((capture_error,)),
                for_a_place=any(code == RepositoryBusy.code for _, code in failure),
                is_first=_is_first(row for row in rows.values() if row.dataset == dataset),
            )
            for dataset in request.datasets
        )
    troubled = [row for row in rows.values() if row.dataset in request.datasets and may_heal(row.error)]
    behind = {row.dataset for row in troubled}
    if not behind and job.state is State.FAILED and may_heal(job.error):
        behind = set(request.datasets)
    return tuple(_again(dataset, [row for row in troubled if row.dataset == dataset], failure) for dataset in sorted(behind))


def _again(dataset: str, troubled: list[ProtectionRow], failure: Signature) -> Retry:
    """A catch-up, unless an earlier run left operations that were never captured."""
    operations = tuple(dict.fromkeys(row.operation for row in troubled if row.capture_failed))
    kind: Kind = "capture" if operations else "catch-up"
    not_before_ns = opening_ns(row.error for row in troubled)
    for_a_place = any(RepositoryBusy.says(row.error) for row in troubled)
    return Retry(
        subject=dataset,
        kind=kind,
        operations=operations,
        failure=failure,
        not_before_ns=not_before_ns,
        for_a_place=for_a_place,
        is_first=_is_first(troubled),
    )


def _is_first(rows: Iterable[ProtectionRow]) -> bool:
    return any(row.captured_ns is None and row.error is not None for row in rows)


def after_cascade(job: Job, cascade: str, rules: Rules | None, rows: Rows) -> tuple[Retry, ...]:
    """The same of a cascade."""
    keys = [] if rules is None else [promise.key for promise in promises_of(rules) if promise.cascade == cascade]
    if job.state is State.CANCELLED or (rules is not None and not keys):
        return ()
    errors = [job.error, *(task.error for task in job.tasks), *(rows[key].error for key in keys if key in rows)]
    if not any(may_heal(error) for error in errors):
        return ()
    for_a_place = any(RepositoryBusy.says(error) for error in errors)
    return (
        Retry(
            subject=cascade,
            kind="cascade",
            failure=failure_of(job),
            not_before_ns=opening_ns(errors),
            for_a_place=for_a_place,
            is_first=_is_first(rows[key] for key in keys if key in rows),
        ),
    )


def open_retries(rules: Rules, rows: Rows) -> tuple[Retry, ...]:
    """What is still behind from before a start or a change of rules."""
    found: dict[str, Retry] = {}
    # No attempt fails like this, so the first one enters the records however it ends.
    unlike_any = frozenset({("", "")})
    for promise in promises_of(rules):
        row, subject = rows.get(promise.key), promise.cascade or promise.delivery.dataset
        if row is None or not may_heal(row.error):
            continue
        known = found.get(subject)
        if promise.cascade:
            found[subject] = Retry(subject=subject, kind="cascade", failure=unlike_any)
        elif row.capture_failed:
            operations = (*(known.operations if known else ()), row.operation)
            found[subject] = Retry(subject=subject, kind="capture", operations=operations, failure=unlike_any)
        elif known is None:
            found[subject] = Retry(subject=subject, kind="catch-up", failure=unlike_any)
    return tuple(found.values())


def _capture_error(job: Job, request: RunDatasets) -> ErrorFacts | None:
    """Why there was no capture; None = there was one, or none was asked for."""
    if request.catch_up or (job.state is not State.FAILED and not waits_its_turn(job.error)):
        return None
    captures = [task for task in job.tasks if task.name == "capture"]
    if any(task.state in (State.SUCCEEDED, State.WARNINGS) for task in captures):
        return None
    found = job.error or next((task.error for task in captures if task.error is not None), None)
    return found or ErrorFacts("source", "the capture failed", "the job's findings say why")

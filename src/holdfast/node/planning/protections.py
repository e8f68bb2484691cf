"""Which (dataset, operation, action) this node answers for, when each is due, and how well it is protected. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from holdfast.core.clock import ns_of, utc
from holdfast.core.errors import WindowClosed, waits_its_turn
from holdfast.core.ids import ActionId, DatasetId
from holdfast.model.jobs import State
from holdfast.model.node_status import Protection
from holdfast.model.promises import Promise, operation_rules, promises_of
from holdfast.model.rate_table import opens_at, rate_at
from holdfast.model.rules import Delivery, OperationRule, Rules, title_of
from holdfast.model.schedule import due_at, has_schedule, share_of
from holdfast.node.planning.busy import Busy
from holdfast.node.planning.retries import WORKER_DIED, Retry, opening_ns
from holdfast.node.planning.waits import wait_of
from holdfast.node.records.journal import ProtectionRow

SETTLE_S = 2.0
"""The first run by new rules waits this long: the rules of a flow reach its machines within moments of each other, not at once."""

_CLOCK_STEP_S = 300
"""A run that began this far in the future was recorded by a clock that has since been set back; it is taken as never begun."""

_LATE_S = 3600.0
"""How late a run at a time of day may be acknowledged before it counts as overdue; with an RPO the RPO decides."""


def row_due_at(rule: OperationRule, row: ProtectionRow, now: datetime) -> datetime | None:
    """When the next run for this row should start; at or before `now` = now. Judged from when runs began, whatever became of them:
    a receiver that is away is caught up with, not captured for again and again."""
    last = None if row.attempted_ns is None else utc(row.attempted_ns)
    if last is not None and last > now + timedelta(seconds=_CLOCK_STEP_S):
        last = None
    due = due_at(rule, last, now, since=utc(row.since_ns), share=share_of(row.dataset))
    if due is None or row.attempted_ns is not None:
        return due
    return max(due, _settled_at(row, now))


def _settled_at(row: ProtectionRow, now: datetime) -> datetime:
    """When the rules of this row have been in force for long enough to begin; `now` where the clock was set back since they came."""
    since = utc(row.since_ns)
    return now if since > now else since + timedelta(seconds=SETTLE_S)


def due_operations(
    rules: Rules, rows: Mapping[tuple[str, str, str], ProtectionRow], now: datetime
) -> dict[tuple[DatasetId, str], datetime]:
    """The start of the next run of each (dataset, operation) that some delivery carries: of a scheduled one by its schedule, of one that
    follows changes the scan it begins with. While no mover of it is open it waits for the first that opens."""
    found: dict[tuple[DatasetId, str], datetime] = {}
    known = operation_rules(rules)
    for promise in promises_of(rules):
        row, dataset = rows.get(promise.key), promise.delivery.dataset
        rule = None if promise.cascade else known.get((dataset, promise.operation))
        if row is None or rule is None:
            continue
        wanted = row_due_at(rule, row, now) if has_schedule(rule) else _first_due(promise, rule, row, now)
        due = _opened(promise.delivery, wanted, now)
        name = (dataset, promise.operation)
        if due is not None and (name not in found or due < found[name]):
            found[name] = due
    return found


def _opened(delivery: Delivery, due: datetime | None, now: datetime) -> datetime | None:
    """When what is due can start: not before the mover's window is open."""
    return due if due is None or not delivery.windows else opens_at(delivery.windows, max(due, now))


def _first_due(promise: Promise, rule: OperationRule, row: ProtectionRow, now: datetime) -> datetime | None:
    """What is followed begins with a scan of everything, once."""
    if promise.delivery.mode != "continuous" or rule.after or row.attempted_ns is not None:
        return None
    return _settled_at(row, now)


def reconcile(
    rules: Rules, rows: Mapping[tuple[str, str, str], ProtectionRow], now_ns: int
) -> tuple[dict[tuple[str, str, str], ProtectionRow], tuple[tuple[str, str, str], ...]]:
    """Rows for exactly what the rules promise: known ones kept, new ones begun now. Second: keys that are gone."""
    kept = {}
    for promise in promises_of(rules):
        dataset, operation, action = promise.key
        fresh = ProtectionRow(dataset=DatasetId(dataset), operation=operation, action=action, since_ns=now_ns)
        kept[promise.key] = rows.get(promise.key, fresh)
    return kept, tuple(key for key in rows if key not in kept)


def judge(
    rules: Rules,
    rows: Mapping[tuple[str, str, str], ProtectionRow],
    busy: Busy,
    now: datetime,
) -> tuple[Protection, ...]:
    """How each promise stands."""
    known = operation_rules(rules)
    next_runs = _next_runs(rules, rows, now)
    found = []
    for promise in promises_of(rules):
        row = rows.get(promise.key)
        if row is None:
            continue
        rule = None if promise.cascade else known.get((promise.delivery.dataset, promise.operation))
        last_at = None if row.captured_ns is None else utc(row.captured_ns)
        wanted = row_due_at(rule, row, now) if rule is not None else None
        subject = promise.cascade or promise.delivery.dataset
        closed_until, waits = _closed(promise.delivery, row, now)
        state, retry = _state(row, busy.states.get(subject)), busy.retries.get(subject)
        first = _first_due(promise, rule, row, now) if rule is not None and not has_schedule(rule) else None
        is_due = any(due is not None and due <= now for due in (wanted, first))
        waits = waits or (closed_until is not None and (state is State.QUEUED or is_due))
        shown = _state(row, None) if waits and state is State.QUEUED else state
        found.append(
            Protection(
                dataset=promise.delivery.label,
                dataset_id=promise.delivery.dataset,
                operation=promise.operation,
                receiver=promise.delivery.receiver_name,
                action=title_of(promise.delivery, ActionId(promise.action)),
                state=shown,
                last_at=last_at,
                due_at=_opened(promise.delivery, wanted or _rides_at(promise, rule, next_runs), now),
                every_s=None if rule is None else rule.every_s,
                overdue=rule is not None and _is_overdue(rule, row, promise.delivery, now),
                missed=row.missed,
                error=None if waits_its_turn(row.error) or _goes_on(row, state, retry) else row.error,
                action_id=ActionId(promise.action),
                delivery=promise.delivery.id,
                newest_at=None if row.newest_ns is None else utc(row.newest_ns),
                behind_runs=row.behind,
                job=busy.jobs.get((subject, promise.operation)) or busy.jobs.get((subject, "")),
                closed_until=closed_until,
                waits=waits,
                retry_at=_retry_at(row, retry),
                retries=0 if row.error is None or retry is None else retry.attempts,
                behind_since=utc(row.behind_since_ns) if row.behind and row.behind_since_ns is not None else None,
                owed=row.owed if row.behind else None,
                wait=wait_of(promise, rule, row, shown, busy, closed_until if waits else None),
            )
        )
    return tuple(found)


def _next_runs(rules: Rules, rows: Mapping[tuple[str, str, str], ProtectionRow], now: datetime) -> dict[DatasetId, datetime]:
    """The next run of each dataset, whatever it is due for."""
    found: dict[DatasetId, datetime] = {}
    for (dataset, _), due in due_operations(rules, rows, now).items():
        found[dataset] = min(due, found.get(dataset, due))
    return found


def _rides_at(promise: Promise, rule: OperationRule | None, next_runs: Mapping[DatasetId, datetime]) -> datetime | None:
    """What has no schedule goes with the next run of its dataset. What is followed needs none; what waits for another comes after it."""
    if rule is None or rule.after or has_schedule(rule) or promise.delivery.mode == "continuous":
        return None
    return next_runs.get(promise.delivery.dataset)


def _retry_at(row: ProtectionRow, retry: Retry | None) -> datetime | None:
    """When what is wrong here is tried again by itself; None = nothing is wrong, or not before the next run."""
    return None if retry is None or row.error is None or waits_its_turn(row.error) else utc(retry.next_ns)


def _state(row: ProtectionRow, busy: State | None) -> State:
    if busy in (State.RUNNING, State.QUEUED):
        return busy
    if row.error is not None and not waits_its_turn(row.error):
        return State.FAILED
    if row.captured_ns is None:
        return State.FAILED if busy is State.FAILED else State.UNKNOWN
    return State.SUCCEEDED if busy is None else busy


def _goes_on(row: ProtectionRow, state: State, retry: Retry | None) -> bool:
    """Whether what was killed is at work again, and nothing else went wrong since: what was acknowledged is there, and the rest is on its
    way. A worker that dies of what it runs is told from its second death on."""
    is_of_death = row.error is not None and row.error.code == WORKER_DIED
    return is_of_death and state is State.RUNNING and (retry is None or retry.attempts == 0)


def _closed(delivery: Delivery, row: ProtectionRow, now: datetime) -> tuple[datetime | None, bool]:
    """Until when the mover is closed, by its own window or that of a relay behind it; and whether something is known to wait for it."""
    own = opens_at(delivery.windows, now) if rate_at(delivery.windows, now).is_closed else None
    told_ns = opening_ns((row.error,))
    until = own or (utc(told_ns) if told_ns > ns_of(now) and not delivery.windows else None)
    return until, until is not None and (WindowClosed.says(row.error) or (row.behind > 0 and row.error is None))


def _is_overdue(rule: OperationRule, row: ProtectionRow, delivery: Delivery, now: datetime) -> bool:
    """Whether a start was due after the last acknowledged capture, and even with grace nothing came of it. While the mover's window is
    closed nothing is due."""
    if not has_schedule(rule):
        return False
    grace_s = _LATE_S if rule.every_s is None else max(0.1 * rule.every_s, 60.0)
    base = utc(row.since_ns if row.captured_ns is None else row.captured_ns)
    expected = _opened(delivery, due_at(rule, base, base, since=base, share=share_of(row.dataset)), base)
    return expected is not None and now > expected + timedelta(seconds=grace_s)

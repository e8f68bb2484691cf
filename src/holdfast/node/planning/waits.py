"""Why a promise of this node waits, from what it knows itself. Pure."""

from __future__ import annotations

from datetime import datetime

from holdfast.core.clock import utc
from holdfast.core.errors import ErrorFacts, NotReachable, ReceiverBusy, RepositoryBusy, RepositoryPaused
from holdfast.model.jobs import State
from holdfast.model.promises import Promise
from holdfast.model.rules import OperationRule
from holdfast.model.waits import Wait, WaitReason
from holdfast.node.planning.busy import Busy
from holdfast.node.records.journal import ProtectionRow


def wait_of(
    promise: Promise, rule: OperationRule | None, row: ProtectionRow, state: State, busy: Busy, window: datetime | None
) -> Wait | None:
    """`rule`: of what is captured here. `state`: as it is shown. `window`: when the closed window that it waits for opens; None = it waits
    for none."""
    if window is not None:
        return Wait(reason=WaitReason.WINDOW, until=window)
    if state is State.RUNNING:
        return None
    reached = row.error is not None and (not row.capture_failed or RepositoryBusy.says(row.error))
    if row.error is not None and reached and (found := _of_error(promise, row, row.error)) is not None:
        return found
    if state is State.QUEUED:
        return busy.waits.get(promise.cascade or promise.delivery.dataset)
    return _of_what_comes_first(promise, rule, row) if row.error is None else None


def _of_error(promise: Promise, row: ProtectionRow, error: ErrorFacts) -> Wait | None:
    since = None if row.error_since_ns is None else utc(row.error_since_ns)
    if error.code == RepositoryPaused.code:
        what = error.context.get("repository", "")
        return Wait(reason=WaitReason.PAUSED, what=what, since=since, until=_moment(error.context.get("until", "")))
    if RepositoryBusy.says(error):
        what, why = f"repository {error.context.get('repository', '')}", error.context.get("why", "")
        return Wait(reason=WaitReason.LIMIT, what=what, since=since, why=why)
    if error.code in (NotReachable.code, ReceiverBusy.code):
        reason = WaitReason.NOT_CALLED if promise.delivery.dial == "to" else WaitReason.RECEIVER
        return Wait(reason=reason, what=promise.delivery.receiver_name, since=since)
    return None


def _of_what_comes_first(promise: Promise, rule: OperationRule | None, row: ProtectionRow) -> Wait | None:
    if promise.cascade and row.captured_ns is None and row.newest_ns is None:
        return Wait(reason=WaitReason.UPSTREAM, what=promise.after)
    if promise.cascade and promise.after and row.behind:
        since = None if row.captured_ns is None else utc(row.captured_ns)
        return Wait(reason=WaitReason.UPSTREAM, what=promise.after, since=since)
    if rule is not None and rule.after and row.captured_ns is None:
        return Wait(reason=WaitReason.UPSTREAM, what=rule.after)
    return None


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None

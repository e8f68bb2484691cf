"""What the log says of changes of points, and of pauses: who did what to which, or was refused."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.model.jobs import Severity
from holdfast.model.pausing import PauseTold
from holdfast.model.point_changes import AskChangePoints, Expire, Forget, Lock, PointChange, PointsChanged, Tag
from holdfast.model.questions import Answer, Failed

_MOST_NAMED = 5
RecordEvent = Callable[[str, Severity, str], None]


def record_change(record_event: RecordEvent, ask: AskChangePoints, answer: Answer, who: str) -> None:
    """Nothing when nothing was changed and nothing refused. Of a plan, only what is refused, and only when it was to be carried out."""
    if ask.dry_run and not ask.is_meant:
        return
    what = _verb(ask.change)
    wanted = f"dataset {ask.dataset}" if ask.dataset else ", ".join(ask.points[:_MOST_NAMED])
    if isinstance(answer, Failed):
        # A plan is asked of every owner, and most have never heard of the point.
        if not ask.dry_run:
            record_event("points-refused", Severity.WARNING, f"{who} wanted {wanted} {what}: {answer.error.message}")
        return
    changes = answer.changes if isinstance(answer, PointsChanged) else ()
    if staying := [change for change in changes if change.outcome == "stays"]:
        first = staying[0]
        more = f", and {len(staying) - 1} more" if len(staying) > 1 else ""
        message = f"{who} wanted {wanted} {what}: point {first.point.id[:8]} stays, {first.why}{more}"
        record_event("points-refused", Severity.WARNING, message)
    if ask.dry_run:
        return
    done = [change.point for change in changes if change.outcome in ("changed", "forgotten")]
    if not done:
        return
    named = ", ".join(f"{point.id[:8]} of {point.dataset} in {point.repository}" for point in done[:_MOST_NAMED])
    more = f" and {len(done) - _MOST_NAMED} more" if len(done) > _MOST_NAMED else ""
    count = "1 point was" if len(done) == 1 else f"{len(done)} points were"
    message = f"{count} {what} by {who}: {named}{more}"
    if isinstance(ask.change, Forget):
        record_event("points-forgotten", Severity.INFO, message)
    else:
        record_event("points-changed", Severity.INFO, message)


def record_pause(record_event: RecordEvent, answer: Answer, who: str) -> None:
    """Nothing when nothing changed."""
    if not isinstance(answer, PauseTold) or not answer.changed:
        return
    if answer.pause is None:
        record_event("repository-resumed", Severity.INFO, f"repository {answer.repository} was resumed by {who}")
        return
    until = f" until {answer.pause.until:%Y-%m-%d %H:%M} UTC" if answer.pause.until else ""
    record_event("repository-paused", Severity.WARNING, f"repository {answer.repository} was paused{until} by {who}: no run begins in it")


def _verb(change: PointChange) -> str:
    match change:
        case Tag():
            return "tagged"
        case Lock():
            return "locked"
        case Expire():
            return "told when to expire"
        case Forget():
            return "forgotten"

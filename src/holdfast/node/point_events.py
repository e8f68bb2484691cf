"""What the log says of a change of points: who did what to which, or was refused."""

from __future__ import annotations

from holdfast.model.jobs import Severity
from holdfast.model.point_changes import Expire, Forget, Lock, PointChange, Tag
from holdfast.model.questions import Answer, AskChangePoints, Failed, PointsChanged

_MOST_NAMED = 5


def event_of(ask: AskChangePoints, answer: Answer, who: str) -> tuple[str, Severity, str] | None:
    """Code, severity, message; None when nothing was changed and nothing refused."""
    what = _verb(ask.change)
    if isinstance(answer, Failed):
        named = f"dataset {ask.dataset}" if ask.dataset else ", ".join(ask.points[:_MOST_NAMED])
        return "points-refused", Severity.WARNING, f"{who} wanted {named} {what}: {answer.error.message}"
    if not isinstance(answer, PointsChanged):
        return None
    done = [change.point for change in answer.changes if change.outcome in ("changed", "forgotten")]
    if not done:
        return None
    named = ", ".join(f"{point.id[:8]} of {point.dataset} in {point.repository}" for point in done[:_MOST_NAMED])
    more = f" and {len(done) - _MOST_NAMED} more" if len(done) > _MOST_NAMED else ""
    code = "points-forgotten" if isinstance(ask.change, Forget) else "points-changed"
    count = "1 point was" if len(done) == 1 else f"{len(done)} points were"
    return code, Severity.INFO, f"{count} {what} by {who}: {named}{more}"


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

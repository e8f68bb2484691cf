"""What the Master may not ask of a vault: whatever could take something away there, or keep something out (docs/vaulting.md)."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.core.errors import OutsideLimits
from holdfast.model.anomalies import AskJudgeAnomaly
from holdfast.model.maintenance import Check, Drill, Rebuild, Scrub
from holdfast.model.pausing import AskPause
from holdfast.model.point_changes import AskChangePoints, Lock, Tag
from holdfast.model.questions import AskMaintenance, Question
from holdfast.node.bounds.limits import Limits

REFUSED: dict[type, str] = {
    AskChangePoints: "letting a point go",
    AskMaintenance: "pruning or repairing",
    AskPause: "pausing a repository",
    AskJudgeAnomaly: "letting go of what is held for an anomaly",
}


def check_for_vault(question: Question, limits: Callable[[], Limits]) -> None:
    """Raises `OutsideLimits` when the machine is a vault and may not do that for the Master. `limits` is asked only where it matters."""
    if is_taking_away(question) and limits().vault_s is not None:
        what = REFUSED[type(question)]
        raise OutsideLimits(f"this machine is a vault, and {what} is for its own user", hint="do it on the vault itself")


def is_taking_away(question: Question) -> bool:
    match question:
        case AskChangePoints(dry_run=False, change=change):
            return not isinstance(change, Tag | Lock)
        case AskMaintenance(dry_run=False, task=task):
            return not isinstance(task, Check | Scrub | Drill | Rebuild)
        case AskPause(paused=paused, look=look):
            return paused and not look
        case AskJudgeAnomaly(confirmed=confirmed):
            return not confirmed
        case _:
            return False

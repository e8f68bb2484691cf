"""What every drill does in the same way, wherever it is made: run the policy's script, and become an ended job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from holdfast.core.clock import Clock
from holdfast.core.errors import HoldfastError, HookFailed, OutsideLimits
from holdfast.core.ids import JobId
from holdfast.host.hooks import hook_environment, run_hook
from holdfast.model.document import DrillPlan
from holdfast.model.jobs import Finding, Job, Severity, State
from holdfast.model.maintenance import Report, Step
from holdfast.model.points import Point
from holdfast.model.rules import Rules
from holdfast.node.bounds.limits import load_limits
from holdfast.operations.drill import CheckScript, DrillResult
from holdfast.operations.run_plan import MAX_FINDINGS

_OUTPUT_LINES = 20


class Tested(NamedTuple):
    """`repository` is a name."""

    point: Point
    repository: str
    clock: Clock


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What a drill came to. `problem`: why nothing was proven, empty where something was. `on`: the machine where it was made, by name;
    empty = the owner's own."""

    job: JobId
    files: int
    size_bytes: int
    problem: str = ""
    note: str = ""
    on: str = ""


def tried_of(job: Job, result: DrillResult | None, failure: HoldfastError | None) -> Tried:
    return Tried(
        job=job.id,
        files=result.files if result is not None else 0,
        size_bytes=result.size_bytes if result is not None else 0,
        problem=failure.message if failure is not None else "",
        note=result.note if result is not None else "",
    )


def check_script(home: Path, rules: Rules, plan: DrillPlan, tested: Tested) -> CheckScript:
    """Raises `OutsideLimits` at once, before anything is restored."""
    limits = load_limits(home, [repository.location for repository in rules.repositories])
    script, point = limits.hook(plan.check), tested.point
    policy = point.dataset.partition("/")[2]
    environment = hook_environment(dataset=point.dataset, policy=policy, node=rules.node_name, phase="drill")

    def check(folder: Path) -> None:
        about = {
            "HOLDFAST_FOLDER": str(folder),
            "HOLDFAST_POINT": point.id,
            "HOLDFAST_POINT_TIME": point.time.isoformat(),
            "HOLDFAST_REPOSITORY": tested.repository,
        }
        run_hook(script, {**environment, **about}, plan.timeout_s, clock=tested.clock)

    return check


def verdict(
    job: Job,
    point: Point,
    result: DrillResult | None,
    failure: HoldfastError | None,
    before: tuple[Sequence[Finding], Sequence[Step]] = ((), ()),
) -> Job:
    """The ended job. `before`: what was found and mended until then."""
    findings, steps = before
    files, size_bytes = (result.files, result.size_bytes) if result is not None else (0, 0)
    tried = Step(code="files-proven", message="files restored on trial and equal", count=files, size_bytes=size_bytes)
    about = Step(code="point-tried", message=f"point of {point.dataset} of {point.time:%Y-%m-%d %H:%M} UTC", path=point.id)
    told = list(findings)
    if result is not None and result.note:
        told.append(Finding(code="drill-shrunk", severity=Severity.WARNING, message=result.note))
    if isinstance(failure, HookFailed | OutsideLimits):
        # The bytes are what was stored; whether that is any good is what the script doubts.
        hint = "look at the output, and at the point it names; mend the script or the source"
        said = tuple(failure.context.get("output", "").strip().splitlines()[-_OUTPUT_LINES:])
        told.append(Finding(code="check-failed", severity=Severity.ERROR, message=failure.message, path=point.id, hint=hint, affected=said))
        return ended(job, State.WARNINGS, told, about, tried, *steps)
    if failure is not None:
        return msgspec.structs.replace(ended(job, State.FAILED, told, about, tried, *steps), error=failure.facts())
    return ended(job, State.WARNINGS if told else State.SUCCEEDED, told, about, tried, *steps)


def ended(job: Job, state: State, findings: Sequence[Finding], *steps: Step) -> Job:
    return msgspec.structs.replace(
        job,
        state=state,
        findings=tuple(findings[:MAX_FINDINGS]),
        findings_total=len(findings),
        report=Report(steps=steps) if steps else None,
    )

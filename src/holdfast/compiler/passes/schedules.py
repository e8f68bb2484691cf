"""Pass `schedules`: does anything ever run, and in an order that ends."""

from __future__ import annotations

from holdfast.compiler.drawing import Drawing, Leg, operation_where, policy_where
from holdfast.compiler.report import Report
from holdfast.compiler.timing import is_timed
from holdfast.model.document import OperationUse, Policy, ScheduleEntry
from holdfast.model.operations import SPECS


def check_schedules(drawing: Drawing, legs: tuple[Leg, ...], report: Report) -> None:
    schedules = {schedule.name: schedule for schedule in drawing.document.schedules}
    for policy in drawing.document.policies:
        _check_after(policy, report)
        for operation in policy.operations:
            _check_idle(policy, operation, schedules, report)
        captured = {leg.carried.operation.name for leg in legs if leg.origin is None and leg.policy.name == policy.name}
        timed = [each for each in policy.operations if each.name in captured and is_timed(each.when, schedules)]
        if captured and not timed and not any(_is_followed(leg) for leg in legs if leg.policy.name == policy.name):
            hint = "give one of its operations `every:` or `at:`"
            message = f"nothing of `{policy.name}` is scheduled: it runs only when triggered"
            report.add("nothing-scheduled", policy_where(policy), message, hint)


def _is_followed(leg: Leg) -> bool:
    """Whether what it carries goes as it changes, and not only when points are due."""
    spec = SPECS[leg.carried.operation.kind]
    return leg.origin is None and not spec.makes_points and (spec.continuous or leg.movers[0].mover.mode == "continuous")


def _check_idle(policy: Policy, operation: OperationUse, schedules: dict[str, ScheduleEntry], report: Report) -> None:
    when = operation.when
    if (when.schedule in schedules or when.inline is not None) and not is_timed(when, schedules):
        name = f"schedule `{when.schedule}`" if when.schedule else f"the schedule of `{policy.name}/{operation.name}`"
        message = f"{name} says when runs may start; nothing says how often"
        hint = "add `every:` or `at:` to the operation, or `at:` to the schedule"
        report.add("schedule-idle", operation_where(policy, operation, "schedule"), message, hint)


def _check_after(policy: Policy, report: Report) -> None:
    waits = {operation.name: operation.when.after for operation in policy.operations if operation.when.after}
    for operation in policy.operations:
        way = [operation.name]
        while (following := waits.get(way[-1], "")) and following not in way:
            way.append(following)
        if following == operation.name:
            message = f"these operations wait for each other: {' -> '.join([*way, following])}"
            report.add("after-cycle", operation_where(policy, operation, "after"), message, "give one of them a time of its own")

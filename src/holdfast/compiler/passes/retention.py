"""Pass `retention`: how long points stay, and whether that makes sense."""

from __future__ import annotations

import msgspec

from holdfast.compiler.drawing import Drawing, Leg, operation_where
from holdfast.compiler.inventory import Inventory
from holdfast.compiler.report import Report
from holdfast.compiler.timing import times_of
from holdfast.core.units import format_duration
from holdfast.model.document import KeepRules

DAY_S = 86_400.0


def keep_of(leg: Leg) -> KeepRules:
    """What the last mover that says something says; else what the operation says."""
    return next((mover.keep for mover in reversed(leg.movers) if not mover.keep.is_empty()), leg.carried.operation.keep)


def check_locks(legs: tuple[Leg, ...], drawing: Drawing, inventory: Inventory, report: Report) -> None:
    """What is locked must lie where the Master's own users cannot reach it."""
    nodes = {node.name: node for node in drawing.draft.nodes}
    for leg in legs:
        operation, repository = leg.carried.operation, leg.sink.repository
        if operation.lock_s is None or repository is None or repository.node not in nodes:
            continue
        identity = inventory.identity(nodes[repository.node])
        if identity is not None and identity.has_limits is False:
            message = f"points of `{leg.carried.label}` are locked in `{repository.name}`, and `{repository.node}` has no limits.toml"
            hint = f"let root on {repository.node} write one: it says which folders the Master may have written to"
            report.add("lock-unprotected", operation_where(leg.policy, operation, "lock"), message, hint)


def check_retention(legs: tuple[Leg, ...], drawing: Drawing, report: Report) -> None:
    schedules = {schedule.name: schedule for schedule in drawing.document.schedules}
    for leg in legs:
        if leg.sink.kind != "repository" or "keep" not in leg.carried.spec.options or leg.carried.operation.kind == "archive":
            continue
        keep, operation = keep_of(leg), leg.carried.operation
        where = operation_where(leg.policy, operation)
        if keep.is_empty():
            hint = "add for example `keep: {daily: 30, monthly: 12}`"
            report.add("no-keep", where, f"`{leg.carried.label}` keeps every point for ever", hint)
            continue
        rpo_s = operation.when.every_s or (DAY_S if times_of(operation.when, schedules).at else None)
        only_within = keep.within_s > 0 and msgspec.structs.replace(keep, within_s=0).is_empty()
        if rpo_s is not None and only_within and keep.within_s < rpo_s:
            kept, due = format_duration(keep.within_s), format_duration(rpo_s)
            message = f"points of `{leg.carried.label}` are kept {kept}, and a new one is due only every {due}"
            hint = "keep them longer than that, or add for example `last: 3`"
            mover = next((mover for mover in reversed(leg.movers) if not mover.keep.is_empty()), None)
            report.add(
                "keep-shorter-than-rpo", mover.where("keep") if mover else operation_where(leg.policy, operation, "keep"), message, hint
            )

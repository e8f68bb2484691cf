"""Pass `unused`: what is drawn and does nothing."""

from __future__ import annotations

from holdfast.compiler.drawing import Drawing, DrawnVertex, Leg, operation_where, policy_where
from holdfast.compiler.inventory import Inventory
from holdfast.compiler.report import Report
from holdfast.model.diagnostics import Where
from holdfast.model.document import Policy
from holdfast.model.operations import SPECS


def check_unused(drawing: Drawing, legs: tuple[Leg, ...], inventory: Inventory, report: Report) -> None:
    carried = {leg.carried.label for leg in legs}
    for policy in drawing.document.policies:
        for operation in policy.operations:
            if SPECS[operation.kind].receiver != "none" and f"{policy.name}/{operation.name}" not in carried:
                hint = f"add `{policy.name}/{operation.name}` to the `carries` of a mover, or take the operation out"
                message = f"no mover carries `{policy.name}/{operation.name}`: nothing is done for it"
                report.add("not-carried", operation_where(policy, operation), message, hint)
        if policy.classification.consistent == "snapshot" and all(SPECS[each.kind].continuous for each in policy.operations):
            message = f"policy `{policy.name}` asks for snapshots, and what is followed is never read from one"
            hint = "add a `backup` once a night, or leave `consistent` out"
            report.add("snapshot-unused", policy_where(policy, "classification.consistent"), message, hint)
    _report_vertices(drawing, legs, report)
    _report_schedules(drawing, inventory, report)
    used = {name for flow in drawing.draft.flows for vertex in flow.vertices for name in vertex.policies}
    for policy in drawing.draft.policies:
        if policy.name not in used:
            hint = "name it in the `policies` of a node or group in a flow"
            report.add("policy-unused", policy_where(policy), f"policy `{policy.name}` is in no flow", hint)


def _report_vertices(drawing: Drawing, legs: tuple[Leg, ...], report: Report) -> None:
    """By where each stands: that another flow fills a repository reaches no vertex of this one, and that a policy is carried from one
    source protects nothing of another."""
    movers = [mover for leg in legs for mover in leg.movers]
    touched = {_place(end) for mover in movers for end in (mover.source, mover.target)}
    carried = {leg.policy.name for leg in legs}
    leaving = {(_place(leg.movers[0].source), leg.policy.name) for leg in legs}
    for vertex in drawing.vertices:
        if _place(vertex) not in touched:
            _report_vertex(vertex, report)
            continue
        for policy in vertex.policies:
            if policy.name in carried and (_place(vertex), policy.name) not in leaving:
                _report_policy(vertex, policy, report)


def _place(vertex: DrawnVertex) -> tuple[str, str]:
    return vertex.flow, vertex.vertex.name


def _report_policy(vertex: DrawnVertex, policy: Policy, report: Report) -> None:
    """One that is carried from other sources; of one that no mover carries at all each operation is told."""
    name = vertex.vertex.name
    where = vertex.where(f"policies[{vertex.vertex.policies.index(policy.name)}]")
    hint = f"add its operations to the `carries` of a mover from `{name}`, or take the policy off it"
    report.add("not-carried", where, f"no mover from `{name}` carries anything of `{policy.name}`: it is not protected there", hint)


def _report_schedules(drawing: Drawing, inventory: Inventory, report: Report) -> None:
    used = {
        operation.when.schedule for policy in drawing.draft.policies for operation in policy.operations
    } | inventory.schedules_of_reports
    for schedule in drawing.draft.schedules:
        if schedule.name not in used:
            where = Where(path=f"schedules.{schedule.name}", kind="schedule", name=schedule.name)
            hint = f"write `schedule: {schedule.name}` in an operation, or take it out"
            report.add("schedule-unused", where, f"no operation and no report names schedule `{schedule.name}`", hint)


def _report_vertex(vertex: DrawnVertex, report: Report) -> None:
    name = vertex.vertex.name
    if vertex.is_source and not vertex.policies:
        message, hint = f"`{name}` has no policies: nothing leaves it", "write `policies: [NAME]`"
    elif vertex.is_source:
        message, hint = f"nothing leaves `{name}`", "draw a mover from it to a repository or mirror"
    else:
        message, hint = f"nothing reaches `{name}`", "draw a mover to it, or take it out"
    report.add("unreachable-vertex", vertex.where(), message, hint)

"""Pass `movers`: both ends fit each other and what is carried; movers and operations that do not are taken out of the drawing."""

from __future__ import annotations

from dataclasses import replace

from holdfast.compiler.drawing import Carried, Drawing, DrawnMover
from holdfast.compiler.nearest import nearest_hint
from holdfast.compiler.report import Report
from holdfast.model.subsets import paths_in


def check_movers(drawing: Drawing, report: Report) -> Drawing:
    movers = []
    for mover in drawing.movers:
        if not _ends_fit(mover, report):
            continue
        _check_options(mover, report)
        fitting = tuple(carried for carried in mover.carries if _receiver_fits(mover, carried, report))
        movers.append(replace(mover, carries=fitting))
    return replace(drawing, movers=tuple(movers))


def _ends_fit(mover: DrawnMover, report: Report) -> bool:
    if mover.source.key == mover.target.key:
        problem, hint = "the mover leads from a vertex to itself", "draw it to another vertex"
    elif mover.source.kind == "mirror":
        problem, hint = "a mirror sends nothing on", "draw the mover from the source or from a repository"
    elif mover.target.is_source:
        problem, hint = "a source takes nothing in", "draw the mover to a repository, mirror or relay"
    else:
        return True
    report.add("bad-mover", mover.where(), problem, hint)
    return False


def _check_options(mover: DrawnMover, report: Report) -> None:
    if mover.mover.after and mover.source.kind != "repository":
        hint = "`after` belongs to movers from a repository; elsewhere the operation's own schedule counts"
        report.add("option-not-here", mover.where("after"), "`after` means nothing here", hint)
    if not mover.keep.is_empty() and mover.target.kind == "mirror":
        hint = "a mirror has one state; `removed:` of the operation says how long removed files are kept"
        report.add("option-not-here", mover.where("keep"), "`keep` means nothing here", hint)
    after = mover.mover.after
    if after and mover.source.kind == "repository":
        _check_after(mover, after, report)
    _check_only(mover, report)


def _check_only(mover: DrawnMover, report: Report) -> None:
    only = mover.mover.only
    if only and mover.source.kind == "relay":
        hint = "write it on the mover that brings it to the relay"
        report.add("option-not-here", mover.where("only"), "a relay hands on all that it is given", hint)
    elif paths_in(only) and mover.source.kind != "repository":
        hint = "make a policy for these paths: its classification says what is captured"
        report.add("option-not-here", mover.where("only"), "`only` with paths belongs to movers from a repository", hint)
    policies = {carried.policy.name for carried in mover.carries}
    for index, entry in enumerate(only):
        policy = "" if entry.startswith("/") else entry.partition("/")[2]
        if policy and policy not in policies:
            hint = nearest_hint(policy, policies, "name a policy that the mover carries something of")
            report.add("option-not-here", mover.where(f"only[{index}]"), f"the mover carries nothing of policy `{policy}`", hint)


def _check_after(mover: DrawnMover, after: str, report: Report) -> None:
    policies = {carried.policy.name: carried.policy for carried in mover.carries}
    name, _, operation = after.partition("/")
    policy = policies.get(name)
    if policy is None:
        known = ", ".join(f"`{each}`" for each in policies)
        hint = f"name an operation of {known}" if known else "name an operation of a policy that the mover carries"
        report.add("option-not-here", mover.where("after"), f"the mover carries nothing of policy `{name}`", hint)
    elif operation not in {each.name for each in policy.operations}:
        hint = f"it has {', '.join(each.name for each in policy.operations)}"
        report.add("unknown-operation", mover.where("after"), f"policy `{name}` has no operation `{operation}`", hint)


def _receiver_fits(mover: DrawnMover, carried: Carried, report: Report) -> bool:
    spec, kind = carried.spec, mover.target.kind
    where = mover.where_carried(carried)
    if spec.continuous and mover.mover.mode == "batch":
        hint = "leave `mode` out: it becomes continuous by itself"
        report.add("mode-batch", mover.where("mode"), f"`{carried.label}` needs a continuous stream", hint)
    if mover.mover.mode == "continuous" and mover.source.kind == "repository":
        hint = "leave `mode` out: points are handed on when they are made"
        report.add("option-not-here", mover.where("mode"), "a repository has no stream of changes of its own", hint)
    if spec.receiver == "none":
        report.add("wrong-receiver", where, f"`{spec.kind}` works on the source itself; no mover carries it", "take it off the mover")
        return False
    if kind != "relay" and kind != spec.receiver:
        hint = f"draw the mover to a {spec.receiver}"
        report.add("wrong-receiver", where, f"a {kind} cannot take `{carried.label}`: `{spec.kind}` needs a {spec.receiver}", hint)
        return False
    return True

"""Pass `archives`: what an archive operation needs before anybody lets go of a file for it."""

from __future__ import annotations

from holdfast.compiler.drawing import Leg, operation_where, policy_where
from holdfast.compiler.report import Report
from holdfast.model.document import OperationUse, Policy
from holdfast.model.rules import ArchiveRule


def archive_rule(operation: OperationUse) -> ArchiveRule | None:
    """None where it archives nothing. `leave: placeholder` is an error of its own."""
    if operation.kind != "archive" or operation.archive_leave == "placeholder":
        return None
    return ArchiveRule(
        older_than_s=operation.archive_older_than_s,
        larger_than_bytes=operation.archive_larger_than_bytes,
        leave=operation.archive_leave,
    )


def check_archives(legs: tuple[Leg, ...], report: Report) -> None:
    archiving = [leg for leg in legs if leg.carried.operation.kind == "archive"]
    told: set[tuple[str, str]] = set()
    for leg in archiving:
        _check_way(leg, report)
        if (leg.policy.name, leg.carried.operation.name) not in told:
            told.add((leg.policy.name, leg.carried.operation.name))
            _check_options(leg.policy, leg.carried.operation, report)
    names: dict[str, set[str]] = {}
    policies = {leg.policy.name: leg.policy for leg in archiving}
    for policy, operation in sorted(told):
        names.setdefault(policy, set()).add(operation)
    for name, operations in names.items():
        if len(operations) > 1:
            message = f"policy `{name}` has {len(operations)} archive operations; one file can go to one archive"
            report.add("two-archives", policy_where(policies[name], "operations"), message, "split the policy: one for each of them")


def _check_way(leg: Leg, report: Report) -> None:
    mover = leg.movers[-1]
    if leg.origin is not None:
        problem = f"`{leg.carried.label}` would be carried on from a repository; what is archived stays in the one it came to"
    elif len(leg.movers) > 1:
        problem = f"`{leg.carried.label}` goes through a relay; the source must reach the repository to recall what it archives"
    else:
        return
    report.add("archive-way", mover.where_carried(leg.carried), problem, "draw a mover from the source to each repository that archives")


def _check_options(policy: Policy, operation: OperationUse, report: Report) -> None:
    label = f"{policy.name}/{operation.name}"
    if operation.archive_older_than_s is None and operation.archive_larger_than_bytes is None:
        message = f"`{label}` does not say which files; all of them would leave the source"
        report.add("archive-everything", operation_where(policy, operation), message, "add for example `when: {older_than: 365d}`")
    if operation.archive_keep_s is None:
        hint = "add for example `keep: 7y`"
        report.add("no-keep", operation_where(policy, operation), f"`{label}` keeps every archived file for ever", hint)

"""Pass `riding`: what has no schedule rides with every run of its dataset, so also with points that else cost the source nothing."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.compiler.drawing import Drawing, operation_where
from holdfast.compiler.report import Report, some
from holdfast.model.operations import SPECS
from holdfast.model.rules import DatasetRule, Delivery, Rules
from holdfast.model.schedule import has_schedule


def check_riding(drawing: Drawing, rules: Iterable[Rules], report: Report) -> None:
    """Needs rules: whether a batch brings an operation is known when movers have become deliveries."""
    policies = {policy.name: policy for policy in drawing.document.policies}
    for part in rules:
        deliveries: dict[str, list[Delivery]] = {}
        for delivery in part.deliveries:
            deliveries.setdefault(delivery.dataset, []).append(delivery)
        for dataset in part.datasets:
            riding, points = _riding(dataset, deliveries.get(dataset.id, ()))
            policy = policies.get(dataset.policy)
            if policy is None or not points:
                continue
            for operation in policy.operations:
                if operation.name in riding:
                    label = f"{policy.name}/{operation.name}"
                    message = f"`{label}` has no schedule and goes as a batch: each point of {points} makes it too, and reads the source"
                    hint = "give it `every:` or `at:` of its own"
                    report.add("rides-with-points", operation_where(policy, operation), message, hint)


def _riding(dataset: DatasetRule, deliveries: Iterable[Delivery]) -> tuple[frozenset[str], str]:
    """The operations that ride in a batch, and the scheduled ones of what is followed, as words."""
    carried = {"batch": set[str](), "continuous": set[str]()}
    for delivery in deliveries:
        carried[delivery.mode].update(delivery.operations)
    unscheduled = {each.name for each in dataset.operations if not has_schedule(each) and not each.after}
    points = [
        f"`{each.name}`"
        for each in dataset.operations
        if each.name in carried["continuous"] and has_schedule(each) and SPECS[each.kind].continuous and SPECS[each.kind].makes_points
    ]
    return frozenset(carried["batch"] & unscheduled), some(points)

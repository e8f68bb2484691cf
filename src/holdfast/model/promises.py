"""What the rules of one node promise: which operation reaches which action, and what a run marks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from holdfast.core.ids import DatasetId
from holdfast.model.rules import Delivery, OperationRule, Rules
from holdfast.model.schedule import has_schedule


@dataclass(frozen=True, kw_only=True)
class Promise:
    """One thing the rules promise. `cascade` is the id of the cascade it belongs to, empty for what this node captures; `after`: the
    operation whose points start it."""

    delivery: Delivery
    operation: str
    action: str
    cascade: str = ""
    after: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.delivery.dataset, self.operation, self.action


def promises_of(rules: Rules) -> Iterator[Promise]:
    """In the order of the rules. What a relay hands on is promised by the node that sends it: a forward is acknowledged only when the
    next node has acknowledged, and the relay runs no job that could say how it went."""
    captured = {dataset.id for dataset in rules.datasets}
    for delivery in rules.deliveries:
        if delivery.dataset in captured:
            yield from _of_delivery(delivery, "")
    for cascade in rules.cascades:
        yield from _of_delivery(cascade.delivery, cascade.id, cascade.after)


def labels_in(rules: Rules | None) -> dict[DatasetId, str]:
    """What people call the datasets that this node captures or sends on."""
    if rules is None:
        return {}
    of_promises = {promise.delivery.dataset: promise.delivery.label for promise in promises_of(rules)}
    return {dataset.id: dataset.label for dataset in rules.datasets} | of_promises


def _of_delivery(delivery: Delivery, cascade: str, after: str = "") -> Iterator[Promise]:
    pairs = delivery.action_operations or tuple((action, delivery.operations) for action in delivery.actions)
    for action, operations in pairs:
        for operation in operations:
            yield Promise(delivery=delivery, operation=operation, action=action, cascade=cascade, after=after)


def operation_rules(rules: Rules) -> dict[tuple[str, str], OperationRule]:
    """By (dataset, operation name), of what this node captures."""
    return {(dataset.id, operation.name): operation for dataset in rules.datasets for operation in dataset.operations}


def complete(rules: Rules, dataset: DatasetId, asked: Iterable[str]) -> tuple[str, ...]:
    """The operations a run of this dataset marks when `asked` are due: these, those without a schedule, and those that come after one of
    them. Only what some delivery carries; in the policy's order."""
    carried = {promise.operation for promise in promises_of(rules) if promise.delivery.dataset == dataset and not promise.cascade}
    operations = next((rule.operations for rule in rules.datasets if rule.id == dataset), ())
    chosen = {name for name in asked if name in carried}
    if not chosen:
        return ()
    chosen |= {op.name for op in operations if op.name in carried and not has_schedule(op) and not op.after}
    grown = True
    while grown:
        more = {op.name for op in operations if op.name in carried and last_part(op.after) in chosen} - chosen
        chosen |= more
        grown = bool(more)
    return tuple(op.name for op in operations if op.name in chosen)


def last_part(name: str) -> str:
    """`documents/backup` -> `backup`."""
    return name.rpartition("/")[2]

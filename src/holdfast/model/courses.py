"""The runs of one dataset to come, if each takes no time: what a node would do by its rules. Pure; the node's scheduler makes the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

import msgspec

from holdfast.model.promises import complete, promises_of
from holdfast.model.rate_table import opens_at
from holdfast.model.rules import DatasetRule, Delivery, OperationRule, Rules
from holdfast.model.schedule import due_at, has_schedule


@dataclass(frozen=True)
class CourseRun:
    """`operations`: what it marks."""

    at: datetime
    operations: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class CourseStart:
    """`since`: the rules came in force then, or nothing before it matters. `last`: when runs of an operation began last; one that is not in
    it never ran. `share`: of jitter, see `model.schedule.share_of`. `settle_s`: first runs wait so long."""

    since: datetime
    last: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))
    share: float = 0.0
    settle_s: float = 0.0


_MOST_QUIET = timedelta(days=400)


def runs_of(rules: Rules, dataset: DatasetRule, start: CourseStart) -> Iterator[CourseRun]:
    """Rising and without end, unless nothing is ever due. Each run is over as it begins, and every receiver is there. Where all that is due
    comes too late again and again, as with windows that never meet, the end is after more than a year without a run.
    """
    deliveries = tuple(delivery for delivery in rules.deliveries if delivery.dataset == dataset.id)
    alone = msgspec.structs.replace(rules, datasets=(dataset,), deliveries=deliveries, cascades=())
    carried: dict[str, dict[str, Delivery]] = {}
    for promise in promises_of(alone):
        carried.setdefault(promise.operation, {})[promise.delivery.id] = promise.delivery
    known = {operation.name: operation for operation in dataset.operations if operation.name in carried}
    begun, now, latest = dict(start.last), start.since, start.since
    marked: dict[tuple[str, ...], tuple[str, ...]] = {}
    while True:
        due = _due(known, carried, begun, now, start)
        asked = tuple(name for name, moment in due.items() if moment <= now)
        if asked:
            if asked not in marked:
                marked[asked] = complete(alone, dataset.id, asked)
            latest = now
            begun.update(dict.fromkeys(marked[asked], now))
            yield CourseRun(now, marked[asked])
        elif due and now - latest < _MOST_QUIET:
            # Looked at again then, as a node does: what is too late by then may be left out.
            now = min(due.values())
        else:
            return


def _due(
    known: Mapping[str, OperationRule],
    carried: Mapping[str, Mapping[str, Delivery]],
    begun: Mapping[str, datetime],
    now: datetime,
    start: CourseStart,
) -> dict[str, datetime]:
    """By operation, when it should run next; at or before `now` = now."""
    due = {}
    for name, rule in known.items():
        moments = [_next(rule, delivery, begun.get(name), now, start) for delivery in carried[name].values()]
        moment = min((each for each in moments if each is not None), default=None)
        if moment is not None:
            due[name] = moment
    return due


def _next(rule: OperationRule, delivery: Delivery, last: datetime | None, now: datetime, start: CourseStart) -> datetime | None:
    """Not before the mover is open. What is followed begins with a scan of everything, once."""
    settled = start.since + timedelta(seconds=start.settle_s)
    if has_schedule(rule):
        wanted = due_at(rule, last, now, since=start.since, share=start.share)
        if wanted is not None and last is None:
            wanted = max(wanted, settled)
    else:
        wanted = settled if delivery.mode == "continuous" and not rule.after and last is None else None
    if wanted is None or not delivery.windows:
        return wanted
    return opens_at(delivery.windows, max(wanted, now))

"""How far a promise was kept, from when runs were captured and acknowledged. Judged as nodes judge what is overdue. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from holdfast.model.rules import OperationRule
from holdfast.model.schedule import due_at

_LATE_S = 3_600.0


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A run that a receiver acknowledged: when its capture began, and when it was acknowledged."""

    captured_at: datetime
    acknowledged_at: datetime


class Miss(msgspec.Struct, frozen=True, kw_only=True):
    since: datetime
    until: datetime


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """`ratio`: the part of the time in which the promise was kept, of `judged_s` seconds; null = there is no run to judge by. `misses`:
    oldest first."""

    ratio: float | None
    judged_s: float
    misses: tuple[Miss, ...]


def judge(rule: OperationRule, runs: Iterable[Kept], since: datetime, until: datetime, share: float = 0.0) -> Judged:
    """Time before the first run on record counts neither way. A run that was acknowledged later, and is older, changes nothing.
    `share`: see `model.schedule.share_of`."""
    ordered = sorted((run for run in runs if run.acknowledged_at <= until), key=lambda run: run.acknowledged_at)
    if not ordered:
        return Judged(ratio=None, judged_s=0.0, misses=())
    newest = ordered[0].captured_at
    begin = judged_from = max(since, ordered[0].acknowledged_at)
    misses: list[Miss] = []
    for acknowledged_at, captured_at in (*((r.acknowledged_at, r.captured_at) for r in ordered[1:]), (until, until)):
        if captured_at <= newest:
            continue
        deadline = _deadline(rule, newest, share)
        if deadline is not None and deadline < acknowledged_at:
            miss = Miss(since=max(deadline, judged_from), until=min(acknowledged_at, until))
            if miss.since < miss.until:
                misses.append(miss)
        newest, judged_from = captured_at, max(begin, acknowledged_at)
    judged_s = max(0.0, (until - begin).total_seconds())
    missed_s = sum((miss.until - miss.since).total_seconds() for miss in misses)
    return Judged(ratio=1 - missed_s / judged_s if judged_s else None, judged_s=judged_s, misses=tuple(misses))


def _deadline(rule: OperationRule, captured_at: datetime, share: float) -> datetime | None:
    """When what was captured then is too old, with the grace that nodes give."""
    due = due_at(rule, captured_at, captured_at, since=captured_at, share=share)
    grace_s = _LATE_S if rule.every_s is None else max(0.1 * rule.every_s, 60.0)
    return None if due is None else due + timedelta(seconds=grace_s)

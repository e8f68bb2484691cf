"""What a cascade waits for at the hop before it: its own node knows only what has come, another knows why no more does. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import attrgetter

import msgspec

from holdfast.core.ids import ActionId
from holdfast.master.judging.node_parts import NodePart
from holdfast.master.judging.verdict import Standing, standing_of
from holdfast.model.jobs import State
from holdfast.model.node_status import Protection
from holdfast.model.promises import last_part
from holdfast.model.waits import Wait, WaitReason

_Key = tuple[ActionId, str]
"""An action that stores, and an operation of it."""

_WHY = {
    Standing.FAILED: "it failed",
    Standing.OVERDUE: "it is overdue",
    Standing.UNKNOWN: "its node does not answer",
    Standing.FRESH: "it has not run yet",
}


def with_upstream(parts: Sequence[NodePart]) -> tuple[NodePart, ...]:
    """The same parts; where a cascade stands still because the hop before it does, another that says so."""
    wanted = {action for feeds in filter(None, map(attrgetter("feeds"), parts)) for feed in feeds.values() for action in feed.actions}
    if not wanted:
        return tuple(parts)
    before: dict[_Key, Protection] = {}
    for part in parts:
        for each in part.protections:
            if each.action_id in wanted:
                before.setdefault((each.action_id, each.operation), each)
    return tuple(_explained(part, before) for part in parts)


def _explained(part: NodePart, before: Mapping[_Key, Protection]) -> NodePart:
    if not part.feeds:
        return part
    told = tuple(_with_wait(each, part, before) for each in part.protections)
    changed = any(new is not old for new, old in zip(told, part.protections, strict=True))
    return replace(part, protections=told) if changed else part


def _with_wait(cascade: Protection, part: NodePart, before: Mapping[_Key, Protection]) -> Protection:
    feed = part.feeds.get(cascade.delivery)
    is_explained = cascade.wait is not None and cascade.wait.reason is not WaitReason.UPSTREAM
    if feed is None or is_explained or cascade.error is not None or cascade.state is State.RUNNING:
        return cascade
    operation = last_part(feed.after) if feed.after else cascade.operation
    for action in feed.actions:
        hop = before.get((action, operation))
        why = None if hop is None else _WHY.get(standing_of(hop))
        if hop is not None and why is not None:
            why = hop.error.message if hop.error is not None else why
            wait = Wait(reason=WaitReason.UPSTREAM, what=f"{hop.operation} to {hop.action or hop.receiver}", since=hop.last_at, why=why)
            return msgspec.structs.replace(cascade, wait=wait)
    return cascade

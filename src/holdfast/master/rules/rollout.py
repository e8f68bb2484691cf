"""Handing out rules: number and sign what changed, push it to who is there, wait for the answers, take it back when told to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Literal

import msgspec
from sqlalchemy.orm import Session

from holdfast.core.errors import ErrorFacts, HoldfastError
from holdfast.core.ids import NodeId
from holdfast.master.foundation import Foundation
from holdfast.master.hub import issuing
from holdfast.master.hub.hub import Hub
from holdfast.master.records import inventory
from holdfast.master.records.inventory import StoredRules
from holdfast.model.rules import Rules, decode_rules

CONFIRM_TIMEOUT_S = 30.0
OutcomeState = Literal["confirmed", "pending", "refused", "unchanged"]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one node's rules. `node` is its name. `pending`: it is offline or silent, and gets them when it comes."""

    node: str
    state: OutcomeState
    generation: int
    problems: tuple[ErrorFacts, ...] = ()


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """New rules of one node, stored; `previous` is what it had before (None = nothing)."""

    rules: Rules
    stored: StoredRules
    previous: Rules | None
    changed: bool


def issue_changed(session: Session, base: Foundation, rules: Mapping[NodeId, Rules]) -> tuple[Issued, ...]:
    """Store what differs from each node's newest rules. Nodes that had nothing and get nothing are left out."""
    newest, revoked = inventory.newest_of_all(session), issuing.revoked_now(session, base)
    wanted = {node: issuing.with_revoked(compiled, revoked) for node, compiled in rules.items()}
    wanted = {node: one for node, one in wanted.items() if node in newest or not is_idle(one)}
    changed = {node: one for node, one in wanted.items() if (had := newest.get(node)) is None or not _is_same(had, one)}
    stored = issuing.issue(session, base, changed.values())
    before = {node: decode_rules(newest[node].signed.body) for node in wanted if node in newest}
    return tuple(
        Issued(rules=one, stored=stored.get(node) or newest[node], previous=before.get(node), changed=node in changed)
        for node, one in wanted.items()
    )


def issue_previous(session: Session, base: Foundation, issued: tuple[Issued, ...]) -> tuple[Issued, ...]:
    """Take changed rules back: what each node had before, under a number above the new one."""
    back = {one.stored.node: one.previous or idle(one.rules) for one in issued if one.changed}
    stored = issuing.issue(session, base, back.values())
    given = {one.stored.node: one.rules for one in issued}
    return tuple(Issued(rules=rules, stored=stored[node], previous=given[node], changed=True) for node, rules in back.items())


def _is_same(had: StoredRules, wanted: Rules) -> bool:
    return had.state != inventory.REFUSED and had.content == issuing.content_of(wanted)


async def push_all(hub: Hub, issued: tuple[Issued, ...]) -> tuple[Outcome, ...]:
    """Push to every node that is online and has not confirmed yet; one outcome for each."""
    return tuple(await asyncio.gather(*(_push(hub, one) for one in issued)))


async def _push(hub: Hub, issued: Issued) -> Outcome:
    stored, name = issued.stored, issued.rules.node_name
    if stored.state == inventory.CONFIRMED:
        return Outcome(node=name, state="unchanged", generation=stored.generation)
    try:
        answer = await hub.push(stored.node, stored.generation, stored.signed, CONFIRM_TIMEOUT_S)
    except HoldfastError:
        return Outcome(node=name, state="pending", generation=stored.generation)
    state: OutcomeState = "refused" if answer.problems else "confirmed"
    return Outcome(node=name, state=state, generation=stored.generation, problems=answer.problems)


def is_idle(rules: Rules) -> bool:
    """Nothing to do but to be there."""
    return issuing.content_of(rules) == issuing.content_of(idle(rules))


def idle(rules: Rules) -> Rules:
    """The same node with nothing to do."""
    return Rules(
        environment=rules.environment,
        environment_name=rules.environment_name,
        node=rules.node,
        node_name=rules.node_name,
        generation=rules.generation,
        created_at=rules.created_at,
    )

"""Making rules ready to go out: number them, sign them, write them down."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy.orm import Session

from holdfast.core.ids import NodeId
from holdfast.master.foundation import Foundation
from holdfast.master.records import inventory
from holdfast.master.records.inventory import RulesHead, StoredRules
from holdfast.model.rules import Rules, SignedRules, decode_rules, encode_rules, signed_bytes_of_rules

CERTIFICATE_LIFETIME_S = 90 * 86_400.0
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def content_of(rules: Rules) -> str:
    """Digest of what the rules say, apart from number and time: equal means that nothing changed for the node."""
    return hashlib.sha256(encode_rules(msgspec.structs.replace(rules, generation=0, created_at=_NEVER))).hexdigest()


def revoked_now(session: Session, base: Foundation) -> tuple[str, ...]:
    """The keys that rules name as revoked. Of one revoked longer ago than certificates live TLS refuses the last by itself: left out."""
    since = base.now() - timedelta(seconds=CERTIFICATE_LIFETIME_S + 86_400)
    return tuple(sorted(inventory.revoked_keys(session, since)))


def with_revoked(rules: Rules, revoked: tuple[str, ...]) -> Rules:
    """These rules with the keys that are revoked by now, where the node takes sessions."""
    takes_sessions = rules.receives or rules.repositories or rules.reads or rules.copy_grants
    return msgspec.structs.replace(rules, revoked=revoked if takes_sessions else ())


def issue(session: Session, base: Foundation, every: Collection[Rules]) -> dict[NodeId, StoredRules]:
    """Number the rules of each node above everything it has ever seen, sign them and store them as pending."""
    highest = inventory.highest_generations(session) if len(every) > 1 else _highest(session, every)
    revoked, now = revoked_now(session, base), base.now()
    issued = {}
    for rules in every:
        generation = highest.get(rules.node, 0) + 1
        numbered = msgspec.structs.replace(with_revoked(rules, revoked), generation=generation, created_at=now)
        body = encode_rules(numbered)
        signature = base.authority.sign(signed_bytes_of_rules(body))
        issued[rules.node] = StoredRules(
            node=rules.node,
            generation=generation,
            content=content_of(numbered),
            signed=SignedRules(body=body, signature=signature, digest=hashlib.sha256(body).hexdigest()),
            state=inventory.PENDING,
        )
    inventory.add_rules(session, issued.values(), now)
    return issued


def rules_for_hello(session: Session, base: Foundation, node: NodeId, generation: int, head: RulesHead | None) -> StoredRules | None:
    """The rules a node must get that says `generation` is in force; None when it has the newest. `head`: of its newest.

    A node ahead of the records (they were restored from a copy) gets the same rules again under a number above its own.
    """
    if head is not None and head.generation == generation:
        if head.state != inventory.CONFIRMED:
            inventory.judge_rules(session, node, generation, ())
        return None
    newest = inventory.newest_rules(session, node) if head is not None else None
    if newest is None or newest.generation > generation:
        return newest
    return issue(session, base, (decode_rules(newest.signed.body),))[node]


def _highest(session: Session, every: Iterable[Rules]) -> dict[NodeId, int]:
    known = (inventory.node_by_id(session, rules.node) for rules in every)
    return {node.id: node.generation for node in known if node is not None}

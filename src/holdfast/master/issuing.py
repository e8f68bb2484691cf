"""Making rules ready to go out: number them, sign them, write them down."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy.orm import Session

from holdfast.core.ids import NodeId
from holdfast.master.foundation import Foundation
from holdfast.master.records import inventory
from holdfast.master.records.inventory import StoredRules
from holdfast.model.rules import Rules, SignedRules, decode_rules, encode_rules, signed_bytes_of_rules

CERTIFICATE_LIFETIME_S = 90 * 86_400.0
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def content_of(rules: Rules) -> str:
    """Digest of what the rules say, apart from number and time: equal means that nothing changed for the node."""
    return hashlib.sha256(encode_rules(msgspec.structs.replace(rules, generation=0, created_at=_NEVER))).hexdigest()


def with_revoked(session: Session, base: Foundation, rules: Rules) -> Rules:
    """These rules with the keys that are revoked by now, where the node takes sessions.

    A key revoked longer ago than certificates live is left out: TLS refuses its last one by itself.
    """
    takes_sessions = rules.receives or rules.repositories or rules.reads or rules.copy_grants
    since = base.now() - timedelta(seconds=CERTIFICATE_LIFETIME_S + 86_400)
    return msgspec.structs.replace(rules, revoked=tuple(sorted(inventory.revoked_keys(session, since))) if takes_sessions else ())


def issue(session: Session, base: Foundation, rules: Rules) -> StoredRules:
    """Number these rules above everything the node has ever seen, sign them and store them as pending."""
    node = inventory.node_by_id(session, rules.node)
    generation = 1 if node is None else node.generation + 1
    numbered = msgspec.structs.replace(with_revoked(session, base, rules), generation=generation, created_at=base.now())
    body = encode_rules(numbered)
    stored = StoredRules(
        node=rules.node,
        generation=generation,
        content=content_of(numbered),
        signed=SignedRules(body=body, signature=base.authority.sign(signed_bytes_of_rules(body)), digest=hashlib.sha256(body).hexdigest()),
        state=inventory.PENDING,
    )
    inventory.add_rules(session, stored, base.now())
    return stored


def rules_for_hello(session: Session, base: Foundation, node: NodeId, generation: int) -> StoredRules | None:
    """The rules a node must get that says `generation` is in force; None when it has the newest.

    A node ahead of the records (they were restored from a copy) gets the same rules again under a number above its own.
    """
    newest = inventory.newest_rules(session, node)
    if newest is None or newest.generation > generation:
        return newest
    if newest.generation == generation:
        inventory.judge_rules(session, node, generation, ())
        return None
    return issue(session, base, decode_rules(newest.signed.body))

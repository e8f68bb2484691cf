"""What a Master that was restored from its backup does with nodes that know more than it: it learns, and takes nothing back by itself.

All of it is believed for what our own authority signed: a node's certificate for who it is, its rules for what it does.
"""

from __future__ import annotations

from msgspec.structs import replace
from sqlalchemy.orm import Session

from holdfast.core.clock import ns_of
from holdfast.core.errors import ProtocolError, Refused, UnknownName
from holdfast.core.ids import NodeId
from holdfast.master.foundation import Foundation
from holdfast.master.hub import issuing
from holdfast.master.records import happenings, inventory, restorations
from holdfast.master.records.inventory import Node, StoredRules
from holdfast.model.audit import Anchor
from holdfast.model.decoding import UNREADABLE
from holdfast.model.jobs import Event, Severity
from holdfast.model.rules import SignedRules, decode_rules, signed_bytes_of_rules
from holdfast.wire.authority import verify_signature
from holdfast.wire.hub_messages import Hello, Welcome

_BEFORE_NS = 60_000_000_000
"""What was on its way when the export was made is asked for, too."""
_WAITS = "compare its key, then `holdfast nodes authorise NAME` lets it in; `holdfast nodes revoke NAME` does not"


def refuse_if_superseded(session: Session, base: Foundation, hello: Hello) -> Refused | None:
    """Why a node is sent away that follows a younger Master than this one; it is an event, too, and None where all is well."""
    if hello.epoch <= base.epoch:
        return None
    message = "another Master, restored from a backup, has taken this one's place, and the nodes follow it"
    _event("master-superseded", Severity.ERROR, message, session, base, hello.node, followed=str(hello.epoch))
    return Refused(message, hint="stop this Master; what was done here since the other was restored is not there")


def known_node(session: Session, base: Foundation, node: NodeId, key_id: str, hello: Hello) -> Node:
    """The node, by what the records know of it, or by what came to be since the backup: then it waits for somebody to authorise it.

    Raises `UnknownName`, or `Refused` for a key that is not the node's.
    """
    known = inventory.node_by_id(session, node)
    if known is not None and known.key_id == key_id:
        return known
    if base.restoration is None:
        if known is None:
            raise UnknownName("this Master does not know the node", hint="join it again with `holdfast node join`")
        raise Refused("another machine has taken this node's place", hint="join with a new name, or with --replace")
    # The certificate is of our authority, and the key is not among those that were revoked: it came after the backup.
    if known is None:
        return _found(session, base, node, key_id, hello)
    if known.state != inventory.JOINED:
        raise Refused("another key of this node waits to be authorised, or it is revoked", hint=_WAITS)
    return _replaced(session, base, known, key_id)


def welcome(base: Foundation, rules: StoredRules | None, known_generation: int, audit: Anchor | None) -> Welcome:
    """`rules`: those that are pushed next; of a Master that was not restored nothing is said of what it knows."""
    greeting = Welcome(time_ns=base.clock.now_ns(), audit=audit, epoch=base.epoch)
    if base.restoration is None:
        return greeting
    since_ns = ns_of(base.restoration.export_at) - _BEFORE_NS
    generation = -1 if rules is not None else known_generation
    return Welcome(time_ns=greeting.time_ns, audit=audit, epoch=base.epoch, since_ns=since_ns, generation=generation)


def rules_to_push(session: Session, base: Foundation, node: NodeId, generation: int) -> tuple[StoredRules | None, int]:
    """The rules a node must get that says `generation` is in force, and up to which generation the records know its rules.

    One ahead of a restored Master gets none: it tells what is in force there, and keeps that.
    """
    newest = inventory.newest_head(session, node)
    known = 0 if newest is None else newest.generation
    if base.restoration is not None and known < generation:
        return None, known
    return issuing.rules_for_hello(session, base, node, generation, newest), known


def take_in_force(session: Session, base: Foundation, node: NodeId, signed: SignedRules) -> None:
    """Write down what a node is ahead with. Raises `ProtocolError` for what this authority did not sign for it."""
    if not verify_signature(base.authority.signing_public, signed_bytes_of_rules(signed.body), signed.signature):
        raise ProtocolError("these rules were not signed by this Master's authority")
    try:
        rules = decode_rules(signed.body)
    except UNREADABLE as error:
        raise ProtocolError(f"the rules in force there cannot be read: {error}") from None
    before = inventory.newest_rules(session, node)
    if rules.node != node or rules.environment != base.environment.id:
        raise ProtocolError("these rules are of another node or environment")
    if before is not None and before.generation >= rules.generation:
        return
    content = issuing.content_of(rules)
    stored = StoredRules(node=node, generation=rules.generation, content=content, signed=signed, state=inventory.CONFIRMED)
    inventory.add_rules(session, (stored,), rules.created_at)
    inventory.judge_rules(session, node, rules.generation, ())
    if before is not None and before.content == content:
        return
    restorations.set_ahead(session, restorations.ahead(session) | {node})
    message = (
        f"{rules.node_name} works by rules that are newer than the backup this Master came from, and goes on so: look at the document, then"
        " activate a flow"
    )
    _event("rules-ahead", Severity.WARNING, message, session, base, node, generation=str(rules.generation))


def _found(session: Session, base: Foundation, node: NodeId, key_id: str, hello: Hello) -> Node:
    name = _free_name(session, hello.name or node[:12], node)
    new = replace(
        inventory.new_node(node, name, key_id, inventory.WAITING),
        generation=hello.generation,
        confirmed=hello.generation,
        version=hello.version,
    )
    inventory.add_node(session, new, serial="", at=base.now())
    message = f"{name} joined after the backup this Master came from; it works on, and waits to be authorised here"
    _event("node-found", Severity.WARNING, message, session, base, node, hint=_WAITS, key=key_id)
    return new


def _replaced(session: Session, base: Foundation, known: Node, key_id: str) -> Node:
    """A machine took the node's place after the backup: the key before opens nothing, the new one waits."""
    inventory.revoke_key(session, known.id, base.now(), inventory.REPLACED)
    inventory.set_key(session, known.id, key_id, "")
    inventory.set_state(session, known.id, inventory.WAITING)
    message = f"another machine took the place of {known.name} after the backup this Master came from; it waits to be authorised here"
    _event("node-found", Severity.WARNING, message, session, base, known.id, hint=_WAITS, key=key_id)
    found = inventory.node_by_id(session, known.id)
    assert found is not None
    return found


def _free_name(session: Session, wanted: str, node: NodeId) -> str:
    return wanted if inventory.node_by_name(session, wanted) is None else f"{wanted[:50]}-{node[:8]}"


def _event(code: str, severity: Severity, message: str, session: Session, base: Foundation, node: NodeId, **facts: str) -> None:
    event = Event(code=code, severity=severity, message=message, node=node, time=base.now(), facts=facts)
    happenings.record_own_events(session, node, (event,))

"""Nodes as the Master knows them, their keys, and the rules made for each."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, cast

import msgspec
from sqlalchemy import Row, Select, TableClause, bindparam, func, select, update
from sqlalchemy.orm import Session

from holdfast.compiler.nearest import nearest_hint
from holdfast.core.errors import ErrorFacts, UnknownName
from holdfast.core.ids import NodeId
from holdfast.master.records.tables import NodeRow, RevokedKeyRow, RulesRow
from holdfast.master.records.versions import kept
from holdfast.model.jobs import Finding
from holdfast.model.rules import SignedRules

JOINED = "joined"
WAITING = "waiting"
"""It has an identity and is not let in yet: no rules, no place in anybody's rules."""
REVOKED = "revoked"
REPLACED = "replaced"
"""Why a key opens nothing any more: another machine took the place of the one that has it."""
PENDING, CONFIRMED, REFUSED = "pending", "confirmed", "refused"
# Of thousands that say hello at once, each costs a few statements of the tables: with objects it is three times as much.
_NODES, _RULES = cast("TableClause", NodeRow.__table__), cast("TableClause", RulesRow.__table__)
_BY_ID = select(*_NODES.c).where(_NODES.c.id == bindparam("node"))
_NOTE_NODE = update(_NODES).where(_NODES.c.id == bindparam("of"))
_NOTE_RULES = update(_RULES).where(_RULES.c.node == bindparam("of"), _RULES.c.generation == bindparam("number"))
_NEWEST_HEAD = (
    select(_RULES.c.generation, _RULES.c.state).where(_RULES.c.node == bindparam("of")).order_by(_RULES.c.generation.desc()).limit(1)
)


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """`generation` is the highest ever seen from or made for the node, `confirmed` the one in force there (0 = none)."""

    id: NodeId
    name: str
    key_id: str
    address: str
    state: str
    last_seen: datetime | None
    generation: int
    confirmed: int
    version: str
    clock_offset_ms: int | None
    findings: tuple[Finding, ...]


def new_node(node: NodeId, name: str, key_id: str, state: str = JOINED) -> Node:
    """One that has said nothing yet."""
    return Node(
        id=node,
        name=name,
        key_id=key_id,
        address="",
        state=state,
        last_seen=None,
        generation=0,
        confirmed=0,
        version="",
        clock_offset_ms=None,
        findings=(),
    )


class StoredRules(msgspec.Struct, frozen=True, kw_only=True):
    """Rules made for a node. `content` is their digest without generation and time; `state` pending, confirmed or refused."""

    node: NodeId
    generation: int
    content: str
    signed: SignedRules
    state: str
    problems: tuple[ErrorFacts, ...] = ()


class RulesHead(msgspec.Struct, frozen=True):
    """Of rules made for a node, what a hello needs to know."""

    generation: int
    state: str


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """What a node said of itself at hello."""

    at: datetime
    generation: int
    version: str
    clock_offset_ms: int
    address: str
    findings: tuple[Finding, ...]


def nodes(session: Session, only: Collection[str] | None = None) -> tuple[Node, ...]:
    """All that ever joined, or those of `only` (ids), by name."""
    # As columns: an object of SQLAlchemy's for each of thousands of nodes costs three times as much.
    query = select(*NodeRow.__table__.columns).order_by(NodeRow.name)
    if only is None:
        return kept(session, "nodes", (NodeRow,), lambda: tuple(map(_node, session.execute(query))))
    return tuple(map(_node, session.execute(query.where(NodeRow.id.in_(tuple(only))))))


def names_of(session: Session, nodes: Iterable[str]) -> dict[NodeId, str]:
    """Names of these nodes; one that never joined is left out."""
    query = select(NodeRow.id, NodeRow.name).where(NodeRow.id.in_(tuple(nodes)))
    return {NodeId(node): name for node, name in session.execute(query)}


def node_states(session: Session) -> dict[NodeId, tuple[str, str]]:
    """Name and state of all that ever joined; much cheaper than `nodes`."""
    query = select(NodeRow.id, NodeRow.name, NodeRow.state).order_by(NodeRow.name)
    return kept(session, "states", (NodeRow,), lambda: {NodeId(id_): (name, state) for id_, name, state in session.execute(query)})


def node_by_id(session: Session, node: NodeId) -> Node | None:
    session.flush()
    row = session.connection().execute(_BY_ID, {"node": node}).one_or_none()
    return None if row is None else _node(row)


def node_by_name(session: Session, name: str) -> Node | None:
    row = session.scalars(select(NodeRow).where(NodeRow.name == name)).one_or_none()
    return None if row is None else _node(row)


def named_node(session: Session, name_or_id: str) -> Node:
    """The node of this name or id; raises `UnknownName`."""
    node = node_by_name(session, name_or_id) or node_by_id(session, NodeId(name_or_id))
    if node is None:
        hint = nearest_hint(name_or_id, [known.name for known in nodes(session)], "`holdfast nodes` lists them")
        raise UnknownName(f"no node {name_or_id!r} has joined", hint=hint, node=name_or_id)
    return node


def add_node(session: Session, node: Node, *, serial: str, at: datetime) -> None:
    session.add(
        NodeRow(
            id=node.id,
            name=node.name,
            key_id=node.key_id,
            cert_serial=serial,
            address=node.address,
            state=node.state,
            joined_at=at,
        )
    )
    session.flush()


def set_key(session: Session, node: NodeId, key_id: str, serial: str) -> None:
    """From now on this key is the node's, and the node is in good standing."""
    row = _row(session, node)
    row.key_id, row.cert_serial, row.state = key_id, serial, JOINED


def revoke_key(session: Session, node: NodeId, at: datetime, reason: str) -> None:
    """Never again this node's present key. The caller says what follows."""
    row = _row(session, node)
    session.merge(RevokedKeyRow(key_id=row.key_id, node=node, revoked_at=at, reason=reason))


def set_name(session: Session, node: NodeId, name: str) -> None:
    """The caller sees to it that nobody else has it."""
    _row(session, node).name = name
    session.flush()


def set_state(session: Session, node: NodeId, state: str) -> None:
    _row(session, node).state = state


def revoked_keys(session: Session, since: datetime | None = None) -> frozenset[str]:
    """All that ever were, or those revoked at or after `since`."""
    query = select(RevokedKeyRow.key_id)
    return frozenset(session.scalars(query if since is None else query.where(RevokedKeyRow.revoked_at >= since)))


def replaced_at(session: Session, node: NodeId) -> datetime | None:
    """When a machine last took the place of another; None = none ever did."""
    query = select(func.max(RevokedKeyRow.revoked_at)).where(RevokedKeyRow.node == node, RevokedKeyRow.reason == REPLACED)
    return session.scalar(query)


def forget_rules_in_force(session: Session, node: NodeId) -> None:
    """A new machine took the node's place: nothing is in force there. The highest generation stays."""
    _row(session, node).confirmed = 0


def record_sighting(session: Session, node: Node, sighting: Sighting) -> None:
    """`node`: as it is in the records in this transaction."""
    _note(
        session,
        node.id,
        last_seen=sighting.at,
        version=sighting.version,
        clock_offset_ms=sighting.clock_offset_ms,
        generation=max(node.generation, sighting.generation),
        confirmed=sighting.generation,
        address=sighting.address or node.address,
        findings_json=msgspec.json.encode(sighting.findings),
    )


def record_seen(session: Session, node: NodeId, at: datetime) -> None:
    _note(session, node, last_seen=at)


def newest_rules(session: Session, node: NodeId) -> StoredRules | None:
    query = select(RulesRow).where(RulesRow.node == node).order_by(RulesRow.generation.desc()).limit(1)
    row = session.scalars(query).one_or_none()
    return None if row is None else _stored(row)


def newest_head(session: Session, node: NodeId) -> RulesHead | None:
    """Of `newest_rules`; much cheaper than the rules."""
    session.flush()
    row = session.connection().execute(_NEWEST_HEAD, {"of": node}).one_or_none()
    return None if row is None else RulesHead(*row)


def rules_of_generation(session: Session, node: NodeId, generation: int) -> StoredRules | None:
    row = session.get(RulesRow, (node, generation))
    return None if row is None else _stored(row)


# Asked for each node, from the index: a look over all rules that ever were would grow with every activation.
_NEWEST = select(func.max(RulesRow.generation)).where(RulesRow.node == NodeRow.id).correlate(NodeRow).scalar_subquery()


def newest_of_all(session: Session) -> dict[NodeId, StoredRules]:
    """The newest rules of every node that has any."""
    query = select(RulesRow).join(NodeRow, (RulesRow.node == NodeRow.id) & (RulesRow.generation == _NEWEST))
    return {NodeId(row.node): _stored(row) for row in session.scalars(query)}


def newest_generations(session: Session, only: Collection[str] | None = None) -> dict[NodeId, int]:
    """The number of the newest rules of every node that has any, or of those of `only`."""
    query = select(NodeRow.id, _NEWEST)
    if only is None:
        return kept(session, "generations", (NodeRow, RulesRow), lambda: _generations(session, query))
    return _generations(session, query.where(NodeRow.id.in_(tuple(only))))


def _generations(session: Session, query: Select[str, int | None]) -> dict[NodeId, int]:
    return {NodeId(node): top for node, top in session.execute(query) if top is not None}


def newest_digests(session: Session) -> dict[NodeId, str]:
    """The digest of the newest rules of every node that has any; much cheaper than the rules."""
    query = select(RulesRow.node, RulesRow.digest).join(NodeRow, (RulesRow.node == NodeRow.id) & (RulesRow.generation == _NEWEST))
    return {NodeId(node): digest for node, digest in session.execute(query)}


def newest_bodies(session: Session, nodes: Iterable[NodeId]) -> dict[NodeId, bytes]:
    """The newest rules of these nodes as they were signed."""
    query = select(RulesRow.node, RulesRow.body).join(NodeRow, (RulesRow.node == NodeRow.id) & (RulesRow.generation == _NEWEST))
    return {NodeId(node): body for node, body in session.execute(query.where(NodeRow.id.in_(tuple(nodes))))}


def highest_generations(session: Session) -> dict[NodeId, int]:
    """The highest ever seen from or made for each node."""
    return {NodeId(node): generation for node, generation in session.execute(select(NodeRow.id, NodeRow.generation))}


def add_rules(session: Session, every: Collection[StoredRules], at: datetime) -> None:
    """Rules of nodes that have joined, each with a generation above all of its node. Raises `UnknownName`."""
    known = {row.id: row for row in session.scalars(select(NodeRow).where(NodeRow.id.in_([rules.node for rules in every])))}
    for rules in every:
        row = known.get(rules.node) or _row(session, rules.node)
        row.generation = max(row.generation, rules.generation)
        session.add(
            RulesRow(
                node=rules.node,
                generation=rules.generation,
                digest=rules.signed.digest,
                content=rules.content,
                body=rules.signed.body,
                signature=rules.signed.signature,
                state=rules.state,
                problems_json=msgspec.json.encode(rules.problems),
                created_at=at,
            )
        )
    session.flush()


def judge_rules(session: Session, node: NodeId, generation: int, problems: tuple[ErrorFacts, ...]) -> None:
    """What the node answered to a push. An answer to rules that are not in the records changes nothing."""
    session.flush()
    values = {"state": REFUSED if problems else CONFIRMED, "problems_json": msgspec.json.encode(problems)}
    changed = session.connection().execute(_NOTE_RULES, {"of": node, "number": generation, **values})
    _expire(session, RulesRow, (node, generation))
    if changed.rowcount and not problems:
        _note(session, node, confirmed=generation)


def _note(session: Session, node: NodeId, **values: object) -> None:
    session.flush()
    if not session.connection().execute(_NOTE_NODE, {"of": node, **values}).rowcount:
        raise _unknown(node)
    _expire(session, NodeRow, node)


def _expire(session: Session, kind: type[NodeRow | RulesRow], key: object) -> None:
    """What was written past an object that this transaction has read of the same row."""
    known = session.identity_map.get(session.identity_key(kind, key))
    if known is not None:
        session.expire(known)


def _unknown(node: NodeId) -> UnknownName:
    return UnknownName(f"no node {node!r} has joined", hint="`holdfast nodes` lists those that have", node=node)


def _row(session: Session, node: NodeId) -> NodeRow:
    row = session.get(NodeRow, node)
    if row is None:
        raise _unknown(node)
    return row


def _node(row: NodeRow | Row[Any]) -> Node:
    return Node(
        id=NodeId(row.id),
        name=row.name,
        key_id=row.key_id,
        address=row.address,
        state=row.state,
        last_seen=row.last_seen,
        generation=row.generation,
        confirmed=row.confirmed,
        version=row.version,
        clock_offset_ms=row.clock_offset_ms,
        findings=() if row.findings_json == b"[]" else msgspec.json.decode(row.findings_json, type=tuple[Finding, ...]),
    )


def _stored(row: RulesRow) -> StoredRules:
    return StoredRules(
        node=NodeId(row.node),
        generation=row.generation,
        content=row.content,
        signed=SignedRules(body=row.body, signature=row.signature, digest=row.digest),
        state=row.state,
        problems=msgspec.json.decode(row.problems_json, type=tuple[ErrorFacts, ...]),
    )

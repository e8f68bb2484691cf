"""Nodes as people see them: the records, and who is connected."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec
from sqlalchemy.orm import Session

from holdfast.core.ids import NodeId
from holdfast.master.hub.presence import Presence
from holdfast.master.records import inventory
from holdfast.master.records.inventory import Node
from holdfast.model.jobs import Finding


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """`state`: online, silent (connected, and answers nothing), offline, waiting (joined, to be authorised yet) or revoked. `last_seen`: of
    one that is silent, when it last said something. `fingerprint` is of its key, as `node join` printed it there. `generation` is in force
    there, `wanted_generation` the newest made for it (0 = none)."""

    id: NodeId
    name: str
    address: str
    state: str
    fingerprint: str
    last_seen: datetime | None
    generation: int
    wanted_generation: int
    version: str
    clock_offset_ms: int | None
    findings: tuple[Finding, ...]


def node_views(session: Session, presence: Presence, only: Collection[str] | None = None) -> tuple[NodeView, ...]:
    """All that ever joined, revoked ones too, or those of `only` (ids), by name."""
    newest = inventory.newest_generations(session, only)
    return tuple(_view(node, presence, newest.get(node.id, 0)) for node in inventory.nodes(session, only))


class RollCall:
    """All nodes, looked at again and again: of one of which nothing has changed the view stays the same object."""

    def __init__(self) -> None:
        self._kept: dict[NodeId, tuple[Node, NodeView]] = {}

    def views(self, session: Session, presence: Presence) -> tuple[NodeView, ...]:
        """As `node_views`."""
        newest = inventory.newest_generations(session)
        kept = {}
        for node in inventory.nodes(session):
            known = self._kept.get(node.id)
            wanted = newest.get(node.id, 0)
            state = _state(node, presence)
            is_same = known is not None and (known[0] is node or known[0] == node)
            if known is not None and is_same and known[1].state == state and known[1].wanted_generation == wanted:
                kept[node.id] = (node, known[1])
            else:
                kept[node.id] = (node, _view(node, presence, wanted))
        self._kept = kept
        return tuple(view for _, view in kept.values())


def _state(node: Node, presence: Presence) -> str:
    return node.state if node.state != inventory.JOINED else presence.word(node.id)


def _view(node: Node, presence: Presence, wanted: int) -> NodeView:
    return NodeView(
        id=node.id,
        name=node.name,
        address=node.address,
        state=_state(node, presence),
        fingerprint=node.key_id,
        last_seen=node.last_seen,
        generation=node.confirmed,
        wanted_generation=wanted,
        version=node.version,
        clock_offset_ms=node.clock_offset_ms,
        findings=node.findings,
    )

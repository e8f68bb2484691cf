"""Nodes as people see them: the records, and who is connected."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec
from sqlalchemy.orm import Session

from holdfast.core.ids import NodeId
from holdfast.master.records import inventory
from holdfast.master.records.inventory import Node
from holdfast.model.jobs import Finding


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """`state`: online, offline, waiting (joined, to be authorised yet) or revoked. `fingerprint` is of its key, as `node join` printed it
    there. `generation` is in force there, `wanted_generation` the newest made for it (0 = none)."""

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


def node_views(session: Session, online: Collection[NodeId], only: Collection[str] | None = None) -> tuple[NodeView, ...]:
    """All that ever joined, revoked ones too, or those of `only` (ids), by name."""
    newest = inventory.newest_generations(session, only)
    return tuple(_view(node, node.id in online, newest.get(node.id, 0)) for node in inventory.nodes(session, only))


def _view(node: Node, online: bool, wanted: int) -> NodeView:
    state = node.state if node.state != inventory.JOINED else "online" if online else "offline"
    return NodeView(
        id=node.id,
        name=node.name,
        address=node.address,
        state=state,
        fingerprint=node.key_id,
        last_seen=node.last_seen,
        generation=node.confirmed,
        wanted_generation=wanted,
        version=node.version,
        clock_offset_ms=node.clock_offset_ms,
        findings=node.findings,
    )

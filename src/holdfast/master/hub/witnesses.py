"""The nodes as witnesses of the audit log: what each of those that are connected keeps of it."""

from __future__ import annotations

import asyncio

from holdfast.core.errors import HoldfastError
from holdfast.core.ids import NodeId
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.records import inventory
from holdfast.model.audit import MOST_ANCHORS, Anchor, AnchorsTold, AskAnchors

_TIMEOUT_S = 5.0


class Witnesses:
    def __init__(self, base: Foundation, hub: Hub) -> None:
        self._base = base
        self._hub = hub

    async def anchors(self) -> dict[str, tuple[Anchor, ...]]:
        """By the names of the nodes. Who is away, does not answer or keeps none is no witness, and is not in it."""
        online = sorted(self._hub.online())
        told = await asyncio.gather(*(self._of(node) for node in online))
        names = {node.id: node.name for node in await self._base.database.run(inventory.nodes)}
        return {names.get(node, node): anchors for node, anchors in zip(online, told, strict=True) if anchors}

    async def _of(self, node: NodeId) -> tuple[Anchor, ...]:
        try:
            answer = await self._hub.ask_for(node, AskAnchors(), AnchorsTold, _TIMEOUT_S)
        except HoldfastError:
            return ()
        return answer.anchors[:MOST_ANCHORS]

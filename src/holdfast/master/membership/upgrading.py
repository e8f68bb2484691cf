"""Which machine is to be brought to the Master's version next."""

from __future__ import annotations

from sqlalchemy.orm import Session

from holdfast import __version__
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.rules.deployment import deployment
from holdfast.model.sight import Sight
from holdfast.model.upgrades import Member, UpgradeOrder, upgrade_order


class Upgrading:
    def __init__(self, base: Foundation, hub: Hub) -> None:
        self._base = base
        self._hub = hub

    async def order(self, sight: Sight) -> UpgradeOrder:
        """Of the nodes in sight that are not revoked."""
        online = self._hub.online()

        def members(session: Session) -> list[Member]:
            rolled_out = deployment(session)
            receiving = {node for node, rules in rolled_out.rules.items() if rules.receives or rules.repositories}
            return [
                Member(name=node.name, version=node.version, receives=node.id in receiving, online=node.id in online)
                for node in rolled_out.nodes.values()
                if sight.has_node(node.id)
            ]

        return upgrade_order(__version__, await self._base.database.run(members))

"""The rules in force on one node, in words. From the records; only the limits are asked of the machine itself."""

from __future__ import annotations

import msgspec
from sqlalchemy.orm import Session

from holdfast.compiler.summary import SummaryLine, summarize
from holdfast.core.errors import HoldfastError
from holdfast.core.ids import NodeId
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.records import inventory
from holdfast.model.questions import AskLimits, LimitsTold
from holdfast.model.rules import Rules, decode_rules

LIMITS_TIMEOUT_S = 3.0


class RulesInForce(msgspec.Struct, frozen=True, kw_only=True):
    """`generation` is in force there, `wanted_generation` the newest made for it (0 = none). `lines` are of the one in force; none when
    the records do not have it. `limits` null: the node is away, or did not tell."""

    node: str
    generation: int
    wanted_generation: int
    lines: tuple[SummaryLine, ...]
    limits: LimitsTold | None


class RulesBook:
    def __init__(self, base: Foundation, hub: Hub) -> None:
        self._base = base
        self._hub = hub

    async def in_force(self, name_or_id: str) -> RulesInForce:
        """Raises `UnknownName`."""
        node, found = await self._base.database.run(lambda s: _in_force(s, name_or_id))
        try:
            limits = await self._hub.ask_for(node, AskLimits(), LimitsTold, LIMITS_TIMEOUT_S)
        except HoldfastError:
            return found
        return msgspec.structs.replace(found, limits=limits)


def _in_force(session: Session, name_or_id: str) -> tuple[NodeId, RulesInForce]:
    node = inventory.named_node(session, name_or_id)
    newest = inventory.newest_rules(session, node.id)
    stored = inventory.rules_of_generation(session, node.id, node.confirmed)
    return node.id, RulesInForce(
        node=node.name,
        generation=node.confirmed,
        wanted_generation=0 if newest is None else newest.generation,
        lines=() if stored is None else _lines(session, decode_rules(stored.signed.body)),
        limits=None,
    )


def _lines(session: Session, rules: Rules) -> tuple[SummaryLine, ...]:
    """Who sends to it knows for which operations it stores: their rules are looked at too."""
    senders = dict.fromkeys(receive.sender for receive in rules.receives if receive.sender != rules.node)
    newest = ((sender, inventory.newest_rules(session, sender)) for sender in senders)
    known = {sender: decode_rules(stored.signed.body) for sender, stored in newest if stored is not None}
    summary = summarize({**known, rules.node: rules}, ())
    return next((node.lines for node in summary.nodes if node.node == rules.node_name), ())

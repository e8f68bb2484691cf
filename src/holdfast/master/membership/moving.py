"""A node moves to another machine: what has to be carried there by hand, and the token by which the new machine takes its place.

Nothing is carried by the Master. The identity stays: the new machine gets a certificate of its own when it joins, and the old one's key
opens nothing from that moment on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec
from sqlalchemy.orm import Session

from holdfast.core.errors import Refused
from holdfast.master.foundation import Foundation
from holdfast.master.membership.join_tokens import JoinTokens, NewJoinToken, TokenWish
from holdfast.master.records import inventory
from holdfast.model.object_location import is_object_location
from holdfast.model.rules import MirrorAction, Rules, decode_rules

What = Literal["data", "home", "limits", "repository", "key", "mirror"]


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """`where`: a path on the old machine, to be in the same place on the new one. `otherwise`: what it means to leave it behind."""

    what: What
    where: str
    name: str
    otherwise: str


class MoveWish(msgspec.Struct, frozen=True, kw_only=True):
    """`url`: where the new machine reaches this Master. `dry_run`: no token is made."""

    node: str
    url: str
    ttl_s: float = 86_400.0
    dry_run: bool = False


class NodeMove(msgspec.Struct, frozen=True, kw_only=True):
    """`token` null with a dry run."""

    node: str
    carry: tuple[Carried, ...]
    token: NewJoinToken | None


class Moving:
    def __init__(self, base: Foundation, tokens: JoinTokens) -> None:
        self._base = base
        self._tokens = tokens

    async def prepare(self, wish: MoveWish) -> NodeMove:
        """Changes nothing for the node before the token is used. Raises `UnknownName`, `Refused` for a revoked node, `UsageError`."""
        name, rules = await self._base.database.run(lambda s: _read(s, wish.node))
        carry = tuple(carried(rules))
        if wish.dry_run:
            return NodeMove(node=name, carry=carry, token=None)
        token = await self._tokens.create(TokenWish(name=name, ttl_s=wish.ttl_s, replace=True, url=wish.url))
        return NodeMove(node=name, carry=carry, token=token)


def _read(session: Session, name_or_id: str) -> tuple[str, Rules | None]:
    node = inventory.named_node(session, name_or_id)
    if node.state == inventory.REVOKED:
        raise Refused("this node was revoked", hint="join it again with a new token and --replace", node=node.name)
    newest = inventory.newest_rules(session, node.id)
    return node.name, None if newest is None else decode_rules(newest.signed.body)


def carried(rules: Rules | None) -> Iterator[Carried]:
    """By the newest rules, in the order in which it is best done."""
    yield Carried(
        what="limits",
        where="HOME/limits.toml",
        name="what the Master may ask of the machine",
        otherwise="the Master may read and write everywhere on the new machine",
    )
    yield Carried(
        what="home",
        where="HOME",
        name="all it has noted, without HOME/identity",
        otherwise="each file is read once more, nothing is sent again; catalogs are made anew; what was not told the Master yet is lost",
    )
    if rules is None:
        return
    for path in dict.fromkeys(root for dataset in rules.datasets for root in dataset.classification.paths):
        yield Carried(
            what="data",
            where=path,
            name="what is captured; in another folder than before the first run wants `trigger --accept`",
            otherwise="the first run ends as source-vanished and changes nothing",
        )
    for repository in rules.repositories:
        if not is_object_location(repository.location):
            yield Carried(
                what="repository",
                where=repository.location,
                name=repository.name,
                otherwise="the node says that its repository is missing, and stores nothing there",
            )
        yield Carried(
            what="key",
            where=f"HOME/keys/{repository.name}",
            name=repository.name,
            otherwise=f"`holdfast repository key restore {repository.name}` with the recovery kit gives the new machine a key",
        )
    mirrors = (action for receive in rules.receives for action in receive.actions if isinstance(action, MirrorAction))
    for target in dict.fromkeys(target for mirror in mirrors for _, target in mirror.targets):
        yield Carried(
            what="mirror",
            where=target,
            name="with .holdfast-* beside it",
            otherwise="it is filled anew; one that was carried without HOME is taken over with `trigger --adopt`",
        )

"""Restores: find the point, choose the repository to read it from, sign an order for the reader, and ask the reader to carry it out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from holdfast.core.errors import NotReachable, UnknownName, UsageError
from holdfast.core.ids import JobId, NodeId
from holdfast.core.units import format_utc
from holdfast.master.deployment import Deployment, deployment
from holdfast.master.foundation import Foundation
from holdfast.master.hub import Hub
from holdfast.master.queries import FoundPoints, Queries
from holdfast.master.records.inventory import Node
from holdfast.master.triggers import Triggers
from holdfast.model.moments import AskMoment, dataset_of_versions, is_address, parse_address
from holdfast.model.orders import ORDER_LIFETIME, RestoreOrder, RestoreRequest, SignedOrder, signed_bytes_of_order
from holdfast.model.points import Point
from holdfast.model.questions import AskRestore


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants back: a point by id or unique prefix, a moment by its address, or the newest point or moment of `dataset` at or
    before `at` (None = newest of all).

    `node` empty = the machine the data came from. `paths` empty = everything.
    """

    request: RestoreRequest
    point: str = ""
    dataset: str = ""
    at: datetime | None = None
    paths: tuple[bytes, ...] = ()
    node: str = ""
    repository: str = ""


class StartedRestore(msgspec.Struct, frozen=True, kw_only=True):
    trigger: str
    job: JobId
    point: Point


class Restores:
    def __init__(self, base: Foundation, hub: Hub, queries: Queries, triggers: Triggers) -> None:
        self._base = base
        self._hub = hub
        self._queries = queries
        self._triggers = triggers

    async def restore(self, wish: Wish) -> StartedRestore:
        """Raises `UnknownName` (point, node), `UsageError`, `NotReachable` (reader or owner), or what the reader refuses."""
        if bool(wish.point) == bool(wish.dataset):
            raise UsageError("name either a point or a dataset", hint="`holdfast points` lists both")
        found, wish = await self._found(wish)
        candidates = matching(found, wish)
        rolled_out = await self._base.database.run(deployment)
        reader = _reader(rolled_out, wish, candidates[0])
        point, owner = self._source(rolled_out, reader, candidates)
        order = self._order(rolled_out, reader, owner, point, wish.paths)
        trigger, jobs = await self._triggers.start_one(
            reader.id, AskRestore(request=wish.request, order=self._sign(order), point=point.id, paths=wish.paths)
        )
        if not jobs:
            raise NotReachable("the node took the order but started no job", node=reader.name)
        return StartedRestore(trigger=trigger, job=jobs[0], point=point)

    async def _found(self, wish: Wish) -> tuple[FoundPoints, Wish]:
        """Points among which the wish means one; the wish in other words, where it names an address."""
        ask, dataset = self._queries, dataset_of_versions(wish.point)
        if dataset:
            found = await ask.moment(AskMoment(dataset=dataset, repository=wish.repository, versions=True))
            return found, msgspec.structs.replace(wish, point=found.points[0].id if found.points else wish.point)
        if is_address(wish.point):
            dataset, at = parse_address(wish.point)
            wish = msgspec.structs.replace(wish, point="", dataset=dataset, at=at)
        if wish.dataset:
            return await ask.moment(AskMoment(dataset=wish.dataset, at=wish.at, repository=wish.repository)), wish
        return await ask.points(repository=wish.repository), wish

    def _source(self, rolled_out: Deployment, reader: Node, candidates: list[Point]) -> tuple[Point, Node]:
        """A copy on the reader's own machine is best: nothing travels."""
        places = [(point, rolled_out.repository(point.repository)[0]) for point in candidates]
        return next(((point, owner) for point, owner in places if owner.id == reader.id), places[0])

    def _order(self, rolled_out: Deployment, reader: Node, owner: Node, point: Point, paths: tuple[bytes, ...]) -> RestoreOrder:
        _, repository = rolled_out.repository(point.repository)
        return RestoreOrder(
            id=self._base.new_id(),
            reader=reader.id,
            owner=owner.id,
            owner_address=address_of(rolled_out, reader.id, owner),
            repository=repository.id,
            dataset=point.dataset_id,
            point=point.id,
            paths=paths,
            expires_at=self._base.now() + ORDER_LIFETIME,
        )

    def _sign(self, order: RestoreOrder) -> SignedOrder:
        body = msgspec.json.encode(order, order="deterministic")
        return SignedOrder(body=body, signature=self._base.authority.sign(signed_bytes_of_order(body)))


def address_of(rolled_out: Deployment, reader: NodeId, owner: Node) -> str:
    """Where the reader dials the owner: as its rules say, else as the owner said at hello."""
    rules = rolled_out.rules.get(reader)
    peers = rules.peers if rules else ()
    return next((peer.address for peer in peers if peer.id == owner.id and peer.address), owner.address)


def matching(found: FoundPoints, wish: Wish) -> list[Point]:
    """All copies of the one point that the wish means. Raises `UnknownName` when there is none, or a prefix fits several."""
    if wish.point:
        if len(wish.point) < 4:
            raise UnknownName(f"{wish.point!r} is too short for a point", hint="give at least 4 characters; `holdfast points` lists them")
        copies = [point for point in found.points if point.id.startswith(wish.point)]
        if len({point.id for point in copies}) > 1:
            raise UnknownName(f"several points begin with {wish.point!r}", hint="write more of the id", point=wish.point)
    else:
        copies = _newest([point for point in found.points if wish.at is None or point.time <= wish.at])
    if not copies:
        raise UnknownName(f"there is no {_described(wish)}{_not_asked(found)}", hint="`holdfast points` lists what there is")
    return copies


def _newest(points: list[Point]) -> list[Point]:
    if not points:
        return []
    newest = max(points, key=lambda p: (p.time, p.seq, p.id))
    return [point for point in points if point.id == newest.id]


def _described(wish: Wish) -> str:
    if wish.point:
        return f"point {wish.point!r}"
    return f"point of {wish.dataset!r}" + (f" at or before {format_utc(wish.at)}" if wish.at else "")


def _not_asked(found: FoundPoints) -> str:
    names: Iterable[str] = (f"{gap.repository} on {gap.node}" for gap in found.unreachable)
    listed = ", ".join(names)
    return f" in the repositories that answer (silent: {listed})" if listed else ""


def _reader(rolled_out: Deployment, wish: Wish, point: Point) -> Node:
    if wish.node:
        return rolled_out.node_named(wish.node)
    for node_id, rules in rolled_out.rules.items():
        if any(dataset.id == point.dataset_id for dataset in rules.datasets):
            return rolled_out.nodes[node_id]
    try:
        return rolled_out.node_named(point.dataset.partition("/")[0])
    except UnknownName:
        raise UsageError(
            f"the machine that {point.dataset!r} came from is not in the environment", hint="name another with --node"
        ) from None

"""Restores: find the point, choose the repository to read it from, sign an order for the reader, and ask the reader to carry it out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

import msgspec

from holdfast.core.errors import Conflict, HoldfastError, NotGranted, NotReachable, UnknownName, UsageError
from holdfast.core.ids import ActionId, JobId, NodeId, RepositoryId
from holdfast.core.units import format_utc
from holdfast.master.answers.found import FoundPoints
from holdfast.master.answers.mirror_states import Standing, called, newest_at, standing_mirrors
from holdfast.master.answers.queries import Queries
from holdfast.master.answers.wanted_points import Wanted, described, lacking, matching, with_all
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.jobs.triggers import Triggers
from holdfast.master.records.inventory import Node
from holdfast.master.rules.deployment import Deployment, deployment
from holdfast.model.change import Cursor
from holdfast.model.jobs import Job
from holdfast.model.mirrors import is_mirror_named, point_of
from holdfast.model.moments import (
    AskMoment,
    AskMoments,
    dataset_of_archive,
    dataset_of_versions,
    is_address,
    is_lineage_address,
    parse_address,
)
from holdfast.model.orders import ORDER_LIFETIME, RestoreOrder, RestoreRequest, SignedOrder, check_request, signed_bytes_of_order
from holdfast.model.points import Point
from holdfast.model.questions import Done
from holdfast.model.recalling import AskRecall
from holdfast.model.refusals import Refusal
from holdfast.model.restoring import AskOrders, AskRestore, AskResumeJob, AskUndo, OrdersTold
from holdfast.model.rules import RepositoryRule
from holdfast.model.sight import Reach, Sight
from holdfast.wire.authority import verify_signature


class Wish(Wanted, frozen=True, kw_only=True):
    """What somebody wants back. `paths` empty = everything; with `before_deletion` that path."""

    request: RestoreRequest
    paths: tuple[bytes, ...] = ()


class GrantedMount(msgspec.Struct, frozen=True, kw_only=True):
    """A point that a node may read until `expires_at`; an order for each copy of it, the nearest first. `lacks`: as in `StartedRestore`."""

    point: Point
    orders: tuple[SignedOrder, ...]
    expires_at: datetime
    lacks: tuple[str, ...] = ()


W = TypeVar("W", bound=Wanted)


class StartedRestore(msgspec.Struct, frozen=True, kw_only=True):
    """`lacks`: what of the folders that the rules capture now is wanted and not in this copy: it is a part of the point (`only`), or older
    than they. No other copy has it. `refusal`: the source of what was before a deletion is refused."""

    trigger: str
    job: JobId
    point: Point
    lacks: tuple[str, ...] = ()
    refusal: Refusal | None = None


class Source(NamedTuple):
    """One copy of a point: in a repository, or a mirror. `is_exact`: the mirror is equal to the point. `names_only`: see `RestoreOrder`.
    `lacks`: as in `StartedRestore`."""

    point: Point
    owner: Node
    repository: RepositoryRule | None = None
    mirror: Standing | None = None
    is_exact: bool = True
    names_only: bool = False
    lacks: tuple[str, ...] = ()


class Restores:
    def __init__(self, base: Foundation, hub: Hub, queries: Queries, triggers: Triggers) -> None:
        self._base = base
        self._hub = hub
        self._queries = queries
        self._triggers = triggers

    async def restore(self, wish: Wish, reach: Reach) -> StartedRestore:
        """Raises `UnknownName` (point, node), `UsageError`, `NotReachable` (reader or owner), or what the reader refuses."""
        _check(wish)
        wish = msgspec.structs.replace(wish, paths=wish.paths or ((wish.before_deletion,) if wish.before_deletion else ()))
        rolled_out = await self._base.database.run(deployment)
        if is_mirror_named(wish.repository):
            sources, wish = await self._out_of_a_mirror(rolled_out, wish, reach.sees.joined(reach.may))
        else:
            sources, wish = await self._copies(rolled_out, wish, reach.sees.joined(reach.may))
        sources = _granted(sources, reach)
        reader = _reader(rolled_out, wish, sources[0].point)
        reach.check_node(reader.name)
        sources = self._nearest_first(reader, sources)
        if wish.request.exact:
            _check_exact(rolled_out, wish.request, reader, sources[0])
        point = sources[0].point
        orders = (self._order(rolled_out, reader, source) for source in sources)
        first, *spares = (self._sign(msgspec.structs.replace(order, paths=wish.paths)) for order in orders)
        trigger, jobs = await self._triggers.start_one(
            reader.id, AskRestore(request=wish.request, order=first, spares=tuple(spares), point=point.id, paths=wish.paths)
        )
        if not jobs:
            raise NotReachable("the node took the order but started no job", node=reader.name)
        return StartedRestore(trigger=trigger, job=jobs[0], point=point, lacks=sources[0].lacks, refusal=wish.refusal)

    async def mount(self, wanted: Wanted, reach: Reach) -> GrantedMount:
        """Let a node show a point as a folder for the next hour; it asks again before that is over. Raises as `restore` does."""
        _check(wanted)
        if not wanted.node:
            raise UsageError("on which machine?", hint="name the node on which it is mounted")
        found, wanted = await self.found(wanted, reach.sees.joined(reach.may))
        rolled_out = await self._base.database.run(deployment)
        candidates = await self.with_all(rolled_out, found, matching(found, wanted), reach.sees.joined(reach.may))
        reach.check_node(wanted.node)
        reader = rolled_out.node_named(wanted.node)
        copies = _granted(candidates, reach)
        sources = self._nearest_first(reader, copies)
        orders = [msgspec.structs.replace(self._order(rolled_out, reader, source), lasting=True) for source in sources]
        point, lacks = sources[0].point, sources[0].lacks
        return GrantedMount(point=point, orders=tuple(map(self._sign, orders)), expires_at=orders[0].expires_at, lacks=lacks)

    async def with_all(
        self, rolled_out: Deployment, found: FoundPoints, copies: list[Point], sight: Sight, paths: Sequence[bytes] = ()
    ) -> list[Source]:
        """Those copies of one point that have all of `paths` (none = everything), or as much of it as anybody has. Raises `NotReachable` as
        `wanted_points.with_all`."""
        if any(lacking(rolled_out, found, copy, paths) for copy in copies):
            # Whether it is a part, or older than a folder that it lacks, others of its epoch tell.
            known = await self._queries.points(dataset=copies[0].dataset_id, sight=sight)
            found = msgspec.structs.replace(found, points=(*found.points, *known.points))
        return [
            Source(copy, *rolled_out.repository(copy.repository), lacks=lacking(rolled_out, found, copy, paths))
            for copy in with_all(rolled_out, found, copies, paths)
        ]

    async def resume(self, job: Job) -> None:
        """Go on with a paused restore: the orders it read by are good once, so it gets new ones of the same. Raises `UnknownName`,
        `UsageError`, `NotReachable`, or what the node refuses."""
        used = await self._hub.ask_for(job.node, AskOrders(job=job.id), OrdersTold)
        orders = tuple(self._sign(self._renewed(signed, job.node)) for signed in used.orders)
        await self._hub.ask_for(job.node, AskResumeJob(job=job.id, orders=orders), Done)

    def _renewed(self, signed: SignedOrder, reader: NodeId) -> RestoreOrder:
        """The same for another hour, under another id; only of what this Master has signed for this very node."""
        if not verify_signature(self._base.authority.signing_public, signed_bytes_of_order(signed.body), signed.signature):
            raise NotGranted("the node shows an order that this Master has not signed", hint="start the restore again")
        order = msgspec.json.decode(signed.body, type=RestoreOrder)
        if order.reader != reader:
            raise NotGranted("the node shows an order of another node", hint="start the restore again")
        return msgspec.structs.replace(order, id=self._base.new_id(), expires_at=self._base.now() + ORDER_LIFETIME)

    async def undo(self, job: Job, *, dry_run: bool) -> str:
        """Have the node take back a restore; gives the trigger. Raises `NotReachable`, or what the node refuses."""
        trigger, _ = await self._triggers.start_one(job.node, AskUndo(job=job.id, dry_run=dry_run))
        return trigger

    async def _copies(self, rolled_out: Deployment, wish: Wish, sight: Sight) -> tuple[list[Source], Wish]:
        """In repositories, and mirrors with them; where no repository that answers has any of it, the newest mirror. Raises `UnknownName`,
        `NotReachable`."""
        dataset = "" if wish.before_deletion or wish.repository else wish.dataset
        try:
            found, wish = await self.found(wish, sight)
            points = matching(found, wish, wish.paths)
        except (UnknownName, NotReachable):
            mirrors = await standing_mirrors(self._hub, rolled_out, dataset) if dataset and sight.has_dataset(dataset) else []
            mirror = newest_at(mirrors, wish.at)
            if mirror is None:
                raise
            return [_of_mirror(each) for each in mirrors if each.stand.cursor == mirror.stand.cursor], wish
        sources = await self.with_all(rolled_out, found, points, sight, wish.paths)
        if wish.repository or is_lineage_address(points[0].id):
            return sources, wish
        mirrors = await standing_mirrors(self._hub, rolled_out, points[0].dataset_id)
        here = Cursor(points[0].epoch, points[0].seq)
        return sources + [Source(points[0], each.node, mirror=each, is_exact=each.stand.cursor == here) for each in mirrors], wish

    async def _out_of_a_mirror(self, rolled_out: Deployment, wish: Wish, sight: Sight) -> tuple[list[Source], Wish]:
        """That mirror alone, and what repositories say the same state is. Raises `UnknownName`, `Conflict` where it is not at the point."""
        if wish.before_deletion:
            raise UsageError("a mirror has no past", hint="leave --from out: repositories have it")
        if is_address(wish.point) and not is_lineage_address(wish.point):
            dataset, at = parse_address(wish.point)
            wish = msgspec.structs.replace(wish, point="", dataset=dataset, at=at)
        points = matching(await self._queries.points(sight=sight), wish) if wish.point else []
        dataset = points[0].dataset_id if points else wish.dataset
        standing = await standing_mirrors(self._hub, rolled_out, dataset)
        mirror = called([each for each in standing if sight.has_dataset(each.state.dataset_id)], wish.repository, dataset)
        stand = mirror.stand
        if wish.at is not None and wish.at < stand.captured_at:
            raise Conflict(
                f"{mirror.name} stands at {format_utc(stand.captured_at)}, and that is later", hint="leave --from out: repositories have it"
            )
        if not points:
            asked = AskMoment(dataset=mirror.state.dataset_id, at=stand.captured_at)
            points = [
                point for point in (await self._moment_or_none(asked, sight)).points if Cursor(point.epoch, point.seq) == stand.cursor
            ]
        elif Cursor(points[0].epoch, points[0].seq) != stand.cursor:
            raise Conflict(f"{mirror.name} does not stand at that point", hint=f"it stands at {format_utc(stand.captured_at)}")
        named = [Source(point, *rolled_out.repository(point.repository), names_only=True) for point in points]
        return [_of_mirror(mirror), *named], wish

    async def _moment_or_none(self, ask: AskMoment, sight: Sight) -> FoundPoints:
        try:
            return await self._queries.moment(ask, sight)
        except HoldfastError:
            return FoundPoints(points=())

    async def recall(self, node: str, ask: AskRecall) -> str:
        """Have a node put archived files back into the places of their stubs; gives the trigger. Raises `UnknownName`, `NotReachable`."""
        rolled_out = await self._base.database.run(deployment)
        trigger, _ = await self._triggers.start_one(rolled_out.node_named(node).id, ask)
        return trigger

    async def found(self, wish: W, sight: Sight) -> tuple[FoundPoints, W]:
        """Points within sight among which the wish means one; the wish in other words, where it names an address."""
        ask, of_versions, of_archive = self._queries, dataset_of_versions(wish.point), dataset_of_archive(wish.point)
        if dataset := of_versions or of_archive:
            asked = AskMoment(dataset=dataset, repository=wish.repository, versions=bool(of_versions), archive=bool(of_archive))
            found = await ask.moment(asked, sight)
            return found, msgspec.structs.replace(wish, point=found.points[0].id if found.points else wish.point)
        if is_address(wish.point):
            dataset, at = parse_address(wish.point)
            wish = msgspec.structs.replace(wish, point="", dataset=dataset, at=at)
        if wish.dataset:
            asked = AskMoment(dataset=wish.dataset, at=wish.at, repository=wish.repository, before_deletion=wish.before_deletion)
            found = await ask.moment(asked, sight)
            if wish.at is not None and not found.points and not found.unreachable:
                await self._refuse_too_early(wish, sight)
            return found, msgspec.structs.replace(wish, refusal=found.refusal)
        return await ask.points(repository=wish.repository, sight=sight), wish

    async def _refuse_too_early(self, wish: Wanted, sight: Sight) -> None:
        """Raises `UnknownName` where there is something of the dataset, and all of it is newer."""
        points = await self._queries.points(dataset=wish.dataset, repository=wish.repository, sight=sight)
        moments = await self._queries.moments(AskMoments(dataset=wish.dataset, repository=wish.repository, limit=1), sight)
        times = [point.time for point in points.points] + [moments.oldest_at] * (moments.oldest_at is not None)
        oldest = min(filter(None, times), default=None)
        if oldest is not None:
            hint = f"the oldest there is of {format_utc(oldest)}; `holdfast points` lists them"
            raise UnknownName(f"there is no {described(wish)}", hint=hint)

    def _nearest_first(self, reader: Node, sources: list[Source]) -> list[Source]:
        """One on the reader's own machine, where nothing travels, then those whose machines answer the roll call. One that does not is
        asked last, not never: it may be the Master alone that cannot reach it. A mirror that is not equal to the point is of use on the
        reader's machine only, beside a repository."""
        online = self._hub.online()
        useful = [source for source in sources if source.is_exact or source.owner.id == reader.id]
        return sorted(useful, key=lambda each: (each.names_only, each.owner.id != reader.id, each.owner.id not in online))

    def _order(self, rolled_out: Deployment, reader: Node, source: Source) -> RestoreOrder:
        point, owner, repository, mirror = source.point, source.owner, source.repository, source.mirror
        return RestoreOrder(
            id=self._base.new_id(),
            reader=reader.id,
            owner=owner.id,
            owner_address=address_of(rolled_out, reader.id, owner),
            repository=repository.id if repository is not None else RepositoryId(""),
            dataset=point.dataset_id,
            point=point.id,
            expires_at=self._base.now() + ORDER_LIFETIME,
            label=f"{repository.name} on {owner.name}" if repository is not None else f"the mirror {mirror.name if mirror else ''}",
            mirror=mirror.state.action if mirror is not None else ActionId(""),
            stands_at=mirror.stand.cursor if mirror is not None and source.is_exact else None,
            names_only=source.names_only,
        )

    def drill_order(self, rolled_out: Deployment, reader: Node, source: Source) -> SignedOrder:
        """Lets a node restore a point on trial, out of this one copy, and tell its owner what came of it."""
        order = self._order(rolled_out, reader, source)
        return self._sign(msgspec.structs.replace(order, drill=True, reader_name=reader.name))

    def _sign(self, order: RestoreOrder) -> SignedOrder:
        body = msgspec.json.encode(order, order="deterministic")
        return SignedOrder(body=body, signature=self._base.authority.sign(signed_bytes_of_order(body)))


def _check_exact(rolled_out: Deployment, request: RestoreRequest, reader: Node, source: Source) -> None:
    """Raises `UsageError` where it cannot be known of something that is not in this copy of the point that it was not there, either."""
    check_request(request)
    point, rules = source.point, rolled_out.rules.get(reader.id)
    if is_lineage_address(point.id):
        raise UsageError("single versions of files are no state of a folder", hint="leave --exact out, or name a point or a time")
    if rules is None or all(dataset.id != point.dataset_id for dataset in rules.datasets):
        raise UsageError(
            f"{point.dataset} is not captured on {reader.name}, so nobody knows what is too much there",
            hint="leave --exact out, or restore on the machine that the data came from, with its flow active",
        )
    if source.lacks:
        raise UsageError(f"not in this copy of the point: {', '.join(source.lacks)}", hint="leave --exact out, or name paths that it has")


def _granted(sources: list[Source], reach: Reach) -> list[Source]:
    """Those copies that may be read. Raises `UnknownName`, or `Refused`, when there is none."""
    granted = [each for each in sources if reach.may.has_copy(each.point.dataset_id, each.repository.name if each.repository else "")]
    if not granted:
        first = sources[0]
        reach.check_copy(first.point.dataset_id, first.point.dataset, first.repository.name if first.repository else "")
    return granted


def _of_mirror(mirror: Standing) -> Source:
    return Source(point_of(mirror.state, mirror.stand, mirror.node.name), mirror.node, mirror=mirror)


def address_of(rolled_out: Deployment, reader: NodeId, owner: Node) -> str:
    """Where the reader dials the owner: as its rules say, else as the owner said at hello."""
    rules = rolled_out.rules.get(reader)
    peers = rules.peers if rules else ()
    return next((peer.address for peer in peers if peer.id == owner.id and peer.address), owner.address)


def _check(wanted: Wanted) -> None:
    if bool(wanted.point) == bool(wanted.dataset):
        raise UsageError("name either a point or a dataset", hint="`holdfast points` lists both")
    if wanted.before_deletion and (wanted.at is not None or wanted.point):
        raise UsageError("before a deletion is a time of its own", hint="name the dataset, and neither a point nor a time")


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

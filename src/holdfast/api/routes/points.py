"""What becomes of points that are there: tags, locks, ends; why something is still there; and giving back the space of what is not."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Response

from holdfast.api.answers import TriggerStarted
from holdfast.api.approving import needs_approval
from holdfast.api.callers import MasterOf, User
from holdfast.api.contract import answers
from holdfast.api.permits import ReachOf, does
from holdfast.api.point_bodies import ExpirePoints, ForgetDataset, ForgetPoints, LockPoints, PointsNamed, PruneWanted, TagPoints
from holdfast.api.replies import reply
from holdfast.core.units import parse_duration_s, parse_time
from holdfast.master.answers.found import ChangedPoints, Explained
from holdfast.model.access import Activity
from holdfast.model.approvals import ApprovalAct
from holdfast.model.explanations import AskExplain
from holdfast.model.maintenance import Prune
from holdfast.model.point_changes import AskChangePoints, Expire, Forget, Lock, PointChange, Tag

router = APIRouter(tags=["points"])


@router.post("/points/tag")
@answers(ChangedPoints)
@does(Activity.POINTS_CHANGE, on="narrowed")
async def tag_points(body: TagPoints, master: MasterOf, reach: ReachOf, user: User) -> Response:
    return reply(await master.queries.change_points(_ask(body, Tag(add=tuple(body.add), remove=tuple(body.remove)), user), reach))


@router.post("/points/lock")
@answers(ChangedPoints)
@does(Activity.POINTS_CHANGE, on="narrowed")
async def lock_points(body: LockPoints, master: MasterOf, reach: ReachOf, user: User) -> Response:
    """A lock is only ever lengthened; nobody ends one early."""
    change = Lock(
        until=parse_time(body.until, master.base.now()) if body.until else None,
        for_s=parse_duration_s(body.duration) if body.duration else None,
    )
    return reply(await master.queries.change_points(_ask(body, change, user), reach))


@router.post("/points/expire")
@answers(ChangedPoints)
@does(Activity.POINTS_DESTROY, on="narrowed")
@needs_approval(ApprovalAct.EXPIRE)
async def expire_points(body: ExpirePoints, master: MasterOf, reach: ReachOf, user: User) -> Response:
    """From then on no keep rule keeps them: the next run lets them go."""
    at = parse_time(body.at, master.base.now()) if body.at else None
    return reply(await master.queries.change_points(_ask(body, Expire(at=at), user), reach))


@router.post("/points/forget")
@answers(ChangedPoints)
@does(Activity.POINTS_DESTROY, on="narrowed")
@needs_approval(ApprovalAct.FORGET)
async def forget_points(body: ForgetPoints, master: MasterOf, reach: ReachOf, user: User) -> Response:
    """At once, all of them or none."""
    return reply(await master.queries.change_points(_ask(body, Forget(newest=body.newest), user), reach))


@router.post("/datasets/forget")
@answers(ChangedPoints)
@does(Activity.POINTS_DESTROY, on="narrowed")
@needs_approval(ApprovalAct.FORGET)
async def forget_dataset(body: ForgetDataset, master: MasterOf, reach: ReachOf, user: User) -> Response:
    ask = AskChangePoints(change=Forget(newest=True), dataset=body.dataset, repository=body.repository, dry_run=body.dry_run, by=user)
    return reply(await master.queries.change_points(ask, reach))


@router.get("/explain")
@answers(Explained)
@does(Activity.DATA_READ, on="narrowed")
async def explain(master: MasterOf, reach: ReachOf, path: str, dataset: str = "", repository: str = "", at: str = "") -> Response:
    """`path` is percent-encoded bytes, once more than the query itself. `at`: the version that was the newest then (empty = now)."""
    moment = parse_time(at, master.base.now()) if at else None
    return reply(
        await master.queries.explain(AskExplain(path=unquote_to_bytes(path), dataset=dataset, repository=repository, at=moment), reach.may)
    )


@router.post("/repositories/{repository}/prune")
@answers(TriggerStarted)
@does(Activity.REPOSITORIES_DESTROY, on="repository")
@needs_approval(ApprovalAct.PRUNE)
async def prune(repository: str, body: PruneWanted, master: MasterOf) -> Response:
    """A job of the repository's owner; its `report` says what was done, or with `dry_run` would be."""
    task = Prune(max_unused=body.max_unused, max_repack_bytes=body.max_repack_bytes, grace_s=body.grace_s)
    return reply(TriggerStarted(trigger=await master.history.maintain(repository, task, dry_run=body.dry_run)))


def _ask(body: PointsNamed, change: PointChange, user: str) -> AskChangePoints:
    return AskChangePoints(change=change, points=tuple(body.points), repository=body.repository, dry_run=body.dry_run, by=user)

"""What repositories hold, and getting it back: points, listings, searches, restores, checks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Depends, Query, Response
from msgspec.structs import replace

from holdfast.api.answers import RepositoryList, RepositoryRow, TriggerStarted
from holdfast.api.approving import needs_approval
from holdfast.api.callers import MasterOf, User
from holdfast.api.contract import answers
from holdfast.api.permits import ReachOf, does
from holdfast.api.replies import raw_fields, reply
from holdfast.api.schemas import Check, Mount, Repair, Restore, Scrub, WantedPause
from holdfast.core.units import parse_duration_s, parse_time
from holdfast.master.answers.found import FoundDifferences, FoundMirrors, FoundMoments, FoundPoints, FoundRows
from holdfast.master.answers.wanted_points import Wanted
from holdfast.master.jobs.history import PausedRepository
from holdfast.master.jobs.restores import GrantedMount, StartedRestore, Wish
from holdfast.model import maintenance
from holdfast.model.access import Activity
from holdfast.model.anomalies import LAST_CLEAN
from holdfast.model.approvals import ApprovalAct
from holdfast.model.differences import AskDiff
from holdfast.model.listing_questions import AskFind, AskHistory, AskListing
from holdfast.model.moments import AskMoment, AskMoments
from holdfast.model.orders import Owners, RestoreRequest, parse_owner_change
from holdfast.model.pausing import AskPause
from holdfast.model.point_changes import LONGEST_TAG
from holdfast.model.sight import Reach

router = APIRouter(tags=["repositories"])
Limit = Annotated[int, Query(ge=1, le=100_000)]
Page = Annotated[int, Query(ge=1, le=2_000)]
Tag = Annotated[str, Query(max_length=LONGEST_TAG)]


@router.get("/points")
@answers(FoundPoints)
@does(Activity.POINTS_READ, on="narrowed")
async def points(master: MasterOf, reach: ReachOf, dataset: str = "", repository: str = "", tag: Tag = "") -> Response:
    """`tag`: only those that bear it, given by hand or inherited."""
    return reply(await master.queries.points(dataset, repository, reach.may, tag))


def _what_moments(
    master: MasterOf, dataset: str, repository: str = "", since: str = "", until: str = "", limit: Limit = 1_000
) -> AskMoments:
    now = master.base.now()
    return AskMoments(
        dataset=dataset,
        repository=repository,
        since=parse_time(since, now) if since else None,
        until=parse_time(until, now) if until else None,
        limit=limit,
    )


@router.get("/moments")
@answers(FoundMoments)
@does(Activity.POINTS_READ, on="narrowed")
async def moments(master: MasterOf, reach: ReachOf, ask: Annotated[AskMoments, Depends(_what_moments)]) -> Response:
    """The states of a followed dataset that can be restored, newest first, and its gaps."""
    return reply(await master.queries.moments(ask, reach.may))


def _what_to_list(master: MasterOf, point: str = "", dataset: str = "", at: str = "", repository: str = "") -> AskListing:
    """A point, or the newest one of a dataset that was captured at or before `at` (empty = of all)."""
    return AskListing(point=point, dataset=dataset, at=parse_time(at, master.base.now()) if at else None, repository=repository)


def _where_to_list(path: str = "", after: str = "") -> tuple[bytes, bytes]:
    return unquote_to_bytes(path), unquote_to_bytes(after)


@router.get("/moments/before-deletion")
@answers(FoundPoints)
@does(Activity.DATA_READ, on="narrowed")
async def before_deletion(master: MasterOf, reach: ReachOf, dataset: str, path: str, repository: str = "") -> Response:
    """The newest state of a dataset, by repository, that has a path and all that was below it, before it was deleted. `path` is
    percent-encoded bytes (once more than the query itself)."""
    ask = AskMoment(dataset=dataset, repository=repository, before_deletion=unquote_to_bytes(path))
    return reply(await master.queries.moment(ask, reach.may))


@router.get("/mirrors")
@answers(FoundMirrors)
@does(Activity.POINTS_READ, on="narrowed")
async def mirrors(master: MasterOf, reach: ReachOf, dataset: str = "") -> Response:
    """Which state each mirror is equal to: what `repository` of a restore can name beside repositories."""
    return reply(await master.queries.mirrors(dataset, reach.may))


@router.get("/ls")
@answers(FoundRows)
@does(Activity.DATA_READ, on="narrowed")
async def ls(
    master: MasterOf,
    reach: ReachOf,
    what: Annotated[AskListing, Depends(_what_to_list)],
    where: Annotated[tuple[bytes, bytes], Depends(_where_to_list)],
    recursive: bool = False,
    limit: Limit = 10_000,
) -> Response:
    """`path` and `after` are percent-encoded bytes (once more than the query itself): a name need not be UTF-8."""
    path, after = where
    ask = replace(what, path=path, recursive=recursive, limit=limit, after=after)
    return reply(await master.queries.listing(ask, reach.may))


def _what_to_compare(a: str, b: str, recursive: bool = False) -> AskDiff:
    return AskDiff(a=a, b=b, recursive=recursive)


@router.get("/diff")
@answers(FoundDifferences)
@does(Activity.DATA_READ, on="narrowed")
async def diff(
    master: MasterOf,
    reach: ReachOf,
    sides: Annotated[AskDiff, Depends(_what_to_compare)],
    path: str = "",
    limit: Page = 1_000,
    after: str = "",
) -> Response:
    """From `a` to `b`: what differs in a folder, or with `recursive` below it. `path` and `after` are percent-encoded bytes (once more than
    the query itself)."""
    ask = replace(sides, path=unquote_to_bytes(path), limit=limit, after=unquote_to_bytes(after))
    return reply(await master.queries.differences(ask, reach.may))


def _what_to_find(pattern: str, dataset: str = "", repository: str = "", ignore_case: bool = False, limit: Limit = 1_000) -> AskFind:
    return AskFind(pattern=pattern, dataset=dataset, repository=repository, ignore_case=ignore_case, limit=limit)


@router.get("/find")
@answers(FoundRows)
@does(Activity.DATA_READ, on="narrowed")
async def find(master: MasterOf, reach: ReachOf, ask: Annotated[AskFind, Depends(_what_to_find)]) -> Response:
    return reply(await master.queries.rows(ask, reach.may))


@router.get("/history")
@answers(FoundRows)
@does(Activity.DATA_READ, on="narrowed")
async def history(master: MasterOf, reach: ReachOf, path: str, dataset: str = "", repository: str = "", limit: Limit = 1_000) -> Response:
    """Newest first; nothing was ever kept of it = an error. `path` is percent-encoded bytes (once more than the query itself)."""
    ask = AskHistory(path=unquote_to_bytes(path), dataset=dataset, repository=repository, limit=limit)
    return reply(await master.queries.history(ask, reach.may))


@router.post("/restores")
@answers(StartedRestore)
@does(Activity.DATA_RESTORE, on="narrowed")
async def restore(body: Restore, master: MasterOf, reach: ReachOf) -> Response:
    wish = Wish(
        request=RestoreRequest(
            target=body.to,
            conflict=body.conflict,
            dry_run=body.dry_run,
            limit_bytes_s=body.limit_bytes_s,
            undo_for_s=parse_duration_s(body.undo_for),
            exact=body.exact,
            owners=Owners(
                by=body.owner, users=tuple(map(parse_owner_change, body.map_owners)), groups=tuple(map(parse_owner_change, body.map_groups))
            ),
        ),
        point=body.point,
        dataset=body.dataset,
        at=await _moment_wanted(body, master, reach),
        before_deletion=unquote_to_bytes(body.before_deletion),
        paths=tuple(unquote_to_bytes(path) for path in body.paths),
        node=body.node,
        repository=body.repository,
    )
    return reply(await master.restores.restore(wish, reach))


@router.post("/mounts")
@answers(GrantedMount)
@does(Activity.DATA_RESTORE, on="narrowed")
async def mount(body: Mount, master: MasterOf, reach: ReachOf) -> Response:
    """Orders by which a node may read a point for the next hour, as often as it asks: for `holdfast mount`, which gets new ones in time."""
    at = parse_time(body.at, master.base.now()) if body.at else None
    wanted = Wanted(point=body.point, dataset=body.dataset, at=at, node=body.node, repository=body.repository)
    return reply(await master.restores.mount(wanted, reach))


async def _moment_wanted(body: Restore, master: MasterOf, reach: Reach) -> datetime | None:
    if body.at == LAST_CLEAN:
        return await master.anomalies.last_clean(body.dataset, reach.sees)
    return parse_time(body.at, master.base.now()) if body.at else None


@router.get("/repositories")
@answers(RepositoryList)
@does(Activity.STATUS_READ, on="narrowed")
async def repositories(master: MasterOf, reach: ReachOf) -> Response:
    found, unreachable = await master.board.repositories(reach.may)
    rows = tuple(RepositoryRow(node=view.node, **raw_fields(view.status)) for view in found)
    return reply(RepositoryList(repositories=rows, unreachable=unreachable))


@router.post("/repositories/{repository}/check")
@answers(TriggerStarted)
@does(Activity.REPOSITORIES_CARE, on="repository")
async def check(repository: str, body: Check, master: MasterOf) -> Response:
    """`subset`: read a part of the packs, like `10%`, `3/10` or `500MB`."""
    if body.subset:
        maintenance.parse_subset(body.subset)
    task = maintenance.Check(read_data=body.read_data, subset=body.subset)
    return reply(TriggerStarted(trigger=await master.history.maintain(repository, task)))


@router.post("/repositories/{repository}/repair")
@answers(TriggerStarted)
@does(Activity.REPOSITORIES_CARE, on="repository")
@needs_approval(ApprovalAct.PRUNE, unless=lambda body: body.dry_run or not body.forget_damaged)
async def repair(repository: str, body: Repair, master: MasterOf) -> Response:
    """A job of the repository's owner; its `report` says what was done, or with `dry_run` would be."""
    task = maintenance.Repair(forget_damaged=body.forget_damaged)
    return reply(TriggerStarted(trigger=await master.history.maintain(repository, task, dry_run=body.dry_run)))


@router.post("/repositories/{repository}/rebuild")
@answers(TriggerStarted)
@does(Activity.REPOSITORIES_CARE, on="repository")
async def rebuild(repository: str, master: MasterOf) -> Response:
    """The owner's catalog is made anew from the repository alone."""
    return reply(TriggerStarted(trigger=await master.history.maintain(repository, maintenance.Rebuild())))


@router.post("/repositories/{repository}/scrub")
@answers(TriggerStarted)
@does(Activity.REPOSITORIES_CARE, on="repository")
async def scrub(repository: str, body: Scrub, master: MasterOf) -> Response:
    """Read the next part of all packs now."""
    return reply(TriggerStarted(trigger=await master.history.maintain(repository, maintenance.Scrub(ratio=body.ratio))))


@router.get("/repositories/{repository}/pause")
@answers(PausedRepository)
@does(Activity.REPOSITORIES_CARE, on="repository")
async def look_at_pause(repository: str, master: MasterOf) -> Response:
    """Whether it is paused, until when, and how many are still at work in it."""
    return reply(await master.history.pause(AskPause(repository=repository, look=True)))


@router.post("/repositories/{repository}/pause")
@answers(PausedRepository)
@does(Activity.REPOSITORIES_CARE, on="repository")
async def pause_repository(repository: str, body: WantedPause, master: MasterOf, user: User) -> Response:
    """From now on nobody begins work in it; it is free for others when `pause.sessions` is 0."""
    for_s = parse_duration_s(body.duration) if body.duration else None
    return reply(await master.history.pause(AskPause(repository=repository, for_s=for_s, by=user)))


@router.post("/repositories/{repository}/resume")
@answers(PausedRepository)
@does(Activity.REPOSITORIES_CARE, on="repository")
async def resume_repository(repository: str, master: MasterOf, user: User) -> Response:
    """Runs that waited are tried again by themselves."""
    return reply(await master.history.pause(AskPause(repository=repository, paused=False, by=user)))

"""Archived files: what there is and until when, what would be archived now, legal holds."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Query, Response

from holdfast.api.approving import needs_approval
from holdfast.api.callers import MasterOf, User
from holdfast.api.contract import answers
from holdfast.api.permits import ReachOf, does
from holdfast.api.replies import reply
from holdfast.api.schemas import HoldArchive, ReleaseArchive
from holdfast.master.answers.archives import FoundArchive, FoundPlans
from holdfast.model.access import Activity
from holdfast.model.approvals import ApprovalAct
from holdfast.model.archive_questions import MOST_FILES, AskArchive, AskArchiveHold

router = APIRouter(tags=["archive"])
Limit = Annotated[int, Query(ge=1, le=MOST_FILES)]


@router.get("/archive")
@answers(FoundArchive)
@does(Activity.DATA_READ, on="narrowed")
async def archived_files(
    master: MasterOf, reach: ReachOf, dataset: str = "", repository: str = "", path: str = "/", limit: Limit = 1_000
) -> Response:
    """What is archived, by dataset and repository; of a `dataset` (label or id) its versions at or below `path` (percent-encoded
    bytes, once more than the query itself), oldest first."""
    found = await master.archives.find(AskArchive(dataset=dataset, repository=repository, path=_path(path), limit=limit), reach.may)
    return reply(found)


@router.get("/archive/plan")
@answers(FoundPlans)
@does(Activity.DATA_READ, on="narrowed")
async def archive_plan(master: MasterOf, reach: ReachOf, dataset: str = "", limit: Limit = 20) -> Response:
    """What the archive operations in force would take now, by what was captured last. `limit`: of how many files the names are given."""
    return reply(await master.archives.plan(dataset, limit, reach.may))


@router.post("/archive/hold")
@answers(FoundArchive)
@does(Activity.POINTS_CHANGE, on="narrowed")
async def hold_archive(body: HoldArchive, master: MasterOf, reach: ReachOf, user: User) -> Response:
    """A legal hold on what is archived at or below `path`, now or later: nothing of it expires until the hold is released."""
    ask = AskArchiveHold(dataset=body.dataset, name=body.name, path=_path(body.path), repository=body.repository, by=user)
    return reply(await master.archives.hold(ask, reach))


@router.post("/archive/release")
@answers(FoundArchive)
@does(Activity.POINTS_DESTROY, on="narrowed")
@needs_approval(ApprovalAct.RELEASE)
async def release_archive(body: ReleaseArchive, master: MasterOf, reach: ReachOf, user: User) -> Response:
    """Ends the legal hold of that name; what is over goes at the next opportunity."""
    ask = AskArchiveHold(dataset=body.dataset, name=body.name, repository=body.repository, release=True, by=user)
    return reply(await master.archives.hold(ask, reach))


def _path(text: str) -> bytes:
    return unquote_to_bytes(text.encode()) or b"/"

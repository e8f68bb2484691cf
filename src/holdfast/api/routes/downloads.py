"""Download links. What they lead to is the repository's node, not this Master."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Request, Response

from holdfast.api.callers import CallerOf, MasterOf
from holdfast.api.contract import answers
from holdfast.api.permits import ReachOf, does
from holdfast.api.replies import reply
from holdfast.api.schemas import DownloadWanted
from holdfast.core.units import parse_time
from holdfast.master.answers.wanted_points import Wanted
from holdfast.master.jobs.downloads import DownloadLink, DownloadWish
from holdfast.model.access import Activity

router = APIRouter(tags=["repositories"])


@router.post("/downloads")
@answers(DownloadLink)
@does(Activity.DATA_READ, on="narrowed")
async def make_download_link(body: DownloadWanted, request: Request, caller: CallerOf, master: MasterOf, reach: ReachOf) -> Response:
    """A link to one path of a point: good once, for some minutes, for whoever has it. A file that broke off goes on by the same link."""
    at = parse_time(body.at, master.base.now()) if body.at else None
    # Only the console reads the answer by script; its pages come from the host that it calls.
    origin = f"https://{request.headers.get('host', '')}" if caller.kind == "session" else ""
    wanted = DownloadWish(
        what=Wanted(point=body.point, dataset=body.dataset, at=at, repository=body.repository),
        path=unquote_to_bytes(body.path),
        format=body.format,
        user=caller.user,
        origin=origin,
        reached_as=request.url.hostname or "",
    )
    return reply(await master.downloads.link(wanted, reach))

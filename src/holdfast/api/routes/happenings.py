"""Jobs and events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from holdfast.api.callers import MasterOf
from holdfast.api.replies import reply

router = APIRouter(tags=["happenings"])
Limit = Annotated[int, Query(ge=1, le=10_000)]


@router.get("/jobs")
async def jobs(master: MasterOf, limit: Limit = 100, node: str = "", flow: str = "") -> Response:
    """Newest first."""
    return reply({"jobs": await master.history.jobs(limit=limit, node=node, flow=flow)})


@router.get("/jobs/{job}")
async def job(job: str, master: MasterOf) -> Response:
    """By id or unique prefix."""
    return reply(await master.history.job(job))


@router.post("/jobs/{job}/cancel")
async def cancel(job: str, master: MasterOf) -> Response:
    return reply(await master.history.cancel(job))


@router.get("/events")
async def events(master: MasterOf, limit: Limit = 100) -> Response:
    """Newest first."""
    return reply({"events": await master.history.events(limit)})

"""Jobs and events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from holdfast.api.callers import MasterOf
from holdfast.api.replies import fields, reply
from holdfast.core.ids import NodeId
from holdfast.model.jobs import Event, Job

router = APIRouter(tags=["happenings"])
Limit = Annotated[int, Query(ge=1, le=10_000)]


@router.get("/jobs")
async def jobs(master: MasterOf, limit: Limit = 100, node: str = "", flow: str = "") -> Response:
    """Newest first."""
    found = await master.history.jobs(limit=limit, node=node, flow=flow)
    names = await master.history.node_names()
    return reply({"jobs": [_named(job, names) for job in found]})


@router.get("/jobs/{job}")
async def job(job: str, master: MasterOf) -> Response:
    """By id or unique prefix."""
    return reply(_named(await master.history.job(job), await master.history.node_names()))


@router.post("/jobs/{job}/cancel")
async def cancel(job: str, master: MasterOf) -> Response:
    return reply(_named(await master.history.cancel(job), await master.history.node_names()))


@router.get("/events")
async def events(master: MasterOf, limit: Limit = 100) -> Response:
    """Newest first."""
    names = await master.history.node_names()
    return reply({"events": [_named(event, names) for event in await master.history.events(limit)]})


def _named(record: Job | Event, names: dict[NodeId, str]) -> dict[str, object]:
    return {**fields(record), "node_name": names.get(record.node, "")}

"""Jobs, the log, and live events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from holdfast.api.answers import JobList, JobView, TriggerStarted
from holdfast.api.callers import CallerOf, MasterOf
from holdfast.api.contract import answers
from holdfast.api.permits import does
from holdfast.api.replies import raw_fields, reply
from holdfast.api.schemas import JobQuery, Undo
from holdfast.api.streams import LiveEvents
from holdfast.master.deltas import NamedJob
from holdfast.master.history import JobsWanted
from holdfast.master.master import Master
from holdfast.master.newsroom import named
from holdfast.model.access import Activity
from holdfast.model.jobs import Job

router = APIRouter(tags=["happenings"])
Limit = Annotated[int, Query(ge=1, le=10_000)]


@router.get("/events")
@answers(None)
@does(Activity.STATUS_READ)
async def live_events(
    request: Request,
    caller: CallerOf,
    master: MasterOf,
    last_event_id: Annotated[str, Header(max_length=64)] = "",
    after: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Server-sent events: a snapshot, then every change. `after` = an event's id, for a first connection that cannot send headers."""
    return LiveEvents(master, request.app.state.frames, caller, last_event_id or after)


@router.get("/jobs")
@answers(JobList)
@does(Activity.STATUS_READ)
async def jobs(master: MasterOf, query: Annotated[JobQuery, Query()]) -> Response:
    """Newest first. `rule` is a dataset, or the name of a rule as jobs say it; `before` the id of a job: those that came before it."""
    found, more = await master.history.jobs(JobsWanted(**query.model_dump()))
    return reply(JobList(jobs=named(found, await master.history.node_names({job.node for job in found}), NamedJob), more=more))


@router.get("/jobs/{job}")
@answers(JobView)
@does(Activity.STATUS_READ)
async def job(job: str, master: MasterOf) -> Response:
    """By id or unique prefix."""
    found = await master.history.job(job)
    return reply(JobView(**raw_fields(await _named(found, master)), progress=master.hub.progress(found.id)))


@router.post("/jobs/{job}/cancel")
@answers(NamedJob)
@does(Activity.JOBS_CONTROL)
async def cancel(job: str, master: MasterOf) -> Response:
    """The job as it was when its node took the wish to end it."""
    return reply(await _named(await master.history.cancel(job), master))


@router.post("/jobs/{job}/pause")
@answers(NamedJob)
@does(Activity.JOBS_CONTROL)
async def pause(job: str, master: MasterOf) -> Response:
    """Hold up a restore, so that it can go on: the job as it was when its node took the wish."""
    return reply(await _named(await master.history.pause_job(job), master))


@router.post("/jobs/{job}/resume")
@answers(NamedJob)
@does(Activity.DATA_RESTORE)
async def resume(job: str, master: MasterOf) -> Response:
    """Go on with a paused restore: the job as it was."""
    found = await master.history.job(job)
    await master.restores.resume(found)
    return reply(await _named(found, master))


@router.post("/jobs/{job}/undo")
@answers(TriggerStarted)
@does(Activity.DATA_RESTORE)
async def undo(job: str, body: Undo, master: MasterOf) -> Response:
    """Take back a restore: what it replaced comes back, what it made goes, what was changed since stays. A job of the same machine; its
    `report` says what was done, or with `dry_run` would be."""
    return reply(TriggerStarted(trigger=await master.restores.undo(await master.history.job(job), dry_run=body.dry_run)))


async def _named(job: Job, master: Master) -> NamedJob:
    return named((job,), await master.history.node_names({job.node}), NamedJob)[0]

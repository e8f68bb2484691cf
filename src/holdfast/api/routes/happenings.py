"""Jobs, the log, and live events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from holdfast.api.answers import JobList, JobView, TriggerStarted
from holdfast.api.callers import CallerOf, MasterOf
from holdfast.api.contract import answers
from holdfast.api.permits import ReachOf, does
from holdfast.api.replies import raw_fields, reply
from holdfast.api.schemas import JobQuery, Undo
from holdfast.api.streams import LiveEvents
from holdfast.master.jobs.history import JobsWanted
from holdfast.master.live.deltas import NamedJob
from holdfast.master.live.newsroom import named
from holdfast.master.master import Master
from holdfast.model.access import Activity
from holdfast.model.jobs import Job
from holdfast.model.sight import Reach

router = APIRouter(tags=["happenings"])


@router.get("/events")
@answers(None)
@does(Activity.STATUS_READ, on="narrowed")
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
@does(Activity.STATUS_READ, on="narrowed")
async def jobs(master: MasterOf, reach: ReachOf, query: Annotated[JobQuery, Query()]) -> Response:
    """Newest first. `rule` is a dataset, or the name of a rule as jobs say it; `before` the id of a job: those that came before it."""
    found, more = await master.history.jobs(JobsWanted(**query.model_dump()), reach.may)
    return reply(JobList(jobs=named(found, await master.history.node_names({job.node for job in found}), NamedJob), more=more))


@router.get("/jobs/{job}")
@answers(JobView)
@does(Activity.STATUS_READ, on="narrowed")
async def job(job: str, master: MasterOf, reach: ReachOf) -> Response:
    """By id or unique prefix."""
    found = await _job(job, master, reach)
    return reply(JobView(**raw_fields(await _named(found, master)), progress=master.hub.progress(found.node, found.id)))


@router.post("/jobs/{job}/cancel")
@answers(NamedJob)
@does(Activity.JOBS_CONTROL, on="narrowed")
async def cancel(job: str, master: MasterOf, reach: ReachOf) -> Response:
    """The job as it was when its node took the wish to end it."""
    return reply(await _named(await master.history.cancel((await _job(job, master, reach)).id), master))


@router.post("/jobs/{job}/retry")
@answers(JobList)
@does(Activity.JOBS_CONTROL, on="narrowed")
async def retry(job: str, master: MasterOf, reach: ReachOf) -> Response:
    """Run again, now, what an ended run or cascade was about: the new jobs."""
    started = await master.history.retry((await _job(job, master, reach)).id)
    return reply(JobList(jobs=named(started, await master.history.node_names({each.node for each in started}), NamedJob), more=False))


@router.post("/jobs/{job}/pause")
@answers(NamedJob)
@does(Activity.JOBS_CONTROL, on="narrowed")
async def pause(job: str, master: MasterOf, reach: ReachOf) -> Response:
    """Hold up a restore, so that it can go on: the job as it was when its node took the wish."""
    return reply(await _named(await master.history.pause_job((await _job(job, master, reach)).id), master))


@router.post("/jobs/{job}/resume")
@answers(NamedJob)
@does(Activity.DATA_RESTORE, on="narrowed")
async def resume(job: str, master: MasterOf, reach: ReachOf) -> Response:
    """Go on with a paused restore: the job as it was."""
    found = await _job(job, master, reach)
    reach.check_node(found.node)
    await master.restores.resume(found)
    return reply(await _named(found, master))


@router.post("/jobs/{job}/undo")
@answers(TriggerStarted)
@does(Activity.DATA_RESTORE, on="narrowed")
async def undo(job: str, body: Undo, master: MasterOf, reach: ReachOf) -> Response:
    """Take back a restore: what it replaced comes back, what it made goes, what was changed since stays. A job of the same machine; its
    `report` says what was done, or with `dry_run` would be."""
    found = await _job(job, master, reach)
    reach.check_node(found.node)
    return reply(TriggerStarted(trigger=await master.restores.undo(found, dry_run=body.dry_run)))


async def _job(job: str, master: Master, reach: Reach) -> Job:
    """By id or unique prefix. Raises `UnknownName`, also for one that the caller may not know of, and `Refused`."""
    found = await master.history.job(job, reach.sees.joined(reach.may))
    reach.check_job(found)
    return found


async def _named(job: Job, master: Master) -> NamedJob:
    return named((job,), await master.history.node_names({job.node}), NamedJob)[0]

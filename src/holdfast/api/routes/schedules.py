"""When things run: the calendar of what is active, a document simulated, a schedule painted."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response

from holdfast.api.callers import MasterOf
from holdfast.api.contract import answers
from holdfast.api.permits import does
from holdfast.api.replies import reply
from holdfast.api.schemas import PaintSchedule, SimulateDocument
from holdfast.core.errors import UsageError
from holdfast.core.units import parse_time
from holdfast.master.showing.foreseeing import Calendar, PaintedSchedule, SimulatedDocument
from holdfast.model.access import Activity

router = APIRouter(tags=["schedules"])
_FIRST_YEAR, _LAST_YEAR = 1990, 2200


@router.get("/schedules")
@answers(Calendar)
@does(Activity.ENVIRONMENT_READ, on="environment")
async def schedules(master: MasterOf, next: Annotated[int, Query(ge=0, le=1_000)] = 10) -> Response:
    """The schedules of the document, and the next runs of what is active."""
    return reply(await master.foreseeing.calendar(next))


@router.post("/schedules/paint")
@answers(PaintedSchedule)
@does(Activity.ENVIRONMENT_READ)
async def paint_schedule(body: PaintSchedule, master: MasterOf) -> Response:
    """When runs may start by a schedule, and when they do. Changes nothing."""
    return reply(await master.foreseeing.paint(body.schedule, _moment(body.since, master), body.days))


@router.post("/environment/simulate")
@answers(SimulatedDocument)
@does(Activity.ENVIRONMENT_READ, on="environment")
async def simulate_document(body: SimulateDocument, master: MasterOf) -> Response:
    """What a document would do in some days: runs, points, what retention would leave, RPOs that cannot be met. Changes nothing."""
    return reply(await master.foreseeing.simulate(body.text, body.days, _moment(body.since, master)))


def _moment(text: str, master: MasterOf) -> datetime:
    """In UTC, which it is without a zone. Raises `UsageError`, also where no calendar can be reckoned."""
    moment = parse_time(text, master.base.now()).replace(microsecond=0)
    if not _FIRST_YEAR <= moment.year < _LAST_YEAR:
        raise UsageError(f"the year {moment.year} is too far away", hint=f"name one from {_FIRST_YEAR} to {_LAST_YEAR - 1}")
    return moment

"""Reports that are made and sent by themselves."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import Field, StringConstraints

from holdfast.api.answers import Deleted, ReportScheduleList
from holdfast.api.callers import CallerOf, MasterOf
from holdfast.api.contract import answers
from holdfast.api.permits import check_everywhere, does
from holdfast.api.replies import reply
from holdfast.api.schemas import Body
from holdfast.master.reports.posting import ReportScheduleView
from holdfast.model.access import Activity
from holdfast.model.report_schedules import LONGEST_S, MOST_AT, SHORTEST_S, ReportSchedule
from holdfast.model.reports import Kind

router = APIRouter(tags=["reports"])
Word = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class ReportScheduleWanted(Body):
    """`at`: trigger times in `zone`, or `schedule`: the name of one of the document. `to`: channels of notifications. `folder`: kept as
    files in the Master's home, too."""

    kind: Kind
    at: list[Word] = Field(default=[], max_length=MOST_AT)
    zone: str = Field(default="UTC", max_length=64)
    schedule: str = Field(default="", max_length=256)
    since_s: float = Field(default=30 * 86_400.0, ge=SHORTEST_S, le=LONGEST_S)
    format: Literal["html", "csv", "json"] = "html"
    to: list[Word] = Field(default=[], max_length=20)
    folder: bool = False
    enabled: bool = True

    def named(self, name: str) -> ReportSchedule:
        told = self.model_dump()
        return ReportSchedule(name=name, **{**told, "at": tuple(self.at), "to": tuple(self.to)})


@router.get("/report-schedules")
@answers(ReportScheduleList)
@does(Activity.METRICS_READ)
async def report_schedules(master: MasterOf) -> Response:
    """When each is made next, when it last got through, and what did not."""
    return reply(ReportScheduleList(schedules=await master.post.view()))


@router.put("/report-schedules/{schedule}")
@answers(ReportScheduleList)
@does(Activity.NOTIFICATIONS_MANAGE)
async def set_report_schedule(schedule: str, body: ReportScheduleWanted, caller: CallerOf, master: MasterOf) -> Response:
    """Make one, or put another in its place. Wants `metrics.read` as well: where it goes, its content is read."""
    check_everywhere(caller.rights, Activity.METRICS_READ)
    return reply(ReportScheduleList(schedules=await master.post.put(body.named(schedule))))


@router.delete("/report-schedules/{schedule}")
@answers(Deleted)
@does(Activity.NOTIFICATIONS_MANAGE)
async def remove_report_schedule(schedule: str, master: MasterOf) -> Response:
    """Its files stay."""
    await master.post.remove(schedule)
    return reply(Deleted(deleted=schedule))


@router.post("/report-schedules/{schedule}/send")
@answers(ReportScheduleView)
@does(Activity.NOTIFICATIONS_MANAGE)
async def send_report(schedule: str, caller: CallerOf, master: MasterOf) -> Response:
    """Make it now; `error` says what did not get through. Wants `metrics.read` as well."""
    check_everywhere(caller.rights, Activity.METRICS_READ)
    return reply(await master.post.send(schedule))

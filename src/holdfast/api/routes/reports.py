"""Reports, as values and as files."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from holdfast.api.callers import MasterOf
from holdfast.api.contract import answers
from holdfast.api.permits import does
from holdfast.api.replies import reply
from holdfast.core.units import parse_since
from holdfast.master.master import Master
from holdfast.model.access import Activity
from holdfast.model.reports import EnvironmentReport, Kind, as_csv, as_html

router = APIRouter(tags=["reports"])
Since = Annotated[str, Query(max_length=64)]


@router.get("/reports/{kind}")
@answers(EnvironmentReport)
@does(Activity.METRICS_READ)
async def report(kind: Kind, master: MasterOf, since: Since = "30d") -> Response:
    """From `since` (a time, or an age) to now."""
    return reply(await _made(master, kind, since))


@router.get("/reports/{kind}/file")
@answers(str)
@does(Activity.METRICS_READ)
async def report_file(kind: Kind, master: MasterOf, since: Since = "30d", format: Literal["html", "csv"] = "html") -> Response:
    """The same to keep or print: a page that needs nothing else, or tables for a spreadsheet."""
    made = await _made(master, kind, since)
    content = as_html(made) if format == "html" else as_csv(made)
    name = f"holdfast-{kind}-{made.until:%Y-%m-%d}.{format}"
    return Response(content, media_type=f"text/{format}", headers={"Content-Disposition": f'attachment; filename="{name}"'})


async def _made(master: Master, kind: Kind, since: str) -> EnvironmentReport:
    return await master.reports.make(kind, parse_since(since, master.base.now()))

"""The log: read, acknowledged, taken elsewhere."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from holdfast.api.answers import Acknowledged, LogLines
from holdfast.api.callers import MasterOf, User
from holdfast.api.contract import answers
from holdfast.api.permits import ReachOf, does
from holdfast.api.replies import plain, reply
from holdfast.api.schemas import AcknowledgeLines, LogQuery
from holdfast.core.units import format_utc, parse_since
from holdfast.master.master import Master
from holdfast.master.showing.log_desk import LinesWanted, LogLine
from holdfast.model.access import Activity
from holdfast.model.sight import Sight

router = APIRouter(tags=["log"])
_PAGE = 1_000
_COLUMNS = ("number", "time", "severity", "code", "node", "message", "acknowledged_at", "acknowledged_by", "comment", "session")


@router.get("/logs")
@answers(LogLines)
@does(Activity.STATUS_READ, on="narrowed")
async def logs(master: MasterOf, reach: ReachOf, query: Annotated[LogQuery, Query()]) -> Response:
    """What the nodes and the Master had to say, newest first, of the nodes that one may see. `next`: give it as `before` for the lines that
    follow; null = no more."""
    found, following = await master.log.page(_wanted(master, query), query.limit, reach.may)
    return reply(LogLines(events=found, next=following))


@router.post("/logs/acknowledge")
@answers(Acknowledged)
@does(Activity.LOG_ACKNOWLEDGE)
async def acknowledge_lines(body: AcknowledgeLines, user: User, master: MasterOf) -> Response:
    """Somebody has seen them. What was acknowledged before stays as it is."""
    return reply(Acknowledged(acknowledged=await master.log.acknowledge(tuple(body.numbers), user, body.comment)))


@router.get("/logs/export")
@answers(str)
@does(Activity.STATUS_READ, on="narrowed")
async def export_logs(
    master: MasterOf, reach: ReachOf, query: Annotated[LogQuery, Query()], format: Literal["jsonl", "csv"] = "jsonl"
) -> Response:
    """All that is chosen, newest first, as a stream; `limit` does not count."""
    wanted = _wanted(master, query)
    found, following = await master.log.page(wanted, _PAGE, reach.may)
    head = {"Content-Disposition": f'attachment; filename="holdfast-log.{format}"'}
    kind = "text/csv" if format == "csv" else "text/plain"
    return StreamingResponse(_written(master, wanted, (found, following), reach.may, format), media_type=kind, headers=head)


async def _written(
    master: Master, wanted: LinesWanted, first: tuple[tuple[LogLine, ...], int | None], sight: Sight, kind: str
) -> AsyncIterator[bytes]:
    page, following = first
    if kind == "csv":
        yield _csv_row(_COLUMNS)
    while True:
        yield b"".join(_csv_row(_cells(line)) if kind == "csv" else msgspec.json.encode(plain(line)) + b"\n" for line in page)
        if following is None:
            return
        page, following = await master.log.page(msgspec.structs.replace(wanted, before=following), _PAGE, sight)


def _wanted(master: Master, query: LogQuery) -> LinesWanted:
    now = master.base.now()
    chosen = query.model_dump(exclude={"limit", "since", "until"})
    return LinesWanted(**chosen, since=_moment(query.since, now), until=_moment(query.until, now))


def _moment(text: str, now: datetime) -> datetime | None:
    return parse_since(text, now) if text else None


def _cells(line: LogLine) -> tuple[str, ...]:
    seen = format_utc(line.acknowledged_at) if line.acknowledged_at is not None else ""
    node = line.node_name or line.node
    told = (line.severity.value, line.code, node, line.message, seen, line.acknowledged_by, line.comment, line.session)
    return str(line.number), format_utc(line.time), *(f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell for cell in told)


def _csv_row(cells: tuple[str, ...]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue().encode(errors="replace")

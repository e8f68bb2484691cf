"""How everything does, in one answer, and has done."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from holdfast.api.answers import FindingRow, RepositoryRow, StatusView
from holdfast.api.callers import MasterOf
from holdfast.api.contract import answers
from holdfast.api.permits import ReachOf, does
from holdfast.api.replies import Rows, raw_fields, reply
from holdfast.master.judging.node_parts import NodeFinding, RepositoryView
from holdfast.master.showing.days import StatusDays
from holdfast.master.showing.growth import RepositoryGrowth
from holdfast.master.showing.status import Status
from holdfast.master.showing.status_pages import with_most
from holdfast.model.access import Activity
from holdfast.model.sight import Sight

router = APIRouter(tags=["status"])


@router.get("/status")
@answers(StatusView)
@does(Activity.STATUS_READ, on="narrowed")
async def status(
    request: Request, master: MasterOf, reach: ReachOf, limit: Annotated[int | None, Query(ge=1, le=10_000)] = None
) -> Response:
    """Everything; with `limit` at most so many rows of each list, what is in trouble first."""
    found = await master.board.status(reach.may)
    if limit is not None:
        found = await asyncio.to_thread(with_most, found, limit)
    open_errors = await master.log.open_errors()
    return await asyncio.to_thread(_written, found, open_errors, request.app.state.rows)


def _written(found: Status, open_errors: int, rows: Rows) -> Response:
    """As a `StatusView`. Beside the event loop, like all large answers; a row that nothing has changed of is neither made nor encoded
    anew."""
    long = {name: rows.encoded(getattr(found, name)) for name in ("protections", "nodes", "following", "unreachable")}
    long["repositories"] = rows.encoded(found.repositories, _repository_row)
    long["findings"] = rows.encoded(found.findings, _finding_row)
    view = raw_fields(found) | long | {"unacknowledged": open_errors}
    return reply({name: view[name] for name in StatusView.__struct_fields__})


def _repository_row(view: RepositoryView) -> RepositoryRow:
    return RepositoryRow(node=view.node, **raw_fields(view.status))


def _finding_row(view: NodeFinding) -> FindingRow:
    return FindingRow(node=view.node, **raw_fields(view.finding))


@router.get("/status/days")
@answers(StatusDays)
@does(Activity.STATUS_READ, on="narrowed")
async def status_days(
    master: MasterOf, reach: ReachOf, days: Annotated[int, Query(ge=1, le=90)] = 30, zone: Annotated[str, Query(max_length=64)] = "UTC"
) -> Response:
    """How each dataset did on each of the last days. `zone` (IANA) says where days begin."""
    return await asyncio.to_thread(_written_days, await master.days.days(days, zone), reach.may)


def _written_days(found: StatusDays, sight: Sight) -> Response:
    """Days that are the same for many datasets are encoded once. All that a day has are texts and numbers."""
    encoded: dict[int, msgspec.Raw] = {}
    rows = []
    for each in found.datasets:
        if sight.has_dataset(each.dataset):
            days = encoded.get(id(each.days))
            if days is None:
                days = encoded[id(each.days)] = msgspec.Raw(msgspec.json.encode(each.days))
            rows.append({"dataset": each.dataset, "days": days})
    return Response(msgspec.json.encode({"zone": found.zone, "datasets": rows}), media_type="application/json")


@router.get("/repositories/{repository}/growth")
@answers(RepositoryGrowth)
@does(Activity.STATUS_READ, on="repository")
async def repository_growth(repository: str, master: MasterOf, days: Annotated[int, Query(ge=1, le=3_660)] = 400) -> Response:
    """What it held on each of the last days, and whenever that changed."""
    return reply(await master.growth.of(repository, days))

"""How everything does, in one answer."""

from __future__ import annotations

from fastapi import APIRouter, Response

from holdfast.api.answers import FindingRow, RepositoryRow, StatusView
from holdfast.api.callers import MasterOf
from holdfast.api.contract import answers
from holdfast.api.replies import raw_fields, reply

router = APIRouter(tags=["status"])


@router.get("/status")
@answers(StatusView)
async def status(master: MasterOf) -> Response:
    found = await master.board.status()
    rows = tuple(RepositoryRow(node=view.node, **raw_fields(view.status)) for view in found.repositories)
    told = tuple(FindingRow(node=view.node, **raw_fields(view.finding)) for view in found.findings)
    return reply(StatusView(**{**raw_fields(found), "repositories": rows, "findings": told}))

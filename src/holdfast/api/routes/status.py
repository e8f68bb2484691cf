"""How everything does, in one answer."""

from __future__ import annotations

from fastapi import APIRouter, Response

from holdfast.api.callers import MasterOf
from holdfast.api.replies import fields, reply

router = APIRouter(tags=["status"])


@router.get("/status")
async def status(master: MasterOf) -> Response:
    found = await master.board.status()
    rows = [{"node": view.node, **fields(view.status)} for view in found.repositories]
    told = [{"node": f.node, **fields(f.finding)} for f in found.findings]
    return reply({**fields(found), "repositories": rows, "findings": told})

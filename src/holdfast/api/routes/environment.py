"""The environment document: read, plan, apply; and protect, which writes it for people in a hurry."""

from __future__ import annotations

from fastapi import APIRouter, Response

from holdfast.api.callers import MasterOf, User
from holdfast.api.replies import reply
from holdfast.api.schemas import ApplyDocument, PlanDocument, Protect
from holdfast.master.environment import ApplyRequest
from holdfast.master.protecting import ProtectRequest

router = APIRouter(tags=["environment"])


@router.get("/environment")
async def export(master: MasterOf) -> Response:
    """The stored text, byte for byte."""
    newest = await master.environment.newest()
    return reply({"revision": newest.number, "text": newest.text, "created_at": newest.created_at, "author": newest.author})


@router.post("/environment/plan")
async def plan(body: PlanDocument, master: MasterOf) -> Response:
    """What applying this text would change. Changes nothing."""
    return reply(await master.environment.plan(body.text))


@router.put("/environment")
async def apply(body: ApplyDocument, user: User, master: MasterOf) -> Response:
    request = ApplyRequest(
        text=body.text,
        base_revision=body.base_revision,
        accept_removals=body.accept_removals,
        author=user,
        comment=body.comment,
    )
    return reply(await master.environment.apply(request))


@router.post("/protect")
async def protect(body: Protect, user: User, master: MasterOf) -> Response:
    """Write repository, policy and flow for one folder into the document, and activate the flow."""
    request = ProtectRequest(path=body.path, location=body.location, every=body.every, node=body.node, author=user)
    return reply(await master.protecting.protect(request))

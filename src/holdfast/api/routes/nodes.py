"""Nodes: who they are, joining, renewing, revoking."""

from __future__ import annotations

import base64
import binascii

from fastapi import APIRouter, Request, Response

from holdfast.api.callers import MasterOf
from holdfast.api.replies import reply
from holdfast.api.schemas import Join, NewJoinToken, Renew
from holdfast.core.errors import UsageError
from holdfast.master.enrolment import JoinRequest, RenewRequest

public = APIRouter(tags=["nodes"])
router = APIRouter(tags=["nodes"])


@public.post("/join")
async def join(body: Join, request: Request, master: MasterOf) -> Response:
    """The token is the proof. The hub's address is given as the host this Master was reached by."""
    wanted = JoinRequest(token=body.token, name=body.name, csr_pem=body.csr_pem, replace=body.replace)
    return reply(await master.enrolment.join(wanted, master.hub_address(request.url.hostname or "localhost")))


@public.post("/renew")
async def renew(body: Renew, master: MasterOf) -> Response:
    """The signature of the node's key is the proof."""
    try:
        signature = base64.b64decode(body.signature, validate=True)
    except binascii.Error:
        raise UsageError("`signature` is not base64", hint="encode the DER signature in base64") from None
    wanted = RenewRequest(certificate_pem=body.certificate_pem, csr_pem=body.csr_pem, signature=signature)
    return reply(await master.enrolment.renew(wanted))


@router.get("/nodes")
async def nodes(master: MasterOf) -> Response:
    return reply({"nodes": await master.board.nodes()})


@router.post("/nodes/tokens")
async def create_join_token(body: NewJoinToken, master: MasterOf) -> Response:
    return reply(await master.enrolment.create_token(body.name, body.ttl_s, body.replace))


@router.post("/nodes/{node}/revoke")
async def revoke(node: str, master: MasterOf) -> Response:
    revoked = await master.enrolment.revoke(node)
    return reply({"id": revoked.id, "name": revoked.name, "state": "revoked"})

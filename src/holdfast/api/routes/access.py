"""Health, the CA, login and tokens."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Request, Response

import holdfast
from holdfast.api.answers import AuthorityView, Deleted, Health, LoggedIn, TokenList, TokenView
from holdfast.api.callers import MasterOf, User, peer_host
from holdfast.api.contract import answers
from holdfast.api.permits import does
from holdfast.api.replies import reply
from holdfast.api.schemas import Login, TokenWanted
from holdfast.master.access import NewToken
from holdfast.model.access import Activity

public = APIRouter(tags=["access"])
router = APIRouter(tags=["access"])


@public.get("/health")
@answers(Health)
async def health(master: MasterOf) -> Response:
    return reply(Health(ok=True, version=holdfast.__version__, environment=master.base.environment.name))


@public.get("/ca")
@answers(AuthorityView)
async def authority(master: MasterOf) -> Response:
    """For a machine that wants to join: it compares the fingerprint with the one in its token."""
    ours = master.base.authority
    return reply(AuthorityView(ca_pem=ours.ca_pem.decode(), fingerprint=ours.fingerprint))


@public.post("/login")
@answers(LoggedIn)
async def login(body: Login, request: Request, master: MasterOf) -> Response:
    made = await master.access.login(body.user, body.password, peer_host(request))
    return reply(LoggedIn(token=made.token, expires_at=made.expires_at))


@router.get("/tokens")
@answers(TokenList)
@does(Activity.OWN_CREDENTIALS)
async def tokens(master: MasterOf) -> Response:
    known = await master.access.tokens()
    rows = (TokenView(id=t.id, name=t.name, user=t.user, created_at=t.created_at, expires_at=t.expires_at) for t in known)
    return reply(TokenList(tokens=tuple(rows)))


@router.post("/tokens")
@answers(NewToken)
@does(Activity.OWN_CREDENTIALS)
async def create_token(body: TokenWanted, user: User, master: MasterOf) -> Response:
    ttl = None if body.ttl_s is None else timedelta(seconds=body.ttl_s)
    return reply(await master.access.create_token(user, body.name, ttl))


@router.delete("/tokens/{token}")
@answers(Deleted)
@does(Activity.OWN_CREDENTIALS)
async def delete_token(token: str, master: MasterOf) -> Response:
    """By id or name."""
    await master.access.drop_token(token)
    return reply(Deleted(deleted=token))

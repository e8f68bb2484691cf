"""Health, the CA, login and tokens."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Request, Response

import holdfast
from holdfast.api.access_bodies import TokenList
from holdfast.api.access_views import token_view
from holdfast.api.answers import AuthorityView, Deleted, Health, LoggedIn
from holdfast.api.callers import CallerOf, MasterOf, User, peer_host
from holdfast.api.contract import answers
from holdfast.api.permits import does
from holdfast.api.replies import reply
from holdfast.api.schemas import Login, TokenWanted
from holdfast.master.directories.directories import Typed
from holdfast.master.people.access import NewToken
from holdfast.model.access import Activity, Scope, activities_named, may_everywhere

public = APIRouter(tags=["access"])
router = APIRouter(tags=["access"])


@public.get("/health")
@answers(Health)
async def health(master: MasterOf) -> Response:
    return reply(Health(ok=True, version=holdfast.__version__, environment=master.base.environment.name))


@public.get("/ca")
@answers(AuthorityView)
async def authority(request: Request, master: MasterOf) -> Response:
    """For a machine that wants to join: it compares the fingerprint with the one in its token. For a node whose Master has moved, too."""
    ours = master.base.authority
    hub_address = master.hub_address(request.url.hostname or "localhost")
    return reply(AuthorityView(ca_pem=ours.ca_pem.decode(), fingerprint=ours.fingerprint, hub_address=hub_address))


@public.post("/login")
@answers(LoggedIn)
async def login(body: Login, request: Request, master: MasterOf) -> Response:
    peer = peer_host(request)
    if body.directory:
        made = await master.directories.login(body.directory, Typed(body.user, body.password, peer))
    else:
        made = await master.access.login(body.user, body.password, peer)
    return reply(LoggedIn(token=made.token, expires_at=made.expires_at))


@router.get("/tokens")
@answers(TokenList)
@does(Activity.OWN_CREDENTIALS)
async def tokens(caller: CallerOf, master: MasterOf) -> Response:
    """The caller's own; of everybody for whoever may read about access."""
    is_all = may_everywhere(caller.rights, Activity.ACCESS_READ)
    known = (token for token in await master.access.tokens() if is_all or token.user == caller.user)
    return reply(TokenList(tokens=tuple(map(token_view, known))))


@router.post("/tokens")
@answers(NewToken)
@does(Activity.OWN_CREDENTIALS)
async def create_token(body: TokenWanted, user: User, master: MasterOf) -> Response:
    """It may what its user may at the time of each call, narrowed by `activities` and `group`."""
    ttl = None if body.ttl_s is None else timedelta(seconds=body.ttl_s)
    scope = Scope(activities=activities_named(body.activities), group=body.group)
    return reply(await master.access.create_token(user, body.name, ttl, scope if scope.narrows else None))


@router.delete("/tokens/{token}")
@answers(Deleted)
@does(Activity.OWN_CREDENTIALS)
async def delete_token(token: str, caller: CallerOf, master: MasterOf) -> Response:
    """By id or name: the caller's own; of anybody for whoever manages access."""
    await master.access.drop_token(token, "" if may_everywhere(caller.rights, Activity.ACCESS_MANAGE) else caller.user)
    return reply(Deleted(deleted=token))

"""Users, and what each may."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from holdfast.api.access_bodies import AccessOf, AccessTo, OwnPasswordWanted, PasswordWanted, UserList, UserWanted, WhoRow
from holdfast.api.access_views import may_rows
from holdfast.api.answers import Deleted
from holdfast.api.callers import CallerOf, MasterOf, peer_host
from holdfast.api.contract import answers
from holdfast.api.permits import does
from holdfast.api.replies import reply
from holdfast.core.errors import UnknownName
from holdfast.master.people.permissions import UserView
from holdfast.model.access import ENVIRONMENT, GRANTABLE, Activity, ResourceKind, may

router = APIRouter(tags=["access"])


@router.get("/users")
@answers(UserList)
@does(Activity.ACCESS_READ)
async def users(master: MasterOf) -> Response:
    return reply(UserList(users=await master.permissions.users()))


@router.post("/users")
@answers(UserView)
@does(Activity.ACCESS_MANAGE)
async def add_user(body: UserWanted, master: MasterOf) -> Response:
    """Without a grant: may do nothing but log in."""
    await master.permissions.add_user(body.name, body.password)
    return reply(await master.permissions.user(body.name))


@router.delete("/users/{user}")
@answers(Deleted)
@does(Activity.ACCESS_MANAGE)
async def remove_user(user: str, master: MasterOf) -> Response:
    """With all tokens, sessions and grants of theirs; what they did stays in the audit log."""
    await master.permissions.remove_user(user)
    return reply(Deleted(deleted=user))


@router.post("/users/{user}/password")
@answers(UserView)
@does(Activity.ACCESS_MANAGE)
async def set_user_password(user: str, body: PasswordWanted, master: MasterOf) -> Response:
    """Their browsers are signed out; tokens stay."""
    await master.permissions.set_password(user, body.password)
    return reply(await master.permissions.user(user))


@router.post("/users/{user}/disable")
@answers(UserView)
@does(Activity.ACCESS_MANAGE)
async def disable_user(user: str, master: MasterOf) -> Response:
    """At once, with all tokens and sessions; nothing of what is theirs is removed."""
    await master.permissions.set_disabled(user, True)
    return reply(await master.permissions.user(user))


@router.post("/users/{user}/enable")
@answers(UserView)
@does(Activity.ACCESS_MANAGE)
async def enable_user(user: str, master: MasterOf) -> Response:
    await master.permissions.set_disabled(user, False)
    return reply(await master.permissions.user(user))


@router.post("/session/password")
@answers(AccessOf)
@does(Activity.OWN_CREDENTIALS)
async def set_own_password(body: OwnPasswordWanted, request: Request, caller: CallerOf, master: MasterOf) -> Response:
    """The caller's own; the old one is the proof. All browsers of this user are signed out."""
    await master.access.prove(caller.user, body.old_password, peer_host(request))
    await master.permissions.set_password(caller.user, body.password)
    return reply(AccessOf(user=caller.user, disabled=False, rows=await may_rows(caller.rights, master)))


@router.get("/session/access")
@answers(AccessOf)
@does(Activity.OWN)
async def own_access(caller: CallerOf, master: MasterOf) -> Response:
    """What this very call may, as its token is narrowed."""
    return reply(AccessOf(user=caller.user, disabled=False, rows=await may_rows(caller.rights, master)))


@router.get("/access/of/{user}")
@answers(AccessOf)
@does(Activity.ACCESS_READ)
async def access_of(user: str, master: MasterOf) -> Response:
    """What can this user do?"""
    known = await master.permissions.user(user)
    rights = (await master.permissions.tables()).rights(user)
    return reply(AccessOf(user=user, disabled=known.disabled, rows=await may_rows(rights, master)))


@router.get("/access/to")
@answers(AccessTo)
@does(Activity.ACCESS_READ)
async def access_to(master: MasterOf, kind: ResourceKind, name: Annotated[str, Query(max_length=1_000)] = "") -> Response:
    """Who can do what on this? `name` by name, label or id; of the environment none."""
    found = ENVIRONMENT if kind == "environment" else (await master.landscapes.now()).find(kind, name)
    if found is None:
        raise UnknownName(f"there is no {kind} {name!r}", hint="look at the list of what there is", name=name)
    tables = await master.permissions.tables()
    rows = tuple(
        WhoRow(user=user, activity=activity, why=decision.why)
        for user in tables.users
        for activity in Activity
        if activity in GRANTABLE and (decision := may(tables.rights(user), activity, found)).allowed
    )
    return reply(AccessTo(kind=kind, name=found.name, rows=rows))

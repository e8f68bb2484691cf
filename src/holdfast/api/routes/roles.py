"""Roles, resource groups and grants: who is given what."""

from __future__ import annotations

from fastapi import APIRouter, Response

from holdfast.api.access_bodies import (
    ActivityList,
    ActivityView,
    GrantList,
    GrantWanted,
    GroupList,
    GroupView,
    GroupWanted,
    RoleList,
    RoleView,
    RoleWanted,
)
from holdfast.api.access_views import group_view, role_view
from holdfast.api.answers import Deleted
from holdfast.api.callers import MasterOf
from holdfast.api.contract import answers
from holdfast.api.permits import does
from holdfast.api.replies import reply
from holdfast.model.access import GRANTABLE, MEANINGS, WHOLE, Activity, Grant, ResourceGroup, Role, activities_named

router = APIRouter(tags=["access"])


@router.get("/activities")
@answers(ActivityList)
@does(Activity.OWN)
async def activities() -> Response:
    """All that can be granted."""
    rows = (ActivityView(name=each, meaning=MEANINGS[each], whole=each in WHOLE) for each in Activity if each in GRANTABLE)
    return reply(ActivityList(activities=tuple(rows)))


@router.get("/roles")
@answers(RoleList)
@does(Activity.ACCESS_READ)
async def roles(master: MasterOf) -> Response:
    known = (await master.permissions.tables()).roles
    return reply(RoleList(roles=tuple(map(role_view, known.values()))))


@router.put("/roles/{role}")
@answers(RoleView)
@does(Activity.ACCESS_MANAGE)
async def put_role(role: str, body: RoleWanted, master: MasterOf) -> Response:
    """Make it, or change what it gives from now on."""
    made = Role(name=role, activities=activities_named(body.activities))
    await master.permissions.put_role(made)
    return reply(role_view(made))


@router.delete("/roles/{role}")
@answers(Deleted)
@does(Activity.ACCESS_MANAGE)
async def remove_role(role: str, master: MasterOf) -> Response:
    await master.permissions.remove_role(role)
    return reply(Deleted(deleted=role))


@router.get("/resource-groups")
@answers(GroupList)
@does(Activity.ACCESS_READ)
async def resource_groups(master: MasterOf) -> Response:
    known = (await master.permissions.tables()).groups
    return reply(GroupList(groups=tuple(map(group_view, known.values()))))


@router.put("/resource-groups/{group}")
@answers(GroupView)
@does(Activity.ACCESS_MANAGE)
async def put_resource_group(group: str, body: GroupWanted, master: MasterOf) -> Response:
    """Make it, or change what is in it from now on."""
    made = ResourceGroup(
        name=group,
        nodes=frozenset(body.nodes),
        node_groups=frozenset(body.node_groups),
        tags=frozenset(body.tags),
        flows=frozenset(body.flows),
        repositories=frozenset(body.repositories),
        datasets=frozenset(body.datasets),
    )
    await master.permissions.put_group(made)
    return reply(group_view(made))


@router.delete("/resource-groups/{group}")
@answers(Deleted)
@does(Activity.ACCESS_MANAGE)
async def remove_resource_group(group: str, master: MasterOf) -> Response:
    """Tokens whose scope it was may do nothing from then on."""
    await master.permissions.remove_group(group)
    return reply(Deleted(deleted=group))


@router.get("/grants")
@answers(GrantList)
@does(Activity.ACCESS_READ)
async def grants(master: MasterOf) -> Response:
    return reply(GrantList(grants=(await master.permissions.tables()).grants))


@router.post("/grants")
@answers(Grant)
@does(Activity.ACCESS_MANAGE)
async def add_grant(body: GrantWanted, master: MasterOf) -> Response:
    """Asked again it changes nothing."""
    grant = Grant(user=body.user, role=body.role, group=body.group)
    await master.permissions.add_grant(grant)
    return reply(grant)


@router.delete("/grants/{user}/{role}/{group}")
@answers(Grant)
@does(Activity.ACCESS_MANAGE)
async def remove_grant(user: str, role: str, group: str, master: MasterOf) -> Response:
    """At once: the next call of that user is refused."""
    grant = Grant(user=user, role=role, group=group)
    await master.permissions.remove_grant(grant)
    return reply(grant)

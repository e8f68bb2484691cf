"""Rights as people read them."""

from __future__ import annotations

from holdfast.api.access_bodies import GroupView, MayRow, RoleView, TokenScope, TokenView
from holdfast.master.master import Master
from holdfast.master.records.access import ApiToken
from holdfast.model.access import Activity, ResourceGroup, Rights, Role
from holdfast.model.sight import Landscape, Sight, sight_of


async def may_rows(rights: Rights, master: Master) -> tuple[MayRow, ...]:
    """Of each activity that is granted: on what."""
    landscape = await master.landscapes.now()
    rows = []
    for activity in Activity:
        roles = tuple(dict.fromkeys(right.role for right in rights.rights if activity in right.activities))
        if not roles:
            continue
        sight = sight_of(rights, activity, landscape)
        row = MayRow(
            activity=activity,
            everything=sight.everything,
            nodes=tuple(sorted(sight.node_names)),
            flows=tuple(sorted(sight.flows)),
            repositories=tuple(sorted(sight.repository_names)),
            datasets=_alone(sight, landscape),
            roles=roles,
        )
        if sight.everything or row.nodes or row.flows or row.repositories or row.datasets:
            rows.append(row)
    return tuple(rows)


def _alone(sight: Sight, landscape: Landscape) -> tuple[str, ...]:
    """Labels of datasets that no node and no flow among what is granted brings."""
    if sight.everything:
        return ()
    resources = (known.resource for known in landscape.datasets if sight.has_dataset(known.resource.name))
    return tuple(sorted(each.name for each in resources if not (each.nodes & sight.node_names or each.flows & sight.flows)))


def role_view(role: Role) -> RoleView:
    return RoleView(name=role.name, activities=tuple(sorted(role.activities)), builtin=role.builtin)


def group_view(group: ResourceGroup) -> GroupView:
    return GroupView(
        name=group.name,
        everything=group.everything,
        nodes=tuple(sorted(group.nodes)),
        node_groups=tuple(sorted(group.node_groups)),
        tags=tuple(sorted(group.tags)),
        flows=tuple(sorted(group.flows)),
        repositories=tuple(sorted(group.repositories)),
        datasets=tuple(sorted(group.datasets)),
    )


def token_view(token: ApiToken) -> TokenView:
    scope = token.scope
    return TokenView(
        id=token.id,
        name=token.name,
        user=token.user,
        created_at=token.created_at,
        expires_at=token.expires_at,
        scope=None if scope is None else TokenScope(activities=tuple(sorted(scope.activities)), group=scope.group),
    )

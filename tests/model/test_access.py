"""`may` against an oracle that is too plain to be wrong: one line of words for each grant."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.access import (
    ENVIRONMENT,
    EVERYTHING,
    WHOLE,
    Activity,
    Grant,
    Resource,
    ResourceGroup,
    Role,
    Scope,
    may,
    may_everywhere,
    may_somewhere,
    rights_of,
)

_PLACES = ("nodes", "node_groups", "tags", "flows", "repositories")
_USERS, _ROLES, _GROUPS = ("eva", "otto"), ("r1", "r2", "r3"), ("g1", "g2", EVERYTHING)
_names = st.frozensets(st.sampled_from(["a", "b"]), max_size=1)
_belongs = dict.fromkeys(_PLACES, _names)
_groups = st.fixed_dictionaries(
    {
        "g1": st.builds(ResourceGroup, name=st.just("g1"), **_belongs),
        "g2": st.builds(ResourceGroup, name=st.just("g2"), **_belongs),
        EVERYTHING: st.just(ResourceGroup(name=EVERYTHING, everything=True)),
    }
)
_activities = st.frozensets(st.sampled_from(sorted(Activity)), max_size=4)
_roles = st.fixed_dictionaries({name: st.builds(Role, name=st.just(name), activities=_activities) for name in _ROLES[:2]})
_grants = st.lists(st.builds(Grant, user=st.sampled_from(_USERS), role=st.sampled_from(_ROLES), group=st.sampled_from(_GROUPS)), max_size=4)
_scopes = st.none() | st.builds(Scope, activities=_activities, group=st.sampled_from([*_GROUPS, "gone"]))
_resources = st.just(ENVIRONMENT) | st.builds(
    Resource, kind=st.sampled_from(["node", "flow", "repository", "dataset"]), name=st.just("x"), **_belongs
)


def _is_in(group: ResourceGroup, resource: Resource) -> bool:
    return group.everything or any(name in getattr(group, place) for place in _PLACES for name in getattr(resource, place))


def _oracle(
    activity: Activity,
    resource: Resource,
    grants: list[Grant],
    roles: dict[str, Role],
    groups: dict[str, ResourceGroup],
    scope: Scope | None,
) -> bool:
    is_narrowed = scope is not None and (scope.activities or scope.group != EVERYTHING)
    if activity is Activity.OWN or (activity is Activity.OWN_CREDENTIALS and not is_narrowed):
        return True
    for grant in grants:
        if grant.user != "eva" or grant.role not in roles or activity not in roles[grant.role].activities:
            continue
        where = [grant.group]
        if is_narrowed and scope is not None:
            if scope.activities and activity not in scope.activities:
                continue
            where.append(scope.group)
        if any(name not in groups for name in where):
            continue
        if all(groups[name].everything if activity in WHOLE else _is_in(groups[name], resource) for name in where):
            return True
    return False


@given(st.sampled_from(sorted(Activity)), _resources, _grants, _roles, _groups, _scopes)
def test_one_may_what_a_grant_gives_and_the_scope_leaves(
    activity: Activity,
    resource: Resource,
    grants: list[Grant],
    roles: dict[str, Role],
    groups: dict[str, ResourceGroup],
    scope: Scope | None,
) -> None:
    rights = rights_of("eva", grants, roles, groups, scope)
    decision = may(rights, activity, resource)
    assert decision.allowed == _oracle(activity, resource, grants, roles, groups, scope)
    assert decision.why
    if decision.allowed:
        assert may_somewhere(rights, activity)
    if may_everywhere(rights, activity):
        assert decision.allowed
    # A token with a scope is never let do what its user may not.
    assert not decision.allowed or may(rights_of("eva", grants, roles, groups), activity, resource).allowed


@given(st.sampled_from(sorted(Activity)), _resources, _grants, _grants, _roles, _groups)
def test_more_grants_never_give_less(
    activity: Activity, resource: Resource, some: list[Grant], more: list[Grant], roles: dict[str, Role], groups: dict[str, ResourceGroup]
) -> None:
    before = may(rights_of("eva", some, roles, groups), activity, resource)
    assert not before.allowed or may(rights_of("eva", [*some, *more], roles, groups), activity, resource).allowed

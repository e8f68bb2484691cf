"""Who may do what, on what: activities, roles, resource groups, grants, and the one function that decides.

A user has grants; each gives the activities of a role on the resources of a group. A scoped token has its user's grants, each narrowed by
the scope. Every endpoint of the API names exactly one activity (docs/access.md lists them).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Literal

import msgspec

from holdfast.core.errors import UsageError

EVERYTHING = "everything"
"""The group that has all there is in it, now and later; the only one that covers the environment as a whole."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,62}")


class Activity(StrEnum):
    """What an endpoint does. `OWN` and `OWN_CREDENTIALS` everybody may who is logged in, but that a scoped token has no credentials of
    its own: it makes neither tokens nor sessions."""

    OWN = "own"
    OWN_CREDENTIALS = "own.credentials"
    STATUS_READ = "status.read"
    ENVIRONMENT_READ = "environment.read"
    ENVIRONMENT_CHANGE = "environment.change"
    FLOWS_ACTIVATE = "flows.activate"
    FLOWS_TRIGGER = "flows.trigger"
    JOBS_CONTROL = "jobs.control"
    LOG_ACKNOWLEDGE = "log.acknowledge"
    POINTS_READ = "points.read"
    POINTS_CHANGE = "points.change"
    POINTS_DESTROY = "points.destroy"
    DATA_READ = "data.read"
    DATA_RESTORE = "data.restore"
    REPOSITORIES_CARE = "repositories.care"
    REPOSITORIES_DESTROY = "repositories.destroy"
    NODES_BROWSE = "nodes.browse"
    NODES_MANAGE = "nodes.manage"
    NOTIFICATIONS_MANAGE = "notifications.manage"
    METRICS_READ = "metrics.read"
    AUDIT_READ = "audit.read"
    ACCESS_READ = "access.read"
    ACCESS_MANAGE = "access.manage"


MEANINGS: dict[Activity, str] = {
    Activity.OWN: "see who one is, log out",
    Activity.OWN_CREDENTIALS: "make and drop tokens of one's own, sign a browser in, change one's password",
    Activity.STATUS_READ: "how nodes, flows, repositories and datasets do; jobs, the log, live events",
    Activity.ENVIRONMENT_READ: "the environment document and its revisions; plan and compile without changing anything",
    Activity.ENVIRONMENT_CHANGE: "change the environment document",
    Activity.FLOWS_ACTIVATE: "activate and deactivate flows",
    Activity.FLOWS_TRIGGER: "run flows now",
    Activity.JOBS_CONTROL: "cancel, pause and try jobs again",
    Activity.LOG_ACKNOWLEDGE: "acknowledge lines of the log",
    Activity.POINTS_READ: "which points, moments, archives and mirrors there are",
    Activity.POINTS_CHANGE: "tag and lock points, hold archives",
    Activity.POINTS_DESTROY: "expire and forget points, release holds, judge anomalies",
    Activity.DATA_READ: "names and content of files: list, find, search, history, compare, explain, tail, download",
    Activity.DATA_RESTORE: "restore, mount and recall onto nodes, undo a restore",
    Activity.REPOSITORIES_CARE: "check, scrub, drill, repair, rebuild, pause and resume repositories",
    Activity.REPOSITORIES_DESTROY: "prune; give up what is damaged beyond repair",
    Activity.NODES_BROWSE: "look at folders of a machine, try a classification there",
    Activity.NODES_MANAGE: "join tokens; authorise, rename, move and revoke nodes",
    Activity.NOTIFICATIONS_MANAGE: "set and test who is told of what, and how",
    Activity.METRICS_READ: "metrics and reports of the whole environment",
    Activity.AUDIT_READ: "the audit log",
    Activity.ACCESS_READ: "users, roles, groups, grants and sessions; who can do what",
    Activity.ACCESS_MANAGE: "change users, roles, groups and grants; end sessions and tokens of others",
}
OF_EVERYBODY = frozenset({Activity.OWN, Activity.OWN_CREDENTIALS})
GRANTABLE = frozenset(Activity) - OF_EVERYBODY
WHOLE = frozenset(
    {
        Activity.ENVIRONMENT_READ,
        Activity.ENVIRONMENT_CHANGE,
        Activity.NOTIFICATIONS_MANAGE,
        Activity.METRICS_READ,
        Activity.AUDIT_READ,
        Activity.ACCESS_READ,
        Activity.ACCESS_MANAGE,
    }
)
"""These are of the environment as a whole: only a grant on everything gives them."""


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A name for some activities. `builtin`: it is always there and never changes."""

    name: str
    activities: frozenset[Activity]
    builtin: bool = False


_VIEWER = frozenset({Activity.STATUS_READ, Activity.POINTS_READ})
_BUILTIN: dict[str, frozenset[Activity]] = {
    "admin": GRANTABLE,
    "operator": _VIEWER
    | {
        Activity.ENVIRONMENT_READ,
        Activity.FLOWS_ACTIVATE,
        Activity.FLOWS_TRIGGER,
        Activity.JOBS_CONTROL,
        Activity.LOG_ACKNOWLEDGE,
        Activity.POINTS_CHANGE,
        Activity.REPOSITORIES_CARE,
        Activity.NODES_BROWSE,
        Activity.METRICS_READ,
    },
    "auditor": _VIEWER | {Activity.ENVIRONMENT_READ, Activity.METRICS_READ, Activity.AUDIT_READ, Activity.ACCESS_READ},
    "viewer": _VIEWER,
    "restorer": _VIEWER | {Activity.DATA_READ, Activity.DATA_RESTORE, Activity.JOBS_CONTROL},
}
BUILTIN_ROLES = {name: Role(name=name, activities=activities, builtin=True) for name, activities in _BUILTIN.items()}
ADMIN_ROLE = BUILTIN_ROLES["admin"]


class ResourceGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Some resources, by their names in the environment document: nodes, also by group or tag; flows; repositories; datasets.

    A node brings the datasets that are captured on it, a flow the datasets it captures, a repository what is stored in it. A dataset is
    named NODE/POLICY, or */POLICY for those of a policy on whatever machine; it brings itself alone, wherever it is stored.
    """

    name: str
    everything: bool = False
    nodes: frozenset[str] = frozenset()
    node_groups: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    flows: frozenset[str] = frozenset()
    repositories: frozenset[str] = frozenset()
    datasets: frozenset[str] = frozenset()


ALL = ResourceGroup(name=EVERYTHING, everything=True)


class Grant(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """`role` and `group` are names. `directory`: the one whose groups brought it at the last sign-in; empty = somebody here gave it."""

    user: str
    role: str
    group: str
    directory: str = ""


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What a token is narrowed to. `activities` empty = all its user has; `group` = the name of a resource group."""

    activities: frozenset[Activity] = frozenset()
    group: str = EVERYTHING

    @property
    def narrows(self) -> bool:
        return bool(self.activities) or self.group != EVERYTHING


ResourceKind = Literal["environment", "node", "flow", "repository", "dataset"]


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One thing, and all it belongs to. A point is its dataset as it lies in one of the `repositories`."""

    kind: ResourceKind
    name: str
    nodes: frozenset[str] = frozenset()
    node_groups: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    flows: frozenset[str] = frozenset()
    repositories: frozenset[str] = frozenset()

    @property
    def title(self) -> str:
        return "the environment as a whole" if self.kind == "environment" else f"{self.kind} {self.name}"


ENVIRONMENT = Resource(kind="environment", name=EVERYTHING)


class Right(msgspec.Struct, frozen=True, kw_only=True):
    """A grant as it works: `activities` on what all of `groups` cover. `role` is where it comes from."""

    activities: frozenset[Activity]
    groups: tuple[ResourceGroup, ...]
    role: str

    @property
    def is_everything(self) -> bool:
        return all(group.everything for group in self.groups)


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """All that a caller may. `is_scoped`: by a token that is narrowed."""

    user: str
    rights: tuple[Right, ...] = ()
    is_scoped: bool = False


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """`why` is one sentence for people."""

    allowed: bool
    why: str


def covers(group: ResourceGroup, resource: Resource) -> bool:
    if group.everything:
        return True
    return bool(
        group.nodes & resource.nodes
        or group.node_groups & resource.node_groups
        or group.tags & resource.tags
        or group.flows & resource.flows
        or group.repositories & resource.repositories
        or (resource.kind == "dataset" and not group.datasets.isdisjoint({resource.name, f"*/{resource.name.partition('/')[2]}"}))
    )


def may(rights: Rights, activity: Activity, resource: Resource) -> Decision:
    """The one decision. What is of the environment as a whole is decided by grants on everything alone."""
    if activity is Activity.OWN or (activity is Activity.OWN_CREDENTIALS and not rights.is_scoped):
        return Decision(allowed=True, why="everybody may who is logged in")
    asked = ENVIRONMENT if activity in WHOLE else resource
    for right in rights.rights:
        if activity in right.activities and all(covers(group, asked) for group in right.groups):
            on = " and ".join(dict.fromkeys(group.name for group in right.groups))
            return Decision(allowed=True, why=f"role {right.role} on {on}")
    return Decision(allowed=False, why=f"{rights.user} has no grant with the activity {activity} on {asked.title}")


def may_somewhere(rights: Rights, activity: Activity) -> bool:
    """Whether there is anything on which the activity is granted; what, lists then show."""
    if activity in OF_EVERYBODY or activity in WHOLE:
        return may(rights, activity, ENVIRONMENT).allowed
    return any(activity in right.activities for right in rights.rights)


def may_everywhere(rights: Rights, activity: Activity) -> bool:
    return may(rights, activity, ENVIRONMENT).allowed


def rights_of(
    user: str, grants: Iterable[Grant], roles: Mapping[str, Role], groups: Mapping[str, ResourceGroup], scope: Scope | None = None
) -> Rights:
    """What this user's grants come to. A grant, or a scope, whose role or group is not there any more gives nothing."""
    if scope is not None and not scope.narrows:
        scope = None
    found: list[Right] = []
    for grant in grants:
        role, group = roles.get(grant.role), groups.get(grant.group)
        if grant.user != user or role is None or group is None:
            continue
        activities = role.activities
        over: tuple[ResourceGroup, ...] = (group,)
        if scope is not None:
            narrowed = groups.get(scope.group)
            if narrowed is None:
                continue
            activities = activities & scope.activities if scope.activities else activities
            over = (group, narrowed)
        if activities:
            found.append(Right(activities=activities, groups=over, role=role.name))
    return Rights(user=user, rights=tuple(found), is_scoped=scope is not None)


def check_name(name: str, what: str) -> str:
    """A name of a user, role or group; raises `UsageError`."""
    if not _NAME.fullmatch(name):
        hint = "at most 63 small letters, digits, and . _ @ - in between"
        raise UsageError(f"{name!r} cannot be the name of a {what}", hint=hint, name=name)
    return name


def activities_named(names: Iterable[str]) -> frozenset[Activity]:
    """Raises `UsageError` for what is no activity, or none that is granted."""
    found = set()
    for name in names:
        try:
            activity = Activity(name)
        except ValueError:
            activity = Activity.OWN
        if activity not in GRANTABLE:
            raise UsageError(f"there is no activity {name!r} to grant", hint=f"there is {', '.join(sorted(GRANTABLE))}", activity=name)
        found.add(activity)
    return frozenset(found)

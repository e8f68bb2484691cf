"""What calls about users, roles, groups and grants take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from pydantic import Field

from holdfast.api.schemas import Body
from holdfast.master.people.permissions import UserView
from holdfast.model.access import Grant

_NAME = Field(min_length=1, max_length=63)
_Names = list[str]


class UserWanted(Body):
    name: str = _NAME
    password: str = Field(max_length=1024)


class PasswordWanted(Body):
    password: str = Field(max_length=1024)


class OwnPasswordWanted(Body):
    """`old_password`: the one there is."""

    old_password: str = Field(max_length=1024)
    password: str = Field(max_length=1024)


class RoleWanted(Body):
    activities: _Names = Field(min_length=1, max_length=100)


class GroupWanted(Body):
    """Names as in the document; those that it does not have (yet) do no harm. `tags`: nodes that bear one of them.
    `datasets`: NODE/POLICY, or */POLICY."""

    nodes: _Names = Field(default=[], max_length=10_000)
    node_groups: _Names = Field(default=[], max_length=10_000)
    tags: _Names = Field(default=[], max_length=10_000)
    flows: _Names = Field(default=[], max_length=10_000)
    repositories: _Names = Field(default=[], max_length=10_000)
    datasets: _Names = Field(default=[], max_length=10_000)


class GrantWanted(Body):
    """`group`: a resource group, or `everything`."""

    user: str = _NAME
    role: str = _NAME
    group: str = Field(default="everything", min_length=1, max_length=63)


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Base."""


class UserList(_Answer, frozen=True, kw_only=True):
    """By name."""

    users: tuple[UserView, ...]


class ActivityView(_Answer, frozen=True, kw_only=True):
    """`whole`: it is of the environment as a whole, so that only a grant on everything gives it."""

    name: str
    meaning: str
    whole: bool


class ActivityList(_Answer, frozen=True, kw_only=True):
    activities: tuple[ActivityView, ...]


class RoleView(_Answer, frozen=True, kw_only=True):
    name: str
    activities: tuple[str, ...]
    builtin: bool


class RoleList(_Answer, frozen=True, kw_only=True):
    roles: tuple[RoleView, ...]


class GroupView(_Answer, frozen=True, kw_only=True):
    name: str
    everything: bool
    nodes: tuple[str, ...]
    node_groups: tuple[str, ...]
    tags: tuple[str, ...]
    flows: tuple[str, ...]
    repositories: tuple[str, ...]
    datasets: tuple[str, ...]


class GroupList(_Answer, frozen=True, kw_only=True):
    groups: tuple[GroupView, ...]


class GrantList(_Answer, frozen=True, kw_only=True):
    """By user, role and group."""

    grants: tuple[Grant, ...]


class MayRow(_Answer, frozen=True, kw_only=True):
    """`everything`: on all there is, now and later; else on what is named, with what that brings. `roles`: where it comes from.
    `datasets`: those that none of the nodes and flows brings."""

    activity: str
    everything: bool
    nodes: tuple[str, ...]
    flows: tuple[str, ...]
    repositories: tuple[str, ...]
    datasets: tuple[str, ...]
    roles: tuple[str, ...]


class AccessOf(_Answer, frozen=True, kw_only=True):
    """What somebody may, activity by activity; what is not here they may not."""

    user: str
    disabled: bool
    rows: tuple[MayRow, ...]


class WhoRow(_Answer, frozen=True, kw_only=True):
    user: str
    activity: str
    why: str


class AccessTo(_Answer, frozen=True, kw_only=True):
    """Who may do what on one thing."""

    kind: Literal["environment", "node", "flow", "repository", "dataset"]
    name: str
    rows: tuple[WhoRow, ...]


class TokenScope(_Answer, frozen=True, kw_only=True):
    """`activities` empty = all that its user has."""

    activities: tuple[str, ...]
    group: str


class TokenView(_Answer, frozen=True, kw_only=True):
    """`scope` null = all that its user may."""

    id: str
    name: str
    user: str
    created_at: datetime
    expires_at: datetime | None
    scope: TokenScope | None


class TokenList(_Answer, frozen=True, kw_only=True):
    tokens: tuple[TokenView, ...]

"""What calls about directories, and about command lines that ask to be logged in, take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from pydantic import Field

from holdfast.api.schemas import Body
from holdfast.master.directories.directories import DirectoryCheck, SignInWay
from holdfast.master.directory_settings import Directory, GroupRole, LdapDirectory, OidcDirectory


class DirectorySessionWanted(Body):
    directory: str = Field(min_length=1, max_length=63)


class DirectorySessionReturn(Body):
    """The query with which the provider sent the browser back: `code`, or `error`; `issuer` is its `iss`, where it has one."""

    state: str = Field(min_length=1, max_length=256)
    code: str = Field(default="", max_length=8_192)
    issuer: str = Field(default="", max_length=2_048)
    error: str = Field(default="", max_length=64, pattern="^[a-z_]*$")


class DirectoryCheckWanted(Body):
    """`user`: looked up in an LDAP directory, without a password."""

    user: str = Field(default="", max_length=256)


class LoginRequestTake(Body):
    secret: str = Field(min_length=1, max_length=256)


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Base."""


class SignInWays(_Answer, frozen=True, kw_only=True):
    """Beside the local accounts, which are always there."""

    directories: tuple[SignInWay, ...]


class DirectorySessionBegun(_Answer, frozen=True, kw_only=True):
    """Where the browser goes."""

    url: str


class DirectoryView(_Answer, frozen=True, kw_only=True):
    """As configured, but for what is secret. `place`: issuer or address. `finds`: client id and claims, or base and filter. `check_every_s`
    null = users are looked at only when they sign in."""

    name: str
    title: str
    kind: Literal["oidc", "ldap"]
    place: str
    finds: tuple[str, ...]
    roles: tuple[GroupRole, ...]
    vouch_s: float
    check_every_s: float | None


class DirectoryList(_Answer, frozen=True, kw_only=True):
    directories: tuple[DirectoryView, ...]


class DirectoryChecks(_Answer, frozen=True, kw_only=True):
    checks: tuple[DirectoryCheck, ...]


class NewLoginRequestView(_Answer, frozen=True, kw_only=True):
    """`code` is shown to the person, `secret` kept; `url` is where a browser asks the person."""

    code: str
    secret: str
    url: str
    expires_at: datetime


class LoginRequestTaken(_Answer, frozen=True, kw_only=True):
    """`token` null: nobody has said anything yet."""

    user: str
    token: str | None
    expires_at: datetime | None


def directory_view(directory: Directory) -> DirectoryView:
    if isinstance(directory, OidcDirectory):
        claims = f"name from {directory.name_claim}, groups from {directory.groups_claim}"
        finds: tuple[str, ...] = (f"client {directory.client_id}", f"scopes {' '.join(directory.scopes)}", claims)
    else:
        finds = _finds(directory)
    return DirectoryView(
        name=directory.name,
        title=directory.shown,
        kind="oidc" if isinstance(directory, OidcDirectory) else "ldap",
        place=directory.issuer if isinstance(directory, OidcDirectory) else directory.url,
        finds=finds,
        roles=directory.roles,
        vouch_s=directory.vouch_for.total_seconds(),
        check_every_s=directory.check_every_s if isinstance(directory, LdapDirectory) else None,
    )


def _finds(directory: LdapDirectory) -> tuple[str, ...]:
    groups = f"{directory.group_filter} below {directory.group_base}" if directory.group_base else directory.group_attribute
    return f"{directory.filter} below {directory.base}", f"name from {directory.name_attribute}", f"groups from {groups}"

"""How a directory is set up: part of the Master's configuration, checked at its start. What is wrong is named with its place and a hint."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import NoReturn
from urllib.parse import urlsplit

import msgspec

from holdfast.core.errors import UsageError
from holdfast.core.units import parse_duration_s
from holdfast.model.access import EVERYTHING, Grant, check_name

ANYBODY = "*"
"""The group of a mapping that everybody is in whom the directory knows."""
_SHORTEST_VOUCH_S, _LONGEST_VOUCH_S = 300.0, 30 * 86_400.0
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9;-]{0,63}")
_MOST_DIRECTORIES = 20


class GroupRole(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is in `group` there gets `role` on the resource group `on` here."""

    group: str
    role: str
    on: str = EVERYTHING


class _Directory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`title` is what the button says, empty = the name. `vouch`: for so long what a directory said of a user holds; then the user has
    to sign in again (OIDC), or the directory has to answer again (LDAP). `ca_file`: PEM of the authority of its certificate, empty = those
    that the machine trusts."""

    name: str
    title: str = ""
    roles: tuple[GroupRole, ...] = ()
    vouch: str = "24h"
    ca_file: str = ""

    @property
    def shown(self) -> str:
        return self.title or self.name

    @property
    def vouch_for(self) -> timedelta:
        return timedelta(seconds=parse_duration_s(self.vouch))

    def grants_of(self, user: str, groups: Iterable[str]) -> tuple[Grant, ...]:
        """What the mapping gives to a user of these groups, each once. Letters count alike, large or small, as in LDAP."""
        known = {group.casefold() for group in groups}
        given = (row for row in self.roles if row.group == ANYBODY or row.group.casefold() in known)
        return tuple(dict.fromkeys(Grant(user=user, role=row.role, group=row.on, directory=self.name) for row in given))


class OidcDirectory(_Directory, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="oidc"):
    """`issuer` as the provider says it in its tokens. `client_secret_file`: a file with the secret alone, empty = a public client.
    `name_claim` becomes the user's name, `groups_claim` is the list of groups. `redirect_url`: where the provider sends browsers back to,
    empty = `https://HOST:PORT/sign-in/return` with the host by which the browser found this Master."""

    issuer: str
    client_id: str
    client_secret_file: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    redirect_url: str = ""


class LdapDirectory(_Directory, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="ldap"):
    """`url`: `ldaps://HOST[:PORT]`, or `ldap://HOST[:PORT]`, which begins TLS before anything is said. `bind_dn` with the password in
    `bind_password_file` looks users up below `base` by `filter`, in which `{user}` is what was typed, escaped.

    Groups are what `group_attribute` of the user holds; or, with `group_base`, the entries below it that `group_filter` finds, in which
    `{dn}` and `{user}` stand for the user. They are known by DN and by their `cn`. `id_attribute` names a user for ever. `check_every`:
    so often users who have sessions or tokens are looked up again."""

    url: str
    base: str
    bind_dn: str = ""
    bind_password_file: str = ""
    filter: str = "(uid={user})"
    name_attribute: str = "uid"
    id_attribute: str = "entryUUID"
    group_attribute: str = "memberOf"
    group_base: str = ""
    group_filter: str = "(|(member={dn})(uniqueMember={dn})(memberUid={user}))"
    check_every: str = "15m"

    @property
    def check_every_s(self) -> float:
        return parse_duration_s(self.check_every)


Directory = OidcDirectory | LdapDirectory


def check_directories(directories: Iterable[Directory]) -> None:
    """Raises `UsageError` for what cannot work, before anybody signs in."""
    known = tuple(directories)
    if len(known) > _MOST_DIRECTORIES:
        raise UsageError(f"there are {len(known)} directories", hint=f"at most {_MOST_DIRECTORIES} make sense on one page")
    names = [directory.name for directory in known]
    for directory in known:
        check_name(directory.name, "directory")
        if names.count(directory.name) > 1:
            _wrong(directory, "name", "is used twice", "give each directory a name of its own")
        _check(directory)


def _check(directory: Directory) -> None:
    _check_vouch(directory)
    for row in directory.roles:
        if not row.group or not row.role or not row.on:
            _wrong(directory, "roles", "has an empty name in it", 'each is {"group": THEIRS, "role": OURS, "on": RESOURCE GROUP}')
    if isinstance(directory, OidcDirectory):
        _check_oidc(directory)
    else:
        _check_ldap(directory)
    for field in ("ca_file", "client_secret_file", "bind_password_file"):
        value = getattr(directory, field, "")
        if value and not value.startswith("/"):
            _wrong(directory, field, f"{value!r} is no absolute path", "begin it with /")


def _check_vouch(directory: Directory) -> None:
    try:
        vouch_s = parse_duration_s(directory.vouch)
    except UsageError as error:
        _wrong(directory, "vouch", error.message, error.hint)
    if not _SHORTEST_VOUCH_S <= vouch_s <= _LONGEST_VOUCH_S:
        _wrong(directory, "vouch", f"{directory.vouch} is out of bounds", "5m to 30d")


def _check_oidc(directory: OidcDirectory) -> None:
    parts = urlsplit(directory.issuer)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        _wrong(directory, "issuer", f"{directory.issuer!r} is no issuer", "an https URL, letter by letter as the provider says it")
    if not directory.client_id:
        _wrong(directory, "client_id", "is empty", "the provider gives one to each application that is registered there")
    if directory.redirect_url and not directory.redirect_url.startswith("https://"):
        _wrong(directory, "redirect_url", f"{directory.redirect_url!r} is no https URL", "https://MASTER:7440/sign-in/return")
    if not directory.name_claim:
        _wrong(directory, "name_claim", "is empty", "`preferred_username`, `email`, or another claim of the token")


def _check_ldap(directory: LdapDirectory) -> None:
    parts = urlsplit(directory.url)
    if parts.scheme not in ("ldap", "ldaps") or not parts.hostname or parts.path not in ("", "/"):
        _wrong(directory, "url", f"{directory.url!r} is no address of a directory", "ldaps://HOST, or ldap://HOST, which begins TLS first")
    if not directory.base:
        _wrong(directory, "base", "is empty", "the DN below which users are, like ou=people,dc=example,dc=net")
    if "{user}" not in directory.filter:
        _wrong(directory, "filter", "has no {user} in it, and would find everybody", "(uid={user})")
    if bool(directory.bind_dn) != bool(directory.bind_password_file):
        _wrong(directory, "bind_dn", "and bind_password_file belong together", "give both, or none for a directory that lets anybody look")
    for field in ("name_attribute", "id_attribute", "group_attribute"):
        if not _ATTRIBUTE.fullmatch(getattr(directory, field)):
            _wrong(directory, field, f"{getattr(directory, field)!r} is no attribute", "a name like uid or entryUUID")
    try:
        every_s = directory.check_every_s
    except UsageError as error:
        _wrong(directory, "check_every", error.message, error.hint)
    if not 60 <= every_s <= directory.vouch_for.total_seconds():
        _wrong(directory, "check_every", f"{directory.check_every} is out of bounds", "1m, up to what `vouch` says")


def _wrong(directory: Directory, field: str, what: str, hint: str) -> NoReturn:
    raise UsageError(f"directory {directory.name}, {field}: {what}", hint=hint, directory=directory.name)

"""Signing in by directories: who is let in becomes a user here, with what their groups bring, and gets a session or token as others do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import msgspec

from holdfast.core.errors import HoldfastError, NotAuthenticated, Throttled, UnknownName, UsageError
from holdfast.master.directories import id_tokens, ldap_server
from holdfast.master.directories.ldap_server import LdapServer
from holdfast.master.directories.lines import Line
from holdfast.master.directories.provider import Provider, secret_in
from holdfast.master.directories.round_trips import RoundTrips
from holdfast.master.directory_settings import Directory, LdapDirectory, OidcDirectory
from holdfast.master.foundation import Foundation
from holdfast.master.people.access import LOGIN_DAYS, Access, NewToken
from holdfast.master.people.browser_sessions import BrowserSessions, OpenedSession
from holdfast.master.people.permissions import Permissions
from holdfast.master.records import directory_users as records
from holdfast.master.records.directory_users import Outsider
from holdfast.model.access import Grant, check_name

RETURN_PATH = "/sign-in/return"
_log = logging.getLogger(__name__)


class SignInWay(msgspec.Struct, frozen=True, kw_only=True):
    """A directory as the sign-in page shows it. `browser`: one signs in at the provider's own page; else with user and password here."""

    name: str
    title: str
    browser: bool


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """`secret` belongs into the cookie of the browser that goes to `url`."""

    url: str
    secret: str


class DirectoryCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was tried. `problem` empty = it is in order; `hint` says what to do else."""

    name: str
    told: str
    problem: str = ""
    hint: str = ""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What a browser brings back from a provider: `code`, or `error`."""

    state: str
    code: str
    issuer: str
    error: str


@dataclass(frozen=True)
class Typed:
    """What somebody typed on the sign-in page, or at a command line."""

    user: str
    password: str = field(repr=False)
    peer: str


class Directories:
    def __init__(self, base: Foundation, permissions: Permissions, access: Access, sessions: BrowserSessions) -> None:
        self._base = base
        self._permissions = permissions
        self._access = access
        self._sessions = sessions
        self._trips = RoundTrips(base)
        self._known = {each.name: each for each in base.config.directories}
        self._lines = {each.name: Line(each.shown, base.clock) for each in self._known.values()}
        self._providers = {name: Provider(each, base.clock) for name, each in self._known.items() if isinstance(each, OidcDirectory)}
        self._servers = {name: LdapServer(each) for name, each in self._known.items() if isinstance(each, LdapDirectory)}

    @property
    def configured(self) -> tuple[Directory, ...]:
        return tuple(self._known.values())

    @property
    def ways(self) -> tuple[SignInWay, ...]:
        return tuple(SignInWay(name=each.name, title=each.shown, browser=isinstance(each, OidcDirectory)) for each in self.configured)

    async def begin(self, name: str, own_url: str, peer: str) -> Begun:
        """`own_url`: where this browser finds the Master. Raises `UnknownName`, `UsageError`, `NotReachable`, `Throttled`."""
        directory, provider = self._provider(name)
        id_tokens.check_library()
        trip, secret = self._trips.begin(name, directory.redirect_url or f"{own_url}{RETURN_PATH}", peer)
        return Begun(url=await self._lines[name].call(lambda: provider.address(trip.wish)), secret=secret)

    async def finish(self, answered: Answered, browser: str, peer: str, agent: str) -> OpenedSession:
        """The session of who signed in there. Raises `NotAuthenticated`; after too many of those `Throttled`; `NotReachable`."""
        with self._access.attempt(peer, ""):
            trip = self._trips.end(answered.state, browser)
            directory, provider = self._provider(trip.directory)
            if answered.error:
                what = f"{directory.shown} let nobody in ({answered.error})"
                raise NotAuthenticated(what, hint="sign in there again, or ask who looks after it")

            def redeem() -> Outsider:
                provider.check_issuer(answered.issuer)
                return provider.outsider(answered.code, trip.wish)

            user = await self._admit(directory, await self._lines[directory.name].call(redeem))
        return await self._sessions.open_vouched(user, peer, agent)

    async def login(self, name: str, typed: Typed) -> NewToken:
        """A token for a user of an LDAP directory; raises as `prove`."""
        user = await self.prove(name, typed)
        return await self._access.create_token(user, f"login from {typed.peer}", timedelta(days=LOGIN_DAYS))

    async def open(self, name: str, typed: Typed, agent: str) -> OpenedSession:
        """As `login`, a session."""
        return await self._sessions.open_vouched(await self.prove(name, typed), typed.peer, agent)

    async def prove(self, name: str, typed: Typed) -> str:
        """The user's name here. Raises `UnknownName`, `UsageError`, `NotReachable`; `NotAuthenticated`, and after too many of those from
        one address or for one user `Throttled`, counted together with local logins."""
        server = self._servers.get(name)
        if server is None:
            raise UnknownName(f"there is no directory {name!r} that takes passwords here", hint="`holdfast directory ls` lists them")
        with self._access.attempt(typed.peer, f"{name}/{typed.user.lower()}"):
            outsider = await self._lines[name].call(lambda: server.prove(typed.user, typed.password))
            return await self._admit(self._known[name], outsider)

    async def check(self, name: str, user: str = "") -> tuple[DirectoryCheck, ...]:
        """Tries what can be tried without a password: whether it is there, and whether what it says fits the configuration. Raises
        `UnknownName`."""
        directory = self._known.get(name)
        if directory is None:
            raise UnknownName(f"there is no directory {name!r}", hint="`holdfast directory ls` lists them")
        line, tries = self._lines[name], _tries(directory, self._providers.get(name), self._servers.get(name), user)
        made = [await _tried(title, work, line) for title, work in tries.items()]
        return (*made, await self._mapping(directory))

    async def look_again(self, name: str) -> None:
        """Users of an LDAP directory who could call now, held against what it says now. Raises as `LdapServer.look`."""
        server, directory = self._servers[name], self._known[name]
        users = await self._base.database.run(lambda s: records.with_credentials(s, name))
        found = await self._lines[name].call(lambda: server.look(users)) if users else {}
        for user in users:
            try:
                if user not in found or await self._admit(directory, found[user]) != user:
                    raise NotAuthenticated(f"{directory.shown} does not know {user} any more")
            except NotAuthenticated as error:
                _log.warning("a user is not vouched for any more", extra={"facts": {"user": user, "reason": error.message}})
                await self._base.database.run(partial(records.vouch_no_more, user=user))
                self._base.feed.nudge()

    async def run(self) -> None:
        """Looks again at the users of each LDAP directory, until it is cancelled."""
        followed = (each for each in self.configured if isinstance(each, LdapDirectory))
        await asyncio.gather(*(self._follow(each.name, each.check_every_s) for each in followed))

    async def _follow(self, name: str, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            try:
                await self.look_again(name)
            except HoldfastError as error:
                _log.warning("a directory cannot be asked about its users", extra={"facts": {"directory": name, "reason": error.message}})

    def close(self) -> None:
        for line in self._lines.values():
            line.close()

    async def _admit(self, directory: Directory, outsider: Outsider) -> str:
        """The user's name here. Raises `NotAuthenticated`."""
        try:
            check_name(outsider.name, "user")
        except UsageError as error:
            raise NotAuthenticated(f"{directory.shown} calls you {outsider.name[:100]!r}, which is no name here", hint=error.hint) from None
        at = self._base.now()
        user = await self._base.database.run(lambda s: records.admit(s, outsider, directory.grants_of(outsider.name, outsider.groups), at))
        self._base.feed.nudge()
        return user

    def _provider(self, name: str) -> tuple[OidcDirectory, Provider]:
        directory, provider = self._known.get(name), self._providers.get(name)
        if not isinstance(directory, OidcDirectory) or provider is None:
            raise UnknownName(f"there is no directory {name!r} to sign in by in a browser", hint="`holdfast directory ls` lists them")
        return directory, provider

    async def _mapping(self, directory: Directory) -> DirectoryCheck:
        tables = await self._permissions.tables()
        grants = [Grant(user="", role=row.role, group=row.on) for row in directory.roles]
        wrong = [f"{each.role} on {each.group}" for each in grants if each.role not in tables.roles or each.group not in tables.groups]
        if wrong:
            hint = "such rows bring nothing: `holdfast role ls` and `holdfast group ls` list what there is"
            return DirectoryCheck(name="mapping", told="", problem=f"no role or resource group of that name: {', '.join(wrong)}", hint=hint)
        if not grants:
            hint = "without `roles` only those come in to whom somebody here has granted something"
            return DirectoryCheck(name="mapping", told="", problem="no group brings a grant", hint=hint)
        return DirectoryCheck(name="mapping", told=f"{len(grants)} groups bring grants")


def _tries(directory: Directory, provider: Provider | None, server: LdapServer | None, user: str) -> dict[str, Callable[[], str]]:
    if isinstance(directory, OidcDirectory):
        assert provider is not None
        return {
            "library": lambda: _said(id_tokens.check_library, "joserfc is installed"),
            "secret": lambda: _said(partial(secret_in, directory.client_secret_file, "client_secret_file"), "not readable by everybody"),
            "provider": lambda: _provider_told(provider),
        }
    assert server is not None
    tries: dict[str, Callable[[], str]] = {
        "library": lambda: _said(ldap_server.check_library, "ldap3 is installed"),
        "secret": lambda: _said(partial(secret_in, directory.bind_password_file, "bind_password_file"), "not readable by everybody"),
        "directory": lambda: _said(partial(server.look, ("nobody",)), f"{directory.url} answers, and lets the Master's account look"),
    }
    return {**tries, "user": lambda: _user_told(server, directory, user)} if user else tries


def _user_told(server: LdapServer, directory: LdapDirectory, user: str) -> str:
    found = server.look((user,)).get(user)
    if found is None:
        raise UnknownName(f"{directory.filter} finds no {user!r} below {directory.base}, or several", hint="compare `base` and `filter`")
    grants = [f"{grant.role} on {grant.group}" for grant in directory.grants_of(found.name, found.groups)]
    groups = ", ".join(found.groups) or "no groups"
    return f"{found.name} ({found.subject}), in {groups}; that brings {', '.join(grants) or 'nothing'}"


def _said(work: Callable[[], object], told: str) -> str:
    work()
    return told


def _provider_told(provider: Provider) -> str:
    told = provider.told()
    return f"{told.metadata['issuer']} answers, with {len(told.keys)} keys"


async def _tried(name: str, work: Callable[[], str], line: Line) -> DirectoryCheck:
    try:
        return DirectoryCheck(name=name, told=await line.call(work, afresh=True))
    except Throttled:
        raise
    except HoldfastError as error:
        return DirectoryCheck(name=name, told="", problem=error.message, hint=error.hint)

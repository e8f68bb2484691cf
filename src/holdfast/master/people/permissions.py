"""Who may do what: kept in memory, and looked up anew when the records say that it changed; users, roles, groups and grants changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import msgspec
from sqlalchemy.orm import Session

from holdfast.core.errors import NotAuthenticated, UnknownName
from holdfast.core.units import format_utc
from holdfast.master.foundation import Foundation
from holdfast.master.people.passwords import check_password, hash_password
from holdfast.master.records import permissions as records
from holdfast.master.records.permissions import AccessTables, Vouched
from holdfast.model.access import Grant, ResourceGroup, Rights, Role, Scope, check_name

_MOST_KEPT = 10_000


class UserView(msgspec.Struct, frozen=True, kw_only=True):
    """`directory` empty = a local user. `vouched_until`: sessions and tokens of a user of a directory work until then, unless it vouches
    for them anew; null = local, or not vouched for any more."""

    name: str
    disabled: bool
    directory: str
    vouched_until: datetime | None
    grants: tuple[Grant, ...]


class Permissions:
    def __init__(self, base: Foundation) -> None:
        self._base = base
        self._tables: AccessTables | None = None
        self._rights: dict[tuple[str, Scope | None], Rights] = {}

    def tables_now(self, session: Session) -> AccessTables:
        """To be asked in the transaction that looks for the caller: one number is read, and all the rest only when that has changed."""
        kept, version = self._tables, records.version(session)
        if kept is None or kept.version != version:
            kept = self._tables = records.load(session)
            self._rights = {}
        return kept

    def rights_now(self, session: Session, user: str, scope: Scope | None) -> Rights:
        """As `tables_now`. Raises `NotAuthenticated` for a user who is disabled, or whom no directory vouches for any more."""
        tables = self.tables_now(session)
        if tables.users.get(user, True):
            raise NotAuthenticated(f"the user {user} is disabled", hint="whoever manages access can enable it: `holdfast user enable`")
        vouched = tables.vouched.get(user)
        if vouched is not None:
            self._check_vouched(user, vouched)
        found = self._rights.get((user, scope))
        if found is None:
            if len(self._rights) >= _MOST_KEPT:
                self._rights.clear()
            found = self._rights[user, scope] = tables.rights(user, scope)
        return found

    async def tables(self) -> AccessTables:
        return await self._base.database.run(self.tables_now)

    async def users(self) -> tuple[UserView, ...]:
        """By name."""
        known = await self.tables()
        return tuple(_view(known, name, self._vouched_until(known.vouched.get(name))) for name in known.users)

    async def user(self, name: str) -> UserView:
        """Raises `UnknownName`."""
        found = next((user for user in await self.users() if user.name == name), None)
        if found is None:
            raise UnknownName(f"there is no user {name!r}", hint="`holdfast user ls` lists them", user=name)
        return found

    async def add_user(self, name: str, password: str) -> None:
        """Without grants: may do nothing yet. Raises `UsageError`, `Conflict`."""
        check_name(name, "user")
        check_password(password)
        hashed = await asyncio.to_thread(hash_password, password)
        await self._change(lambda session: records.add_user(session, name, hashed))

    async def set_password(self, name: str, password: str) -> None:
        """Browsers of that user are signed out; tokens stay. Raises `UsageError`, `UnknownName`."""
        check_password(password)
        hashed = await asyncio.to_thread(hash_password, password)
        await self._change(lambda session: records.set_user_password(session, name, hashed))

    async def set_disabled(self, name: str, is_disabled: bool) -> None:
        """Raises `UnknownName`, `Refused` for the last who may manage access."""
        await self._change(lambda session: records.set_user_disabled(session, name, is_disabled))

    async def remove_user(self, name: str) -> None:
        """As `set_disabled`."""
        await self._change(lambda session: records.remove_user(session, name))

    async def put_role(self, role: Role) -> None:
        """Raises `UsageError`, `Refused`."""
        check_name(role.name, "role")
        await self._change(lambda session: records.put_role(session, role))

    async def remove_role(self, name: str) -> None:
        """Raises `UnknownName`, `Conflict`, `Refused`."""
        await self._change(lambda session: records.remove_role(session, name))

    async def put_group(self, group: ResourceGroup) -> None:
        """Raises `UsageError`, `Refused`."""
        check_name(group.name, "resource group")
        await self._change(lambda session: records.put_group(session, group))

    async def remove_group(self, name: str) -> None:
        """Raises `UnknownName`, `Conflict`, `Refused`."""
        await self._change(lambda session: records.remove_group(session, name))

    async def add_grant(self, grant: Grant) -> None:
        """Raises `UnknownName`."""
        await self._change(lambda session: records.add_grant(session, grant))

    async def remove_grant(self, grant: Grant) -> None:
        """Raises `UnknownName`, `Refused`."""
        await self._change(lambda session: records.remove_grant(session, grant))

    def _check_vouched(self, user: str, vouched: Vouched) -> None:
        until = self._vouched_until(vouched)
        if until is None:
            raise NotAuthenticated(
                f"the directory {vouched.directory} does not vouch for {user} any more", hint="sign in again, or ask there"
            )
        if until <= self._base.now():
            what = f"the directory {vouched.directory} has not vouched for {user} since {format_utc(vouched.at or until)}"
            raise NotAuthenticated(what, hint="sign in again; for scripts there are tokens of local users")

    def _vouched_until(self, vouched: Vouched | None) -> datetime | None:
        """None, too, where the directory is not configured any more."""
        directories = self._base.config.directories
        found = next((each for each in directories if vouched is not None and each.name == vouched.directory), None)
        return None if found is None or vouched is None or vouched.at is None else vouched.at + found.vouch_for

    async def _change(self, change: Callable[[Session], None]) -> None:
        """Whoever listens to live events is looked at again: what was taken away is not told any more."""
        await self._base.database.run(change)
        self._base.feed.nudge()


def _view(known: AccessTables, name: str, vouched_until: datetime | None) -> UserView:
    vouched = known.vouched.get(name)
    return UserView(
        name=name,
        disabled=known.users[name],
        directory="" if vouched is None else vouched.directory,
        vouched_until=vouched_until,
        grants=tuple(grant for grant in known.grants if grant.user == name),
    )

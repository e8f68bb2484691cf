"""Browsers that are logged in: a random secret in a cookie, everything else here.

A session ends when it is closed or revoked, `IDLE` after its last request, and `LONGEST` after its first. Listening to live events is no
request: a page that is left open does not keep itself logged in.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec
from sqlalchemy.orm import Session

from holdfast.core.errors import NotAuthenticated
from holdfast.master.foundation import Foundation
from holdfast.master.people.access import Access, new_secret, secret_hash
from holdfast.master.people.permissions import Permissions
from holdfast.master.people.sign_in_links import Bearer, SignInLinks
from holdfast.master.records import browser_sessions as records
from holdfast.master.records.access import has_api_token
from holdfast.master.records.browser_sessions import BrowserSession
from holdfast.model.access import Rights

IDLE = timedelta(hours=12)
LONGEST = timedelta(days=7)
# The time of the last use is written down this often at most: a page asks several times a second, and a write is a disk flush.
_NOTE_EVERY = timedelta(minutes=1)
_LONGEST_AGENT = 200


class OpenedSession(msgspec.Struct, frozen=True, kw_only=True):
    """The only time the secret is seen."""

    secret: str
    session: BrowserSession


class BrowserSessions:
    def __init__(self, base: Foundation, permissions: Permissions, access: Access, links: SignInLinks) -> None:
        self._base = base
        self._permissions = permissions
        self._access = access
        self._links = links

    async def open(self, user: str, password: str, peer: str, agent: str) -> OpenedSession:
        """Raises `NotAuthenticated` and `Throttled`, as a login does, counted together with logins."""
        await self._access.prove(user, password, peer)
        return await self._open(Bearer(user, None), peer, agent)

    async def open_by_code(self, code: str, peer: str, agent: str) -> OpenedSession:
        """The code of a link; raises as `SignInLinks.take`, and `NotAuthenticated` when the login that made it has ended since: who was
        sent away, or has a new password, cannot come back by a link kept at hand."""
        return await self._open(self._links.take(code, peer), peer, agent)

    async def open_vouched(self, user: str, peer: str, agent: str) -> OpenedSession:
        """For a user whom a directory has just let in."""
        return await self._open(Bearer(user, None), peer, agent)

    async def _open(self, bearer: Bearer, peer: str, agent: str) -> OpenedSession:
        now = self._base.now()
        last = now + LONGEST
        secret = new_secret(self._base.entropy)
        made = BrowserSession(
            id=self._base.new_id(),
            hash=secret_hash(secret),
            user=bearer.user,
            peer=peer,
            agent=agent[:_LONGEST_AGENT],
            created_at=now,
            used_at=now,
            expires_at=last if bearer.until is None else min(last, bearer.until),
        )

        def keep(session: Session) -> None:
            records.drop_ended(session, now, now - IDLE)
            self._permissions.rights_now(session, bearer.user, None)
            if bearer.login and not (has_api_token(session, bearer.login) or records.is_there(session, bearer.login)):
                raise NotAuthenticated("the login that made this link has ended", hint="log in again")
            records.add(session, made)

        await self._base.database.run(keep)
        return OpenedSession(secret=secret, session=made)

    async def authenticate(self, secret: str, *, is_use: bool = True) -> tuple[BrowserSession, Rights]:
        """The session of this cookie, and what it may; raises `NotAuthenticated`. `is_use`: it counts against idleness."""
        return await self._base.database.run(lambda s: self._look(s, secret_hash(secret), is_use))

    async def all(self) -> tuple[BrowserSession, ...]:
        """Those that have not ended, newest first."""
        now = self._base.now()
        known = await self._base.database.run(records.all_sessions)
        return tuple(each for each in known if each.expires_at > now and each.used_at + IDLE > now)

    async def end(self, session_id: str, user: str = "") -> None:
        """Its next request is refused, its live events end. `user`: only if it is theirs. Raises `UnknownName`."""
        await self._base.database.run(lambda s: records.drop(s, session_id, user))
        self._base.feed.nudge()

    def _look(self, session: Session, hashed: str, is_use: bool) -> tuple[BrowserSession, Rights]:
        found, now = records.by_hash(session, hashed), self._base.now()
        if found is None:
            raise NotAuthenticated("this session has ended", hint="log in again")
        if found.expires_at <= now or found.used_at + IDLE <= now:
            raise NotAuthenticated("this session has expired", hint="log in again")
        rights = self._permissions.rights_now(session, found.user, None)
        if is_use and now - found.used_at >= _NOTE_EVERY:
            records.note_use(session, found.id, now)
            found = msgspec.structs.replace(found, used_at=now)
        return found, rights

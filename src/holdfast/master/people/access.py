"""Logins, tokens, and a brake on guessing.

A bearer token is `hft_` and 32 random bytes in base32; the records hold its SHA-256 only. A login's token ends after 30 days.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

import msgspec
from sqlalchemy.orm import Session

from holdfast.core.entropy import Entropy
from holdfast.core.errors import NotAuthenticated, Throttled, UnknownName
from holdfast.master.foundation import Foundation
from holdfast.master.people.passwords import hash_password, is_password
from holdfast.master.people.permissions import Permissions
from holdfast.master.records import access as records
from holdfast.master.records.access import ApiToken
from holdfast.model.access import Rights, Scope

LOGIN_DAYS = 30
ADMIN = "admin"
_WINDOW_S = 60.0
_FAILURES_PER_PEER = 5
_FAILURES_PER_USER = 30
_LOST = "lost? On the Master's machine, `holdfast console` prints a link that signs in once, `holdfast master password` sets a new password"


class NewToken(msgspec.Struct, frozen=True, kw_only=True):
    """The only time the secret is seen."""

    id: str
    token: str
    expires_at: datetime | None


def new_secret(entropy: Entropy, size: int = 32) -> str:
    """Random, in lower base32 without padding: safe in URLs, shells and by telephone."""
    return base64.b32encode(entropy.token_bytes(size)).decode().rstrip("=").lower()


def secret_hash(secret: str) -> str:
    """Secrets are random and long, so one SHA-256 is enough to keep them from whoever reads the records."""
    # Whatever somebody shows has a hash, also what is no text: it is then not known.
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


class Access:
    def __init__(self, base: Foundation, permissions: Permissions) -> None:
        self._base = base
        self._permissions = permissions
        self._failures: dict[str, deque[float]] = {}
        self._decoy = ""

    async def login(self, user: str, password: str, peer: str) -> NewToken:
        """Raises as `prove`."""
        await self.prove(user, password, peer)
        return await self.create_token(user, f"login from {peer}", timedelta(days=LOGIN_DAYS))

    async def prove(self, user: str, password: str, peer: str) -> None:
        """Raises `NotAuthenticated`; after too many of those from one address or for one user, `Throttled`."""
        with self.attempt(peer, user):
            known = await self._base.database.run(lambda s: records.password_hash(s, user))
            # A user that does not exist takes as long as a wrong password: the time must not tell which it was.
            self._decoy = self._decoy or await asyncio.to_thread(hash_password, new_secret(self._base.entropy))
            right = await asyncio.to_thread(is_password, known or self._decoy, password)
            if known is None or not right:
                raise NotAuthenticated("user or password is wrong", hint=_LOST)

    @contextmanager
    def attempt(self, peer: str, user: str) -> Iterator[None]:
        """Raises `Throttled` after too many from one address or for one user that ended in an error."""
        self._brake(peer, user)
        # Counted before it is known whether it is right, else a thousand guesses made at once would all be the first.
        at_s = self._note_attempt(peer, user)
        yield
        self._take_back(peer, user, at_s)

    async def create_token(self, user: str, name: str, ttl: timedelta | None, scope: Scope | None = None) -> NewToken:
        """With a `scope` it may less than its user. Raises `UnknownName` for a group that is not there."""
        made, secret = new_token(self._base.entropy, user, name, self._base.now(), ttl)
        made = msgspec.structs.replace(made, scope=scope)

        def keep(session: Session) -> None:
            if scope is not None and scope.group not in self._permissions.tables_now(session).groups:
                raise UnknownName(f"there is no resource group {scope.group!r}", hint="`holdfast group ls` lists them", group=scope.group)
            records.drop_expired_tokens(session, self._base.now())
            records.add_api_token(session, made)

        await self._base.database.run(keep)
        return NewToken(id=made.id, token=secret, expires_at=made.expires_at)

    async def authenticate(self, bearer: str) -> tuple[ApiToken, Rights]:
        """The token with this secret, and what it may; raises `NotAuthenticated`."""
        return await self._base.database.run(lambda s: self._look(s, secret_hash(bearer)))

    async def rights_of(self, user: str, credential: str) -> Rights:
        """What a call may by now that was made with this credential (`token:ID`, `session:ID`) before. A session may have ended since; a
        token that is gone may nothing: raises `NotAuthenticated`."""
        kind, _, identity = credential.partition(":")

        def look(session: Session) -> Rights:
            token = records.api_token_by_id(session, identity) if kind == "token" else None
            if kind == "token" and (token is None or (token.expires_at is not None and token.expires_at <= self._base.now())):
                raise NotAuthenticated("the token that asked for this is gone", hint="ask again")
            return self._permissions.rights_now(session, user, token.scope if token else None)

        return await self._base.database.run(look)

    def _look(self, session: Session, hashed: str) -> tuple[ApiToken, Rights]:
        token = records.api_token(session, hashed)
        if token is None:
            raise NotAuthenticated("this token is not known: revoked, expired, or never given", hint="log in again with `holdfast login`")
        if token.expires_at is not None and token.expires_at <= self._base.now():
            raise NotAuthenticated("this token has expired", hint="log in again with `holdfast login`")
        return token, self._permissions.rights_now(session, token.user, token.scope)

    async def tokens(self) -> tuple[ApiToken, ...]:
        return await self._base.database.run(records.api_tokens)

    async def drop_token(self, id_or_name: str, user: str = "") -> None:
        """Whoever used it is refused from now on, and live events end. `user`: only if it is theirs. Raises `UnknownName`."""
        await self._base.database.run(lambda s: records.drop_api_token(s, id_or_name, user))
        self._base.feed.nudge()

    def _brake(self, peer: str, user: str) -> None:
        for key, most in _limits(peer, user):
            failed = self._recent(key)
            if len(failed) >= most:
                wait_s = failed[0] + _WINDOW_S - self._base.clock.monotonic_s()
                raise Throttled("too many failed logins", hint=f"try again in {wait_s:.0f} s")

    def _note_attempt(self, peer: str, user: str) -> float:
        at_s = self._base.clock.monotonic_s()
        for key, _ in _limits(peer, user):
            self._recent(key).append(at_s)
        return at_s

    def _take_back(self, peer: str, user: str, at_s: float) -> None:
        """It was no guess."""
        for key, _ in _limits(peer, user):
            with suppress(ValueError):
                self._recent(key).remove(at_s)

    def _recent(self, key: str) -> deque[float]:
        """Failures of the last minute; forgets what is older, of everybody, so that the table cannot grow for ever."""
        horizon = self._base.clock.monotonic_s() - _WINDOW_S
        for other, times in list(self._failures.items()):
            while times and times[0] < horizon:
                times.popleft()
            if not times:
                del self._failures[other]
        return self._failures.setdefault(key, deque())


def new_token(entropy: Entropy, user: str, name: str, at: datetime, ttl: timedelta | None) -> tuple[ApiToken, str]:
    """The record of a new token, and its secret."""
    secret = f"hft_{new_secret(entropy)}"
    expires_at = None if ttl is None else at + ttl
    identity = entropy.token_bytes(16).hex()
    record = ApiToken(id=identity, hash=secret_hash(secret), user=user, name=name, created_at=at, expires_at=expires_at)
    return record, secret


def _limits(peer: str, user: str) -> tuple[tuple[str, int], ...]:
    return (f"peer {peer}", _FAILURES_PER_PEER), (f"user {user}", _FAILURES_PER_USER)

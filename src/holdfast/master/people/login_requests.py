"""Command lines that ask to be logged in by somebody at a browser: whatever way that person signs in there.

The command line shows a short code and keeps a secret; who opens the link signs in, sees from where it is asked and the same code, and
allows it; then the secret is good for one token. As RFC 8628, with this Master as the authorisation server. Only in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from holdfast.core.errors import NotAuthenticated, Refused, Throttled, UnknownName
from holdfast.master.foundation import Foundation
from holdfast.master.people.access import LOGIN_DAYS, Access, NewToken, new_secret, secret_hash

LIFETIME = timedelta(minutes=10)
_MOST_OPEN = 200
_MOST_PER_PEER = 5


class NewLoginRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`code` is shown, `secret` is kept: it is good for the token."""

    code: str
    secret: str
    expires_at: datetime


class LoginRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody looks at before they allow it."""

    code: str
    peer: str
    asked_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class _Open:
    request: LoginRequest
    secret: str
    user: str = ""
    state: Literal["waiting", "allowed", "refused"] = "waiting"


class LoginRequests:
    def __init__(self, base: Foundation, access: Access) -> None:
        self._base = base
        self._access = access
        self._open: dict[str, _Open] = {}

    def create(self, peer: str) -> NewLoginRequest:
        """Raises `Throttled` while many of this address, or of all, are open."""
        self._forget_ended()
        own = sum(each.request.peer == peer for each in self._open.values())
        if own >= _MOST_PER_PEER or len(self._open) >= _MOST_OPEN:
            raise Throttled("too many command lines ask to be logged in", hint="finish one of them, or try again in 10 minutes")
        raw = new_secret(self._base.entropy, 5)
        code, secret, at = f"{raw[:4]}-{raw[4:]}", new_secret(self._base.entropy), self._base.now()
        request = LoginRequest(code=code, peer=peer, asked_at=at, expires_at=at + LIFETIME)
        self._open[code] = _Open(request, secret_hash(secret))
        return NewLoginRequest(code=code, secret=secret, expires_at=request.expires_at)

    def show(self, code: str) -> LoginRequest:
        """Raises `UnknownName` for one that is not there, or is settled."""
        return self._waiting(code).request

    def settle(self, code: str, user: str, allowed: bool) -> LoginRequest:
        """Somebody who is signed in says yes or no. Raises as `show`."""
        found = self._waiting(code)
        self._open[found.request.code] = replace(found, user=user, state="allowed" if allowed else "refused")
        return found.request

    async def take(self, secret: str, peer: str) -> tuple[str, NewToken] | None:
        """Who allowed it and the token, once; None = nobody has said anything yet. Raises `NotAuthenticated`, `Refused`, and `Throttled` as
        a wrong password does."""
        with self._access.attempt(peer, ""):
            self._forget_ended()
            hashed = secret_hash(secret)
            found = next((each for each in self._open.values() if each.secret == hashed), None)
            if found is None:
                raise NotAuthenticated("this request is not known, or took too long", hint="log in again with `holdfast login --browser`")
        if found.state == "waiting":
            return None
        del self._open[found.request.code]
        if found.state == "refused":
            raise Refused(f"{found.user} refused it in the browser", hint="log in again with `holdfast login --browser`")
        made = await self._access.create_token(found.user, f"login from {peer} by browser", timedelta(days=LOGIN_DAYS))
        return found.user, made

    def _waiting(self, code: str) -> _Open:
        self._forget_ended()
        found = self._open.get(code.lower())
        if found is None or found.state != "waiting":
            hint = "compare it with what the command line shows; it holds for 10 minutes, and once"
            raise UnknownName(f"no command line waits with the code {code!r}", hint=hint, code=code)
        return found

    def _forget_ended(self) -> None:
        now = self._base.now()
        self._open = {key: each for key, each in self._open.items() if each.request.expires_at > now}

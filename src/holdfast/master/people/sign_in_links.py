"""Links that sign a browser in once: for who is logged in on the command line and knows no password.

A code is random, is used once, and ends after `LIFETIME`, or with the login that made it. Only hashes are kept, and only in memory: a
Master that starts anew knows none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from holdfast.core.errors import NotAuthenticated
from holdfast.master.foundation import Foundation
from holdfast.master.people.access import Access, new_secret, secret_hash

LIFETIME = timedelta(minutes=10)
_MOST_OPEN = 100


class NewCode(msgspec.Struct, frozen=True, kw_only=True):
    """The only time the code is seen."""

    code: str
    expires_at: datetime


@dataclass(frozen=True)
class Bearer:
    """Whom a code signs in. `until`: no session outlives the login that made its link; None = that one does not end. `login` is the id of
    that token or session; empty = there is none, a password was given."""

    user: str
    until: datetime | None
    login: str = ""


@dataclass(frozen=True)
class _Open:
    bearer: Bearer
    expires_at: datetime


class SignInLinks:
    def __init__(self, base: Foundation, access: Access) -> None:
        self._base = base
        self._access = access
        self._open: dict[str, _Open] = {}

    def create(self, bearer: Bearer) -> NewCode:
        self._forget_ended()
        while len(self._open) >= _MOST_OPEN:
            # The oldest goes: whoever makes so many uses none of them.
            del self._open[next(iter(self._open))]
        code, expires_at = new_secret(self._base.entropy), self._base.now() + LIFETIME
        self._open[secret_hash(code)] = _Open(bearer, expires_at)
        return NewCode(code=code, expires_at=expires_at)

    def take(self, code: str, peer: str) -> Bearer:
        """Whom it signs in; it is worth nothing afterwards. Raises `NotAuthenticated`, and `Throttled` as a wrong password does."""
        with self._access.attempt(peer, ""):
            self._forget_ended()
            found = self._open.pop(secret_hash(code), None)
            if found is None:
                hint = "a link works once, within 10 minutes; `holdfast console` prints a new one"
                raise NotAuthenticated("this link has been used, or has expired", hint=hint)
            return found.bearer

    def _forget_ended(self) -> None:
        now = self._base.now()
        self._open = {key: each for key, each in self._open.items() if each.expires_at > now}

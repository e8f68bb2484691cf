"""Browsers that are on their way to a provider and back. Only in memory: a Master that starts anew knows none, and the way is begun again.

A trip belongs to the browser that began it: it has a secret in a cookie, and who brings the answer without that is sent away. Else somebody
could let others sign in, unknowingly, as him.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.core.errors import NotAuthenticated
from holdfast.master.directories.provider import Wish
from holdfast.master.foundation import Foundation
from holdfast.master.people.access import new_secret, secret_hash

LIFETIME = timedelta(minutes=10)
_MOST_OPEN = 1_000
_MOST_PER_PEER = 20
_HINT = "begin anew from the sign-in page; a sign-in has to be finished within 10 minutes, in the browser that began it"


@dataclass(frozen=True)
class Trip:
    directory: str
    wish: Wish


@dataclass(frozen=True)
class _Open:
    trip: Trip
    browser: str
    peer: str
    expires_at: datetime


class RoundTrips:
    def __init__(self, base: Foundation) -> None:
        self._base = base
        self._open: dict[str, _Open] = {}

    def begin(self, directory: str, redirect_url: str, peer: str) -> tuple[Trip, str]:
        """The trip, and the secret for the browser's cookie."""
        entropy = self._base.entropy
        self._make_room(peer)
        wish = Wish(state=new_secret(entropy), nonce=new_secret(entropy), verifier=new_secret(entropy, 40), redirect_url=redirect_url)
        trip, browser = Trip(directory, wish), new_secret(entropy)
        self._open[secret_hash(wish.state)] = _Open(trip, secret_hash(browser), peer, self._base.now() + LIFETIME)
        return trip, browser

    def end(self, state: str, browser: str) -> Trip:
        """It is over then, however it ends. Raises `NotAuthenticated`."""
        found = self._open.pop(secret_hash(state), None)
        if found is None or found.expires_at <= self._base.now():
            raise NotAuthenticated("this sign-in is not known here, or took too long", hint=_HINT)
        if not hmac.compare_digest(found.browser, secret_hash(browser)):
            raise NotAuthenticated("this sign-in was begun in another browser", hint=_HINT)
        return found.trip

    def _make_room(self, peer: str) -> None:
        """The oldest go: whoever begins so many finishes none of them, and does not push out those of others first."""
        now = self._base.now()
        self._open = {key: each for key, each in self._open.items() if each.expires_at > now}
        own = [key for key, each in self._open.items() if each.peer == peer]
        for key in own[: len(own) - _MOST_PER_PEER + 1]:
            del self._open[key]
        while len(self._open) >= _MOST_OPEN:
            del self._open[next(iter(self._open))]

"""Join tokens: made, looked over while they are open, taken back.

A token is `hf1.<base32 secret>.<SHA-256 of the CA certificate in hex>`: the secret for us, the fingerprint so that the node knows us
before it says anything secret. It works once and not for ever; the records hold its hash only.
"""

from __future__ import annotations

import re
import shlex
from datetime import datetime, timedelta

import msgspec
from sqlalchemy.orm import Session

from holdfast.core.errors import UnknownName, UsageError
from holdfast.master.foundation import Foundation
from holdfast.master.people.access import new_secret, secret_hash
from holdfast.master.records import access
from holdfast.master.records.access import JoinToken

LONGEST_TOKEN_S = 30 * 86_400.0
TOKEN_PREFIX = "hf1"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class TokenWish(msgspec.Struct, frozen=True, kw_only=True):
    """`name` empty = whoever brings the token may choose. `replace`: it may take over the identity of a dead machine of this name.
    `hold`: who joins with it waits until somebody authorises it. `url`: where the machine reaches this Master."""

    name: str = ""
    ttl_s: float = 3600.0
    replace: bool = False
    hold: bool = False
    url: str


class OpenToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token that was neither used nor taken back and has not expired. `name` empty = any."""

    id: str
    name: str
    created_at: datetime
    expires_at: datetime
    replace: bool
    hold: bool


class NewJoinToken(OpenToken, frozen=True, kw_only=True):
    """The only time the token is seen. `command` is what to run on the machine, for a shell."""

    token: str
    command: str


class JoinTokens:
    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def create(self, wish: TokenWish) -> NewJoinToken:
        """Raises `UsageError`."""
        _check(wish)
        secret = new_secret(self._base.entropy, 20)
        at = self._base.now()
        made = JoinToken(
            hash=secret_hash(secret),
            name=wish.name,
            replace=wish.replace,
            hold=wish.hold,
            created_at=at,
            expires_at=at + timedelta(seconds=wish.ttl_s),
        )
        await self._base.database.run(lambda s: access.add_join_token(s, made))
        token = f"{TOKEN_PREFIX}.{secret}.{self._base.authority.fingerprint}"
        return NewJoinToken(**msgspec.structs.asdict(_open(made)), token=token, command=join_command(wish, token))

    async def open(self) -> tuple[OpenToken, ...]:
        """Oldest first."""
        now = self._base.now()
        return tuple(_open(token) for token in await self._base.database.run(lambda s: access.open_join_tokens(s, now)))

    async def cancel(self, token_id: str) -> None:
        """From now on nobody joins with it. Raises `UnknownName` when no open token has this id."""
        now = self._base.now()

        def drop(session: Session) -> None:
            found = next((token for token in access.open_join_tokens(session, now) if token.id == token_id), None)
            if found is None:
                raise UnknownName("there is no such open join token", hint="it was used, has expired, or was cancelled", token=token_id)
            access.drop_join_token(session, found.hash)

        await self._base.database.run(drop)


def join_command(wish: TokenWish, token: str) -> str:
    """What to run on the machine. Without a name it takes the machine's own."""
    name = shlex.quote(wish.name) if wish.name else '"$(hostname)"'
    parts = ["holdfast node join", shlex.quote(wish.url), f"--token {token}", f"--name {name}"]
    return " ".join([*parts, f"--replace {name}"] if wish.replace else parts)


def _check(wish: TokenWish) -> None:
    if wish.name and not NAME.fullmatch(wish.name):
        raise UsageError(f"{wish.name!r} cannot be a node's name", hint="letters, digits, `.`, `_` and `-`, at most 63")
    if wish.replace and not wish.name:
        raise UsageError("a token that replaces must name the machine", hint="else its holder could take the place of any of them")
    if wish.replace and wish.hold:
        # Held or not, the old machine's key would be refused from then on: there is nothing left to decide.
        raise UsageError("a machine that replaces another cannot be held", hint="make the token with one of the two")
    if not 1 <= wish.ttl_s <= LONGEST_TOKEN_S:
        raise UsageError("a join token lives between one second and 30 days", hint="leave the time out for one hour")


def _open(token: JoinToken) -> OpenToken:
    return OpenToken(
        id=token.id,
        name=token.name,
        created_at=token.created_at,
        expires_at=token.expires_at,
        replace=token.replace,
        hold=token.hold,
    )

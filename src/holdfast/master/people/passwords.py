"""Passwords: what may be one, how it is kept; and a new one, set on the Master's own machine by whoever may write its records, while the
Master runs, too."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.orm import Session

from holdfast.core.errors import UnknownName, UsageError
from holdfast.master.config import MasterConfig
from holdfast.master.records import access, browser_sessions
from holdfast.master.records.database import Database

SHORTEST = 8
LONGEST = 1024


def check_password(password: str) -> None:
    """Raises `UsageError` for one that cannot be."""
    if not SHORTEST <= len(password) <= LONGEST or not password.isprintable():
        raise UsageError(
            f"a password has {SHORTEST} to {LONGEST} characters, none of them invisible", hint="a few words together are easy to remember"
        )


def hash_password(password: str) -> str:
    """argon2id, with the library's parameters (RFC 9106, low memory) written into the hash. Takes some 50 ms."""
    return PasswordHasher().hash(password)


def is_password(password_hash: str, password: str) -> bool:
    try:
        return PasswordHasher().verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def set_password(config: MasterConfig, user: str, password: str) -> int:
    """Returns how many browsers that ends the session of. Tokens stay. Raises `UsageError` for a password that cannot be, `UnknownName`."""
    check_password(password)
    hashed = hash_password(password)

    def change(session: Session) -> int:
        if access.password_hash(session, user) is None:
            raise UnknownName(f"there is no user {user!r} with a password", hint="the first one is called `admin`", user=user)
        access.set_password(session, user, hashed)
        return browser_sessions.drop_of(session, user)

    database = Database(config.url, beside=True)
    try:
        database.migrate()
        return database.run_now(change)
    finally:
        database.close()

"""A new password, set on the Master's own machine by whoever may write its records. The Master may be running."""

from __future__ import annotations

from sqlalchemy.orm import Session

from holdfast.core.errors import UnknownName, UsageError
from holdfast.master.access import hash_password
from holdfast.master.config import MasterConfig
from holdfast.master.records import access, browser_sessions
from holdfast.master.records.database import Database

SHORTEST = 8
LONGEST = 1024


def set_password(config: MasterConfig, user: str, password: str) -> int:
    """Returns how many browsers that ends the session of. Tokens stay. Raises `UsageError` for a password that cannot be, `UnknownName`."""
    if not SHORTEST <= len(password) <= LONGEST or not password.isprintable():
        raise UsageError(
            f"a password has {SHORTEST} to {LONGEST} characters, none of them invisible", hint="a few words together are easy to remember"
        )
    hashed = hash_password(password)

    def change(session: Session) -> int:
        if access.password_hash(session, user) is None:
            raise UnknownName(f"there is no user {user!r}", hint="the first one is called `admin`", user=user)
        access.set_password(session, user, hashed)
        return browser_sessions.drop_of(session, user)

    database = Database(config.url, beside=True)
    try:
        database.migrate()
        return database.run_now(change)
    finally:
        database.close()

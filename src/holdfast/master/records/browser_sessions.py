"""Sessions of browsers. Only the hash of a cookie's secret comes here."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from holdfast.core.errors import UnknownName
from holdfast.master.records.tables import BrowserSessionRow


class BrowserSession(msgspec.Struct, frozen=True, kw_only=True):
    """`peer` is the address it was opened from, `agent` what the browser calls itself. It ends at `expires_at`, or idle before."""

    id: str
    hash: str
    user: str
    peer: str
    agent: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime


def add(session: Session, new: BrowserSession) -> None:
    session.add(BrowserSessionRow(**msgspec.structs.asdict(new)))


def by_hash(session: Session, secret_hash: str) -> BrowserSession | None:
    row = session.scalars(select(BrowserSessionRow).where(BrowserSessionRow.hash == secret_hash)).one_or_none()
    return None if row is None else _session(row)


def is_there(session: Session, session_id: str) -> bool:
    return session.get(BrowserSessionRow, session_id) is not None


def all_sessions(session: Session) -> tuple[BrowserSession, ...]:
    """Newest first."""
    return tuple(_session(row) for row in session.scalars(select(BrowserSessionRow).order_by(BrowserSessionRow.created_at.desc())))


def note_use(session: Session, session_id: str, at: datetime) -> None:
    row = session.get(BrowserSessionRow, session_id)
    if row is not None:
        row.used_at = at


def drop(session: Session, session_id: str, user: str = "") -> None:
    """Of this user only, if one is given. Raises `UnknownName`."""
    row = session.get(BrowserSessionRow, session_id)
    if row is None or user not in ("", row.user):
        raise UnknownName(f"there is no session {session_id!r}", hint="look at the list of sessions", session=session_id)
    session.delete(row)


def drop_of(session: Session, user: str) -> int:
    """All of this user's; returns how many there were."""
    ids = session.scalars(delete(BrowserSessionRow).where(BrowserSessionRow.user == user).returning(BrowserSessionRow.id))
    return len(ids.all())


def drop_ended(session: Session, now: datetime, idle_since: datetime) -> None:
    session.execute(delete(BrowserSessionRow).where((BrowserSessionRow.expires_at <= now) | (BrowserSessionRow.used_at <= idle_since)))


def _session(row: BrowserSessionRow) -> BrowserSession:
    return BrowserSession(
        id=row.id,
        hash=row.hash,
        user=row.user,
        peer=row.peer,
        agent=row.agent,
        created_at=row.created_at,
        used_at=row.used_at,
        expires_at=row.expires_at,
    )

"""Users, API tokens and join tokens. Only hashes of secrets come here."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from holdfast.core.errors import UnknownName
from holdfast.master.records.tables import ApiTokenRow, JoinTokenRow, UserRow
from holdfast.model.access import Scope


class ApiToken(msgspec.Struct, frozen=True, kw_only=True):
    """`hash` is the SHA-256 of the secret in hex. `expires_at` None = until revoked. `scope` None = all that its user may."""

    id: str
    hash: str
    user: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    scope: Scope | None = None


class JoinToken(msgspec.Struct, frozen=True, kw_only=True):
    """`name` empty = any name. `hold`: who joins with it waits until somebody authorises it."""

    hash: str
    name: str
    replace: bool
    created_at: datetime
    expires_at: datetime
    hold: bool = False
    used_at: datetime | None = None

    @property
    def id(self) -> str:
        """Names the token without giving it away: half of the hash of a secret of 160 bits."""
        return self.hash[:32]


def set_password(session: Session, user: str, password_hash: str) -> None:
    session.merge(UserRow(name=user, password_hash=password_hash))
    session.flush()


def password_hash(session: Session, user: str) -> str | None:
    """None: there is no such user, it is disabled, or a directory vouches for it and it has none."""
    row = session.get(UserRow, user)
    return None if row is None or row.disabled or row.directory else row.password_hash


def add_api_token(session: Session, token: ApiToken) -> None:
    columns = msgspec.structs.asdict(token)
    scope = columns.pop("scope")
    session.add(ApiTokenRow(**columns, scope_json=None if scope is None else msgspec.json.encode(scope, order="deterministic")))


def api_token(session: Session, token_hash: str) -> ApiToken | None:
    row = session.scalars(select(ApiTokenRow).where(ApiTokenRow.hash == token_hash)).one_or_none()
    return None if row is None else _api_token(row)


def api_token_by_id(session: Session, token_id: str) -> ApiToken | None:
    row = session.get(ApiTokenRow, token_id)
    return None if row is None else _api_token(row)


def has_api_token(session: Session, token_id: str) -> bool:
    return session.get(ApiTokenRow, token_id) is not None


def api_tokens(session: Session) -> tuple[ApiToken, ...]:
    return tuple(_api_token(row) for row in session.scalars(select(ApiTokenRow).order_by(ApiTokenRow.created_at)))


def drop_api_token(session: Session, id_or_name: str, user: str) -> None:
    """Of this user only, if one is given. Raises `UnknownName`."""
    found = (ApiTokenRow.id == id_or_name) | (ApiTokenRow.name == id_or_name)
    if user:
        found = found & (ApiTokenRow.user == user)
    if session.scalar(select(ApiTokenRow.id).where(found).limit(1)) is None:
        raise UnknownName(f"there is no token {id_or_name!r}", hint="look at the list of tokens", token=id_or_name)
    session.execute(delete(ApiTokenRow).where(found))


def drop_expired_tokens(session: Session, now: datetime) -> None:
    session.execute(delete(ApiTokenRow).where(ApiTokenRow.expires_at < now))


def _api_token(row: ApiTokenRow) -> ApiToken:
    return ApiToken(
        id=row.id,
        hash=row.hash,
        user=row.user,
        name=row.name,
        created_at=row.created_at,
        expires_at=row.expires_at,
        scope=None if row.scope_json is None else msgspec.json.decode(row.scope_json, type=Scope),
    )


def add_join_token(session: Session, token: JoinToken) -> None:
    session.add(JoinTokenRow(**msgspec.structs.asdict(token)))


def join_token(session: Session, token_hash: str) -> JoinToken | None:
    row = session.get(JoinTokenRow, token_hash)
    return None if row is None else _join_token(row)


def open_join_tokens(session: Session, now: datetime) -> tuple[JoinToken, ...]:
    """Those that still open the door, oldest first."""
    query = select(JoinTokenRow).where(JoinTokenRow.used_at.is_(None), JoinTokenRow.expires_at > now)
    return tuple(_join_token(row) for row in session.scalars(query.order_by(JoinTokenRow.created_at, JoinTokenRow.hash)))


def drop_join_token(session: Session, token_hash: str) -> None:
    session.execute(delete(JoinTokenRow).where(JoinTokenRow.hash == token_hash))


def use_join_token(session: Session, token_hash: str, at: datetime) -> None:
    row = session.get(JoinTokenRow, token_hash)
    if row is not None:
        row.used_at = at


def _join_token(row: JoinTokenRow) -> JoinToken:
    return JoinToken(
        hash=row.hash,
        name=row.name,
        replace=row.replace,
        created_at=row.created_at,
        expires_at=row.expires_at,
        hold=row.hold,
        used_at=row.used_at,
    )

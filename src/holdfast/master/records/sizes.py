"""How large repositories were, on record: read and written within one transaction."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from holdfast.core.ids import RepositoryId
from holdfast.master.records.tables import RepositorySizeRow


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """What a repository held at a time; the figures are those of its status."""

    at: datetime
    points: int
    points_bytes: int
    unique_bytes: int
    stored_bytes: int


def newest_size(session: Session, repository: RepositoryId) -> Size | None:
    query = select(RepositorySizeRow).where(RepositorySizeRow.repository == repository).order_by(RepositorySizeRow.at.desc()).limit(1)
    row = session.scalar(query)
    return _value(row) if row is not None else None


def sizes_since(session: Session, repository: RepositoryId, since: datetime) -> tuple[Size, ...]:
    """Oldest first."""
    chosen = (RepositorySizeRow.repository == repository, RepositorySizeRow.at >= since)
    query = select(RepositorySizeRow).where(*chosen).order_by(RepositorySizeRow.at)
    return tuple(_value(row) for row in session.scalars(query))


def add_size(session: Session, repository: RepositoryId, size: Size) -> None:
    session.merge(RepositorySizeRow(repository=repository, **msgspec.structs.asdict(size)))


def _value(row: RepositorySizeRow) -> Size:
    return Size(
        at=row.at,
        points=row.points,
        points_bytes=row.points_bytes,
        unique_bytes=row.unique_bytes,
        stored_bytes=row.stored_bytes,
    )

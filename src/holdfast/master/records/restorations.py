"""Whether this Master was made from an export, and from which."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from holdfast.core.ids import NodeId
from holdfast.master.records.tables import Table


class RestorationRow(Table):
    """The newest `epoch` counts. `ahead_json`: ids of nodes that work by rules newer than the flows here, until a flow is activated. The
    other columns are as in `Restoration`."""

    __tablename__ = "restorations"

    epoch: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    export_at: Mapped[datetime]
    audit_number: Mapped[int]
    ahead_json: Mapped[bytes] = mapped_column(default=b"[]")


class Restoration(msgspec.Struct, frozen=True, kw_only=True):
    """`epoch`: nodes follow the Master with the highest (a Master that `init` made has 0). `export_at`: of what happened later the records
    know only what was told again. `audit_number`: of the newest audit record that came with the export."""

    epoch: int
    at: datetime
    export_at: datetime
    audit_number: int


def newest(session: Session) -> Restoration | None:
    row = _newest(session)
    return None if row is None else Restoration(epoch=row.epoch, at=row.at, export_at=row.export_at, audit_number=row.audit_number)


def add(session: Session, new: Restoration) -> None:
    session.add(RestorationRow(epoch=new.epoch, at=new.at, export_at=new.export_at, audit_number=new.audit_number, ahead_json=b"[]"))
    session.flush()


def ahead(session: Session) -> frozenset[NodeId]:
    """Nodes that work by rules newer than the flows here."""
    row = _newest(session)
    return frozenset() if row is None else frozenset(msgspec.json.decode(row.ahead_json, type=list[NodeId]))


def set_ahead(session: Session, nodes: frozenset[NodeId]) -> None:
    row = _newest(session)
    if row is not None:
        row.ahead_json = msgspec.json.encode(sorted(nodes))


def _newest(session: Session) -> RestorationRow | None:
    return session.scalars(select(RestorationRow).order_by(RestorationRow.epoch.desc()).limit(1)).one_or_none()

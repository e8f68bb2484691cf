"""Revisions of the environment document, who this Master is, and which flows are active from which text."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from holdfast.core.errors import UnknownName
from holdfast.core.ids import EnvironmentId
from holdfast.master.records.tables import ActiveFlowRow, EnvironmentRow, RevisionRow
from holdfast.model.document import Revision


class Environment(msgspec.Struct, frozen=True):
    """Who this Master is."""

    id: EnvironmentId
    name: str


class ActiveFlow(msgspec.Struct, frozen=True, kw_only=True):
    """A flow in force, and the whole document it was frozen from."""

    flow: str
    revision: int
    text: str
    activated_at: datetime


def environment(session: Session) -> Environment | None:
    row = session.scalars(select(EnvironmentRow)).one_or_none()
    return None if row is None else Environment(EnvironmentId(row.id), row.name)


def found(session: Session, environment: Environment, at: datetime) -> None:
    session.add(EnvironmentRow(id=environment.id, name=environment.name, created_at=at))


def newest_revision(session: Session) -> Revision | None:
    row = session.scalars(select(RevisionRow).order_by(RevisionRow.number.desc()).limit(1)).one_or_none()
    return None if row is None else _revision(row)


def revision(session: Session, number: int) -> Revision:
    row = session.get(RevisionRow, number)
    if row is None:
        raise UnknownName(f"there is no revision {number}", hint="`holdfast export` shows the newest", revision=str(number))
    return _revision(row)


def add_revision(session: Session, new: Revision) -> None:
    session.add(RevisionRow(number=new.number, text=new.text, author=new.author, created_at=new.created_at, comment=new.comment))
    session.flush()


def _revision(row: RevisionRow) -> Revision:
    return Revision(number=row.number, text=row.text, created_at=row.created_at, author=row.author, comment=row.comment)


def active_flows(session: Session) -> tuple[ActiveFlow, ...]:
    rows = session.scalars(select(ActiveFlowRow).order_by(ActiveFlowRow.flow))
    return tuple(ActiveFlow(flow=row.flow, revision=row.revision, text=row.text, activated_at=row.activated_at) for row in rows)


def set_active(session: Session, active: tuple[ActiveFlow, ...]) -> None:
    """Make exactly these flows the active ones."""
    wanted = {flow.flow: flow for flow in active}
    for row in session.scalars(select(ActiveFlowRow)):
        if row.flow not in wanted:
            session.delete(row)
    for flow in active:
        session.merge(ActiveFlowRow(flow=flow.flow, revision=flow.revision, text=flow.text, activated_at=flow.activated_at))
    session.flush()

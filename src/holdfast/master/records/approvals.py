"""Requests for approval as rows, with the bodies of their calls; and which acts need one."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from holdfast.core.errors import Conflict, UnknownName
from holdfast.master.records.tables import ApprovalRow, ApprovalRulesRow
from holdfast.model.approvals import Approval, ApprovalAct, ApprovalState

_ONLY = 1


class ApprovalRules(msgspec.Struct, frozen=True, kw_only=True):
    """`acts` need a second person, since `changed_at`. Without any, nothing does."""

    acts: tuple[ApprovalAct, ...] = ()
    changed_by: str = ""
    changed_at: datetime | None = None


def rules(session: Session) -> ApprovalRules:
    row = session.get(ApprovalRulesRow, _ONLY)
    return ApprovalRules() if row is None else msgspec.json.decode(row.record, type=ApprovalRules)


def set_rules(session: Session, new: ApprovalRules) -> None:
    session.merge(ApprovalRulesRow(id=_ONLY, record=msgspec.json.encode(new)))


def add(session: Session, new: Approval, body: bytes) -> None:
    session.add(ApprovalRow(id=new.id, state=new.state, asked_at=new.asked_at, record=msgspec.json.encode(new), body=body))


def waiting(session: Session) -> tuple[Approval, ...]:
    """Those that are recorded as waiting; some may have expired."""
    return _of_state(session, ApprovalState.WAITING)


def running(session: Session) -> tuple[Approval, ...]:
    return _of_state(session, ApprovalState.RUNNING)


def newest(session: Session, limit: int) -> tuple[Approval, ...]:
    rows = session.scalars(select(ApprovalRow.record).order_by(ApprovalRow.asked_at.desc(), ApprovalRow.id).limit(limit))
    return tuple(msgspec.json.decode(row, type=Approval) for row in rows)


def find(session: Session, id_or_prefix: str) -> tuple[Approval, bytes]:
    """The request and its call's body. Raises `UnknownName`; `Conflict` when more than one begins so."""
    chosen = ApprovalRow.id.startswith(id_or_prefix, autoescape=True)
    rows = session.scalars(select(ApprovalRow).where(chosen).limit(2)).all()
    if not rows or not id_or_prefix:
        raise UnknownName(f"there is no request for approval {id_or_prefix!r}", hint="`holdfast approvals ls` lists them")
    if len(rows) > 1:
        raise Conflict(f"more than one request for approval begins with {id_or_prefix!r}", hint="give more of its id")
    return msgspec.json.decode(rows[0].record, type=Approval), rows[0].body


def put(session: Session, changed: Approval) -> None:
    row = session.get_one(ApprovalRow, changed.id)
    row.state, row.record = changed.state, msgspec.json.encode(changed)


def drop_older(session: Session, than: datetime) -> None:
    """What was asked before is over; the audit log keeps it."""
    session.execute(delete(ApprovalRow).where(ApprovalRow.asked_at < than))


def _of_state(session: Session, state: ApprovalState) -> tuple[Approval, ...]:
    rows = session.scalars(select(ApprovalRow.record).where(ApprovalRow.state == state).order_by(ApprovalRow.asked_at))
    return tuple(msgspec.json.decode(row, type=Approval) for row in rows)

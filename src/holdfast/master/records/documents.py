"""Revisions of the environment document, who this Master is, and which flows are active from which text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from holdfast.core.errors import UnknownName
from holdfast.core.ids import EnvironmentId, NodeId
from holdfast.master.records.tables import (
    ActiveFlowRow,
    EnvironmentRow,
    PolicyIdRow,
    RevisionRow,
    UnsettledActivationRow,
    UsedRepositoryRow,
)
from holdfast.master.records.versions import kept
from holdfast.model.document import Document, RepositoryEntry, Revision


class Environment(msgspec.Struct, frozen=True):
    """Who this Master is."""

    id: EnvironmentId
    name: str


class ActiveFlow(msgspec.Struct, frozen=True, kw_only=True):
    """A flow in force: what it and all it names were in that revision."""

    flow: str
    revision: int
    frozen: Document
    activated_at: datetime


class Unsettled(msgspec.Struct, frozen=True, kw_only=True):
    """An activation that is not over: the flows in force before it; for each node with new rules their generation, and the one before
    (0 = it had none)."""

    before: tuple[ActiveFlow, ...]
    generations: dict[NodeId, tuple[int, int]]


def environment(session: Session) -> Environment | None:
    row = session.scalars(select(EnvironmentRow)).one_or_none()
    return None if row is None else Environment(EnvironmentId(row.id), row.name)


def found(session: Session, environment: Environment, at: datetime) -> None:
    session.add(EnvironmentRow(id=environment.id, name=environment.name, created_at=at))


def newest_revision(session: Session) -> Revision | None:
    return kept(session, "newest revision", (RevisionRow,), lambda: _newest_revision(session))


def _newest_revision(session: Session) -> Revision | None:
    row = session.scalars(select(RevisionRow).order_by(RevisionRow.number.desc()).limit(1)).one_or_none()
    return None if row is None else _revision(row)


def revision(session: Session, number: int) -> Revision:
    row = session.get(RevisionRow, number)
    if row is None:
        raise UnknownName(f"there is no revision {number}", hint="`holdfast export` shows the newest", revision=str(number))
    return _revision(row)


def revisions(session: Session, *, limit: int, before: int | None) -> tuple[Revision, ...]:
    """Newest first, without their texts."""
    columns = (RevisionRow.number, RevisionRow.author, RevisionRow.created_at, RevisionRow.comment)
    query = select(*columns).order_by(RevisionRow.number.desc()).limit(limit)
    if before is not None:
        query = query.where(RevisionRow.number < before)
    rows = session.execute(query)
    return tuple(Revision(number=n, text="", author=author, created_at=at, comment=comment) for n, author, at, comment in rows)


def add_revision(session: Session, new: Revision) -> None:
    session.add(RevisionRow(number=new.number, text=new.text, author=new.author, created_at=new.created_at, comment=new.comment))
    session.flush()


def _revision(row: RevisionRow) -> Revision:
    return Revision(number=row.number, text=row.text, created_at=row.created_at, author=row.author, comment=row.comment)


def active_flows(session: Session) -> tuple[ActiveFlow, ...]:
    return kept(session, "active flows", (ActiveFlowRow,), lambda: _active_flows(session))


def _active_flows(session: Session) -> tuple[ActiveFlow, ...]:
    rows = session.scalars(select(ActiveFlowRow).order_by(ActiveFlowRow.flow))
    return tuple(
        ActiveFlow(
            flow=row.flow,
            revision=row.revision,
            frozen=msgspec.json.decode(row.frozen_json, type=Document),
            activated_at=row.activated_at,
        )
        for row in rows
    )


def set_active(session: Session, active: tuple[ActiveFlow, ...]) -> None:
    """Make exactly these flows the active ones, and remember the repositories they use."""
    wanted = {flow.flow for flow in active}
    for row in session.scalars(select(ActiveFlowRow)):
        if row.flow not in wanted:
            session.delete(row)
    for flow in active:
        frozen = msgspec.json.encode(flow.frozen)
        session.merge(ActiveFlowRow(flow=flow.flow, revision=flow.revision, frozen_json=frozen, activated_at=flow.activated_at))
        for repository in flow.frozen.repositories:
            session.merge(UsedRepositoryRow(name=repository.name, entry_json=msgspec.json.encode(repository)))
            session.flush()
    session.flush()


def begin_activation(session: Session, unsettled: Unsettled) -> None:
    session.merge(UnsettledActivationRow(id=1, record=msgspec.json.encode(unsettled)))


def unsettled_activation(session: Session) -> Unsettled | None:
    row = session.get(UnsettledActivationRow, 1)
    return None if row is None else msgspec.json.decode(row.record, type=Unsettled)


def end_activation(session: Session) -> None:
    session.execute(delete(UnsettledActivationRow))


def used_repositories(session: Session) -> tuple[RepositoryEntry, ...]:
    rows = session.scalars(select(UsedRepositoryRow).order_by(UsedRepositoryRow.name))
    return tuple(msgspec.json.decode(row.entry_json, type=RepositoryEntry) for row in rows)


def rewrite_used(session: Session, change: Callable[[RepositoryEntry], RepositoryEntry]) -> None:
    """What is remembered of repositories that were once in use, changed as wanted; their names stay."""
    for row in session.scalars(select(UsedRepositoryRow)):
        row.entry_json = msgspec.json.encode(change(msgspec.json.decode(row.entry_json, type=RepositoryEntry)))
    session.flush()


def policy_ids(session: Session) -> dict[str, str]:
    return {row.name: row.id for row in session.scalars(select(PolicyIdRow))}


def keep_policy_ids(session: Session, ids: Mapping[str, str]) -> None:
    for name, identity in ids.items():
        session.merge(PolicyIdRow(name=name, id=identity))

"""The audit log as rows: written at its end, read from either. Nothing here changes or removes one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.orm import Session

from holdfast.master.records.tables import AuditRow
from holdfast.model.audit import Anchor, AuditRecord, StoredRecord, decode_record, digest_of, encode_record

_DIGESTS = "audit digests"
"""In the `info` of a session: those that this transaction has looked up."""


@dataclass(frozen=True, kw_only=True)
class AuditChoice:
    """Which records: those that meet all that is given. `before`: a number; only records that were written before that one."""

    user: str = ""
    activity: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int = 0


def append(session: Session, record: AuditRecord) -> Anchor:
    """Write it behind the newest; its `number` and `previous` are given here. Its time is never before that of the one before."""
    newest = _newest_row(session)
    if newest is not None:
        record = replace(record, number=newest.number + 1, previous=newest.digest, at=max(record.at, newest.at))
    encoded = encode_record(record)
    row = AuditRow(
        number=record.number,
        at=record.at,
        user=record.user,
        activity=record.activity,
        record=encoded,
        digest=digest_of(encoded),
    )
    session.add(row)
    session.flush()
    return Anchor(number=record.number, digest=row.digest, at=record.at)


def head(session: Session) -> Anchor | None:
    newest = _newest_row(session)
    return None if newest is None else Anchor(number=newest.number, digest=newest.digest, at=newest.at)


def digests(session: Session, numbers: Iterable[int]) -> dict[int, str]:
    """Of those that there are. A thousand nodes that say hello in one transaction keep the same few: each is looked up once."""
    wanted = tuple(numbers)
    known: dict[int, str] = session.info.setdefault(_DIGESTS, {})
    if unknown := [number for number in wanted if number not in known]:
        rows = session.execute(select(AuditRow.number, AuditRow.digest).where(AuditRow.number.in_(unknown)))
        known.update((number, digest) for number, digest in rows)
    return {number: known[number] for number in wanted if number in known}


def newest(session: Session, choice: AuditChoice, limit: int) -> tuple[AuditRecord, ...]:
    """Newest first. What somebody made unreadable is not among them: `stored` has it, and verification tells of it."""
    query = select(AuditRow.record).order_by(AuditRow.number.desc()).limit(limit)
    if choice.user:
        query = query.where(AuditRow.user == choice.user)
    if choice.activity:
        query = query.where(AuditRow.activity == choice.activity)
    if choice.since is not None:
        query = query.where(AuditRow.at >= choice.since)
    if choice.until is not None:
        query = query.where(AuditRow.at < choice.until)
    if choice.before:
        query = query.where(AuditRow.number < choice.before)
    return tuple(found for raw in session.scalars(query) if (found := decode_record(raw)) is not None)


def stored(session: Session, after: int, limit: int) -> tuple[tuple[int, StoredRecord], ...]:
    """Rows behind number `after`, oldest first, as they are written, with the numbers of the rows."""
    query = select(AuditRow.number, AuditRow.record, AuditRow.digest).where(AuditRow.number > after).order_by(AuditRow.number).limit(limit)
    return tuple(
        (number, StoredRecord(record=record.decode(errors="replace"), digest=digest)) for number, record, digest in session.execute(query)
    )


def _newest_row(session: Session) -> AuditRow | None:
    return session.scalar(select(AuditRow).order_by(AuditRow.number.desc()).limit(1))

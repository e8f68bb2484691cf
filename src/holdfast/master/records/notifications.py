"""Notifications on record: channels, rules, what was told, and messages that are still to be delivered."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec
from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from holdfast.core.errors import UnknownName
from holdfast.master.records.notify_tables import NotifyChannelRow, NotifyCursorRow, NotifyQueueRow, NotifyRuleRow, NotifyToldRow
from holdfast.master.records.tables import EventRow, JobRow
from holdfast.model.jobs import Job, State
from holdfast.model.notifications import Notice, NotifyRule

MOST_WAITING = 10_000
"""Messages for a channel that is not there do not fill the disk: beyond this the oldest go."""
MOST_IN_ONE = 1_000


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    service: str
    sealed_url: bytes
    changed_at: datetime
    sent_at: datetime | None
    failing_since: datetime | None
    error: str


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A message to be delivered."""

    number: int
    channel: str
    rule: str
    attempts: int
    created_at: datetime
    notices: tuple[Notice, ...]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    rule: str
    key: str
    told_at: datetime | None
    notice: Notice


class StoredRule(msgspec.Struct, frozen=True, kw_only=True):
    rule: NotifyRule
    created_at: datetime


def channels(session: Session) -> tuple[Channel, ...]:
    return tuple(_channel(row) for row in session.scalars(select(NotifyChannelRow).order_by(NotifyChannelRow.name)))


def channel(session: Session, name: str) -> Channel:
    """Raises `UnknownName`."""
    return _channel(_channel_row(session, name))


def set_channel(session: Session, name: str, service: str, sealed_url: bytes, at: datetime) -> None:
    """A new place to send to, or another address of one; what was wrong with the old address is forgotten."""
    session.merge(
        NotifyChannelRow(name=name, service=service, sealed_url=sealed_url, changed_at=at, sent_at=None, failing_since=None, error="")
    )


def remove_channel(session: Session, name: str) -> None:
    """With what waits for it. Raises `UnknownName`."""
    session.delete(_channel_row(session, name))
    session.execute(delete(NotifyQueueRow).where(NotifyQueueRow.channel == name))


def note_delivery(session: Session, name: str, at: datetime, error: str) -> None:
    """`error` empty = it was taken. Of a channel that is gone nothing is noted."""
    row = session.get(NotifyChannelRow, name)
    if row is None:
        return
    row.error = error
    if error:
        row.failing_since = row.failing_since or at
    else:
        row.failing_since, row.sent_at = None, at


def rules(session: Session) -> tuple[StoredRule, ...]:
    """In their order."""
    rows = session.scalars(select(NotifyRuleRow).order_by(NotifyRuleRow.place, NotifyRuleRow.name))
    return tuple(StoredRule(rule=msgspec.json.decode(row.record, type=NotifyRule), created_at=row.created_at) for row in rows)


def set_rules(session: Session, ordered: Iterable[NotifyRule], at: datetime) -> None:
    """Exactly these, in this order. What rules that are gone have told and would send is forgotten."""
    wanted = list(ordered)
    names = [rule.name for rule in wanted]
    for gone in (NotifyToldRow, NotifyQueueRow):
        session.execute(delete(gone).where(gone.rule.not_in(names)))
    session.execute(delete(NotifyRuleRow).where(NotifyRuleRow.name.not_in(names)))
    known = {row.name: row for row in session.scalars(select(NotifyRuleRow))}
    for place, rule in enumerate(wanted):
        created = known[rule.name].created_at if rule.name in known else at
        session.merge(NotifyRuleRow(name=rule.name, place=place, created_at=created, record=msgspec.json.encode(rule)))


def rename_node(session: Session, old: str, new: str, at: datetime) -> None:
    """Rules that name the node, or one of its datasets, go on choosing it. Patterns are left to who wrote them."""
    before = [stored.rule for stored in rules(session)]
    after = [
        msgspec.structs.replace(
            rule,
            nodes=tuple(new if name == old else name for name in rule.nodes),
            datasets=tuple(new + name[len(old) :] if name.startswith(f"{old}/") else name for name in rule.datasets),
        )
        for rule in before
    ]
    if after != before:
        set_rules(session, after, at)


def told(session: Session) -> dict[tuple[str, str], Told]:
    """By rule and key."""
    rows = session.scalars(select(NotifyToldRow))
    found = (Told(rule=r.rule, key=r.key, told_at=r.told_at, notice=msgspec.json.decode(r.record, type=Notice)) for r in rows)
    return {(each.rule, each.key): each for each in found}


def set_told(session: Session, rule: str, notice: Notice, told_at: datetime | None) -> None:
    session.merge(NotifyToldRow(rule=rule, key=notice.key, told_at=told_at, record=msgspec.json.encode(notice)))


def forget_told(session: Session, rule: str, key: str) -> None:
    session.execute(delete(NotifyToldRow).where(NotifyToldRow.rule == rule, NotifyToldRow.key == key))


def enqueue(session: Session, of: tuple[str, str], notices: tuple[Notice, ...], now: datetime, due_at: datetime) -> None:
    """`of`: rule and channel. What is not due at once goes into the message of the same rule that waits already, if there is one."""
    rule, channel_name = of
    digest = due_at > now
    if digest:
        open_one = session.scalar(
            select(NotifyQueueRow)
            .where(NotifyQueueRow.channel == channel_name, NotifyQueueRow.rule == rule, NotifyQueueRow.digest.is_(True))
            .where(NotifyQueueRow.attempts == 0, NotifyQueueRow.due_at > now)
            .order_by(NotifyQueueRow.number)
            .limit(1)
        )
        if open_one is not None:
            kept = (*msgspec.json.decode(open_one.record, type=tuple[Notice, ...]), *notices)
            open_one.record = msgspec.json.encode(kept[-MOST_IN_ONE:])
            return
    record = msgspec.json.encode(notices)
    session.add(NotifyQueueRow(channel=channel_name, rule=rule, digest=digest, created_at=now, due_at=due_at, attempts=0, record=record))
    session.flush()
    _shorten(session)


def due(session: Session, now: datetime, limit: int) -> tuple[Waiting, ...]:
    """Messages whose time has come, oldest first; and those that were made before the clock was set back, of which nobody knows when it
    comes."""
    is_due = or_(NotifyQueueRow.due_at <= now, NotifyQueueRow.created_at > now)
    query = select(NotifyQueueRow).where(is_due).order_by(NotifyQueueRow.due_at, NotifyQueueRow.number).limit(limit)
    return tuple(
        Waiting(
            number=row.number,
            channel=row.channel,
            rule=row.rule,
            attempts=row.attempts,
            created_at=row.created_at,
            notices=msgspec.json.decode(row.record, type=tuple[Notice, ...]),
        )
        for row in session.scalars(query)
    )


def waiting(session: Session) -> dict[str, int]:
    """How many messages wait, by channel."""
    query = select(NotifyQueueRow.channel, func.count()).group_by(NotifyQueueRow.channel)
    return {row[0]: row[1] for row in session.execute(query)}


def delivered(session: Session, number: int) -> None:
    session.execute(delete(NotifyQueueRow).where(NotifyQueueRow.number == number))


def try_again(session: Session, number: int, now: datetime, due_at: datetime) -> None:
    row = session.get(NotifyQueueRow, number)
    if row is not None:
        row.attempts, row.due_at, row.created_at = row.attempts + 1, due_at, min(row.created_at, now)


def cursor(session: Session) -> int:
    """The last line of the log that was looked at. The first time it is the newest there is: what was before is not told."""
    row = session.get(NotifyCursorRow, 1)
    if row is None:
        row = NotifyCursorRow(id=1, event=session.scalar(select(func.max(EventRow.number))) or 0)
        session.add(row)
        session.flush()
    return row.event


def set_cursor(session: Session, event: int) -> None:
    session.merge(NotifyCursorRow(id=1, event=event))


def failed_jobs(session: Session, since: datetime, limit: int) -> tuple[Job, ...]:
    """Jobs created after that which failed, newest first."""
    failed = select(JobRow.record).where(JobRow.state == State.FAILED.value, JobRow.created_at > since)
    records = session.scalars(failed.order_by(JobRow.created_at.desc()).limit(limit))
    return tuple(msgspec.json.decode(record, type=Job) for record in records)


def _shorten(session: Session) -> None:
    count = session.scalar(select(func.count()).select_from(NotifyQueueRow)) or 0
    if count > MOST_WAITING:
        oldest = select(NotifyQueueRow.number).order_by(NotifyQueueRow.number).limit(count - MOST_WAITING)
        session.execute(delete(NotifyQueueRow).where(NotifyQueueRow.number.in_(oldest)))


def _channel_row(session: Session, name: str) -> NotifyChannelRow:
    row = session.get(NotifyChannelRow, name)
    if row is None:
        raise UnknownName(f"there is no channel {name!r}", hint="`holdfast notify ls` lists them", channel=name)
    return row


def _channel(row: NotifyChannelRow) -> Channel:
    return Channel(
        name=row.name,
        service=row.service,
        sealed_url=row.sealed_url,
        changed_at=row.changed_at,
        sent_at=row.sent_at,
        failing_since=row.failing_since,
        error=row.error,
    )

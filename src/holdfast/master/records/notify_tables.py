"""The tables of notifications: see `records.notifications`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from holdfast.master.records.tables import Table


class NotifyChannelRow(Table):
    """`sealed_url` is encrypted with a key of the Master's authority. Times are of deliveries; `failing_since` is null while it works."""

    __tablename__ = "notify_channels"

    name: Mapped[str] = mapped_column(primary_key=True)
    service: Mapped[str]
    sealed_url: Mapped[bytes]
    changed_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(default="")


class NotifyRuleRow(Table):
    """`record` is a `model.notifications.NotifyRule`; `place` says the order."""

    __tablename__ = "notify_rules"

    name: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[int]
    created_at: Mapped[datetime]
    record: Mapped[bytes]


class NotifyToldRow(Table):
    """What a rule has told of a condition. `told_at` null: it stands, and is not told yet. `record`: the `Notice` that it began with."""

    __tablename__ = "notify_told"

    rule: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    told_at: Mapped[datetime | None]
    record: Mapped[bytes]


class NotifyQueueRow(Table):
    """A message to one channel that is not delivered yet. `digest`: more may be added until `due_at`. `record`: its notices."""

    __tablename__ = "notify_queue"
    __table_args__ = (Index("notify_queue_by_time", "due_at"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    channel: Mapped[str]
    rule: Mapped[str]
    digest: Mapped[bool]
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    record: Mapped[bytes]


class NotifyCursorRow(Table):
    """One row, `id` 1: up to which line of the log everything was looked at."""

    __tablename__ = "notify_cursor"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    event: Mapped[int]

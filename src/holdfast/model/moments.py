"""Moments: states of a followed dataset that can be restored, point or not, and how they are named.

A moment's address is DATASET@TIME: the newest state captured at or before the time. Wherever a point may be named, an address may be, too.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from holdfast.core.errors import UnknownName
from holdfast.core.ids import DatasetId, PointId

_AT = "@"


class Moment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One commit of a followed dataset. `files` and `size_bytes` are of the whole dataset. `points`: ids of the points that it is."""

    address: PointId
    time: datetime
    seq: int
    files: int
    size_bytes: int
    points: tuple[PointId, ...] = ()


def address_of(dataset: DatasetId, time: datetime) -> PointId:
    return PointId(f"{dataset}{_AT}{time.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%S.%fZ')}")


def is_address(text: str) -> bool:
    return _AT in text


def parse_address(text: str) -> tuple[str, datetime]:
    """Dataset (label or id) and time, UTC where it says no zone. Raises `UnknownName`."""
    dataset, _, when = text.rpartition(_AT)
    try:
        time = datetime.fromisoformat(when)
        return dataset, (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnknownName(f"{when[:40]!r} is no time", hint="write DATASET@2026-01-31T12:00:00Z") from None

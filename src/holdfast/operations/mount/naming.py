"""What the folders of a mount are called: datasets by their labels, points by their local time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo

from holdfast.core.errors import UsageError
from holdfast.core.ids import PointId
from holdfast.core.units import parse_time
from holdfast.model.points import Point

LATEST = b"latest"
_TIME = re.compile(rb"@([0-9][0-9T:.,+Z-]{3,40})")


def names_of(points: Iterable[Point], zone: tzinfo | None = None) -> dict[bytes, Point]:
    """The points of one dataset by name, oldest first. Copies, and points that several operations made of one commit, are one folder.
    `zone` None = this machine's."""
    found: dict[bytes, Point] = {}
    known: set[tuple[object, ...]] = set()
    for point in sorted(points, key=_age):
        state = (point.epoch, point.seq) if point.epoch else (point.id,)
        if state in known:
            continue
        known.add(state)
        local = point.time.astimezone(zone)
        spellings = (local.isoformat(timespec="seconds"), local.isoformat(timespec="microseconds"), f"{local.isoformat()}_{point.id[:8]}")
        name = next((text.encode() for text in spellings if text.encode() not in found), point.id.encode())
        found[name] = point
    return found


def folders_of(points: Iterable[Point]) -> dict[tuple[bytes, ...], list[Point]]:
    """The points of each dataset by the folders that its label names; two datasets of one label are told apart by their ids."""
    labels: dict[tuple[bytes, ...], str] = {}
    found: dict[tuple[bytes, ...], list[Point]] = {}
    for point in sorted(points, key=lambda point: (point.dataset, point.dataset_id)):
        place = parts_of_label(point.dataset) or (point.dataset_id.encode(),)
        if labels.setdefault(place, point.dataset_id) != point.dataset_id:
            place = (*place[:-1], place[-1] + b"_" + point.dataset_id[:8].encode())
            labels[place] = point.dataset_id
        found.setdefault(place, []).append(point)
    return found


def parts_of_label(label: str) -> tuple[bytes, ...]:
    """`files1/documents` as folder names. What cannot be the name of a file is left out or spelled differently."""
    parts = (part.encode("utf-8", "surrogateescape").replace(b"\0", b"_")[:255] for part in label.split("/"))
    return tuple(b"_" + part if part in (b".", b"..") else part for part in parts if part)


def time_named(name: bytes, now: datetime, zone: tzinfo | None = None) -> datetime | None:
    """The time of `@TIME`, local where it says no zone; None where it is none, or lies ahead: nobody knows what will be then."""
    match = _TIME.fullmatch(name)
    if match is None:
        return None
    try:
        moment = parse_time(match[1].decode(), now, zone)
    except UsageError:
        return None
    return moment if moment <= now else None


def in_order(names: Mapping[bytes, Point]) -> dict[bytes, Point]:
    """Oldest first."""
    return dict(sorted(names.items(), key=lambda item: _age(item[1])))


def newest_name(names: Mapping[bytes, Point]) -> bytes | None:
    """Of names that are in order."""
    return next(reversed(list(names)), None)


def _age(point: Point) -> tuple[datetime, int, PointId]:
    return point.time, point.seq, point.id

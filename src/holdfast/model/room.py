"""How much room a repository in a folder has left, from when it is nearly full, and when it will be full if it goes on so. Pure.

Small and large disks differ: a tenth of 20 TB is no reason to wake anybody, 50 GB on a disk of 100 GB neither. So a disk is nearly full by
the lower of a part and a size, or because the forecast says so. What was nearly full is so until there is clearly more room again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum

import msgspec

from holdfast.core.units import format_size
from holdfast.model.forecast import line_through
from holdfast.model.jobs import Finding, Severity

GIB = 1 << 30
SOON = timedelta(days=14)
LATER = timedelta(days=21)
LOOKED_BACK = timedelta(days=14)
SAMPLE_EVERY = timedelta(hours=6)
_SLACK = timedelta(minutes=30)
_FARTHEST_DAYS = 3_650


class RoomLevel(str, Enum):
    """`full`: hardly anything goes in any more."""

    ENOUGH = "enough"
    NEARLY_FULL = "nearly-full"
    FULL = "full"


class RoomSample(msgspec.Struct, frozen=True):
    at: datetime
    used_bytes: int


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """Of the file system that a repository lies on. `free_bytes`: what its owner may still write, of `total_bytes` on an empty one.
    `bytes_a_day`: how much more is used each day, whoever writes it, and `full_at`: when nothing is free at that rate (null = there are
    not enough looks yet, it does not grow for certain, or that is ten years away)."""

    free_bytes: int
    total_bytes: int
    level: RoomLevel = RoomLevel.ENOUGH
    bytes_a_day: float | None = None
    full_at: datetime | None = None


class _Bound(msgspec.Struct, frozen=True, kw_only=True):
    """`ratio` of the file system, but never more than `most_bytes`."""

    ratio: float
    most_bytes: int

    def of(self, total_bytes: int) -> float:
        return min(self.ratio * total_bytes, self.most_bytes)


_FULL, _NOT_FULL = _Bound(ratio=0.01, most_bytes=2 * GIB), _Bound(ratio=0.02, most_bytes=4 * GIB)
_NEAR, _NOT_NEAR = _Bound(ratio=0.10, most_bytes=50 * GIB), _Bound(ratio=0.12, most_bytes=60 * GIB)


def judge_room(free_bytes: int, total_bytes: int, samples: Sequence[RoomSample], now: datetime, before: RoomLevel) -> Room:
    """`samples`: oldest first. `before`: what was judged last."""
    rate = _bytes_a_day(samples)
    days = free_bytes / rate if rate is not None else None
    full_at = now + timedelta(days=days) if days is not None and days <= _FARTHEST_DAYS else None
    level = _level(free_bytes, total_bytes, full_at, now, before)
    return Room(free_bytes=free_bytes, total_bytes=total_bytes, level=level, bytes_a_day=rate, full_at=full_at)


def with_sample(samples: Sequence[RoomSample], sample: RoomSample) -> tuple[RoomSample, ...]:
    """Those of the last days with this one, if it is time for one. Samples of a time that has not come are left out: the clock was set."""
    kept = tuple(each for each in samples if sample.at - LOOKED_BACK <= each.at <= sample.at)
    is_due = not kept or sample.at - kept[-1].at >= SAMPLE_EVERY - _SLACK
    return (*kept, sample) if is_due else kept


def room_words(room: Room, now: datetime) -> str:
    """`12 GiB of 100 GiB are free; full in about 9 days at the rate of the last 14`."""
    words = f"{format_size(room.free_bytes)} of {format_size(room.total_bytes)} are free"
    if room.full_at is None:
        return words
    days = (room.full_at - now) / timedelta(days=1)
    when = "within a day" if days < 1 else f"in about {days:.0f} day{'' if round(days) == 1 else 's'}"
    return f"{words}; full {when} at the rate of the last {LOOKED_BACK.days}"


def room_finding(repository: str, room: Room | None, now: datetime) -> Finding | None:
    """What stands as long as the repository has not room enough. `path` is the repository, so that each is a matter of its own."""
    if room is None or room.level is RoomLevel.ENOUGH:
        return None
    is_full = room.level is RoomLevel.FULL
    return Finding(
        code="repository-nearly-full",
        severity=Severity.ERROR if is_full else Severity.WARNING,
        message=f"repository {repository} is {'full' if is_full else 'nearly full'}: {room_words(room, now)}",
        path=repository,
        hint=f"make the disk larger or keep less; `holdfast repository prune {repository}` gives back what expired points needed",
    )


def _bytes_a_day(samples: Sequence[RoomSample]) -> float | None:
    """None: not known, or not more for certain."""
    line = line_through([(sample.at, float(sample.used_bytes)) for sample in samples])
    if line is None or line.bytes_a_day <= max(0.0, line.uncertain_bytes_a_day):
        return None
    return line.bytes_a_day


def _level(free_bytes: int, total_bytes: int, full_at: datetime | None, now: datetime, before: RoomLevel) -> RoomLevel:
    was_full, was_near = before is RoomLevel.FULL, before is not RoomLevel.ENOUGH
    if free_bytes < (_NOT_FULL if was_full else _FULL).of(total_bytes):
        return RoomLevel.FULL
    is_soon = full_at is not None and full_at - now < (LATER if was_near else SOON)
    if is_soon or free_bytes < (_NOT_NEAR if was_near else _NEAR).of(total_bytes):
        return RoomLevel.NEARLY_FULL
    return RoomLevel.ENOUGH

"""Which points a keep rule keeps: the same choice as `restic forget` makes on the same snapshots.

Source: restic's `ApplyPolicy` (snapshot_policy.go). Points are looked at newest first; each rule keeps the first it sees of each hour,
day, ISO week, month or year until its count is used up, and the oldest point of all while some count is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from holdfast.model.document import KeepRules
from holdfast.model.points import Point


@dataclass(frozen=True)
class Kept:
    """`keep` pairs each kept point with the rules that keep it; both are newest first."""

    keep: tuple[tuple[Point, tuple[str, ...]], ...]
    remove: tuple[Point, ...]


@dataclass
class _Bucket:
    """One rule at work: `left` of it, -1 = no end; `last` is the span it saw last."""

    reason: str
    left: int
    span: Callable[[datetime, int], tuple[int, ...]]
    last: tuple[int, ...] = ()

    def takes(self, moment: datetime, number: int, *, oldest: bool) -> str:
        """The reason, if this rule keeps the point; else an empty string."""
        if self.left == 0:
            return ""
        span = self.span(moment, number)
        again = span == self.last
        if again and not oldest:
            return ""
        self.last = span
        if self.left > 0:
            self.left -= 1
        return f"oldest {self.reason}" if again else self.reason


def _buckets(keep: KeepRules) -> list[_Bucket]:
    return [
        _Bucket("last", keep.last, lambda _, number: (number,)),
        _Bucket("hourly", keep.hourly, lambda at, _: (at.year, at.month, at.day, at.hour)),
        _Bucket("daily", keep.daily, lambda at, _: (at.year, at.month, at.day)),
        _Bucket("weekly", keep.weekly, lambda at, _: at.isocalendar()[:2]),
        _Bucket("monthly", keep.monthly, lambda at, _: (at.year, at.month)),
        _Bucket("yearly", keep.yearly, lambda at, _: (at.year,)),
    ]


@lru_cache(maxsize=256)
def zone_of(name: str) -> tzinfo:
    """The IANA zone, or UTC when this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def kept(points: Sequence[Point], keep: KeepRules, now: datetime) -> Kept:
    """Divide the points of one operation of one dataset. Empty rules keep all; a locked point is kept and counted like any other. One whose
    time to expire has come counts for no rule, and goes unless it is locked. One that an anomaly holds is kept as a locked one is.

    Days are cut in each point's own zone. `within` is measured from the newest point that is not in the future.
    """
    ordered = sorted(points, key=lambda point: point.time, reverse=True)
    expired = {id(point) for point in ordered if point.expires_at is not None and point.expires_at <= now}
    counted = _divide([point for point in ordered if id(point) not in expired], keep, now)
    locked = [point for point in ordered if id(point) in expired and (_is_locked(point, now) or _is_held(point, now))]
    if not expired:
        return counted
    stay = sorted((*counted.keep, *((point, ("locked",)) for point in locked)), key=lambda row: row[0].time, reverse=True)
    kept_ids = {id(point) for point, _ in stay}
    return Kept(tuple(stay), tuple(point for point in ordered if id(point) not in kept_ids))


def _is_locked(point: Point, now: datetime) -> bool:
    return point.locked_until is not None and point.locked_until > now


def _is_held(point: Point, now: datetime) -> bool:
    return point.held_until is not None and point.held_until > now


def _divide(ordered: Sequence[Point], keep: KeepRules, now: datetime) -> Kept:
    if keep.is_empty():
        return Kept(tuple((point, ("all",)) for point in ordered), ())
    newest = next((point.time for point in ordered if point.time < now), datetime.min.replace(tzinfo=UTC))
    buckets = _buckets(keep)
    stay: list[tuple[Point, tuple[str, ...]]] = []
    go: list[Point] = []
    for number, point in enumerate(ordered):
        reasons = ["within"] if keep.within_s and _is_within(point.time, newest, keep.within_s) else []
        local = point.time.astimezone(zone_of(point.zone))
        oldest = number == len(ordered) - 1
        reasons += [reason for bucket in buckets if (reason := bucket.takes(local, number, oldest=oldest))]
        if _is_locked(point, now):
            reasons.append("locked")
        if _is_held(point, now):
            reasons.append("held")
        if reasons:
            stay.append((point, tuple(reasons)))
        else:
            go.append(point)
    return Kept(tuple(stay), tuple(go))


def _is_within(moment: datetime, newest: datetime, within_s: float) -> bool:
    try:
        return moment > newest - timedelta(seconds=within_s)
    except OverflowError:
        return True

"""What people do to restore points that are there: tag, lock, expire, forget. A pure plan; the owner of the repository carries it out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from holdfast.core.errors import ErrorFacts, Refused, UsageError
from holdfast.core.ids import DatasetId, PointId
from holdfast.core.units import format_utc
from holdfast.model.points import Point, newest_of

MOST_TAGS = 100
LONGEST_TAG = 200


class _Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Base; the tag on the wire is the class name."""


class Tag(_Change, frozen=True, kw_only=True):
    """Add and take away words of people's own. No commas: restic separates tags with them."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class Lock(_Change, frozen=True, kw_only=True):
    """Nothing lets the point go before `until`, or before `for_s` seconds from now by the owner's trusted time: one of the two. A lock that
    lasts longer stays as it is."""

    until: datetime | None = None
    for_s: float | None = None


class Expire(_Change, frozen=True, kw_only=True):
    """From `at` on no keep rule keeps it; None = as if this had never been said."""

    at: datetime | None = None


class Forget(_Change, frozen=True, kw_only=True):
    """At once. `newest`: also the newest point of a dataset, on which the next run builds."""

    newest: bool = False


PointChange = Tag | Lock | Expire | Forget
Outcome = Literal["changed", "forgotten", "unchanged", "stays"]


class ChangedPoint(msgspec.Struct, frozen=True, kw_only=True):
    """`point` as it is afterwards (of a forgotten one: as it was). `stays`: it should have gone, and `why` says what keeps it."""

    point: Point
    outcome: Outcome
    why: str = ""


class AskChangePoints(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Change these points (ids or their beginnings) in each repository here that has them, or all of a `dataset` (label or id); with
    `repository` only there. `dry_run`: only tell; `is_meant`: it was to be done, and is if all owners can, so that a refusal is logged.
    `by`: who asks, for the log; the Master says it, a machine's own user needs not. `partly`: points that are not here may be another
    owner's, and are told; else one such is an error.
    """

    change: PointChange
    points: tuple[str, ...] = ()
    dataset: str = ""
    repository: str = ""
    dry_run: bool = False
    is_meant: bool = False
    by: str = ""
    partly: bool = False


class PointsChanged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """What became of each, or would become. `unknown`: of `partly`, those that are not here, as they were named, and why not."""

    changes: tuple[ChangedPoint, ...]
    dry_run: bool = False
    unknown: tuple[tuple[str, ErrorFacts], ...] = ()


def check_change(change: PointChange) -> None:
    """Raises `UsageError` for one that makes no sense, whatever the points."""
    match change:
        case Tag():
            if not change.add and not change.remove:
                raise UsageError("no tag is named", hint="give --add or --remove")
            for tag in (*change.add, *change.remove):
                _check_tag(tag)
        case Lock():
            if (change.until is None) == (change.for_s is None):
                raise UsageError("a lock lasts until a time, or for a while", hint="give --until or --for, one of them")
            if change.for_s is not None and not 0 < change.for_s < 1e10:
                raise UsageError("a lock cannot last that long", hint="give for example --for 30d")
        case Expire() | Forget():
            pass


def _check_tag(tag: str) -> None:
    if not tag.strip() or len(tag) > LONGEST_TAG or "," in tag or not tag.isprintable():
        raise UsageError(f"not a tag: {tag[:40]!r}", hint=f"up to {LONGEST_TAG} printable characters, without a comma")
    if tag.startswith("hf:"):
        raise UsageError(f"{tag[:40]!r} is Holdfast's own", hint="tags that begin with hf: hold what a point is; choose another word")


def plan_change(points: Sequence[Point], change: PointChange, now: datetime, newest: Collection[PointId]) -> tuple[ChangedPoint, ...]:
    """What becomes of each of these points. `newest` are the ids of each dataset's newest points. Nothing raises here: a point that may not
    go `stays`."""
    return tuple(_plan_one(point, change, now, point.id in newest) for point in points)


def _plan_one(point: Point, change: PointChange, now: datetime, is_newest: bool) -> ChangedPoint:
    if point.foreign:
        return ChangedPoint(
            point=point, outcome="stays", why="another program made it; change it with that one, `restic tag` or `restic forget`"
        )
    match change:
        case Tag():
            tags = tuple(dict.fromkeys((*(tag for tag in point.tags if tag not in change.remove), *change.add)))
            if len(tags) > MOST_TAGS:
                return ChangedPoint(point=point, outcome="unchanged", why=f"a point bears at most {MOST_TAGS} tags")
            return _changed(point, msgspec.structs.replace(point, tags=tags), "it bears these tags already")
        case Lock():
            until = change.until if change.until is not None else _later(now, change.for_s or 0)
            if until <= now:
                return ChangedPoint(point=point, outcome="unchanged", why="that time has passed")
            if point.locked_until is not None and point.locked_until >= until:
                return ChangedPoint(point=point, outcome="unchanged", why=f"it is locked until {format_utc(point.locked_until)} already")
            return _changed(point, msgspec.structs.replace(point, locked_until=until), "")
        case Expire():
            if change.at is not None and (why := locked_beyond(point, max(change.at, now))):
                return ChangedPoint(point=point, outcome="stays", why=why)
            return _changed(point, msgspec.structs.replace(point, expires_at=change.at), "it was told so already")
        case Forget():
            if why := locked_beyond(point, now):
                return ChangedPoint(point=point, outcome="stays", why=why)
            if is_newest and not change.newest:
                return ChangedPoint(point=point, outcome="stays", why="it is the newest of its dataset")
            return ChangedPoint(point=point, outcome="forgotten", why="the newest of its dataset" if is_newest else "")


def _later(now: datetime, seconds: float) -> datetime:
    try:
        return now + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=now.tzinfo)


def _changed(before: Point, after: Point, same: str) -> ChangedPoint:
    if before == after:
        return ChangedPoint(point=before, outcome="unchanged", why=same)
    return ChangedPoint(point=after, outcome="changed")


def locked_beyond(point: Point, moment: datetime) -> str:
    """Why it cannot go at that moment; empty = it can."""
    if point.locked_until is not None and point.locked_until > moment:
        return f"it is locked until {format_utc(point.locked_until)}"
    if point.held_until is not None and point.held_until > moment:
        return f"an anomaly holds it until {format_utc(point.held_until)}; `holdfast anomaly dismiss` releases it"
    return ""


def refuse_what_stays(changes: Sequence[ChangedPoint]) -> None:
    """For points that were named one by one: all go or none. Raises `Refused`."""
    stays = [change for change in changes if change.outcome == "stays"]
    if stays:
        first = stays[0]
        more = f", and {len(stays) - 1} more" if len(stays) > 1 else ""
        hint = "`--yes` forgets the newest, too" if "newest" in first.why else "nothing was changed; leave that point out"
        raise Refused(f"point {first.point.id[:8]} stays: {first.why}{more}", hint=hint, point=first.point.id)


def newest_points(points: Sequence[Point]) -> frozenset[PointId]:
    """The newest point of each dataset, by the order in which they came."""
    of_each: dict[DatasetId, list[Point]] = {}
    for point in points:
        if not point.foreign:
            of_each.setdefault(point.dataset_id, []).append(point)
    # Operations that marked one commit made one point each: the commit stays as long as one of them does.
    return frozenset(newest_of(own).id for own in of_each.values())

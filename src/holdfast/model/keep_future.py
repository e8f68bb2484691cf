"""Until when keep rules keep points, if runs go on as they did lately. What takes points away is a run that makes a new one: if none comes
any more, all stay.

The future is played through with the rules themselves: every run at first, then the first run of each day, week, month and year, which is
all that the longer rules look at by then, and of locks and `within` the first run after each ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from holdfast.core.ids import PointId
from holdfast.model.document import KeepRules
from holdfast.model.points import Point
from holdfast.model.retention import kept, zone_of

_LATELY = 20
_GROUPS = 100
_MOST_RUNS = 5_000
_MOST_SPANS = 400
_MOST_MOMENTS = 50
_LAST_YEAR = 9_000


class Ends(NamedTuple):
    """`every_s`: how often runs came lately (None = there are too few points to tell, and `at` is empty). `at`: when each point goes; one
    that is not in it stays as far as the rules can say."""

    every_s: float | None
    at: dict[PointId, datetime]


def ends_of(points: Sequence[Point], keep: KeepRules, now: datetime) -> Ends:
    """`points`: all of one operation of one dataset."""
    every_s = _cadence_s(points)
    if every_s is None:
        return Ends(None, {})
    newest = max(points, key=lambda point: (point.time, point.seq))
    at: dict[PointId, datetime] = {}
    standing = list(points)
    watched = {point.id for point in points}
    for runs in _steps(_Course(max(now, newest.time), every_s, zone_of(newest.zone)), keep, points):
        made = [_run(newest, moment) for moment in runs]
        after = runs[-1] + timedelta(microseconds=1)
        staying = [point for point, _ in kept([*standing, *made], keep, after).keep]
        if made[-1] not in staying:
            # The newest always stays.
            staying.append(made[-1])
        left = {point.id for point in staying}
        at.update(dict.fromkeys(watched - left, runs[-1]))
        watched &= left
        standing = staying
        if not watched:
            break
    return Ends(every_s, at)


class _Course(NamedTuple):
    """Runs to come: every so often after the first moment."""

    begin: datetime
    every_s: float
    zone: tzinfo

    def first_after(self, moment: datetime) -> datetime:
        """Raises `OverflowError` at the end of the calendar."""
        gone = math.floor(max(0.0, (moment - self.begin).total_seconds()) / self.every_s)
        return self.begin + timedelta(seconds=(gone + 1) * self.every_s)

    def first_in_next(self, moment: datetime, span: str) -> datetime:
        """The first run in the next day, week, month or year after the one of this moment. Raises `OverflowError`."""
        local = moment.astimezone(self.zone)
        if local.year >= _LAST_YEAR:
            raise OverflowError
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        match span:
            case "daily":
                start = midnight + timedelta(days=1)
            case "weekly":
                start = midnight + timedelta(days=7 - local.weekday())
            case "monthly":
                start = (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
            case _:
                start = midnight.replace(month=1, day=1, year=local.year + 1)
        return self.first_after(max(moment, start - timedelta(microseconds=1)))


def _steps(course: _Course, keep: KeepRules, points: Sequence[Point]) -> Iterator[list[datetime]]:
    """Times of the runs that matter, rising, in the groups in which the rules are applied."""
    many = max(keep.last, max(keep.hourly, 0) * max(1, math.ceil(3_600 / course.every_s)), 0) + 2
    size = -(-min(many, _MOST_RUNS) // _GROUPS)
    moment = course.begin
    try:
        for start in range(0, min(many, _MOST_RUNS), size):
            runs = [moment + timedelta(seconds=(number + 1) * course.every_s) for number in range(min(size, many - start))]
            moment = runs[-1]
            yield runs
        coarse = _coarse(course, keep, moment) | _special(course, keep, points)
        for each in sorted(coarse):
            if each > moment:
                yield [each]
    except OverflowError:
        return


def _coarse(course: _Course, keep: KeepRules, moment: datetime) -> set[datetime]:
    """As many days, weeks, months and years as the rules count."""
    found: set[datetime] = set()
    for span in ("daily", "weekly", "monthly", "yearly"):
        for _ in range(min(max(getattr(keep, span), 0) + 1, _MOST_SPANS)):
            moment = course.first_in_next(moment, span)
            found.add(moment)
    return found


def _special(course: _Course, keep: KeepRules, points: Sequence[Point]) -> set[datetime]:
    """The first runs after something ends by the clock: `within`, locks, times to expire."""
    within = timedelta(seconds=min(keep.within_s, 1e11))
    moments = {point.time + within for point in points} if keep.within_s else set[datetime]()
    moments |= {each for point in points for each in (point.locked_until, point.held_until, point.expires_at) if each is not None}
    rising = sorted(moments)
    stride = max(1, len(rising) // _MOST_MOMENTS)
    return {course.first_after(each) for each in (*rising[::-stride][::-1], *rising[-1:]) if each > course.begin}


def _cadence_s(points: Sequence[Point]) -> float | None:
    times = sorted({point.time for point in points}, reverse=True)[: _LATELY + 1]
    gaps = [(later - earlier).total_seconds() for later, earlier in pairwise(times)]
    return max(1.0, median(gaps)) if gaps else None


def _run(newest: Point, moment: datetime) -> Point:
    return Point(
        id=PointId(""),
        dataset=newest.dataset,
        dataset_id=newest.dataset_id,
        operation=newest.operation,
        repository=newest.repository,
        time=moment,
        files=0,
        bytes=0,
        zone=newest.zone,
    )

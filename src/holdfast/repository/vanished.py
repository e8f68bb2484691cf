"""Points that are gone though nobody here let them go: another program removed their snapshots. One that was locked is an alarm, which
stands until the point is there again, or its lock would have ended.

The alarm is kept in the owner's home, so that a restart does not end it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from holdfast.core.ids import PointId
from holdfast.host.home_records import load_record, save_record
from holdfast.model.points import Point

_FILE = "vanished.json"
_MOST_KEPT = 1_000


class LockedAndGone(msgspec.Struct, frozen=True):
    """A point that was locked until then when it vanished."""

    point: PointId
    dataset: str
    time: datetime
    locked_until: datetime


class Gone(NamedTuple):
    """`unseen`: it went while no owner was at work. A locked one was another program's doing; others may have been let go by a life of the
    owner that was cut off in the middle of it."""

    point: Point
    unseen: bool


class Vanished:
    """`home` is the repository's folder in its owner's home. Thread-safe. Never raises: what cannot be written down is told, too."""

    def __init__(self, home: Path) -> None:
        self._path = home / _FILE
        self._guard = threading.Lock()
        self._untold: list[Gone] = []
        self._alarms = {each.point: each for each in load_record(self._path, list[LockedAndGone]) or ()}

    def note(self, points: Iterable[Point], now: datetime, *, unseen: bool) -> None:
        """These were there and are no more."""
        with self._guard:
            for point in points:
                self._untold.append(Gone(point, unseen))
                if point.locked_until is not None and point.locked_until > now:
                    self._alarms[point.id] = LockedAndGone(point.id, point.dataset, point.time, point.locked_until)
            self._keep()

    def found(self, points: Iterable[PointId]) -> None:
        """These are there."""
        with self._guard:
            back = [point for point in points if self._alarms.pop(point, None) is not None]
            if back:
                self._keep()

    def take(self) -> Sequence[Gone]:
        """What was noted since it was asked last."""
        with self._guard:
            told, self._untold = self._untold, []
            return told

    def alarms(self, now: datetime) -> tuple[LockedAndGone, ...]:
        """Locked ones that are still missing, the oldest first."""
        with self._guard:
            return tuple(sorted((each for each in self._alarms.values() if each.locked_until > now), key=lambda each: each.time))

    @property
    def has_alarms(self) -> bool:
        return bool(self._alarms)

    def _keep(self) -> None:
        kept = list(self._alarms.values())[-_MOST_KEPT:]
        with suppress(OSError):
            if kept:
                save_record(self._path, kept)
            else:
                self._path.unlink(missing_ok=True)

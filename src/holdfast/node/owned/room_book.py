"""How much room the repositories of a home have left: looked at, and remembered in `HOME/repositories/NAME/room.json` for the forecast.

A cache: without it the forecast begins anew, and what stands is told once more.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from holdfast.core.clock import Clock, now
from holdfast.host.disk import room_bytes
from holdfast.host.home_records import load_record, save_record
from holdfast.model.jobs import Finding
from holdfast.model.object_location import is_object_location
from holdfast.model.repository_status import RepositoryStatus
from holdfast.model.room import Room, RoomLevel, RoomSample, judge_room, room_finding, with_sample
from holdfast.model.rules import RepositoryRule

_FILE = "room.json"
_log = logging.getLogger(__name__)

Measure = Callable[[str], tuple[int, int]]
"""Bytes that are free, and bytes that there are, where this path lies. Raises `OSError`."""


class _Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """`level`: as it was judged last; `told`: as the log has it."""

    samples: tuple[RoomSample, ...] = ()
    level: RoomLevel = RoomLevel.ENOUGH
    told: RoomLevel = RoomLevel.ENOUGH


class RoomBook:
    """Of all repositories of this home. Thread-safe."""

    def __init__(self, home: Path, *, clock: Clock, measure: Measure = room_bytes) -> None:
        self._folder = home / "repositories"
        self._clock = clock
        self._measure = measure
        self._lock = threading.Lock()
        self._known: dict[str, _Remembered] = {}

    def judge(self, rule: RepositoryRule) -> Room | None:
        """None: it lies in an object store, or its place cannot be reached."""
        return self._judge(rule, tell=False)[0]

    def news(self, rule: RepositoryRule) -> Room | None:
        """Its room, once, when the log does not say so yet."""
        room, is_news = self._judge(rule, tell=True)
        return room if is_news else None

    @property
    def now(self) -> datetime:
        return now(self._clock)

    def _judge(self, rule: RepositoryRule, *, tell: bool) -> tuple[Room | None, bool]:
        if is_object_location(rule.location):
            return None, False
        try:
            free_bytes, total_bytes = self._measure(rule.location)
        except OSError:
            return None, False
        moment = now(self._clock)
        with self._lock:
            before = self._known.get(rule.name) or self._read(rule.name)
            samples = with_sample(before.samples, RoomSample(moment, total_bytes - free_bytes))
            room = judge_room(free_bytes, total_bytes, samples, moment, before.level)
            after = _Remembered(samples=samples, level=room.level, told=room.level if tell else before.told)
            if after != before:
                self._write(rule.name, after)
            self._known[rule.name] = after
        return room, after.told is not before.told

    def _read(self, name: str) -> _Remembered:
        return load_record(self._folder / name / _FILE, _Remembered) or _Remembered()

    def _write(self, name: str, remembered: _Remembered) -> None:
        """Never makes the folder: that there is one says that the repository was in use here."""
        if not (self._folder / name).is_dir():
            return
        try:
            save_record(self._folder / name / _FILE, remembered)
        except OSError as error:
            # A home that is full is told by the agent; the next look tries again.
            _log.warning("how much room there was is not remembered", extra={"facts": {"repository": name, "error": str(error)}})


def room_findings(repositories: Sequence[RepositoryStatus], moment: datetime) -> tuple[Finding, ...]:
    """Of those that are full or nearly so."""
    found = (room_finding(repository.name, repository.room, moment) for repository in repositories)
    return tuple(finding for finding in found if finding is not None)

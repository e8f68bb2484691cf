"""Whether a repository is paused: kept in its owner's home, so that a restart in the middle of a stock prune does not end it."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from pathlib import Path

from holdfast.core.clock import Clock, now
from holdfast.core.errors import RepositoryPaused
from holdfast.core.units import format_utc
from holdfast.host.home_records import load_record, save_record
from holdfast.model.pausing import Pause

_FILE = "paused.json"


class Pausing:
    """`home` is the repository's folder in its owner's home. Thread-safe. A record that cannot be read is none: a stock tool at work still
    has its own lock, and data that nobody protects any more would be worse."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self._path = home / _FILE
        self._clock = clock
        self._guard = threading.Lock()
        self._pause = load_record(self._path, Pause)

    @property
    def pause(self) -> Pause | None:
        """None = it is not paused, or is no more. `sessions` is not known here."""
        with self._guard:
            return self._now()

    def begin(self, for_s: float | None, by: str) -> bool:
        """False when it was paused already and stays so. Raises `OSError` when it cannot be written down."""
        with self._guard:
            known, at = self._now(), now(self._clock)
            if known is not None and for_s is None:
                return False
            pause = Pause(since=known.since if known else at, until=_after(at, for_s), by=by)
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            save_record(self._path, pause)
            self._pause = pause
            return True

    def end(self) -> bool:
        """False when it was not paused. Raises `OSError`."""
        with self._guard:
            was_paused = self._now() is not None
            self._path.unlink(missing_ok=True)
            self._pause = None
            return was_paused

    def check(self, name: str) -> None:
        """Raises `RepositoryPaused` while it is."""
        if (pause := self.pause) is not None:
            until = f" until {pause.until:%Y-%m-%d %H:%M} UTC" if pause.until else ""
            hint = f"it is tried again by itself; `holdfast repository resume {name}` ends the pause"
            context = {"until": format_utc(pause.until)} if pause.until else {}
            raise RepositoryPaused(f"repository {name} is paused{until}", hint=hint, repository=name, **context)

    def _now(self) -> Pause | None:
        if self._pause is not None and self._pause.until is not None and self._pause.until <= now(self._clock):
            self._pause = None
        return self._pause


def _after(at: datetime, for_s: float | None) -> datetime | None:
    return None if for_s is None else at + timedelta(seconds=for_s)

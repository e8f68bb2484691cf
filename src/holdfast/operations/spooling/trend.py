"""Whether what waits in a spool becomes less while it is being sent. Pure."""

from __future__ import annotations

from typing import NamedTuple

WINDOW_S = 60.0


class Waits(NamedTuple):
    """`oldest_ns`: when the oldest of it was captured; `age_s`: how long ago that is."""

    oldest_ns: int
    age_s: float
    size_bytes: int


class Trend:
    """`falls_behind`: over the last window something went, and neither the age of the oldest nor the bytes became less. One commit that
    takes longer than a window says nothing."""

    def __init__(self) -> None:
        self.falls_behind = False
        self._began_s = 0.0
        self._before: Waits | None = None

    def look(self, now_s: float, waits: Waits | None) -> None:
        """Call it now and again. None = nothing waits, or it is not being sent."""
        before = self._before
        if waits is None or before is None:
            self.falls_behind, self._began_s, self._before = False, now_s, waits
            return
        if now_s - self._began_s < WINDOW_S or waits.oldest_ns == before.oldest_ns:
            return
        is_more = waits.age_s >= max(before.age_s, WINDOW_S) and waits.size_bytes >= before.size_bytes
        self.falls_behind, self._began_s, self._before = is_more, now_s, waits

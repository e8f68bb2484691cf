"""Who a process number belongs to, looked up soon: most have ended a moment later."""

from __future__ import annotations

import os

from holdfast.core.clock import Clock
from holdfast.host.watch.facts import Who

# A number may be given to another process; not so soon.
_TRUSTED_S = 1.0


class Actors:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[int, Who] = {}
        self._since_s = clock.monotonic_s()

    def refresh(self) -> None:
        """Once for each handful of events: drops what is too old to be trusted."""
        if self._clock.monotonic_s() - self._since_s > _TRUSTED_S:
            self._known.clear()
            self._since_s = self._clock.monotonic_s()

    def who(self, pid: int) -> Who | None:
        """None for a process that cannot be seen from here."""
        if pid <= 0:
            return None
        found = self._known.get(pid)
        if found is None:
            found = self._known[pid] = _look_up(pid)
        return found


def _look_up(pid: int) -> Who:
    try:
        uid = os.stat(f"/proc/{pid}").st_uid
        with open(f"/proc/{pid}/comm", "rb") as file:
            return Who(pid, file.read().rstrip(b"\n").decode("utf-8", "backslashreplace"), uid)
    except OSError:
        return Who(pid)

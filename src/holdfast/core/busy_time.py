"""How much processor time this process had, and how long its threads waited for a processor that others had."""

from __future__ import annotations

import os
import threading
import time

_LOOK_AGAIN_S = 0.5


class BusyTime:
    """Thread-safe and cheap: what the kernel says is read at most twice a second. Threads that come and go in between count by what they
    ran, not by what they waited."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waited: dict[str, int] = {}
        self._waited_ns = 0
        self._looked_s = -_LOOK_AGAIN_S

    def seconds(self) -> float:
        """Since the process began, of all threads together; it only rises."""
        with self._lock:
            now_s = time.monotonic()
            if now_s - self._looked_s >= _LOOK_AGAIN_S:
                self._looked_s = now_s
                self._look()
            return time.process_time() + self._waited_ns / 1e9

    def _look(self) -> None:
        found = {}
        for thread in _threads():
            try:
                with open(f"/proc/self/task/{thread}/schedstat", "rb") as file:
                    found[thread] = int(file.read().split()[1])
            except (OSError, ValueError, IndexError):
                # It has ended, or the kernel does not count this: then only what ran counts.
                continue
        self._waited_ns += sum(max(0, waited - self._waited.get(thread, 0)) for thread, waited in found.items())
        self._waited = found


def _threads() -> list[str]:
    try:
        return os.listdir("/proc/self/task")
    except OSError:
        return []


_of_this_process = BusyTime()


def busy_s() -> float:
    """Of this process."""
    return _of_this_process.seconds()

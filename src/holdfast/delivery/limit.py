"""A mover's `limit`: bytes a second, kept by making the sender wait."""

from __future__ import annotations

import threading
from collections.abc import Callable

from holdfast.core.clock import Clock

_BURST_S = 0.25


class Limit:
    """A token bucket holding a quarter of a second. Taking more than it holds is paid for by waiting afterwards, so that one large chunk
    passes at any rate. Thread-safe; several sessions may share one. `wait` gets seconds, and may return early to give up waiting.
    """

    def __init__(self, rate_bytes_s: int, *, clock: Clock, wait: Callable[[float], object]) -> None:
        self.rate_bytes_s = rate_bytes_s
        self._clock = clock
        self._wait = wait
        self._capacity = rate_bytes_s * _BURST_S
        self._tokens = self._capacity
        self._filled_s = clock.monotonic_s()
        self._guard = threading.Lock()

    def take(self, size_bytes: int) -> None:
        """Returns when `size_bytes` have been paid for."""
        with self._guard:
            now_s = self._clock.monotonic_s()
            self._tokens = min(self._capacity, self._tokens + (now_s - self._filled_s) * self.rate_bytes_s)
            self._filled_s = now_s
            self._tokens -= size_bytes
            owed_s = -self._tokens / self.rate_bytes_s
        if owed_s > 0:
            self._wait(owed_s)

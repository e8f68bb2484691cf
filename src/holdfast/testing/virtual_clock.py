"""Time that stands still until a test moves it, and randomness that repeats."""

from __future__ import annotations

import hashlib
from datetime import datetime


class VirtualClock:
    """A `core.clock.Clock` and `BootClock` at `start`; wall and monotonic time move together by `advance`."""

    def __init__(self, start: datetime) -> None:
        self._now_ns = int(start.timestamp()) * 1_000_000_000
        self._monotonic_ns = 0
        self._booted_ns = 0

    def now_ns(self) -> int:
        return self._now_ns

    def monotonic_s(self) -> float:
        return self._monotonic_ns / 1e9

    def boottime_ns(self) -> int:
        return self._monotonic_ns - self._booted_ns

    def boot_id(self) -> str:
        return f"boot at {self._booted_ns}"

    def reboot(self, away_s: float) -> None:
        """The machine is off for a while, and its wall clock goes on."""
        self.advance(away_s)
        self._booted_ns = self._monotonic_ns

    def advance(self, seconds: float) -> None:
        step_ns = round(seconds * 1e9)
        self._now_ns += step_ns
        self._monotonic_ns += step_ns

    def set_wall(self, moment: datetime) -> None:
        """As somebody setting the machine's clock: durations do not notice."""
        self._now_ns = int(moment.timestamp()) * 1_000_000_000


class SeededEntropy:
    """A `core.entropy.Entropy` that gives the same bytes in every run of one seed. Never for keys."""

    def __init__(self, seed: str = "") -> None:
        self._seed = seed
        self._count = 0

    def token_bytes(self, size: int) -> bytes:
        self._count += 1
        return hashlib.shake_128(f"{self._seed}/{self._count}".encode()).digest(size)

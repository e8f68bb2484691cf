"""Time, injected. `time.time` and `datetime.now` are banned by lint everywhere else."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for people and records, monotonic time for durations. Both never block."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970 in UTC."""
        ...

    def monotonic_s(self) -> float: ...


class SystemClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_s(self) -> float:
        return time.monotonic()


def utc(ns: int) -> datetime:
    """Aware UTC datetime, cut to microseconds."""
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC).replace(microsecond=ns % 1_000_000_000 // 1000)


def now(clock: Clock) -> datetime:
    return utc(clock.now_ns())

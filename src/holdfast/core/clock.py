"""Time, injected. `time.time` and `datetime.now` are banned by lint everywhere else."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Protocol, runtime_checkable

_START = datetime(1970, 1, 1, tzinfo=UTC)
MOST_AHEAD = timedelta(days=1)
"""So far what was captured may bear a time ahead of the clock of its source: a clock that was set back by less is waited for."""


class Clock(Protocol):
    """Wall time for people and records, monotonic time for durations. Both never block."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970 in UTC."""
        ...

    def monotonic_s(self) -> float: ...


@runtime_checkable
class BootClock(Protocol):
    """Time since the machine started, and which start that was: what nobody but root can turn."""

    def boottime_ns(self) -> int:
        """Nanoseconds, suspended time included."""
        ...

    def boot_id(self) -> str:
        """Another one after each start of the machine."""
        ...


class SystemClock:
    """The machine's clocks, `Clock` and `BootClock`."""

    def boottime_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def boot_id(self) -> str:
        return _boot_id()

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_s(self) -> float:
        return time.monotonic()


def boot_clock(clock: Clock) -> BootClock:
    """The same machine's."""
    return clock if isinstance(clock, BootClock) else SystemClock()


@cache
def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        # Then each start of the process counts as one of the machine: less time seems to have passed, never more.
        return f"process {time.monotonic_ns()}"


def utc(ns: int) -> datetime:
    """Aware UTC datetime, cut to microseconds."""
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC).replace(microsecond=ns % 1_000_000_000 // 1000)


def ns_of(moment: datetime) -> int:
    """Nanoseconds since 1970 of an aware datetime, exact to the microsecond that it holds."""
    return (moment - _START) // timedelta(microseconds=1) * 1_000


def now(clock: Clock) -> datetime:
    return utc(clock.now_ns())

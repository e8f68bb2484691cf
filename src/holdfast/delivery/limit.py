"""How fast a mover may send, kept by making the sender wait: its `limit`, and the rates and closed times of its `window`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from holdfast.core.clock import Clock, now, ns_of
from holdfast.core.errors import WindowClosed
from holdfast.core.units import format_utc
from holdfast.model.rate_table import RateNow, Tables, opens_at, rate_at, strictest

_BURST_S = 0.25
_LOOK_AGAIN_S = 5.0
_NOTHING_S = 1e-6


class Timetable:
    """What the windows of a mover say now, with its `limit`. `by_hand`: a person wants it now, so closed times do not count, rates do.
    Thread-safe."""

    def __init__(self, windows: Tables, limit_bytes_s: int | None, clock: Clock, *, by_hand: bool = False) -> None:
        self._windows = windows
        self._limit_bytes_s = limit_bytes_s
        self._clock = clock
        self._by_hand = by_hand
        self._known: tuple[datetime, RateNow] | None = None

    @property
    def is_limiting(self) -> bool:
        """Whether there is a limit or a closed time at all."""
        return bool(self._windows) or self._limit_bytes_s is not None

    @property
    def slowest_bytes_s(self) -> int | None:
        """The lowest rate there ever is; None = there is no limit at any time."""
        rates = [rate for table in self._windows for rate in (table.otherwise_bytes_s, *(line.rate_bytes_s for line in table.lines))]
        return strictest(rate for rate in (*rates, self._limit_bytes_s) if rate != 0)

    def now(self) -> RateNow:
        moment, known = now(self._clock), self._known
        if known is None or moment < known[0] or (known[1].until is not None and moment >= known[1].until):
            told = rate_at(self._windows, moment, self._limit_bytes_s)
            if told.is_closed and self._by_hand:
                told = RateNow(self._limit_bytes_s, told.until)
            known = self._known = (moment, told)
        return known[1]

    def check(self) -> None:
        """Raises `WindowClosed` when nothing may be sent now."""
        if self.now().is_closed:
            raise closed_until(opens_at(self._windows, now(self._clock)))


def closed_until(opens: datetime | None) -> WindowClosed:
    """None = not within a year."""
    if opens is None:
        return WindowClosed("the window of the mover is closed, and does not open within a year")
    until = format_utc(opens)
    return WindowClosed(f"the window of the mover is closed until {until}", until=until)


class Limit:
    """A token bucket holding a quarter of a second. Taking more than it holds is paid for by waiting afterwards, so that one large chunk
    passes at any rate. Thread-safe; several sessions may share one. `wait` gets seconds; it raises to give up waiting.
    """

    def __init__(self, rate: int | Timetable, *, clock: Clock, wait: Callable[[float], object]) -> None:
        """`rate`: bytes a second, or what a timetable says at each moment."""
        self.slowest_bytes_s = rate if isinstance(rate, int) else rate.slowest_bytes_s
        self._timetable = rate if isinstance(rate, Timetable) else Timetable((), rate, clock)
        self._clock = clock
        self._wait = wait
        # Of the rate that held when it was filled last; None = nothing held it back.
        self._tokens: float | None = None
        self._rate_bytes_s = 0
        self._filled_s = clock.monotonic_s()
        self._guard = threading.Lock()

    def take(self, size_bytes: int) -> None:
        """Returns when `size_bytes` have been paid for. Raises `WindowClosed` when the mover's window is closed, or closes meanwhile."""
        owed_s = self._owed_s(size_bytes)
        while owed_s > _NOTHING_S:
            self._wait(owed_s)
            owed_s = self._owed_s(0)

    def forgo_burst(self) -> None:
        """Begin with nothing to spend."""
        rate_bytes_s = self._timetable.now().rate_bytes_s
        with self._guard:
            if rate_bytes_s is not None and self._tokens is None:
                self._tokens, self._rate_bytes_s, self._filled_s = 0.0, rate_bytes_s, self._clock.monotonic_s()

    def _owed_s(self, size_bytes: int) -> float:
        """How long to wait now; at another rate it may be another time then."""
        self._timetable.check()
        told = self._timetable.now()
        with self._guard:
            now_s = self._clock.monotonic_s()
            since_s, self._filled_s = now_s - self._filled_s, now_s
            if told.rate_bytes_s is None:
                self._tokens = None
                return 0.0
            capacity = told.rate_bytes_s * _BURST_S
            held = capacity if self._tokens is None else self._tokens + since_s * self._rate_bytes_s
            self._tokens, self._rate_bytes_s = min(capacity, held) - size_bytes, told.rate_bytes_s
            owed_s = -self._tokens / told.rate_bytes_s
        if told.until is None:
            return owed_s
        # Rates change by the wall clock, which may be set meanwhile.
        left_s = (ns_of(told.until) - self._clock.now_ns()) / 1e9
        return min(owed_s, max(left_s, 0.001), _LOOK_AGAIN_S)

"""What one thread spends its time on, kept while it works and read by others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import TypeVar

from holdfast.core.busy_time import busy_s
from holdfast.core.clock import Clock, SystemClock
from holdfast.model.bottleneck import LaneTimes, ReceiverTimes

T = TypeVar("T")


class Spent(Enum):
    """On what. `IDLE`: nothing to do had come yet."""

    WORKING = "working"
    IDLE = "idle"
    LIMITED = "limited"
    SENDING = "sending"
    AWAITING = "awaiting"
    VERIFYING = "verifying"
    STORING = "storing"


class TimeSheet:
    """One thread turns it, any may read: what goes on just now counts already. Costs two looks at the clock for each thing done."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._spent = dict.fromkeys(Spent, 0.0)
        self._now, self._since_s = Spent.WORKING, self._clock.monotonic_s()
        self.told = ReceiverTimes()

    def turn(self, to: Spent) -> Spent:
        """From now on it is this; what it was before."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            before = self._now
            self._spent[before] += now_s - self._since_s
            self._now, self._since_s = to, now_s
        return before

    @contextmanager
    def on(self, what: Spent) -> Iterator[None]:
        before = self.turn(what)
        try:
            yield
        finally:
            self.turn(before)

    def over(self, items: Iterable[T]) -> Iterator[T]:
        """The items; while the next one is made, nothing has come yet."""
        steps = iter(items)
        return self.until_end(lambda: next(steps, None))

    def until_end(self, get: Callable[[], T | None]) -> Iterator[T]:
        """What `get` gives until it gives None; while that waits, nothing has come yet."""
        while True:
            before = self.turn(Spent.IDLE)
            item = get()
            self.turn(before)
            if item is None:
                return
            yield item

    def seconds(self) -> dict[Spent, float]:
        with self._lock:
            spent = dict(self._spent)
            spent[self._now] += self._clock.monotonic_s() - self._since_s
        return spent

    def of_sender(self) -> LaneTimes:
        spent = self.seconds()
        return LaneTimes(
            starved_s=spent[Spent.IDLE],
            limited_s=spent[Spent.LIMITED],
            working_s=spent[Spent.WORKING],
            sending_s=spent[Spent.SENDING],
            awaiting_s=spent[Spent.AWAITING],
            busy_s=busy_s(),
            receiver=self.told,
        )

    def of_receiver(self, busy_before_s: float) -> ReceiverTimes:
        spent = self.seconds()
        figures = (sum(spent.values()), spent[Spent.IDLE], spent[Spent.VERIFYING], spent[Spent.STORING], busy_s() - busy_before_s)
        return ReceiverTimes(*(round(figure * 1_000) for figure in figures))

"""Calls to one directory, in threads of its own: one that is slow or away holds up neither local sign-ins nor other directories."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from holdfast.core.clock import Clock
from holdfast.core.errors import HoldfastError, NotReachable, Throttled

_THREADS = 4
_MOST_WAITING = 32
_SILENT_S = 5.0
T = TypeVar("T")


class Line:
    """`title` is for messages."""

    def __init__(self, title: str, clock: Clock) -> None:
        self._title = title
        self._clock = clock
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"directory {title}")
        self._waiting = 0
        self._silence: tuple[float, HoldfastError] | None = None

    async def call(self, work: Callable[[], T], *, afresh: bool = False) -> T:
        """Raises what `work` raises; `Throttled` when too many wait; for some seconds after a silence `NotReachable` at once, so that those
        who wait do not each wait for a time-out. `afresh`: whatever was known, it is tried now."""
        if not afresh and self._silence is not None and self._clock.monotonic_s() < self._silence[0]:
            raise self._silence[1]
        if self._waiting >= _MOST_WAITING:
            raise Throttled(f"too many sign in by {self._title} at once", hint="try again soon; local accounts still work")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except NotReachable as error:
            told = NotReachable(f"{self._title} cannot be asked: {error.message}", hint=error.hint)
            self._silence = (self._clock.monotonic_s() + _SILENT_S, told)
            raise told from None
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

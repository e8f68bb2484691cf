"""The numbered deltas that subscribers follow: a bounded ring, read by each at its own pace.

Publishing costs the same whoever listens: there is no queue per subscriber, so a slow one holds up nobody and costs nothing but its gap.
Deltas are `master.live.deltas`; here only their numbers matter.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

RING_SIZE = 4096
MOST_AT_ONCE = 256


class Numbered(Protocol):
    @property
    def seq(self) -> int: ...


class Feed:
    """`epoch` tells one life of the Master from the next: numbers begin anew with it. `nudges` counts calls of `nudge`."""

    def __init__(self, epoch: str, size: int = RING_SIZE) -> None:
        self.epoch = epoch
        self.seq = 0
        self.nudges = 0
        self.readers = 0
        self.closed = False
        self._ring: deque[Numbered] = deque(maxlen=size)
        self._next: asyncio.Future[None] | None = None

    def publish(self, make: Callable[[int], Numbered]) -> None:
        """`make` gets the number of the new delta."""
        self.seq += 1
        self._ring.append(make(self.seq))
        self._wake()

    def skip(self) -> None:
        """Something was not told: whoever follows has a gap now and needs a snapshot."""
        self.seq += 1
        self._ring.clear()
        self._wake()

    def after(self, seq: int) -> tuple[Numbered, ...] | None:
        """The deltas that follow `seq`, oldest first, at most `MOST_AT_ONCE`; None = some of them are not there any more."""
        if seq == self.seq:
            return ()
        if seq > self.seq or not self._ring or self._ring[0].seq > seq + 1:
            return None
        found: list[Numbered] = []
        for delta in reversed(self._ring):
            if delta.seq <= seq:
                break
            found.append(delta)
        return tuple(reversed(found[-MOST_AT_ONCE:]))

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Counted in `readers` while it lasts."""
        self.readers += 1
        try:
            yield
        finally:
            self.readers -= 1

    def nudge(self) -> None:
        """Wake everybody to look whether they still may listen."""
        self.nudges += 1
        self._wake()

    def close(self) -> None:
        """No more deltas: every reader ends."""
        self.closed = True
        self._wake()

    async def wait(self, seq: int, nudges: int, timeout_s: float) -> bool:
        """Until there is more than `seq` and `nudges`, or the feed is closed. False when `timeout_s` passed before."""
        if self.seq == seq and self.nudges == nudges and not self.closed:
            # One future for all readers: `asyncio.wait` leaves it alone, and makes no task for each of them.
            self._next = self._next or asyncio.get_running_loop().create_future()
            await asyncio.wait((self._next,), timeout=timeout_s)
        return self.seq != seq or self.nudges != nudges or self.closed

    def _wake(self) -> None:
        passed, self._next = self._next, None
        if passed is not None:
            passed.set_result(None)

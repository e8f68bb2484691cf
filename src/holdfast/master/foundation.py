"""What every service of the Master stands on, and the bulletin by which long polls learn that something happened."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from holdfast.core.clock import Clock, now
from holdfast.core.entropy import Entropy
from holdfast.core.ids import new_id
from holdfast.master.records.database import Database
from holdfast.master.records.documents import Environment
from holdfast.wire.authority import Authority


class News:
    """Tells waiting tasks of one event loop that something changed; what, they look up themselves.

    Note `count` before looking, then wait for more than that: what happened between the look and the wait is not slept over.
    """

    def __init__(self) -> None:
        self.count = 0
        self._next = asyncio.Event()

    def tell(self) -> None:
        self.count += 1
        passed, self._next = self._next, asyncio.Event()
        passed.set()

    async def wait(self, seen: int, timeout_s: float) -> None:
        """Until more than `seen` news have been told, at most `timeout_s`."""
        if self.count > seen:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._next.wait(), timeout_s)


@dataclass(frozen=True)
class Foundation:
    database: Database
    authority: Authority
    environment: Environment
    clock: Clock
    entropy: Entropy
    news: News = field(default_factory=News)

    def now(self) -> datetime:
        return now(self.clock)

    def new_id(self) -> str:
        return new_id(self.entropy)

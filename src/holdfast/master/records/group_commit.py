"""Many small writes in few transactions: what comes while one is committed goes into the next, together.

A commit waits for the disk, and two thousand nodes that come back, or tell of their jobs, would wait in a row. Who waits for its own write
still waits until it is on disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from holdfast.core.errors import HoldfastError, NoSpace, NotReachable

T = TypeVar("T")
Work = Callable[[Session], Any]
MOST_TOGETHER = 250
"""More would keep readers waiting for the one thread of the records."""


class GroupCommit:
    """Of one event loop. `run` makes one transaction of a function, as `Database.run` does."""

    def __init__(self, run: Callable[[Callable[[Session], list[Any]]], Awaitable[list[Any]]]) -> None:
        self._run = run
        self._waiting: list[tuple[Work, asyncio.Future[Any]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(self, work: Callable[[Session], T]) -> T:
        """As `Database.run`, in a transaction that others may share: what `work` raises takes back what it did, and nothing of theirs.
        `work` may be run a second time, after the first was taken back."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        return await done

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                taken, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
                await self._write_together(taken)
        finally:
            self._writing = None

    async def _write_together(self, taken: list[tuple[Work, asyncio.Future[Any]]]) -> None:
        # Who was cancelled waits no more, and may not even have meant it any more.
        taken = [(work, done) for work, done in taken if not done.done()]
        if not taken:
            return
        try:
            outcomes = await self._run(lambda session: [_within(session, work) for work, _ in taken])
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for it
            if len(taken) == 1 or isinstance(error, NotReachable | NoSpace):
                outcomes = [error] * len(taken)
            else:
                # A fault of one, of which the records said so: the others must not suffer for it.
                for each in taken:
                    await self._write_together([each])
                return
        for (_, done), outcome in zip(taken, outcomes, strict=True):
            if done.done():
                continue
            if isinstance(outcome, Exception):
                done.set_exception(outcome)
            else:
                done.set_result(outcome)


def _within(session: Session, work: Work) -> Any:
    """The outcome, or an error of ours; then nothing of it is left in the transaction. Any other fault ends the transaction."""
    mine = session.begin_nested()
    try:
        outcome = work(session)
    except HoldfastError as error:
        mine.rollback()
        return error
    mine.commit()
    return outcome

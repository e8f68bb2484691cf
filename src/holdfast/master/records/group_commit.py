"""Many small writes in few transactions: what comes while one is committed goes into the next, together.

A commit waits for the disk, and costs more than what is in it: two thousand nodes that come back, or tell of their jobs, would wait in a
row. Who waits for its own write still waits until it is on disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from holdfast.core.errors import HoldfastError, NoSpace, NotReachable

T = TypeVar("T")
Work = Callable[[Session], Any]
WriteMany = Callable[[Session, Sequence[T]], None]
MOST_TOGETHER = 250
"""More would keep readers waiting for the one thread of the records."""
EVERY_S = 0.05
AT_ONCE = 20
"""So many transactions may follow each other without a pause; after that one begins every `EVERY_S`, with all that came meanwhile. One node
that tells something does not wait, and two thousand cost twenty commits a second."""


@dataclass(frozen=True)
class _Wish:
    """Something to be written: `write` gets its item among all others that came with the same `write`, and gives an outcome for each."""

    write: Callable[[Session, list[Any]], Sequence[Any] | None]
    item: Any
    done: asyncio.Future[Any]


class GroupCommit:
    """Of one event loop. `run` makes one transaction of a function, as `Database.run` does."""

    def __init__(self, run: Callable[[Callable[[Session], list[Any]]], Awaitable[list[Any]]]) -> None:
        self._run = run
        self._waiting: list[_Wish] = []
        self._writing: asyncio.Task[None] | None = None
        self._pace = _Pace()

    async def write(self, work: Callable[[Session], T]) -> T:
        """As `Database.run`, in a transaction that others may share: what `work` raises takes back what it did, and nothing of theirs.
        `work` may be run again, after what it did was taken back."""
        found: T = await self._wish(_each_for_itself, work)
        return found

    async def write_many(self, write: WriteMany[T], item: T) -> None:
        """As `write`, for what costs less together: `write` gets this item and all that others brought for it, in the order in which they
        came. What it raises of several is found out by trying them in smaller parts, down to the one that is to blame."""
        await self._wish(write, item)

    async def _wish(self, write: Callable[[Session, list[Any]], Sequence[Any] | None], item: Any) -> Any:
        wish = _Wish(write, item, asyncio.get_running_loop().create_future())
        self._waiting.append(wish)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_waiting())
        return await wish.done

    async def _write_waiting(self) -> None:
        try:
            while self._waiting:
                if len(self._waiting) < MOST_TOGETHER:
                    await self._pace.turn()
                taken, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
                await self._write_together(taken)
        finally:
            self._writing = None

    async def _write_together(self, taken: list[_Wish], *, savepoints: bool = False) -> None:
        # Who was cancelled waits no more, and may not even have meant it any more.
        taken = [wish for wish in taken if not wish.done.done()]
        if not taken:
            return
        try:
            outcomes = await self._run(lambda session: _outcomes(session, taken, savepoints))
        except _OneRefused:
            # Rare; so only then each pays for a place of its own to go back to.
            await self._write_together(taken, savepoints=True)
            return
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for it
            if len(taken) == 1 or isinstance(error, NotReachable | NoSpace):
                outcomes = [error] * len(taken)
            else:
                # A fault of one, of which the records said so: the others must not suffer for it.
                half = len(taken) // 2
                await self._write_together(taken[:half], savepoints=savepoints)
                await self._write_together(taken[half:], savepoints=savepoints)
                return
        for wish, outcome in zip(taken, outcomes, strict=True):
            if wish.done.done():
                continue
            if isinstance(outcome, Exception):
                wish.done.set_exception(outcome)
            else:
                wish.done.set_result(outcome)


class _Pace:
    """When the next transaction may begin: `AT_ONCE` of them at once, and `1 / EVERY_S` a second for long."""

    def __init__(self) -> None:
        self._due_s = 0.0

    async def turn(self) -> None:
        loop = asyncio.get_running_loop()
        ahead_s = self._due_s - loop.time() - (AT_ONCE - 1) * EVERY_S
        if ahead_s > 0:
            await asyncio.sleep(ahead_s)
        self._due_s = max(self._due_s, loop.time()) + EVERY_S


class _OneRefused(Exception):
    """What one of them did before it raised an error of ours has to be taken back."""


def _outcomes(session: Session, taken: Sequence[_Wish], savepoints: bool) -> list[Any]:
    """Of each, in their order."""
    by_write: dict[Any, list[int]] = {}
    for place, wish in enumerate(taken):
        by_write.setdefault(wish.write, []).append(place)
    outcomes: list[Any] = [None] * len(taken)
    for write, places in by_write.items():
        items = [taken[place].item for place in places]
        found = _plainly(session, items) if write is _each_for_itself and not savepoints else write(session, items)
        for place, outcome in zip(places, found or (), strict=False):
            outcomes[place] = outcome
    return outcomes


def _plainly(session: Session, works: Sequence[Work]) -> list[Any]:
    try:
        return [work(session) for work in works]
    except HoldfastError as error:
        raise _OneRefused from error


def _each_for_itself(session: Session, works: Sequence[Work]) -> list[Any]:
    return [_within(session, work) for work in works]


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

"""Names that are written again and again: handed on once they are quiet, and at times while they are not. Pure; time is given."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from holdfast.host.watch.facts import Dirty

_Subject = tuple[bytes, int | None]


@dataclass(slots=True)
class _Held:
    fact: Dirty
    first_s: float
    last_s: float


class Settling:
    """Holds each name until nothing was told of it for `settle_s`, and at most `most_s` from the first time. Times are monotonic.

    Only for facts without `moved_from`; moves and gaps want to be handled at once. It keeps one fact a name and has no limit of its own.
    """

    def __init__(self, settle_s: float, most_s: float) -> None:
        self._settle_s = settle_s
        self._most_s = max(most_s, settle_s)
        self._held: dict[_Subject, _Held] = {}
        # One entry a name, at a time not after it is due; a name that was told again meanwhile is put back.
        self._queue: list[tuple[float, int, _Subject]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._held)

    def add(self, facts: Iterable[Dirty], now_s: float) -> None:
        for fact in facts:
            held = self._held.get(fact.subject)
            if held is None:
                self._held[fact.subject] = _Held(fact, now_s, now_s)
                self._put(now_s + self._settle_s, fact.subject)
            else:
                held.fact = held.fact.merged(fact)
                held.last_s = now_s

    def due(self, now_s: float) -> tuple[Dirty, ...]:
        """Those whose time has come, no longer held."""
        found = []
        while self._queue and self._queue[0][0] <= now_s:
            subject = heapq.heappop(self._queue)[2]
            at_s = self._due_s(self._held[subject])
            if at_s <= now_s:
                found.append(self._held.pop(subject).fact)
            else:
                self._put(at_s, subject)
        return tuple(found)

    def all(self) -> tuple[Dirty, ...]:
        """Everything, due or not: for a point that is taken now."""
        found = tuple(held.fact for held in self._held.values())
        self._held.clear()
        self._queue.clear()
        return found

    def held(self) -> Iterator[Dirty]:
        """Everything, due or not; it stays held."""
        return (held.fact for held in self._held.values())

    def next_s(self) -> float | None:
        """When to ask again; None while nothing is held. It may be too early, never too late."""
        return self._queue[0][0] if self._queue else None

    def _due_s(self, held: _Held) -> float:
        return min(held.last_s + self._settle_s, held.first_s + self._most_s)

    def _put(self, at_s: float, subject: _Subject) -> None:
        # The count decides between equal times: subjects cannot be compared.
        self._count += 1
        heapq.heappush(self._queue, (at_s, self._count, subject))

"""A bounded queue between threads that can end in order or break: the joint between a channel and the threads of its transport."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

from holdfast.core.errors import HoldfastError, NotReachable

T = TypeVar("T")


class Pipe(Generic[T]):
    """Bounded by weight, not by count: a `put` waits while the items inside weigh `limit` or more (so one item always fits).

    `end`: what is inside can still be taken, then `get` gives None. `fail`: what is inside can still be taken (unless `drop`), then
    `get` raises the error; a `put` raises it at once. The first of the two counts, except that a dropping `fail` always empties the pipe.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: deque[tuple[T, int]] = deque()
        self._weight = 0
        self._ended = False
        self._error: HoldfastError | None = None
        self._changed = threading.Condition()

    def put(self, item: T, weight: int = 1, timeout_s: float | None = None) -> bool:
        """False when there was no room within `timeout_s`. Items of weight 0 never wait."""
        with self._changed:
            if not self._changed.wait_for(lambda: not weight or self._weight < self._limit or self._is_over(), timeout_s):
                return False
            if self._error is not None:
                raise self._error
            if self._ended:
                raise NotReachable("this end was closed", hint="open a new session")
            self._items.append((item, weight))
            self._weight += weight
            self._changed.notify_all()
            return True

    def get(self, timeout_s: float | None = None) -> T | None:
        """The next item, or None at the end. Raises `TimeoutError`, or the error the pipe failed with."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._items or self._is_over(), timeout_s):
                raise TimeoutError
            if self._items:
                item, weight = self._items.popleft()
                self._weight -= weight
                self._changed.notify_all()
                return item
            if self._error is not None:
                raise self._error
            return None

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def fail(self, error: HoldfastError, *, drop: bool = False) -> None:
        with self._changed:
            if drop:
                self._items.clear()
                self._weight = 0
            if self._error is None and (drop or not self._ended):
                self._error = error
            self._changed.notify_all()

    @property
    def is_over(self) -> bool:
        with self._changed:
            return self._is_over()

    def _is_over(self) -> bool:
        return self._ended or self._error is not None

"""A backend that fails where it is told to. A test asserts `fired`, so that a planned fault that never happened is a failure too."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from holdfast.backend.backend import Backend, FileType
from holdfast.backend.grouping import GroupedSaves

# (step number from 1, what is done, of which kind) -> the error to raise before the step takes place, or None.
Plan = Callable[[int, str, FileType], BaseException | None]


def no_fault(_step: int, _verb: str, _kind: FileType) -> None:
    """The plan of a backend that works."""


def always_from(number: int, error: BaseException) -> Plan:
    """From the n-th step on, nothing that writes works any more: a full disk, or a machine that is gone. Removing still works."""
    return lambda step, verb, _kind: error if step >= number and verb != "remove" else None


class FaultyBackend:
    """Wraps a backend with both abilities. Steps are counted over `save`, `save_later`, `settle` and `remove`, locks not."""

    def __init__(self, inner: Backend, plan: Plan) -> None:
        assert isinstance(inner, GroupedSaves)
        self._inner: Backend = inner
        self._grouped: GroupedSaves = inner
        self._guard = threading.Lock()
        self.plan = plan
        self.steps = 0
        self.fired = 0

    def _step(self, verb: str, kind: FileType) -> None:
        if kind is FileType.LOCK:
            return
        with self._guard:
            self.steps += 1
            error = self.plan(self.steps, verb, kind)
            if error is not None:
                self.fired += 1
                raise error

    @property
    def location(self) -> str:
        return self._inner.location

    def create(self) -> None:
        self._inner.create()

    def save(self, kind: FileType, name: str, data: bytes) -> None:
        self._step("save", kind)
        self._inner.save(kind, name, data)

    def save_later(self, kind: FileType, name: str, data: bytes) -> None:
        self._step("save_later", kind)
        self._grouped.save_later(kind, name, data)

    def settle(self, kind: FileType, names: tuple[str, ...]) -> None:
        try:
            self._step("settle", kind)
        except Exception:
            # As the contract says: after an error the files concerned are dropped.
            self._grouped.forget(kind, names)
            raise
        self._grouped.settle(kind, names)

    def forget(self, kind: FileType, names: tuple[str, ...]) -> None:
        self._grouped.forget(kind, names)

    def remove_strays(self) -> None:
        self._grouped.remove_strays()

    def load(self, kind: FileType, name: str, offset: int = 0, size: int | None = None) -> bytes:
        return self._inner.load(kind, name, offset, size)

    def size(self, kind: FileType, name: str) -> int:
        return self._inner.size(kind, name)

    def names(self, kind: FileType) -> Iterator[str]:
        return self._inner.names(kind)

    def remove(self, kind: FileType, name: str) -> None:
        self._step("remove", kind)
        self._inner.remove(kind, name)

    def close(self) -> None:
        self._inner.close()

"""What runs that go on at once put aside goes by names of their own: throw-away files beside the state, snapshots of the source.

There are few such names, and they come back, so that whatever a killed worker has left is found and taken away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from holdfast.core.ids import NodeId

RUNS_AT_ONCE = 4
"""Of one node."""

_LOOK_S = 0.5


@dataclass(frozen=True)
class Aside:
    """`scratch`: a part of the names of throw-away files."""

    scratch: str = ""

    def snapshot(self, node: NodeId) -> bytes:
        """The name of its snapshots."""
        return f"{node}{self.scratch}".encode()


ASIDES = (Aside(), *(Aside(f"-{number}") for number in range(2, RUNS_AT_ONCE + 1)))


class Asides:
    """Any thread takes one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._free = list(ASIDES)

    @contextmanager
    def taken(self, look: Callable[[], object]) -> Iterator[Aside]:
        """Waits for one, should there be none. `look` is called now and then, and may raise to give it up."""
        with self._changed:
            while not self._free:
                self._changed.wait(_LOOK_S)
                look()
            mine = self._free.pop(0)
        try:
            yield mine
        finally:
            with self._changed:
                self._free.insert(0, mine)
                self._changed.notify()

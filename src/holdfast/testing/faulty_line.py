"""A line between two nodes that is cut before a message of the test's choosing. `fired` proves that it was."""

from __future__ import annotations

import threading
from collections.abc import Callable

from holdfast.core.errors import NotReachable
from holdfast.core.ids import NodeId
from holdfast.testing.memory_channel import MemoryChannel, memory_pair
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import DataMessage
from holdfast.wire.lines import ThroughLine


class Knife:
    """Counts the messages of all its lines, both ways, and cuts them all at the n-th (from 1; 0 = never): one line is a network that
    breaks, the lines of a relay together are a relay that dies. `loses`: what was on its way is lost too, else it still arrives.
    """

    def __init__(self, number: int = 0, *, loses: bool = True) -> None:
        self.number = number
        self.loses = loses
        self.messages = 0
        self.fired = 0
        self._guard = threading.Lock()
        self._pairs: list[tuple[MemoryChannel, MemoryChannel]] = []

    def line(self, first: NodeId, second: NodeId) -> tuple[Channel, Channel]:
        """As `memory_pair`."""
        pair = memory_pair(first, second)
        self._pairs.append(pair)
        return _Counted(pair[0], self.before), _Counted(pair[1], self.before)

    def before(self) -> None:
        with self._guard:
            self.messages += 1
            if not self.number or self.messages < self.number:
                return
            self.fired += 1
        for pair in self._pairs:
            for end in pair:
                if self.loses:
                    end.kill()
                else:
                    end.broken(NotReachable("the line is cut", hint="by a test"))


class _Counted(ThroughLine):
    def __init__(self, inner: Channel, before: Callable[[], None]) -> None:
        super().__init__(inner)
        self._before = before

    def send(self, message: DataMessage) -> None:
        self._before()
        super().send(message)

"""The one seam between delivery logic and any transport."""

from __future__ import annotations

from typing import Protocol

from holdfast.core.ids import NodeId
from holdfast.wire.data_messages import DataMessage


class Channel(Protocol):
    """An ordered, reliable pipe of data messages, blocking, used by one sending and one receiving thread.

    `send` blocks when the peer is slow (back-pressure). Both raise `NotReachable` when the pipe broke or the peer went away,
    `ProtocolError` on bytes that are no message; `receive` returns None when the peer closed in order. `close` is idempotent
    and may be called from any thread; it wakes both. Nobody below retries.
    `peer` is authenticated by the transport. `trusted` is True only for the channel inside one machine, where the other end is
    this same node: there chunk hashes need not be computed again.
    """

    @property
    def peer(self) -> NodeId: ...

    @property
    def trusted(self) -> bool: ...

    def send(self, message: DataMessage) -> None: ...

    def receive(self, timeout_s: float | None = None) -> DataMessage | None: ...

    def close(self) -> None: ...

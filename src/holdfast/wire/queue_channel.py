"""A `Channel` over two pipes of encoded messages: what a transport with threads of its own fills and empties."""

from __future__ import annotations

from collections.abc import Generator

from holdfast.core.errors import HoldfastError, NotReachable
from holdfast.core.ids import NodeId
from holdfast.wire.codec import decode_data, encode
from holdfast.wire.data_messages import DataMessage
from holdfast.wire.pipe import Pipe

# A few messages of usual size each way: enough to keep both sides busy, little enough to feel a slow peer at once.
QUEUE_BYTES = 4 * 1024 * 1024


class QueueChannel:
    """`outbox` is taken by the transport, `inbox` filled by it."""

    def __init__(self, peer: NodeId, *, outbox: Pipe[bytes] | None = None, inbox: Pipe[bytes] | None = None, trusted: bool = False) -> None:
        self._peer = peer
        self._trusted = trusted
        self.outbox: Pipe[bytes] = Pipe(QUEUE_BYTES) if outbox is None else outbox
        self.inbox: Pipe[bytes] = Pipe(QUEUE_BYTES) if inbox is None else inbox

    @property
    def peer(self) -> NodeId:
        return self._peer

    @property
    def trusted(self) -> bool:
        return self._trusted

    @property
    def is_open(self) -> bool:
        """False once this end was closed, or the peer has ended or gone."""
        return not self.inbox.is_over

    def send(self, message: DataMessage) -> None:
        data = encode(message)
        self.outbox.put(data, len(data))

    def receive(self, timeout_s: float | None = None) -> DataMessage | None:
        try:
            data = self.inbox.get(timeout_s)
        except TimeoutError:
            raise NotReachable(f"no message from {self._peer} within {timeout_s:g} s", hint="the other side hangs; see its log") from None
        return None if data is None else decode_data(data)

    def drain(self) -> Generator[bytes, None, bool]:
        """What is sent, for the transport; at the end, whether this side closed in order."""
        while True:
            try:
                data = self.outbox.get()
            except HoldfastError:
                return False
            if data is None:
                return True
            yield data

    def close(self) -> None:
        """What was sent is still delivered; what was not received is dropped."""
        self.outbox.end()
        self.inbox.fail(closed_here(), drop=True)

    def broken(self, error: HoldfastError) -> None:
        """The transport lost the peer. What had arrived before can still be received."""
        self.outbox.fail(error, drop=True)
        self.inbox.fail(error)


def closed_here() -> NotReachable:
    return NotReachable("this end was closed", hint="open a new session")

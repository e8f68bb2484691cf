"""A channel inside one process. Messages go through the real codec, so that what passes here passes on a wire."""

from __future__ import annotations

from holdfast.core.errors import NotReachable
from holdfast.core.ids import NodeId
from holdfast.wire.pipe import Pipe
from holdfast.wire.queue_channel import QUEUE_BYTES, QueueChannel


class MemoryChannel(QueueChannel):
    """One end of a pair. `kill` is a power cut: the other end sees a peer that is gone."""

    def kill(self) -> None:
        error = NotReachable("the peer is gone", hint="this one was killed by a test")
        self.outbox.fail(error, drop=True)
        self.inbox.fail(error, drop=True)


def memory_pair(
    first: NodeId, second: NodeId, *, trusted: bool = False, queue_bytes: int = QUEUE_BYTES
) -> tuple[MemoryChannel, MemoryChannel]:
    """(first's end, second's end): first's `peer` is second, and the other way round."""
    there: Pipe[bytes] = Pipe(queue_bytes)
    back: Pipe[bytes] = Pipe(queue_bytes)
    return (
        MemoryChannel(second, outbox=there, inbox=back, trusted=trusted),
        MemoryChannel(first, outbox=back, inbox=there, trusted=trusted),
    )

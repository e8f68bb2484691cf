"""Single blobs by their ids, from the owner of another copy: both ends of such a session.

The asker believes nothing: who heals compares the SHA-256 of all it gets. The giver answers only for what a grant of its rules names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from holdfast.core.errors import NotGranted, ProtocolError
from holdfast.core.ids import NodeId
from holdfast.delivery.asking import next_answer, open_session, out_of_place
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import AskBlobs, BlobPiece, BlobsEnd, OpenCopy, OpenedRead, Stopped

_ASK_IDS = 500
_PIECE_BYTES = 1 << 20
# A listing of five million names; a chunk has at most 8 MiB.
_LARGEST_BYTES = 1 << 30

GiveBlobs = Callable[[Sequence[bytes], bool], Iterator[tuple[bytes, bytes]]]
"""Of these ids, what is here: id and plain bytes, each once, in any order. The second says whether they are listings of folders."""


def refuse_copy(_peer: NodeId, _opening: OpenCopy) -> GiveBlobs:
    """Where nobody may ask."""
    raise NotGranted("this node gives no single blobs")


class RemoteCopy:
    """For one thread. The constructor raises what the owner answers: `NotGranted`, `NotReachable`, ..."""

    def __init__(self, channel: Channel, opening: OpenCopy) -> None:
        self._channel = channel
        self._number = 0
        open_session(channel, opening)

    def blobs(self, ids: Sequence[bytes], *, trees: bool) -> Iterator[tuple[bytes, bytes]]:
        """Id and bytes of what the other side has; nobody has compared them yet. Raises `ProtocolError` for what was not asked for."""
        for start in range(0, len(ids), _ASK_IDS):
            some = ids[start : start + _ASK_IDS]
            self._number += 1
            self._channel.send(AskBlobs(number=self._number, ids=tuple(some), trees=trees))
            yield from self._given(set(some))

    def _given(self, left: set[bytes]) -> Iterator[tuple[bytes, bytes]]:
        pieces: list[bytes] = []
        current, size = b"", 0
        while not isinstance(answer := next_answer(self._channel), BlobsEnd):
            if not isinstance(answer, BlobPiece) or answer.number != self._number:
                raise out_of_place(self._channel, answer)
            # The pieces of one blob are not mixed with those of another.
            if answer.id not in left or (pieces and answer.id != current):
                raise ProtocolError(f"{self._channel.peer} gives blob {answer.id.hex()}, which was not asked for")
            current = answer.id
            if not answer.data and not answer.last:
                raise ProtocolError(f"{self._channel.peer} gives a blob without end that brings nothing")
            pieces.append(answer.data)
            size += len(answer.data)
            if size > _LARGEST_BYTES:
                raise ProtocolError(f"{self._channel.peer} gives a blob of more than {_LARGEST_BYTES} bytes")
            if answer.last:
                left.discard(answer.id)
                yield answer.id, b"".join(pieces)
                pieces, size = [], 0
        if pieces or answer.number != self._number:
            raise out_of_place(self._channel, answer)


def give_blobs(channel: Channel, give: GiveBlobs, idle_s: float) -> None:
    """The owner's side, after the opening, until the asker ends the session. Raises `ProtocolError`."""
    channel.send(OpenedRead())
    while (message := channel.receive(idle_s)) is not None and not isinstance(message, Stopped):
        if not isinstance(message, AskBlobs):
            raise ProtocolError(f"{type(message).__name__} has no place where blobs are asked for")
        for blob_id, plain in give(message.ids, message.trees):
            for start in range(0, max(len(plain), 1), _PIECE_BYTES):
                end = start + _PIECE_BYTES
                channel.send(BlobPiece(number=message.number, id=blob_id, data=plain[start:end], last=end >= len(plain)))
        channel.send(BlobsEnd(number=message.number))

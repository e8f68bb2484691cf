"""The pipe between an agent and one of its workers: a socket pair, messages as msgpack in frames (`wire.framing`).

The worker's end is blocking and used by many threads: sends take turns, one thread receives. The agent's end speaks the same framing.
"""

from __future__ import annotations

import socket
import threading
from functools import cache
from typing import TypeVar

import msgspec

from holdfast.core.errors import ProtocolError
from holdfast.model.decoding import UNREADABLE
from holdfast.node.workers.messages import AskForSign, FromWorker, SignOfLife, ToWorker
from holdfast.wire.framing import frame, receive_frame

T = TypeVar("T")
MAX_MESSAGE_BYTES = 256 * 1024 * 1024
"""Rules of a large group and long listings are the big ones; anything above is a fault of the other side."""


def encode_frame(message: ToWorker | FromWorker) -> bytes:
    """One message as it goes over the link."""
    return frame(msgspec.msgpack.encode(message))


def decode_to_worker(body: bytes) -> ToWorker:
    """Raises `ProtocolError` on anything that is no message to a worker."""
    return _decoded(_to_worker(), body)


def decode_from_worker(body: bytes) -> FromWorker:
    """Raises `ProtocolError` on anything that is no message of a worker."""
    return _decoded(_from_worker(), body)


def _decoded(decoder: msgspec.msgpack.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except UNREADABLE as error:
        hint = "agent and worker are of different versions; restart the node"
        raise ProtocolError(f"not a message between agent and worker: {error}", hint=hint) from error


@cache
def _to_worker() -> msgspec.msgpack.Decoder[ToWorker]:
    return msgspec.msgpack.Decoder(ToWorker)


@cache
def _from_worker() -> msgspec.msgpack.Decoder[FromWorker]:
    return msgspec.msgpack.Decoder(FromWorker)


class WorkerLink:
    """The worker's end. `send` from any thread; it is silent once the agent is gone, because then nobody is left to tell."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._sending = threading.Lock()
        self._gone = False

    def send(self, message: FromWorker) -> None:
        framed = encode_frame(message)
        with self._sending:
            if self._gone:
                return
            try:
                self._end.sendall(framed)
            except OSError:
                self._gone = True

    def receive(self) -> ToWorker | None:
        """The next order; None when the agent closed its end or died. The agent's question for a sign of life is answered here."""
        while isinstance(message := self._received(), AskForSign):
            self.send(SignOfLife())
        return message

    def _received(self) -> ToWorker | None:
        try:
            body = receive_frame(self._end, MAX_MESSAGE_BYTES)
        except OSError:
            return None
        return None if body is None else decode_to_worker(body)

    def close(self) -> None:
        with self._sending:
            self._gone = True
        self._end.close()

"""The pipe between an agent and one of its workers: a socket pair, each message as msgpack behind a 4-byte big-endian length.

The worker's end is blocking and used by many threads: sends take turns, one thread receives. The agent's end speaks the same framing.
"""

from __future__ import annotations

import socket
import struct
import threading
from functools import cache

import msgspec

from holdfast.core.errors import ProtocolError
from holdfast.node.worker_messages import FromWorker, ToWorker

MAX_MESSAGE_BYTES = 256 * 1024 * 1024
"""Rules of a large group and long listings are the big ones; anything above is a fault of the other side."""

_LENGTH = struct.Struct(">I")


def encode_frame(message: ToWorker | FromWorker) -> bytes:
    """Length and body of one message."""
    body = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(body)) + body


def decode_to_worker(body: bytes) -> ToWorker:
    """Raises `ProtocolError` on anything that is no message to a worker."""
    try:
        return _to_worker().decode(body)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise ProtocolError(
            f"not a message to a worker: {error}", hint="agent and worker are of different versions; restart the node"
        ) from error


def decode_from_worker(body: bytes) -> FromWorker:
    """Raises `ProtocolError` on anything that is no message of a worker."""
    try:
        return _from_worker().decode(body)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise ProtocolError(
            f"not a message of a worker: {error}", hint="agent and worker are of different versions; restart the node"
        ) from error


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
        frame = encode_frame(message)
        with self._sending:
            if self._gone:
                return
            try:
                self._end.sendall(frame)
            except OSError:
                self._gone = True

    def receive(self) -> ToWorker | None:
        """The next order; None when the agent closed its end or died."""
        body = self._read_frame()
        return None if body is None else decode_to_worker(body)

    def close(self) -> None:
        with self._sending:
            self._gone = True
        self._end.close()

    def _read_frame(self) -> bytes | None:
        head = self._read_exactly(_LENGTH.size)
        if head is None:
            return None
        (size,) = _LENGTH.unpack(head)
        if size > MAX_MESSAGE_BYTES:
            raise ProtocolError(f"a message of {size} bytes", hint="agent and worker are of different versions; restart the node")
        return self._read_exactly(size)

    def _read_exactly(self, size: int) -> bytes | None:
        parts: list[bytes] = []
        while size:
            try:
                part = self._end.recv(min(size, 1 << 20))
            except OSError:
                return None
            if not part:
                return None
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

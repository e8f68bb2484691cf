"""Messages on a byte stream inside one machine: each body behind its length, 4 bytes, big-endian."""

from __future__ import annotations

import asyncio
import socket
import struct

from holdfast.core.errors import ProtocolError

_LENGTH = struct.Struct(">I")
_PIECE_BYTES = 1 << 20


def frame(body: bytes) -> bytes:
    """The body with its length in front."""
    return _LENGTH.pack(len(body)) + body


async def read_frame(reader: asyncio.StreamReader, limit_bytes: int) -> bytes | None:
    """The next body; None when the other end closed or died. Raises `ProtocolError` on a length above the limit."""
    try:
        return await reader.readexactly(_size(await reader.readexactly(_LENGTH.size), limit_bytes))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def receive_frame(end: socket.socket, limit_bytes: int) -> bytes | None:
    """As `read_frame`, blocking. Raises `OSError` as the socket does, `TimeoutError` among them."""
    head = _receive_exactly(end, _LENGTH.size)
    return None if head is None else _receive_exactly(end, _size(head, limit_bytes))


def _size(head: bytes, limit_bytes: int) -> int:
    (size,) = _LENGTH.unpack(head)
    if size > limit_bytes:
        raise ProtocolError(f"a message of {size} bytes", hint="both ends must be of the same version; restart the node")
    return int(size)


def _receive_exactly(end: socket.socket, size: int) -> bytes | None:
    parts: list[bytes] = []
    while size:
        part = end.recv(min(size, _PIECE_BYTES))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)

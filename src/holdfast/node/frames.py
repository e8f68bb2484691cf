"""Length-prefixed msgpack over asyncio streams: the agent's end of the worker links and of the local socket."""

from __future__ import annotations

import asyncio
import struct

from holdfast.core.errors import ProtocolError
from holdfast.node.worker_link import MAX_MESSAGE_BYTES

LENGTH = struct.Struct(">I")


async def read_frame(reader: asyncio.StreamReader, limit_bytes: int = MAX_MESSAGE_BYTES) -> bytes | None:
    """The next body; None when the other end closed or died. Raises `ProtocolError` on a length above the limit."""
    try:
        (size,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
        if size > limit_bytes:
            raise ProtocolError(f"a message of {size} bytes", hint="both ends must be of the same version; restart the node")
        return await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def frame(body: bytes) -> bytes:
    return LENGTH.pack(len(body)) + body

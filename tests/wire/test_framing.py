"""Frames: blocking and asyncio ends understand each other; what is cut off is an end, what is too long an error."""

from __future__ import annotations

import asyncio
import socket

import pytest

from holdfast.core.errors import ProtocolError
from holdfast.wire.framing import frame, read_frame, receive_frame


def received(data: bytes, limit_bytes: int = 100) -> list[bytes | None]:
    """All a blocking end gets of these bytes, and what it gets when the other end has closed."""
    here, there = socket.socketpair()
    with here:
        with there:
            there.sendall(data)
        found = []
        while (body := receive_frame(here, limit_bytes)) is not None:
            found.append(body)
        return [*found, None]


async def read(data: bytes, limit_bytes: int = 100) -> list[bytes | None]:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    found = []
    while (body := await read_frame(reader, limit_bytes)) is not None:
        found.append(body)
    return [*found, None]


@pytest.mark.parametrize(
    ("data", "bodies"),
    [
        (b"", []),
        (frame(b""), [b""]),
        (frame(b"one") + frame(b"x" * 100), [b"one", b"x" * 100]),
        (frame(b"one") + frame(b"two")[:-1], [b"one"]),
        (frame(b"one")[:3], []),
    ],
)
def test_both_ends_read_the_same(data: bytes, bodies: list[bytes]) -> None:
    assert received(data) == [*bodies, None]
    assert asyncio.run(read(data)) == [*bodies, None]


def test_a_length_above_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(ProtocolError, match="101 bytes"):
        received(frame(b"x" * 101))
    with pytest.raises(ProtocolError, match="4294967295 bytes"):
        asyncio.run(read(b"\xff\xff\xff\xff"))

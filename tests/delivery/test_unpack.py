"""Content for a restore: only what has the right hash, in bounded memory."""

from __future__ import annotations

import hashlib
from contextlib import suppress

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import ProtocolError
from holdfast.delivery.unpack import content_of
from holdfast.model.change import Payload
from holdfast.testing.memory_action import payload_of

PLAIN = b"some content, some content" * 20


@given(st.binary(max_size=3000), st.booleans())
def test_what_is_right_is_given(plain: bytes, compressed: bool) -> None:
    assert content_of(payload_of(plain, compressed=compressed)) == plain


def frame(plain: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(plain)


def bomb() -> bytes:
    """A frame that says it holds 2^62 bytes."""
    return b"\x28\xb5\x2f\xfd\xe0" + (1 << 62).to_bytes(8, "little") + b"\x01\x00\x00"


@pytest.mark.parametrize(
    ("size", "compressed", "data"),
    [
        (len(PLAIN), False, PLAIN[:-1] + b"x"),
        (len(PLAIN) - 1, False, PLAIN),
        (-1, False, PLAIN),
        (len(PLAIN), True, b"no frame"),
        (len(PLAIN), True, frame(PLAIN)[:-3]),
        (len(PLAIN), True, frame(PLAIN) + b"more"),
        (len(PLAIN), True, frame(PLAIN) + frame(b"")),
        (len(PLAIN), True, frame(PLAIN + b"x")),
        (len(PLAIN), True, frame(PLAIN[:-1] + b"x")),
        (len(PLAIN), True, zstandard.ZstdCompressor(write_content_size=False).compress(PLAIN)),
        (len(PLAIN), True, bomb()),
        (1 << 62, True, bomb()),
    ],
)
def test_all_else_is_refused(size: int, compressed: bool, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        content_of(Payload(hashlib.sha256(PLAIN).digest(), size, compressed, data))


@given(st.data())
def test_no_flipped_bit_gets_through(data: st.DataObject) -> None:
    good = frame(PLAIN)
    bit = data.draw(st.integers(0, len(good) * 8 - 1))
    bad = bytearray(good)
    bad[bit // 8] ^= 1 << bit % 8
    with suppress(ProtocolError):
        assert content_of(Payload(hashlib.sha256(PLAIN).digest(), len(PLAIN), True, bytes(bad))) == PLAIN

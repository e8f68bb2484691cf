"""The content of chunks, for who keeps that and not the frames: a restore."""

from __future__ import annotations

import hashlib
import threading

import zstandard

from holdfast.core.errors import ProtocolError
from holdfast.model.change import Payload

# As everywhere on the wire (`wire.codec`, `delivery.frame`); here again so that a process that only writes loads neither.
_MAX_CHUNK_BYTES = 8 << 20
_MAX_WINDOW_BYTES = 8 << 20
_per_thread = threading.local()


def content_of(payload: Payload) -> bytes:
    """The plain bytes, whose SHA-256 is the chunk's id; raises `ProtocolError` otherwise.

    How the frame is built does not matter here as it does to a receiver that stores it (`delivery.verify`): memory is bounded by the size
    that the frame states, and what comes out is judged by its hash.
    """
    size = payload.size_bytes
    data = payload.data
    if not 0 <= size <= _MAX_CHUNK_BYTES:
        raise ProtocolError(f"chunk {payload.id.hex()}: {size} bytes, the limit is {_MAX_CHUNK_BYTES}")
    if payload.compressed:
        try:
            if zstandard.frame_content_size(data) != size:
                raise ProtocolError(f"chunk {payload.id.hex()}: its frame does not hold the {size} bytes that are declared")
            data = _decompressor().decompress(data, max_output_size=max(size, 1), allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise ProtocolError(f"chunk {payload.id.hex()}: does not decompress: {error}") from None
    if len(data) != size:
        raise ProtocolError(f"chunk {payload.id.hex()}: {len(data)} bytes, declared were {size}")
    if hashlib.sha256(data).digest() != payload.id:
        raise ProtocolError(f"chunk {payload.id.hex()}: its content has another SHA-256", hint="a disk or memory is damaged")
    return data


def _decompressor() -> zstandard.ZstdDecompressor:
    """One per thread: it holds some 150 KB of state and is not thread-safe."""
    found: zstandard.ZstdDecompressor | None = getattr(_per_thread, "decompressor", None)
    if found is None:
        found = _per_thread.decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)
    return found

"""Chunks from outside become `VerifiedChunk`s here, or a `ProtocolError` that says what is wrong and where."""

from __future__ import annotations

import hashlib
import threading
from array import array
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import zstandard

from holdfast.core.errors import ProtocolError
from holdfast.delivery.frame import check_frame
from holdfast.model.change import Payload
from holdfast.wire.codec import MAX_CHUNK_BYTES

_per_thread = threading.local()


class Chunk:
    """A `ports.VerifiedChunk`. Of a trusted sender, `plain` is decompressed when first asked for."""

    __slots__ = ("_frame", "_id", "_plain", "_size_bytes")

    def __init__(self, chunk_id: bytes, size_bytes: int, plain: bytes | None, frame: bytes | None) -> None:
        self._id = chunk_id
        self._size_bytes = size_bytes
        self._plain = plain
        self._frame = frame

    @property
    def id(self) -> bytes:
        return self._id

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    @property
    def plain(self) -> bytes:
        if self._plain is None:
            if self._frame is None:
                raise ProtocolError(f"chunk {self._id.hex()} has no bytes")
            self._plain = _decompress(self._frame, self._size_bytes, f"chunk {self._id.hex()}")
        return self._plain

    @property
    def frame(self) -> bytes | None:
        return self._frame


def verify_payload(payload: Payload, declared_bytes: int | None = None, *, trusted: bool = False) -> Chunk:
    """Check one payload; `declared_bytes` is what its chunk ref said (None: take the payload's own word, the hash decides).

    `trusted` skips hash and decompression, never the checks of size and frame.
    """
    frame = _check_outside(payload, declared_bytes)
    if trusted:
        return Chunk(payload.id, payload.size_bytes, payload.data if frame is None else None, frame)
    plain = payload.data if frame is None else _decompress(frame, payload.size_bytes, _name(payload))
    return _check_inside(payload, plain)


def _name(payload: Payload) -> str:
    return f"chunk {payload.id.hex()}"


def _check_outside(payload: Payload, declared_bytes: int | None) -> bytes | None:
    """All that can be said without decompressing. The frame, if it is one."""
    size = payload.size_bytes
    if declared_bytes is not None and size != declared_bytes:
        raise ProtocolError(f"{_name(payload)}: comes with {size} bytes, declared were {declared_bytes}")
    if not 0 <= size <= MAX_CHUNK_BYTES:
        raise ProtocolError(f"{_name(payload)}: {size} bytes, the limit is {MAX_CHUNK_BYTES}")
    if not payload.compressed:
        if len(payload.data) != size:
            raise ProtocolError(f"{_name(payload)}: comes with {len(payload.data)} bytes, declared were {size}")
        return None
    check_frame(payload.data, size, _name(payload))
    return payload.data


def _check_inside(payload: Payload, plain: bytes) -> Chunk:
    if hashlib.sha256(plain).digest() != payload.id:
        raise ProtocolError(
            f"{_name(payload)}: its content has another SHA-256", hint="the sender's disk or memory is damaged, or it is hostile"
        )
    return Chunk(payload.id, payload.size_bytes, plain, payload.data if payload.compressed else None)


class Verifier:
    """A few threads that verify batches; hash and decompression run without the GIL. One per process is enough; thread-safe."""

    def __init__(self, workers: int = 2) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="verify")

    def submit(self, payloads: Sequence[Payload], sizes: Mapping[bytes, int], *, trusted: bool = False) -> Future[list[Chunk]]:
        """`sizes` are the declared sizes by id. The future raises `ProtocolError`."""
        if trusted:
            # Nothing heavy is left to do, so a thread would only cost.
            done: Future[list[Chunk]] = Future()
            try:
                done.set_result(_verify(payloads, sizes, trusted=True))
            except ProtocolError as error:
                done.set_exception(error)
            return done
        return self._pool.submit(_verify, payloads, sizes, trusted=False)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


def _verify(payloads: Sequence[Payload], sizes: Mapping[bytes, int], *, trusted: bool) -> list[Chunk]:
    if trusted:
        return [verify_payload(payload, sizes[payload.id], trusted=True) for payload in payloads]
    packed = [payload for payload in payloads if _check_outside(payload, sizes[payload.id]) is not None]
    plains = iter(_decompress_all(packed))
    return [_check_inside(payload, next(plains) if payload.compressed else payload.data) for payload in payloads]


def _decompress_all(payloads: Sequence[Payload]) -> list[bytes]:
    """In one call without the interpreter lock: giving it up and getting it back for each small chunk costs more than the chunk."""
    if len(payloads) > 1:
        sizes = array("Q", [payload.size_bytes for payload in payloads]).tobytes()
        try:
            found = _decompressor().multi_decompress_to_buffer([payload.data for payload in payloads], decompressed_sizes=sizes, threads=1)
            plains = [found[number].tobytes() for number in range(len(found))]
        except zstandard.ZstdError:
            plains = []
        if [len(plain) for plain in plains] == [payload.size_bytes for payload in payloads]:
            return plains
    # One by one, to tell which it was.
    return [_decompress(payload.data, payload.size_bytes, _name(payload)) for payload in payloads]


def _decompress(frame: bytes, size_bytes: int, where: str) -> bytes:
    try:
        plain = _decompressor().decompress(frame, max_output_size=max(size_bytes, 1), allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ProtocolError(f"{where}: does not decompress: {error}") from None
    if len(plain) != size_bytes:
        raise ProtocolError(f"{where}: decompresses to {len(plain)} bytes, declared were {size_bytes}")
    return plain


def _decompressor() -> zstandard.ZstdDecompressor:
    # It holds some 150 KB of state and is not thread-safe: one per thread.
    decompressor: zstandard.ZstdDecompressor | None = getattr(_per_thread, "decompressor", None)
    if decompressor is None:
        decompressor = _per_thread.decompressor = zstandard.ZstdDecompressor()
    return decompressor

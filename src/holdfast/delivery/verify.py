"""Chunks from outside become `VerifiedChunk`s here, or a `ProtocolError` that says what is wrong and where."""

from __future__ import annotations

import hashlib
import threading
from array import array
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import zstandard

from holdfast.core.errors import ProtocolError
from holdfast.delivery.frame import check_frame
from holdfast.model.change import Payload
from holdfast.model.stream import grouped
from holdfast.wire.codec import MAX_CHUNK_BYTES

# Payloads decompressed together: as many as fit into a buffer that the C library has at hand again and again.
_GROUP_BYTES = 1024 * 1024
_per_thread = threading.local()


class Chunk:
    """A `ports.VerifiedChunk`. Of a trusted sender, `plain` is decompressed when first asked for."""

    __slots__ = ("_frame", "_id", "_plain", "_size_bytes")

    def __init__(self, chunk_id: bytes, size_bytes: int, plain: bytes | memoryview | None, frame: bytes | None) -> None:
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
        elif isinstance(self._plain, memoryview):
            self._plain = self._plain.tobytes()
        return self._plain

    @property
    def frame(self) -> bytes | None:
        return self._frame


def verify_payload(payload: Payload, declared_bytes: int | None = None, *, trusted: bool = False) -> Chunk:
    """Check one payload; `declared_bytes` is what its chunk ref said (None: take the payload's own word, the hash decides).

    `trusted` skips hash and decompression, never the checks of size and frame.
    """
    where = f"chunk {payload.id.hex()}"
    size = payload.size_bytes
    if declared_bytes is not None and size != declared_bytes:
        raise ProtocolError(f"{where}: comes with {size} bytes, declared were {declared_bytes}")
    if not 0 <= size <= MAX_CHUNK_BYTES:
        raise ProtocolError(f"{where}: {size} bytes, the limit is {MAX_CHUNK_BYTES}")
    if not payload.compressed:
        if len(payload.data) != size:
            raise ProtocolError(f"{where}: comes with {len(payload.data)} bytes, declared were {size}")
        plain: bytes | None = payload.data
    else:
        check_frame(payload.data, size, where)
        plain = None if trusted else _decompress(payload.data, size, where)
    if not trusted and plain is not None and hashlib.sha256(plain).digest() != payload.id:
        raise ProtocolError(f"{where}: its content has another SHA-256", hint="the sender's disk or memory is damaged, or it is hostile")
    return Chunk(payload.id, size, plain, payload.data if payload.compressed else None)


class Verifier:
    """A few threads that verify batches; hash and decompression run without the GIL. One per process is enough; thread-safe."""

    def __init__(self, workers: int = 2) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="verify")

    def submit(
        self, payloads: Sequence[Payload], sizes: Mapping[bytes, int], *, trusted: bool = False, keep_plain: bool = True
    ) -> Future[list[Chunk]]:
        """`sizes` are the declared sizes by id. The future raises `ProtocolError`. Without `keep_plain` a chunk that came compressed holds
        its frame alone, and is decompressed once more if somebody asks for its plain bytes after all."""
        if trusted:
            # Nothing heavy is left to do, so a thread would only cost.
            done: Future[list[Chunk]] = Future()
            try:
                done.set_result([verify_payload(payload, sizes[payload.id], trusted=True) for payload in payloads])
            except ProtocolError as error:
                done.set_exception(error)
            return done
        return self._pool.submit(_verify, payloads, sizes, keep_plain)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


def _verify(payloads: Sequence[Payload], sizes: Mapping[bytes, int], keep_plain: bool) -> list[Chunk]:
    return [chunk for group in grouped(payloads, _GROUP_BYTES) for chunk in _verify_group(group, sizes, keep_plain)]


def _verify_group(payloads: Sequence[Payload], sizes: Mapping[bytes, int], keep_plain: bool) -> Iterator[Chunk]:
    plains = _decompress_together(payloads, sizes)
    for number, payload in enumerate(payloads):
        plain = None if plains is None else memoryview(plains[number])  # type: ignore[arg-type]  # it is a buffer; the stubs do not say so
        if plain is None or hashlib.sha256(plain).digest() != payload.id:
            # One of those that go alone, or something is wrong: this says what.
            yield verify_payload(payload, sizes[payload.id])
        else:
            yield Chunk(payload.id, payload.size_bytes, plain if keep_plain else None, payload.data)


def _decompress_together(payloads: Sequence[Payload], sizes: Mapping[bytes, int]) -> zstandard.BufferWithSegmentsCollection | None:
    """The plain bytes of all in one call without the interpreter lock, after a look at each frame's outline. None where that cannot be."""
    if len(payloads) < 2 or not all(p.compressed and 0 < p.size_bytes == sizes[p.id] <= MAX_CHUNK_BYTES for p in payloads):
        return None
    for payload in payloads:
        check_frame(payload.data, payload.size_bytes, f"chunk {payload.id.hex()}")
    lengths = array("Q", [payload.size_bytes for payload in payloads]).tobytes()
    try:
        return _decompressor().multi_decompress_to_buffer([payload.data for payload in payloads], decompressed_sizes=lengths, threads=1)
    except zstandard.ZstdError:
        return None


def _decompressor() -> zstandard.ZstdDecompressor:
    """One per thread: it holds some 150 KB of state and is not thread-safe."""
    found: zstandard.ZstdDecompressor | None = getattr(_per_thread, "decompressor", None)
    if found is None:
        found = _per_thread.decompressor = zstandard.ZstdDecompressor()
    return found


def _decompress(frame: bytes, size_bytes: int, where: str) -> bytes:
    try:
        plain = _decompressor().decompress(frame, max_output_size=max(size_bytes, 1), allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ProtocolError(f"{where}: does not decompress: {error}") from None
    if len(plain) != size_bytes:
        raise ProtocolError(f"{where}: decompresses to {len(plain)} bytes, declared were {size_bytes}")
    return plain

"""What a slow receiver has not taken yet, on disk, so that the capture need not wait for it.

A file without a name, sealed by a key that is in memory only: it ends with the process, and whoever lacks something then is caught up from
the state, as after any run that broke off. What it holds of a step of the capture is the step with its content, while there is room for
that, and what is to be read again later (`model.stream.Repeatable`) beyond.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import zstandard

from holdfast.core.entropy import Entropy
from holdfast.core.errors import ProtocolError, StoreError
from holdfast.delivery.spool.cipher import HINT, SALT_BYTES, Cipher
from holdfast.model.change import Payload, Segment
from holdfast.model.stream import Before, ChunkSource, Compression, Outgoing, Packed, Repeatable, Withdrawn

# The rest is for what is to be read again.
_CONTENT_SHARE = 0.75
_KEY_BYTES = 32


class Overflowed(msgspec.Struct, frozen=True, gc=False):
    """One step on disk: where, how long, and the number of its seal. `unpack`: see `Packed`."""

    at: int
    size_bytes: int
    number: int
    unpack: Callable[[bytes], ChunkSource] | None = None


class _Step(msgspec.Struct, frozen=True, array_like=True):
    segment: Segment
    change_runs: tuple[int, ...]
    part_runs: tuple[int, ...]
    before: Before | None
    payloads: tuple[Payload, ...]
    withdrawn: tuple[bytes, ...]
    packed: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Step).decode


class OverflowRoom:
    """The room that all receivers of a node share. `limit_bytes` is asked anew each time: what is free changes."""

    def __init__(self, folder: Path, entropy: Entropy, limit_bytes: Callable[[], int]) -> None:
        self.folder, self.entropy = folder, entropy
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self.used_bytes = 0

    def has(self, size_bytes: int, share: float = 1.0) -> bool:
        return self.used_bytes + size_bytes <= self._limit_bytes() * share

    def take(self, size_bytes: int) -> bool:
        """Whether there was so much left; then it is the caller's until it is given back."""
        with self._lock:
            if not self.has(size_bytes):
                return False
            self.used_bytes += size_bytes
            return True

    def give_back(self, size_bytes: int) -> None:
        with self._lock:
            self.used_bytes -= size_bytes


class Overflow:
    """Of one receiver in one run. One thread puts, one takes, in the same order; `close` by the one that takes."""

    def __init__(self, room: OverflowRoom, compression: Compression) -> None:
        self._room, self._compression = room, compression
        self._lock = threading.Lock()
        self._file = -1
        self._end = self._inside = self._number = 0
        self._is_closed = False

    @property
    def is_used(self) -> bool:
        """Whether something is in it."""
        return self._inside > 0

    def put(self, outgoing: Outgoing, *, is_known: bool = False) -> Overflowed | None:
        """None = there is no room, or the disk takes nothing: it is to be waited. `is_known`: it seems that the receiver has most of the
        content, so that it should not be read for it."""
        has_room = self._room.has(sum(ref.size_bytes for ref in outgoing.segment.offered), _CONTENT_SHARE)
        packed: Packed | None = None
        if (is_known or not has_room) and isinstance(outgoing.chunks, Repeatable):
            packed = outgoing.chunks.packed()
        if packed is not None:
            step = _step(outgoing, packed=packed.data)
        elif has_room:
            step = self._with_content(outgoing)
        else:
            return None
        plain = zstandard.ZstdCompressor(level=1).compress(_encode(step))
        with self._lock:
            return self._write(plain, None if packed is None else packed.unpack)

    def take(self, kept: Overflowed) -> Outgoing:
        """It is not there any more. Raises `StoreError`."""
        with self._lock:
            try:
                sealed = os.pread(self._file, kept.size_bytes, kept.at)
            except OSError as error:
                raise StoreError(f"what waited for the receiver cannot be read: {error}", hint=HINT) from error
            plain = self._cipher.open(kept.number, sealed)
            self._inside -= 1
            if not self._inside:
                self._empty()
        step = _decode(zstandard.ZstdDecompressor().decompress(plain))
        chunks = _Stored(step) if kept.unpack is None else kept.unpack(step.packed)
        return Outgoing(step.segment, step.change_runs, step.part_runs, chunks, step.before)

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            self._inside = 0
            if self._file >= 0:
                os.close(self._file)
                self._file = -1
            self._room.give_back(self._end)
            self._end = 0

    def _with_content(self, outgoing: Outgoing) -> _Step:
        ids = [ref.id for ref in outgoing.segment.offered]
        items = list(outgoing.chunks.payloads(ids, self._compression)) if ids else []
        payloads = tuple(item for item in items if isinstance(item, Payload))
        return _step(outgoing, payloads, tuple(item.id for item in items if isinstance(item, Withdrawn)))

    def _write(self, plain: bytes, unpack: Callable[[bytes], ChunkSource] | None) -> Overflowed | None:
        if self._is_closed or not self._room.take(size_bytes := len(plain) + 16):
            return None
        try:
            self._open()
            sealed = self._cipher.seal(self._number, plain)
            done = 0
            while done < len(sealed):
                done += os.pwrite(self._file, memoryview(sealed)[done:], self._end + done)
        except OSError:
            # What was written of it lies behind the end, and is written over.
            self._room.give_back(size_bytes)
            return None
        kept = Overflowed(self._end, size_bytes, self._number, unpack)
        self._end += size_bytes
        self._number += 1
        self._inside += 1
        return kept

    def _open(self) -> None:
        if self._file >= 0:
            return
        with tempfile.TemporaryFile(dir=self._room.folder, buffering=0) as file:
            self._file = os.dup(file.fileno())
        entropy = self._room.entropy
        self._cipher = Cipher(entropy.token_bytes(_KEY_BYTES), entropy.token_bytes(SALT_BYTES), "overflow")

    def _empty(self) -> None:
        os.ftruncate(self._file, 0)
        self._room.give_back(self._end)
        self._end = 0


class _Stored:
    """`ChunkSource`: what was kept of a step, as it was compressed then."""

    def __init__(self, step: _Step) -> None:
        self._items: dict[bytes, Payload | Withdrawn] = {each.id: each for each in step.payloads}
        self._items |= {id_: Withdrawn(id_) for id_ in step.withdrawn}

    def payloads(self, ids: Sequence[bytes], compression: Compression) -> Iterator[Payload | Withdrawn]:
        del compression
        for id_ in ids:
            if id_ not in self._items:
                raise ProtocolError(f"chunk {id_.hex()} was not offered in this segment")
            yield self._items[id_]


def _step(outgoing: Outgoing, payloads: tuple[Payload, ...] = (), withdrawn: tuple[bytes, ...] = (), packed: bytes = b"") -> _Step:
    return _Step(outgoing.segment, outgoing.change_runs, outgoing.part_runs, outgoing.before, payloads, withdrawn, packed)

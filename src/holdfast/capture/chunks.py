"""The chunks of outgoing segments: held in memory, or read again from the source when somebody asks.

A chunk is compressed at most once per level however many receivers ask, and read again at most once per segment. A chunk that is read again
is checked twice: the file must bear the fingerprint it was captured with, and the bytes must have the chunk's SHA-256. If not it is
`Withdrawn`, and the path is marked so that the next run captures it anew.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Protocol

import msgspec
import zstandard

from holdfast.core.errors import ProtocolError
from holdfast.host.metadata import open_for_reading
from holdfast.host.sight import IN_PLACE, Sight
from holdfast.model.change import Payload
from holdfast.model.entry import Entry
from holdfast.model.stream import Compression, Packed, Withdrawn

_LEVELS = {"auto": 3, "max": 12}
# Compressed together.
_GROUP_BYTES = 512 * 1024
_of_thread = threading.local()


class Origin(Protocol):
    """Where content can be read again. `on_read` hears of every byte read."""

    @property
    def path(self) -> bytes: ...

    @property
    def on_read(self) -> Callable[[int], None]: ...

    def open(self) -> int | None:
        """A descriptor, the caller's to close; None when it is not what was captured any more."""
        ...

    def withdraw(self) -> None:
        """It was promised and is not there."""
        ...


class FileOrigin(msgspec.Struct, frozen=True, eq=False):
    """`Origin`: a file version in the source."""

    entry: Entry
    on_read: Callable[[int], None]
    on_withdrawn: Callable[[bytes], None]
    sight: Sight = IN_PLACE

    @property
    def path(self) -> bytes:
        return self.entry.path

    def withdraw(self) -> None:
        self.on_withdrawn(self.entry.path)

    def open(self) -> int | None:
        entry = self.entry
        try:
            descriptor = open_for_reading(self.sight.real(entry.path))
        except OSError:
            return None
        status = os.fstat(descriptor)
        if (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino) != (
            entry.size_bytes,
            entry.mtime_ns,
            entry.ctime_ns,
            entry.inode,
        ):
            os.close(descriptor)
            return None
        return descriptor


class Chunk:
    """One chunk with its bytes, or with the places to get them from. Used by one thread at a time: see `SegmentChunks`."""

    __slots__ = ("_frames", "_origins", "id", "plain", "size_bytes")

    def __init__(self, id: bytes, size_bytes: int, plain: bytes | memoryview | None, origin: Origin | None = None, offset: int = 0) -> None:
        self.id = id
        self.size_bytes = size_bytes
        self.plain = plain
        self._origins: tuple[tuple[Origin, int], ...] = () if origin is None else ((origin, offset),)
        self._frames: dict[int, bytes] | None = None

    def join(self, other: Chunk) -> None:
        """The same content at another place: its bytes, or one more place to look, so that a put is not lost for another file's change.
        With its bytes it is known only by where those are from: put away without them it would hang on a file that may change."""
        if self.plain is None:
            self.plain = other.plain
            self._origins = other._origins if other.plain is not None else self._origins + other._origins

    @property
    def origins(self) -> tuple[tuple[Origin, int], ...]:
        """Where it can be read again, and at which offset there."""
        return self._origins

    def load(self, files: OpenFiles) -> None:
        """Read it again where its bytes are not at hand; `plain` stays None when no place has them any more."""
        if self.plain is None:
            read = (files.read(origin, offset, self) for origin, offset in self._origins)
            self.plain = next((data for data in read if data is not None), None)

    def frame(self, level: int) -> bytes | None:
        """None while it has not been compressed; empty when that does not make it smaller."""
        return None if self._frames is None else self._frames.get(level)

    def keep_frame(self, level: int, frame: bytes) -> None:
        if self._frames is None:
            self._frames = {}
        self._frames[level] = frame if len(frame) < self.size_bytes else b""

    def payload(self, level: int | None) -> Payload | Withdrawn:
        if self.plain is None:
            return Withdrawn(self.id)
        if level is not None and (frame := self.frame(level)):
            return Payload(self.id, self.size_bytes, True, frame)
        return Payload(self.id, self.size_bytes, False, bytes(self.plain))


class OpenFiles:
    """The source file being read again; neighbours in a request mostly share one. Of one call of `payloads`, so of one thread."""

    def __init__(self) -> None:
        self._origin: Origin | None = None
        self._descriptor: int | None = None

    def read(self, origin: Origin, offset: int, chunk: Chunk) -> bytes | None:
        """The bytes if they still are what the chunk's id says, else None and the path is marked."""
        if origin is not self._origin:
            self.close()
            self._origin, self._descriptor = origin, origin.open()
        data = b""
        if self._descriptor is not None:
            try:
                data = os.pread(self._descriptor, chunk.size_bytes, offset)
            except OSError:
                data = b""
            origin.on_read(len(data))
        if len(data) == chunk.size_bytes and sha256(data).digest() == chunk.id:
            return data
        origin.withdraw()
        return None

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._origin = self._descriptor = None


class SegmentChunks:
    """`ChunkSource` of one round of segments, shared by the datasets of that round and by the sessions of each.

    Chunks are read and compressed some at a time, by one thread: the others wait and find them done.
    """

    def __init__(self, chunks: Mapping[bytes, Chunk]) -> None:
        self._chunks = chunks
        self._lock = threading.Lock()

    def payloads(self, ids: Sequence[bytes], compression: Compression) -> Iterator[Payload | Withdrawn]:
        """Raises `ProtocolError` for an id that was not offered here."""
        level = _LEVELS.get(compression)
        files = OpenFiles()
        try:
            for group in self._groups(ids):
                with self._lock:
                    for chunk in group:
                        chunk.load(files)
                    if level is not None:
                        _compress([chunk for chunk in group if chunk.plain is not None and chunk.frame(level) is None], level)
                for chunk in group:
                    yield chunk.payload(level)
        finally:
            files.close()

    def packed(self) -> Packed | None:
        """See `Repeatable`. Copies of databases are not made again for it."""
        places: dict[FileOrigin, int] = {}
        chunks = []
        for chunk in self._chunks.values():
            origins = [(origin, offset) for origin, offset in chunk.origins if isinstance(origin, FileOrigin)]
            if not origins or len(origins) < len(chunk.origins):
                return None
            far = tuple((places.setdefault(origin, len(places)), offset) for origin, offset in origins)
            chunks.append(_FarChunk(chunk.id, chunk.size_bytes, far))
        entries = tuple(msgspec.structs.replace(origin.entry, chunks=(), xattrs=()) for origin in places)
        first = next(iter(places), None)
        return Packed(_encode((entries, chunks)), partial(_unpacked, first))

    def _groups(self, ids: Sequence[bytes]) -> Iterator[list[Chunk]]:
        group: list[Chunk] = []
        size = 0
        for id in ids:
            chunk = self._chunks.get(id)
            if chunk is None:
                raise ProtocolError(f"chunk {id.hex()} was not offered in this segment")
            group.append(chunk)
            size += chunk.size_bytes
            if size >= _GROUP_BYTES:
                yield group
                group, size = [], 0
        if group:
            yield group


class _FarChunk(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`places`: number of an entry, and the offset there."""

    id: bytes
    size_bytes: int
    places: tuple[tuple[int, int], ...]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[tuple[Entry, ...], tuple[_FarChunk, ...]]).decode


def _unpacked(like: FileOrigin | None, data: bytes) -> SegmentChunks:
    """What `packed` has put away, read by the means of the origin `like`."""
    entries, chunks = _decode(data)
    origins = () if like is None else tuple(msgspec.structs.replace(like, entry=entry) for entry in entries)
    found: dict[bytes, Chunk] = {}
    for far in chunks:
        for place, offset in far.places:
            chunk = Chunk(far.id, far.size_bytes, None, origins[place], offset)
            if far.id in found:
                found[far.id].join(chunk)
            else:
                found[far.id] = chunk
    return SegmentChunks(found)


def chunks_of(entry: Entry, origin: Origin) -> Iterator[Chunk]:
    """The chunks of a captured file, to be read again on demand."""
    offset = 0
    for ref in entry.chunks:
        yield Chunk(ref.id, ref.size_bytes, None, origin, offset)
        offset += ref.size_bytes


def _compress(chunks: Sequence[Chunk], level: int) -> None:
    """All in one call without the interpreter lock: giving it up and getting it back for each small chunk costs more than the chunk."""
    compressor = _compressor(level)
    if len(chunks) == 1:
        # A copy: what the library gives keeps all the memory of the worst case.
        chunks[0].keep_frame(level, memoryview(compressor.compress(chunks[0].plain or b"")).tobytes())
    elif chunks:
        frames = compressor.multi_compress_to_buffer([chunk.plain or b"" for chunk in chunks], threads=1)
        for number, chunk in enumerate(chunks):
            chunk.keep_frame(level, frames[number].tobytes())


def _compressor(level: int) -> zstandard.ZstdCompressor:
    """One compressor per thread and level: making one costs more than compressing a small chunk."""
    compressors: dict[int, zstandard.ZstdCompressor] | None = getattr(_of_thread, "compressors", None)
    if compressors is None:
        compressors = _of_thread.compressors = {}
    if level not in compressors:
        compressors[level] = zstandard.ZstdCompressor(level=level, write_content_size=True, write_checksum=False, threads=0)
    return compressors[level]

"""The journal of one dataset: what was acknowledged as held and no restic snapshot reaches yet. Truth, for about a minute.

A file of frames, one for each commit; it is written to its end, and removed when all in it is sealed. Form of a frame (little endian):

    magic "\\xf5HJ2" | length of the head (4 bytes) | length of the chunks (8 bytes) | BLAKE2b-32 of these | head | chunks
    | BLAKE2b-128 of all before it

Frames of before, "\\xf5HJ1", have no sum of their own for the lengths; they are read, and written no more. The head is a `Group` in
MessagePack; the chunks follow each other in its order, as they came from the source: one zstd frame each, or plain.

What is no whole frame at the end is told as what it looks like (`Rest`). Frames are only ever added, so a process that ends, and a disk
that keeps its order, leave a beginning of the last one, which was never acknowledged. Its lengths agree with their sum then: where they do
not, they are damaged, and what was acknowledged is not taken for a beginning. One that is as long as it says and does not agree with its
sum is damaged, or lost its power where the disk had the length before the content: nobody can tell those apart.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import msgspec

from holdfast.core.errors import NoSpace, StoreError, is_no_space
from holdfast.core.private_files import make_private_folder, open_to_append, sync_folder
from holdfast.model.decoding import UNREADABLE
from holdfast.repository.moment_record import Followed, Record

_MAGIC, _MAGIC_UNSUMMED = b"\xf5HJ2", b"\xf5HJ1"
_ANY_MAGIC = b"\xf5HJ"
_LENGTHS = struct.Struct("<4sIQ")
_LENGTHS_SUM_BYTES, _SUM_BYTES = 4, 16
_START_BYTES = {_MAGIC: _LENGTHS.size + _LENGTHS_SUM_BYTES, _MAGIC_UNSUMMED: _LENGTHS.size}
_LARGEST_HEAD, _LARGEST_CHUNKS = 64 << 20, 1 << 30
FOLDER = "journal"
SUFFIX = ".held"


class ChunkFrame(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A chunk of a group. `is_frame`: stored as one zstd frame; else plain."""

    id: bytes
    size_bytes: int
    stored_bytes: int
    is_frame: bool


class Group(msgspec.Struct, frozen=True, array_like=True):
    """One commit. `is_sealed`: a snapshot of its own reaches it already; only a log does not yet."""

    followed: Followed
    record: Record
    is_sealed: bool
    chunks: tuple[ChunkFrame, ...] = ()


class Placed(NamedTuple):
    """A group in a file; `chunks_at` is where its first chunk begins."""

    group: Group
    chunks_at: int
    end: int


class Rest(Enum):
    """What is behind the last frame that can be read. CUT: the beginning of another. UNREADABLE: anything else."""

    NOTHING = "nothing"
    CUT = "cut"
    UNREADABLE = "unreadable"


class Scan(NamedTuple):
    """What a file holds. `damaged`: offsets of frames that cannot be read though later ones can; `end`: where it goes on being written, and
    where the `rest` begins."""

    groups: tuple[Placed, ...]
    damaged: tuple[int, ...]
    end: int
    rest: Rest = Rest.NOTHING

    @property
    def lacks_some(self) -> bool:
        """Whether something that was acknowledged may be missing in it."""
        return bool(self.damaged) or self.rest is Rest.UNREADABLE


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Group).decode


def frame_of(group: Group, payloads: Sequence[bytes]) -> bytes:
    head = _encode(group)
    lengths = _LENGTHS.pack(_MAGIC, len(head), sum(map(len, payloads)))
    body = b"".join((lengths, _sum_of_lengths(lengths), head, *payloads))
    return body + blake2b(body, digest_size=_SUM_BYTES).digest()


def _sum_of_lengths(lengths: bytes) -> bytes:
    return blake2b(lengths, digest_size=_LENGTHS_SUM_BYTES).digest()


def scan(data: bytes | mmap.mmap) -> Scan:
    """Never raises: what is no frame is passed over."""
    groups: list[Placed] = []
    damaged: list[int] = []
    position = end = 0
    while position < len(data):
        found = _frame_at(data, position)
        if found is not None:
            groups.append(found)
            position = end = found.end
            continue
        behind = data.find(_ANY_MAGIC, position + 1)
        while behind >= 0 and _frame_at(data, behind) is None:
            behind = data.find(_ANY_MAGIC, behind + 1)
        if behind < 0:
            break
        damaged.append(position)
        position = behind
    return Scan(tuple(groups), tuple(damaged), end, _rest_at(data, end))


def _rest_at(data: bytes | mmap.mmap, offset: int) -> Rest:
    start = data[offset : offset + max(_START_BYTES.values())]
    if not start:
        return Rest.NOTHING
    for magic, start_bytes in _START_BYTES.items():
        if len(start) < start_bytes and magic.startswith(start[: len(magic)]):
            return Rest.CUT
    span = _span_at(data, offset)
    return Rest.CUT if span is not None and span.end + _SUM_BYTES > len(data) else Rest.UNREADABLE


class _Span(NamedTuple):
    """Where the parts of a frame lie."""

    head_at: int
    chunks_at: int
    end: int


def _span_at(data: bytes | mmap.mmap, offset: int) -> _Span | None:
    """As its beginning says; None where there is no whole one, or it is damaged."""
    start = data[offset : offset + max(_START_BYTES.values())]
    if len(start) < _LENGTHS.size:
        return None
    magic, head_bytes, chunk_bytes = _LENGTHS.unpack_from(start)
    if magic not in _START_BYTES or head_bytes > _LARGEST_HEAD or chunk_bytes > _LARGEST_CHUNKS:
        return None
    if magic == _MAGIC and start[_LENGTHS.size :] != _sum_of_lengths(start[: _LENGTHS.size]):
        return None
    head_at = offset + _START_BYTES[magic]
    return _Span(head_at, head_at + head_bytes, head_at + head_bytes + chunk_bytes)


def _frame_at(data: bytes | mmap.mmap, offset: int) -> Placed | None:
    span = _span_at(data, offset)
    if span is None or span.end + _SUM_BYTES > len(data):
        return None
    with memoryview(data) as view:
        digest = blake2b(view[offset : span.end], digest_size=_SUM_BYTES).digest()
    if digest != data[span.end : span.end + _SUM_BYTES]:
        return None
    try:
        group = _decode(data[span.head_at : span.chunks_at])
    except UNREADABLE:
        return None
    return Placed(group, span.chunks_at, span.end + _SUM_BYTES)


class Appended(NamedTuple):
    """Where a group begins in which file, and where its chunks do."""

    file: JournalFile
    begins_at: int
    chunks_at: int

    def take_back(self) -> None:
        self.file.take_back(self.begins_at)


class JournalFile:
    """One file, written to its end. Not thread-safe. Raises `NoSpace`, `StoreError`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self._reader = -1
        self.size_bytes = 0
        # Once it could not be made durable nobody knows what it holds, so nothing more is trusted to it.
        self.is_broken = False

    def recover(self) -> Scan:
        """What an earlier life left in it; what cannot be read at its end is removed. To be called before anything else."""
        with self.path.open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                return Scan((), (), 0)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                found = scan(data)
                cut = found.end < len(data)
        self._open()
        if cut:
            os.ftruncate(self._descriptor, found.end)
            os.fsync(self._descriptor)
        self.size_bytes = found.end
        return found

    def append(self, group: Group, payloads: Sequence[bytes]) -> Appended:
        """Durable when it returns. If it raises, nothing was added."""
        frame = frame_of(group, payloads)
        before = self.size_bytes
        try:
            self._open()
            left = memoryview(frame)
            while left:
                left = left[os.write(self._descriptor, left) :]
            try:
                os.fdatasync(self._descriptor)
            except OSError:
                self.is_broken = True
                raise
        except OSError as error:
            self.take_back(before)
            raise _translated(error) from error
        self.size_bytes = before + len(frame)
        return Appended(self, before, self.size_bytes - _SUM_BYTES - sum(map(len, payloads)))

    def take_back(self, size_bytes: int) -> None:
        """Remove what was added behind this length. Never raises."""
        if self._descriptor < 0:
            return
        try:
            os.ftruncate(self._descriptor, size_bytes)
            self.size_bytes = size_bytes
        except OSError:
            self.is_broken = True

    def read(self, offset: int, size_bytes: int) -> bytes:
        try:
            if self._reader < 0:
                self._reader = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            data = os.pread(self._reader, size_bytes, offset)
        except OSError as error:
            raise _translated(error) from error
        if len(data) != size_bytes:
            raise StoreError(f"the journal {self.path.name} ends too early", hint="the source sends again what is missing")
        return data

    def remove(self) -> None:
        """All in it is sealed. Raises `StoreError`."""
        self.close()
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise _translated(error) from error
        self.size_bytes = 0

    def close(self) -> None:
        for descriptor in (self._descriptor, self._reader):
            if descriptor >= 0:
                with suppress(OSError):
                    os.close(descriptor)
        self._descriptor = self._reader = -1

    def _open(self) -> None:
        if self._descriptor < 0:
            is_new = not self.path.exists()
            make_private_folder(self.path.parent)
            self._descriptor = open_to_append(self.path)
            if is_new:
                sync_folder(self.path.parent)
                sync_folder(self.path.parent.parent)


def _translated(error: OSError) -> StoreError:
    if is_no_space(error):
        return NoSpace("the journal's disk is full", hint="make room where HOME lies")
    return StoreError(f"the journal fails: {error}", hint="see the disk where HOME lies")

"""A ring of shared memory for chunk bytes on their way from one process to another of the same machine.

One side writes, the other reads; regions are freed in the order they were written. An eventfd counts freed bytes back to the writer:
adding is what it does natively, so there is no message, no lock and no torn counter. The memory is a sealed memfd, so neither side can
be made to fault by the other shrinking it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.core.errors import ProtocolError
from holdfast.model.change import Payload

ARENA_BYTES = 16 * 1024 * 1024
_LENGTH = struct.Struct("<I")
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW


@dataclass(frozen=True)
class Region:
    """`offset` of the first byte; `span` = bytes to give back (with those skipped at the end of the ring)."""

    offset: int
    span: int


class Arena:
    """Either end of the ring. Not thread-safe: the writer is one thread, the reader another process's one thread."""

    def __init__(self, memory_fd: int, freed_fd: int) -> None:
        """Takes over both descriptors. Raises `ProtocolError` when they are not what `create` makes."""
        self._memory_fd, self.freed_fd = memory_fd, freed_fd
        if fcntl.fcntl(memory_fd, fcntl.F_GET_SEALS) & _SEALS != _SEALS:
            raise ProtocolError("the shared memory is not sealed")
        self.size_bytes = os.fstat(memory_fd).st_size
        self._memory = mmap.mmap(memory_fd, self.size_bytes)
        self._head = 0
        self._free = self.size_bytes

    @classmethod
    def create(cls, size_bytes: int = ARENA_BYTES) -> Arena:
        memory_fd = os.memfd_create("holdfast-arena", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(memory_fd, size_bytes)
        fcntl.fcntl(memory_fd, fcntl.F_ADD_SEALS, _SEALS)
        return cls(memory_fd, os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))

    @property
    def descriptors(self) -> tuple[int, int]:
        return self._memory_fd, self.freed_fd

    def fits(self, size_bytes: int) -> bool:
        """Whether a region of this size can ever be had. Half the ring, so that a skip at its end cannot need more than there is."""
        return 0 < size_bytes <= self.size_bytes // 2

    def place(self, pieces: Sequence[bytes], size_bytes: int) -> Region | None:
        """Copy the pieces into one region, or None while there is no room: wait until `freed_fd` is readable, then try again."""
        skipped = self.size_bytes - self._head if self._head + size_bytes > self.size_bytes else 0
        span = size_bytes + skipped
        if self._free < span:
            self._collect()
            if self._free < span:
                return None
        offset = 0 if skipped else self._head
        at = offset
        for piece in pieces:
            self._memory[at : at + len(piece)] = piece
            at += len(piece)
        self._head = at % self.size_bytes
        self._free -= span
        return Region(offset, span)

    def take(self, region: Region, lengths: Sequence[int]) -> list[bytes]:
        """Copy the pieces out and give the region back."""
        if region.span < sum(lengths) or region.offset + sum(lengths) > self.size_bytes or region.span > self.size_bytes:
            raise ProtocolError("a region outside the shared memory")
        pieces, at = [], region.offset
        for length in lengths:
            pieces.append(self._memory[at : at + length])
            at += length
        os.eventfd_write(self.freed_fd, region.span)
        return pieces

    def fill(self, marked: Sequence[Payload], region: Region) -> tuple[Payload, ...]:
        """What `marked_of` was made of, its bytes copied out of the region, which is given back."""
        if any(len(payload.data) != _LENGTH.size for payload in marked):
            raise ProtocolError("a region that belongs to no chunks")
        pieces = self.take(region, [_LENGTH.unpack(payload.data)[0] for payload in marked])
        return tuple([Payload(p.id, p.size_bytes, p.compressed, piece) for p, piece in zip(marked, pieces, strict=True)])

    def close(self) -> None:
        self._memory.close()
        for descriptor in (self._memory_fd, self.freed_fd):
            os.close(descriptor)

    def _collect(self) -> None:
        try:
            self._free += os.eventfd_read(self.freed_fd)
        except BlockingIOError:
            return


def marked_of(payloads: Sequence[Payload]) -> tuple[Payload, ...]:
    """With each one's length in place of its bytes: what is sent beside the region that holds these."""
    return tuple([Payload(p.id, p.size_bytes, p.compressed, _LENGTH.pack(len(p.data))) for p in payloads])

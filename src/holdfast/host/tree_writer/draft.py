"""A file on its way: written at offsets, with holes, under a temporary name."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache

from holdfast.host.tree_writer.faults import store_error
from holdfast.model.entry import Entry, Hole

_KEEP_SIZE_AND_PUNCH = 0x01 | 0x02
_WINDOW = 1 << 20
# ioctl_ficlone(2)
_FICLONE = 0x40049409
_NOT_CLONED = frozenset({errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.EPERM, errno.ENOSYS})


def data_ranges(start: int, end: int, holes: Sequence[Hole]) -> Iterator[tuple[int, int, bool]]:
    """Cuts `start..end` at the (sorted, disjoint) holes: `(from, to, is_hole)`, in order, without gaps."""
    at = start
    index = max(0, bisect_right(holes, start, key=_offset_of) - 1)
    while at < end and index < len(holes):
        hole = holes[index]
        index += 1
        if hole.offset >= end:
            break
        hole_end = min(end, hole.offset + hole.size_bytes)
        if hole_end <= at:
            continue
        if hole.offset > at:
            yield at, hole.offset, False
            at = hole.offset
        yield at, hole_end, True
        at = hole_end
    if at < end:
        yield at, end, False


def _offset_of(hole: Hole) -> int:
    return hole.offset


class Draft:
    """Open for reading and writing. `path` is where it will be, relative to `root`, the writer's; `name` its name until then.

    `size_bytes` is what it has so far, -1 where that is not known. Errors of the disk come as `NoSpace` or `StoreError`.
    """

    def __init__(self, fd: int, root: bytes, path: bytes, name: bytes, in_temp: bool, size_bytes: int = 0) -> None:
        self.fd = fd
        self.size_bytes = size_bytes
        self.path = path
        self._root = root
        self.name = name
        self.in_temp = in_temp

    def clone(self, fd: int) -> bool:
        """Takes over another file's whole content without copying it, where the file system can (FICLONE); whether it could."""
        try:
            fcntl.ioctl(self.fd, _FICLONE, fd)
        except OSError as error:
            if error.errno in _NOT_CLONED:
                return False
            raise store_error(error, self.path, self._root) from error
        self.size_bytes = os.fstat(self.fd).st_size
        return True

    def write(self, offset: int, data: bytes) -> None:
        end = offset + len(data)
        try:
            while data:
                count = os.pwrite(self.fd, data, offset)
                offset += count
                data = data[count:]
        except OSError as error:
            raise store_error(error, self.path, self._root) from error
        if 0 <= self.size_bytes < end:
            self.size_bytes = end

    def write_around(self, offset: int, data: bytes, holes: Sequence[Hole]) -> None:
        """As `write`, leaving the holes unwritten. What should be a hole and is not zeros is written: content comes first."""
        if not holes:
            self.write(offset, data)
            return
        for start, end, is_hole in data_ranges(offset, offset + len(data), holes):
            piece = data[start - offset : end - offset]
            if not is_hole or not is_zeros(piece):
                self.write(start, piece)

    def write_sparse(self, offset: int, data: bytes) -> None:
        """As `write`, but all zeros are left unwritten and read as zeros all the same. The range must not have been written before."""
        if not is_zeros(data):
            self.write(offset, data)
        elif os.fstat(self.fd).st_size < offset + len(data):
            self.set_size(offset + len(data))

    def punch(self, holes: Sequence[Hole]) -> None:
        """Give back the blocks of these ranges where they hold zeros; a file system that cannot is left alone."""
        for hole in holes:
            end = hole.offset + hole.size_bytes
            for start in range(hole.offset, end, _WINDOW):
                window = Hole(start, min(_WINDOW, end - start))
                if is_zeros(self.read(start, window.size_bytes)) and _punch(self.fd, window) == errno.EOPNOTSUPP:
                    return

    def set_size(self, size_bytes: int) -> None:
        try:
            os.ftruncate(self.fd, size_bytes)
        except OSError as error:
            raise store_error(error, self.path, self._root) from error
        self.size_bytes = size_bytes

    def read(self, offset: int, size_bytes: int) -> bytes:
        return os.pread(self.fd, size_bytes, offset)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def write_pieces(fd: int, pieces: Sequence[bytes]) -> None:
    """All of them from where the file stands. Raises `OSError`."""
    for piece in pieces:
        written = os.write(fd, piece)
        while written < len(piece):
            written += os.write(fd, memoryview(piece)[written:])


def write_sparse_pieces(draft: Draft, pieces: Sequence[bytes], entry: Entry) -> None:
    """All of them from the beginning, around the entry's holes; the file gets its size."""
    offset = 0
    for piece in pieces:
        draft.write_around(offset, piece, entry.holes)
        offset += len(piece)
    if draft.size_bytes != entry.size_bytes:
        draft.set_size(entry.size_bytes)


def is_zeros(data: bytes) -> bool:
    return data == bytes(len(data))


@lru_cache(maxsize=1)
def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _punch(fd: int, hole: Hole) -> int:
    result = libc().fallocate(fd, _KEEP_SIZE_AND_PUNCH, ctypes.c_int64(hole.offset), ctypes.c_int64(hole.size_bytes))
    return ctypes.get_errno() if result else 0

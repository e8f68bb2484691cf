"""The system calls of `bench.placeholder`: permission events of fanotify(7), holes, and btrfs extents that are written as they are.

Numbers are from linux/fanotify.h, linux/falloc.h and linux/btrfs.h.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from contextlib import suppress
from pathlib import Path
from types import TracebackType

OPEN_PERM, PRE_ACCESS = 0x10000, 0x100000
_CLASS_PRE_CONTENT, _UNLIMITED_QUEUE, _MARK_ADD = 0x8, 0x10, 0x1
_ALLOW, _DENY, _ERRNO_SHIFT = 1, 2, 24
_KEEP_SIZE_AND_PUNCH_HOLE = 0x3
_EVENT = struct.Struct("=IBBHQii")
_AT_FDCWD = -100

_ENCODED_WRITE = 1 << 30 | 128 << 16 | 0x94 << 8 | 64
_ENCODED_ARGUMENTS = struct.Struct("=QQqQQQQII64x")
_COMPRESSION_ZSTD = 2
_EXTENT_BYTES = 128 << 10
_NO_FRAME = b"\xff" * 4096  # a zstd frame begins with 28 b5 2f fd

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fanotify_mark.argtypes = (ctypes.c_int, ctypes.c_uint, ctypes.c_uint64, ctypes.c_int, ctypes.c_char_p)
_libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


class Group:
    """Who is asked before others may open or read; whoever has a copy of it may answer. With the last copy the marks go, and what waited
    for an answer is allowed."""

    def __init__(self) -> None:
        self._descriptor = _checked(_libc.fanotify_init(_CLASS_PRE_CONTENT | _UNLIMITED_QUEUE, os.O_RDWR | os.O_CLOEXEC))

    def __enter__(self) -> Group:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def mark(self, path: Path, mask: int) -> None:
        if mask:
            _checked(_libc.fanotify_mark(self._descriptor, _MARK_ADD, mask, _AT_FDCWD, os.fsencode(path)))

    def events(self) -> list[int]:
        """A descriptor of what somebody waits for, for each. Waits."""
        data, found = os.read(self._descriptor, 1 << 16), []
        while data:
            length, _, _, _, _, descriptor, _ = _EVENT.unpack_from(data)
            found.append(descriptor)
            data = data[length:]
        return found

    def allow(self, event: int) -> None:
        os.write(self._descriptor, struct.pack("=iI", event, _ALLOW))
        os.close(event)

    def deny(self, event: int) -> None:
        """With an input/output error. Of what nobody waits for: nothing."""
        with suppress(FileNotFoundError):
            os.write(self._descriptor, struct.pack("=iI", event, _DENY | errno.EIO << _ERRNO_SHIFT))

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def drain(descriptor: int) -> None:
    """One hole from beginning to end."""
    _checked(_libc.fallocate(descriptor, _KEEP_SIZE_AND_PUNCH_HOLE, 0, os.fstat(descriptor).st_size))


def undecodable(descriptor: int) -> None:
    """In place of its content as many bytes as it has, marked as compressed, that no decompressor takes: 4 KiB for each 128 KiB."""
    size = os.fstat(descriptor).st_size
    os.ftruncate(descriptor, 0)
    data = ctypes.create_string_buffer(_NO_FRAME, len(_NO_FRAME))
    vector = ctypes.create_string_buffer(struct.pack("=QQ", ctypes.addressof(data), len(_NO_FRAME)))
    for offset in range(0, size, _EXTENT_BYTES):
        length = min(_EXTENT_BYTES, size - offset)
        values = (ctypes.addressof(vector), 1, offset, 0, length, length, 0, _COMPRESSION_ZSTD, 0)
        fcntl.ioctl(descriptor, _ENCODED_WRITE, bytearray(_ENCODED_ARGUMENTS.pack(*values)))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result

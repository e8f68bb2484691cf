"""The system calls that Python has no function for: fanotify(7), inotify(7), open_by_handle_at(2). Nothing but the calls.

Numbers are from linux/fanotify.h, linux/inotify.h and linux/fcntl.h; they are the same on all architectures.
"""

from __future__ import annotations

import array
import ctypes
import fcntl
import os
import struct
import termios
from functools import cache

FAN_CLOEXEC, FAN_NONBLOCK, FAN_UNLIMITED_QUEUE = 0x1, 0x2, 0x10
FAN_REPORT_DFID_NAME_TARGET = 0x200 | 0x400 | 0x800 | 0x1000
FAN_MARK_ADD, FAN_MARK_FILESYSTEM = 0x1, 0x100
FAN_MODIFY, FAN_ATTRIB, FAN_CLOSE_WRITE = 0x2, 0x4, 0x8
FAN_CREATE, FAN_DELETE = 0x100, 0x200
FAN_Q_OVERFLOW, FAN_RENAME, FAN_ONDIR = 0x4000, 0x10000000, 0x40000000

IN_CLOEXEC, IN_NONBLOCK = 0x80000, 0x800
IN_MODIFY, IN_ATTRIB, IN_CLOSE_WRITE = 0x2, 0x4, 0x8
IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE, IN_DELETE_SELF, IN_MOVE_SELF = 0x40, 0x80, 0x100, 0x200, 0x400, 0x800
IN_UNMOUNT, IN_Q_OVERFLOW, IN_IGNORED = 0x2000, 0x4000, 0x8000
IN_ONLYDIR, IN_DONT_FOLLOW, IN_EXCL_UNLINK, IN_ISDIR = 0x1000000, 0x2000000, 0x4000000, 0x40000000

_AT_FDCWD = -100
_HANDLE_BYTES = 128  # MAX_HANDLE_SZ
_HANDLE_HEAD = struct.Struct("=Ii")

Handle = bytes
"""A `struct file_handle` as the kernel gives and takes it: length, kind, bytes. It names an inode for as long as it lives."""


@cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fanotify_init.argtypes = (ctypes.c_uint, ctypes.c_uint)
    libc.fanotify_mark.argtypes = (ctypes.c_int, ctypes.c_uint, ctypes.c_uint64, ctypes.c_int, ctypes.c_char_p)
    libc.inotify_add_watch.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)
    libc.open_by_handle_at.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int)
    libc.name_to_handle_at.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
    return libc


def fanotify_init(flags: int) -> int:
    """A descriptor. Raises `OSError`."""
    return _checked(_libc().fanotify_init(flags, os.O_RDONLY | os.O_CLOEXEC))


def fanotify_mark(descriptor: int, flags: int, mask: int, path: bytes) -> None:
    """Raises `OSError`."""
    _checked(_libc().fanotify_mark(descriptor, flags, mask, _AT_FDCWD, path))


def inotify_init() -> int:
    """A descriptor. Raises `OSError`."""
    return _checked(_libc().inotify_init1(IN_CLOEXEC | IN_NONBLOCK))


def inotify_add_watch(descriptor: int, path: bytes, mask: int) -> int:
    """The number of the watch: the same for the same inode. Raises `OSError`."""
    return _checked(_libc().inotify_add_watch(descriptor, path, mask))


def inotify_rm_watch(descriptor: int, watch: int) -> None:
    """Of a watch that is gone already this is nothing."""
    _libc().inotify_rm_watch(descriptor, watch)


def open_by_handle(mount: int, handle: Handle) -> int:
    """A descriptor of the inode that may only be looked at. `mount`: a descriptor of anything on its file system. Raises `OSError`."""
    return _checked(_libc().open_by_handle_at(mount, handle, os.O_PATH | os.O_CLOEXEC))


def handle_of(folder: int, name: bytes) -> Handle:
    """The handle of what is called so in an open folder; links are not followed. Raises `OSError`."""
    room = ctypes.create_string_buffer(_HANDLE_HEAD.pack(_HANDLE_BYTES, 0) + bytes(_HANDLE_BYTES))
    mount_id = ctypes.c_int()
    _checked(_libc().name_to_handle_at(folder, name, room, ctypes.byref(mount_id), 0))
    size = _HANDLE_HEAD.unpack_from(room)[0]
    return room.raw[: _HANDLE_HEAD.size + size]


def queued(descriptor: int) -> int:
    """How much is waiting to be read, as the descriptor counts it (FIONREAD)."""
    room = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, room)
    return room[0]


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result

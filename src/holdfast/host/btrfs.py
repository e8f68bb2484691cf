"""Subvolumes and snapshots of btrfs, by its ioctls: nothing has to be installed for it.

Source of numbers and structures: `linux/btrfs.h`, https://docs.kernel.org/filesystems/btrfs.html.
"""

from __future__ import annotations

import fcntl
import os
import struct
from contextlib import suppress

# The inode of the root of every subvolume, and of the empty folder that a snapshot shows where another subvolume lies.
ROOT_INODE = 256
EMPTY_INODE = 2

_SUBVOL_GETFLAGS = 0x80089419
_SNAP_CREATE_V2 = 0x50009417
_SNAP_DESTROY = 0x5000940F
_READ_ONLY = 2
# struct btrfs_ioctl_vol_args_v2: descriptor, transaction, flags, 32 bytes unused, name; struct btrfs_ioctl_vol_args: descriptor, name.
_CREATE_ARGUMENTS = struct.Struct("<qQQ32x4040s")
_DESTROY_ARGUMENTS = struct.Struct("<q4088s")


def subvolume_of(path: bytes) -> bytes | None:
    """The root of the subvolume that holds this path, or the path itself. None where it is on no btrfs, is not there, or of its subvolume
    only a part is mounted."""
    try:
        status = os.lstat(path)
        device = status.st_dev
        while status.st_ino != ROOT_INODE:
            if path == b"/":
                return None
            path = os.path.dirname(path)
            status = os.lstat(path)
            if status.st_dev != device:
                return None
        return path if _is_subvolume(path) else None
    except OSError:
        return None


def create_snapshot(subvolume: bytes, folder: bytes, name: bytes) -> None:
    """A read-only snapshot as `folder/name`, on the file system of the subvolume. What was written before the call is in it; of what is
    written during it without `fsync` some is, in any order: files are flushed one after the other.

    Raises `OSError`.
    """
    source = os.open(subvolume, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _in_folder(folder, _SNAP_CREATE_V2, _CREATE_ARGUMENTS.pack(source, 0, _READ_ONLY, name))
    finally:
        os.close(source)


def remove_snapshot(folder: bytes, name: bytes) -> bool:
    """Whether there was one. Raises `OSError` when it cannot be removed, or is no subvolume."""
    if not os.path.lexists(folder + b"/" + name):
        return False
    _in_folder(folder, _SNAP_DESTROY, _DESTROY_ARGUMENTS.pack(0, name))
    return True


def _is_subvolume(path: bytes) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            fcntl.ioctl(descriptor, _SUBVOL_GETFLAGS, bytearray(8))
            return True
        return False
    finally:
        os.close(descriptor)


def _in_folder(folder: bytes, request: int, arguments: bytes) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, request, bytearray(arguments))
    finally:
        os.close(descriptor)

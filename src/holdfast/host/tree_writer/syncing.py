"""Making little durable without waiting for all that any program has written on the same disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection

from holdfast.host.tree_writer.draft import libc
from holdfast.host.tree_writer.faults import Typed
from holdfast.host.tree_writer.writer import TreeWriter

# From here on one syncfs is cheaper than each for itself.
_MOST_PATHS = 64
_NOTHING_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO})


def sync_paths(writer: TreeWriter, paths: Collection[bytes]) -> None:
    """Returns when these files and folders, relative to the writer's root, are on disk: of a folder the names in it and its metadata.

    Links, FIFOs and devices are on disk with their folder. What is not there any more is passed over. Many paths, and what its reader
    may not open, are left to `TreeWriter.sync`. Raises `NoSpace` or `StoreError`.
    """
    if len(paths) > _MOST_PATHS or not all(_is_synced(writer, path) for path in paths):
        writer.sync()


def start_syncing(folder: bytes) -> None:
    """Has the disk write all that was written on the folder's file system, and returns when it has or could not: nobody may rely on it.

    By a descriptor of its own, so that an error is told again to whoever relies on his.
    """
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        libc().syncfs(fd)
    finally:
        os.close(fd)


def _is_synced(writer: TreeWriter, path: bytes) -> bool:
    """False where this user may not open it."""
    with Typed(path, writer.root):
        try:
            fd = writer.open_file(path)
        except PermissionError:
            return False
        except OSError as error:
            if error.errno in _NOTHING_THERE:
                return True
            raise
        try:
            os.fsync(fd)
        except OSError as error:
            # Something that is neither file nor folder has come there.
            if error.errno != errno.EINVAL:
                raise
        finally:
            os.close(fd)
    return True

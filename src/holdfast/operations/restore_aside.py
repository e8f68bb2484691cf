"""Keeping what a restore replaces: the very file, linked or moved into a side folder on its own file system (`restore_attempt`)."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress

from holdfast.core.errors import NoSpace, OutsideLimits, StoreError
from holdfast.host.tree_writer import TreeWriter
from holdfast.operations.restore_attempt import Attempt, append, noted

# The file system has no further names, or not for this file: then its only name is moved.
_NO_LINK = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EACCES, errno.ENOSYS})
# Another folder, nearer to the file, may do.
_NOT_HERE = frozenset({errno.EXDEV, errno.EPERM, errno.EACCES, errno.EROFS})


class Aside:
    """Where one attempt keeps what it replaces. `check_write` raises `OutsideLimits`. Not thread-safe."""

    def __init__(self, writer: TreeWriter, attempt: Attempt, check_write: Callable[[bytes], None]) -> None:
        self._writer = writer
        self._attempt = attempt
        self._check_write = check_write
        self._noted = set(noted(attempt.folder / "sides"))
        self._sides: dict[bytes, bytes] = {}
        self._made: set[bytes] = set()

    def keep(self, at: bytes) -> None:
        """What stands at `at` has a name in a side folder when this returns; a folder, which can have one only, has moved there.

        Nothing there is fine. Raises `StoreError` or `NoSpace` when it cannot be kept; then it must not be replaced.
        """
        found = self._writer.stat(at)
        if found is None:
            return
        parent = at.rpartition(b"/")[0]
        refused: StoreError | None = None
        for holder in self._holders(parent):
            try:
                self._keep_in(holder, at, is_folder=stat.S_ISDIR(found.st_mode))
            except NoSpace:
                raise
            except StoreError as error:
                if _errno_of(error) not in _NOT_HERE:
                    raise
                refused = error
                continue
            self._sides[parent] = holder
            return
        raise refused or StoreError("what is there could not be kept", hint="restore without the means to undo it, or to another folder")

    def _holders(self, parent: bytes) -> Iterator[bytes]:
        """Folders that may hold the side folder of what is in `parent`: the highest of the same file system first, `parent` last."""
        if parent in self._sides:
            yield self._sides[parent]
            return
        found = self._writer.stat(parent)
        ways = [parent]
        while ways[-1] and found is not None:
            above = ways[-1].rpartition(b"/")[0]
            status = self._writer.stat(above)
            if status is None or status.st_dev != found.st_dev:
                break
            ways.append(above)
        for way in reversed(ways):
            with suppress(OutsideLimits):
                self._check_write(os.path.join(self._writer.root, way))
                yield way

    def _keep_in(self, holder: bytes, at: bytes, *, is_folder: bool) -> None:
        place = below(holder, self._attempt.side + b"/" + at)
        self._make(holder, place.rpartition(b"/")[0])
        if not is_folder:
            try:
                self._writer.link(at, place)
                return
            except StoreError as error:
                if isinstance(error, NoSpace) or _errno_of(error) not in _NO_LINK:
                    raise
        self._writer.move(at, place)

    def _make(self, holder: bytes, folder: bytes) -> None:
        """The folder in the side folder, what is above it too. Where the side folder comes to lie nothing is to be seen by the times."""
        if folder in self._made:
            return
        if holder not in self._noted:
            append(self._attempt.folder / "sides", holder)
            self._noted.add(holder)
        above = self._writer.stat(holder)
        parts = folder[len(holder) :].strip(b"/").split(b"/")
        for count in range(1, len(parts) + 1):
            made = self._writer.ensure_folder(below(holder, b"/".join(parts[:count])), replace=False)
            if made and count == 1 and above is not None:
                set_times(self._writer, holder, above)
        self._made.add(folder)


def set_times(writer: TreeWriter, at: bytes, status: os.stat_result) -> None:
    """Those of a folder, as they were. It matters little: where it is refused they stay."""
    with suppress(OSError):
        fd = writer.open_file(at)
        try:
            os.utime(fd, ns=(status.st_atime_ns, status.st_mtime_ns))
        finally:
            os.close(fd)


def below(folder: bytes, path: bytes) -> bytes:
    return folder + b"/" + path if folder else path


def _errno_of(error: StoreError) -> int | None:
    return error.__cause__.errno if isinstance(error.__cause__, OSError) else None

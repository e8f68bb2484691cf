"""Open folders below one root, found component by component and never through a symbolic link."""

from __future__ import annotations

import os
from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from holdfast.core.errors import ProtocolError

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ELSEWHERE = frozenset({b".", b".."})
# Passing through needs no right to read.
_WAY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_OPEN = 128


class Folder(NamedTuple):
    """An open folder, lent: do not close it. `device` is its file system's number."""

    fd: int
    device: int


def check_name(name: bytes) -> bytes:
    """The name itself if it names something inside its folder; raises `ProtocolError` otherwise."""
    if not name or name in _ELSEWHERE or b"/" in name or b"\x00" in name:
        raise ProtocolError(f"not a name inside a folder: {name!r}")
    return name


def _open_without_links(path: bytes) -> int:
    """A folder by its absolute, resolved path. Raises `OSError`, ENOTDIR where a link has come into the way since it was resolved."""
    fd = os.open(b"/", _WAY)
    for name in filter(None, path.split(b"/")):
        try:
            below = os.open(check_name(name), _WAY, dir_fd=fd)
        finally:
            os.close(fd)
        fd = below
    try:
        return os.open(b".", _FLAGS, dir_fd=fd)
    finally:
        os.close(fd)


class Folders:
    """Keeps at most `_MOST_OPEN` folders open between operations; the least recently used are closed first (`trim`)."""

    def __init__(self, root: bytes) -> None:
        self._root = self._entry(_open_without_links(root))
        self._open: OrderedDict[bytes, Folder] = OrderedDict()
        # How many open folders are at or below each path: most that is forgotten is a file, and a look at all of them is dear.
        self._leading: Counter[bytes] = Counter()

    @property
    def root(self) -> Folder:
        return self._root

    def open(self, relative: bytes) -> Folder:
        """Raises `OSError`: ENOENT, or ENOTDIR where a component is no folder or is a symbolic link."""
        if not relative:
            return self._root
        found = self._open.get(relative)
        if found is not None:
            self._open.move_to_end(relative)
            return found
        return self._walk(relative)

    def _walk(self, relative: bytes) -> Folder:
        known, names = relative, list[bytes]()
        while known and known not in self._open:
            known, _, name = known.rpartition(b"/")
            names.append(check_name(name))
        folder = self._open[known] if known else self._root
        for name in reversed(names):
            known = known + b"/" + name if known else name
            folder = self._entry(os.open(name, _FLAGS, dir_fd=folder.fd))
            self._open[known] = folder
            for way in _ways(known):
                self._leading[way] += 1
        return folder

    def trim(self) -> None:
        """Called between operations only, so that no folder is closed under one."""
        while len(self._open) > _MOST_OPEN:
            self._close(next(iter(self._open)))

    def forget(self, relative: bytes) -> None:
        """What stands at `relative` and below is another now."""
        if not self._leading[relative]:
            return
        below = relative + b"/"
        for path in [path for path in self._open if path == relative or path.startswith(below)]:
            self._close(path)

    def forget_all(self) -> None:
        """But the root."""
        for folder in self._open.values():
            os.close(folder.fd)
        self._open.clear()
        self._leading.clear()

    def is_in_place(self, path: bytes) -> bool:
        """Whether the root is what stands at this path, no link on the way to it. Raises `OSError`."""
        try:
            fd = _open_without_links(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        try:
            return os.path.samestat(os.fstat(fd), os.fstat(self._root.fd))
        finally:
            os.close(fd)

    def close(self) -> None:
        self.forget_all()
        os.close(self._root.fd)

    def _close(self, path: bytes) -> None:
        os.close(self._open.pop(path).fd)
        for way in _ways(path):
            self._leading[way] -= 1
            if not self._leading[way]:
                del self._leading[way]

    @staticmethod
    def _entry(fd: int) -> Folder:
        try:
            return Folder(fd, os.fstat(fd).st_dev)
        except OSError:
            os.close(fd)
            raise


def _ways(path: bytes) -> Iterator[bytes]:
    """The path and all folders above it, but the root."""
    while path:
        yield path
        path = path.rpartition(b"/")[0]

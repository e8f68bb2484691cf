"""Folders opened on the way down from a root, through no symbolic link: whoever may write there cannot lead us elsewhere."""

from __future__ import annotations

import os

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class OpenFolder:
    """The folder of a path below a root; `descriptor` and `name` are how the path is reached. Raises `OSError`."""

    def __init__(self, root: bytes, path: bytes) -> None:
        self.folder = path[: path.rfind(b"/")] or b"/"
        if path == root:
            self.descriptor = os.open(os.path.realpath(self.folder), _FOLDER)
            return
        # The way to the root is the administrator's; from there on it is anybody's.
        self.descriptor = os.open(os.path.realpath(root), _FOLDER)
        inner = self.folder[len(root.rstrip(b"/")) :]
        for name in inner.split(b"/"):
            if name:
                self._descend(name)

    def _descend(self, name: bytes) -> None:
        above = self.descriptor
        try:
            self.descriptor = os.open(name, _FOLDER, dir_fd=above)
        finally:
            os.close(above)

    def sync(self) -> None:
        os.fsync(self.descriptor)

    def close(self) -> None:
        os.close(self.descriptor)

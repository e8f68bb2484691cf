"""Removing a name, or a folder with everything below it, without ever leaving it."""

from __future__ import annotations

import os
import stat

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OWNER_ALL = 0o700


def remove_tree(folder_fd: int, name: bytes) -> None:
    """Removes `name` in the open folder, whatever it is. Absent is fine. Links are removed, never followed. Raises `OSError`."""
    try:
        if not stat.S_ISDIR(os.stat(name, dir_fd=folder_fd, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=folder_fd)
            return
    except FileNotFoundError:
        return
    stack = [_Level(folder_fd, name)]
    try:
        while stack:
            level = stack[-1]
            if level.folders:
                stack.append(_Level(level.fd, level.folders.pop()))
            else:
                os.close(stack.pop().fd)
                os.rmdir(level.name, dir_fd=level.above)
    finally:
        for level in stack:
            os.close(level.fd)


class _Level:
    """One folder on the way down, emptied of all that is no folder. `folders` are those still inside."""

    def __init__(self, above: int, name: bytes) -> None:
        self.above, self.name = above, name
        self.fd = _open(above, name)
        self.folders: list[bytes] = []
        try:
            with os.scandir(self.fd) as listing:
                items = [(os.fsencode(item.name), item.is_dir(follow_symlinks=False)) for item in listing]
            for inner, is_folder in items:
                if is_folder:
                    self.folders.append(inner)
                else:
                    os.unlink(inner, dir_fd=self.fd)
        except BaseException:
            os.close(self.fd)
            raise


def _open(folder_fd: int, name: bytes) -> int:
    try:
        fd = os.open(name, _FLAGS, dir_fd=folder_fd)
    except PermissionError:
        make_accessible(folder_fd, name)
        fd = os.open(name, _FLAGS, dir_fd=folder_fd)
    if os.fstat(fd).st_mode & _OWNER_ALL != _OWNER_ALL and os.geteuid() != 0:
        os.fchmod(fd, _OWNER_ALL)
    return fd


def make_accessible(folder_fd: int, name: bytes) -> None:
    """Gives the owner (who is not root) all rights on a folder that has to be written to."""
    fd = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder_fd)
    try:
        os.chmod(b"/proc/self/fd/%d" % fd, _OWNER_ALL)
    finally:
        os.close(fd)


def make_movable(folder_fd: int, name: bytes) -> None:
    """A folder that goes to another one is written to itself, because its `..` changes: its owner (who is not root) needs the right."""
    found = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
    if stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o200:
        make_accessible(folder_fd, name)

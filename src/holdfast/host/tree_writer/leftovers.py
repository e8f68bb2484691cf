"""Temporary names, and clearing away those that a process which was killed left in a folder.

A name says which process made it, and the file is locked (flock) as long as it is written. So only a file is removed whose maker is gone
and which nobody holds: the process number alone could be another's by now, in a container even our own.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat

from holdfast.host.processes import is_alive

PREFIX = b".holdfast-tmp-"
_NAME = re.compile(re.escape(PREFIX) + rb"(\d{1,10})-\d+")
_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def temp_prefix() -> bytes:
    """What temporary names of this process begin with; a number comes behind it."""
    return b"%b%d-" % (PREFIX, os.getpid())


def claim(fd: int) -> None:
    """Marks a file as being written, until it is closed. A file system without locks goes without."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return


def leftovers(folder_fd: int) -> list[bytes]:
    """Names in the open folder that a process which is gone has left. Raises `OSError`."""
    found = []
    for text in os.listdir(folder_fd):
        name = os.fsencode(text)
        match = _NAME.fullmatch(name)
        if match is not None and _is_abandoned(folder_fd, name, int(match[1])):
            found.append(name)
    return found


def _is_abandoned(folder_fd: int, name: bytes, maker: int) -> bool:
    if maker != os.getpid() and is_alive(maker):
        return False
    try:
        if not stat.S_ISREG(os.stat(name, dir_fd=folder_fd, follow_symlinks=False).st_mode):
            # Links and devices have their temporary name for an instant only.
            return maker != os.getpid()
        fd = os.open(name, _LOOK, dir_fd=folder_fd)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True

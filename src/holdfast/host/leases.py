"""Write leases (fcntl(2), F_SETLEASE): the kernel's word that nobody else has a file open, mappings included, for as long as it is held.

Who opens the file meanwhile waits until the lease is given back, or the kernel takes it (/proc/sys/fs/lease-break-time, 45 s).
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal

_NOT_HERE = frozenset((errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EPERM))


class InUse(Exception):
    """Another process has the file open."""


class WriteLease:
    """Over a regular file opened for reading. `is_held` False from the moment on that somebody waits for it, or where there are none."""

    def __init__(self, descriptor: int) -> None:
        """Raises `InUse`, and `OSError` other than that leases cannot be had here; then `is_supported` is False."""
        self._descriptor = descriptor
        self.is_supported = True
        try:
            # Somebody who waits is told by F_GETLEASE; the signal must not be SIGIO, which ends the process.
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        except BlockingIOError as error:
            raise InUse(os.strerror(errno.EAGAIN)) from error
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
            self.is_supported = False

    @property
    def is_held(self) -> bool:
        return self.is_supported and fcntl.fcntl(self._descriptor, fcntl.F_GETLEASE) == fcntl.F_WRLCK

    def give_back(self) -> None:
        if self.is_supported:
            fcntl.fcntl(self._descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)

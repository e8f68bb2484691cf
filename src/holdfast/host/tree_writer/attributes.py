"""Owner, mode, extended attributes, ACLs and times of what was written; what cannot be set becomes a finding, not a failure.

Order: owner first (it clears setuid and capabilities), then attributes and ACLs, then the mode (which includes the ACL's mask), then times.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from holdfast.model.entry import Entry, Kind, Xattr, display_path
from holdfast.model.jobs import Finding, Severity

Report = Callable[[Finding], None]
_REFUSED = frozenset({errno.EPERM, errno.EACCES, errno.EINVAL, errno.EOPNOTSUPP, errno.ERANGE, errno.E2BIG, errno.ENODATA})
# Labels the machine's own security modules put on every file; they cannot be taken off. Absent in the source: as the machine likes.
_MACHINE_LABELS = frozenset({b"security.selinux", b"security.ima", b"security.evm", b"security.apparmor"})
_SETUID_SETGID = 0o6000


class Attributes:
    """Applies an entry's metadata. `report` gets at most one finding about ownership, and one for each path with refused attributes."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._ownership_reported = False

    def apply_open(self, fd: int, entry: Entry) -> None:
        """To an open regular file or folder."""
        owned = self._own(fd, entry)
        self._set_xattrs(fd, entry)
        os.fchmod(fd, entry.mode if owned else entry.mode & ~_SETUID_SETGID)
        os.utime(fd, ns=_times(entry))

    def apply_named(self, folder_fd: int, name: bytes, entry: Entry) -> None:
        """To a symbolic link, FIFO or device, which must not be opened: through an O_PATH descriptor and its name in /proc."""
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder_fd)
        try:
            magic = b"/proc/self/fd/%d" % fd
            owned = self._own(magic, entry, follow=True)
            self._set_xattrs(magic, entry)
            if entry.kind is not Kind.SYMLINK:
                os.chmod(magic, entry.mode if owned else entry.mode & ~_SETUID_SETGID)
        finally:
            os.close(fd)
        os.utime(name, ns=_times(entry), dir_fd=folder_fd, follow_symlinks=False)

    def _own(self, where: int | bytes, entry: Entry, *, follow: bool = True) -> bool:
        try:
            os.chown(where, entry.uid, entry.gid, follow_symlinks=follow)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EINVAL):
                raise
            if not self._ownership_reported:
                self._ownership_reported = True
                self._report(
                    Finding(
                        code="ownership-not-set",
                        severity=Severity.WARNING,
                        message="owner and group could not be set; setuid and setgid were left out with them (reported once)",
                        path=display_path(entry.path),
                        hint="run as root to set owners",
                    )
                )
            return False
        return True

    def _set_xattrs(self, where: int | bytes, entry: Entry) -> None:
        present = _names(where)
        if not present and not entry.xattrs:
            return
        refused: list[str] = []
        wanted = {xattr.name for xattr in entry.xattrs}
        for name in present:
            if name not in wanted and name not in _MACHINE_LABELS and not _attempt(os.removexattr, where, name):
                refused.append(display_path(name))
        refused.extend(display_path(xattr.name) for xattr in entry.xattrs if not _set(where, xattr))
        if refused:
            self._report(
                Finding(
                    code="metadata-not-set",
                    severity=Severity.WARNING,
                    message=f"extended attributes could not be set: {', '.join(refused)}",
                    path=display_path(entry.path),
                    hint="trusted and security attributes need root; others need a file system that has them",
                )
            )


def _times(entry: Entry) -> tuple[int, int]:
    return entry.atime_ns or entry.mtime_ns, entry.mtime_ns


def _names(where: int | bytes) -> list[bytes]:
    try:
        return [os.fsencode(name) for name in os.listxattr(where)]
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return []
        raise


def _attempt(call: Callable[[int | bytes, bytes], None], where: int | bytes, name: bytes) -> bool:
    try:
        call(where, name)
    except OSError as error:
        if error.errno in _REFUSED:
            return False
        raise
    return True


def _set(where: int | bytes, xattr: Xattr) -> bool:
    try:
        os.setxattr(where, xattr.name, xattr.value)
    except OSError as error:
        # ext4 says ENOSPC when one file's attribute block is full, which is not a full disk.
        if error.errno in _REFUSED or (error.errno == errno.ENOSPC and _has_space(where)):
            return False
        raise
    return True


def _has_space(where: int | bytes) -> bool:
    return os.statvfs(where).f_bavail > 0

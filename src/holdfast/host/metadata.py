"""Everything Linux knows about one path, as an `Entry` without chunks.

One `lstat` (given or made here), one `listxattr`, and for sparse files a few `lseek`s. POSIX ACLs are read as the kernel's own
`system.posix_acl_*` attributes, so that no ACL library is needed. What cannot be read becomes a finding, never a missing entry.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from collections.abc import Callable
from typing import NotRequired, TypedDict, Unpack

from holdfast.core.errors import SourceError
from holdfast.model.entry import ChunkRef, Entry, Hole, Kind, Xattr, display_path
from holdfast.model.jobs import Finding, Severity

KINDS: dict[int, Kind] = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIRECTORY,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFIFO: Kind.FIFO,
    stat.S_IFCHR: Kind.CHARACTER_DEVICE,
    stat.S_IFBLK: Kind.BLOCK_DEVICE,
}
FILE_TYPES = {kind: file_type for file_type, kind in KINDS.items()}

# A list of holes only saves space at restore. Beyond this many the list would cost more than it saves.
MAX_HOLES = 10_000

OnProblem = Callable[[Finding], None]

_NO_XATTRS = frozenset({errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
_GONE = frozenset({errno.ENOENT, errno.ENODATA, errno.ENOTDIR, errno.ELOOP})


class Names:
    """User and group names of this machine, each looked up once. Shared between threads: a race costs a second lookup, nothing else."""

    def __init__(self) -> None:
        self._users: dict[int, str] = {}
        self._groups: dict[int, str] = {}

    def user(self, uid: int) -> str:
        """The name, or empty where there is none."""
        name = self._users.get(uid)
        if name is None:
            try:
                name = pwd.getpwuid(uid).pw_name
            except (KeyError, OverflowError):
                name = ""
            self._users[uid] = name
        return name

    def group(self, gid: int) -> str:
        name = self._groups.get(gid)
        if name is None:
            try:
                name = grp.getgrgid(gid).gr_name
            except (KeyError, OverflowError):
                name = ""
            self._groups[gid] = name
        return name


def ignore_problem(finding: Finding) -> None:
    """For callers that compare and do not report."""


def read_entry(
    path: bytes,
    names: Names,
    *,
    status: os.stat_result | None = None,
    descriptor: int | None = None,
    at: bytes | None = None,
    on_problem: OnProblem = ignore_problem,
) -> Entry:
    """The metadata of `path`, which is never followed. `status` is its lstat (or fstat) if the caller has it, `descriptor` an open
    file of it. `at`: look there instead, for what is at `path`.

    Raises `OSError` if the path cannot be looked at, `SourceError` for a socket. Attributes that cannot be read go to `on_problem`.
    """
    real = path if at is None else at
    seen = os.lstat(real) if status is None else status
    kind = KINDS.get(stat.S_IFMT(seen.st_mode))
    if kind is None:
        raise SourceError(
            f"{display_path(path)} is a socket", hint="sockets have no content and are made anew by their programs; nothing to do"
        )
    xattrs = read_xattrs(real if descriptor is None else descriptor, path, on_problem)
    if kind is Kind.FILE:
        return file_entry(path, names, seen, xattrs=xattrs, holes=holes_of(real, seen, descriptor))
    is_device = kind is Kind.CHARACTER_DEVICE or kind is Kind.BLOCK_DEVICE
    return Entry(
        path=path,
        kind=kind,
        mode=seen.st_mode & 0o7777,
        uid=seen.st_uid,
        gid=seen.st_gid,
        user=names.user(seen.st_uid),
        group=names.group(seen.st_gid),
        mtime_ns=seen.st_mtime_ns,
        atime_ns=seen.st_atime_ns,
        ctime_ns=seen.st_ctime_ns,
        inode=seen.st_ino,
        device=seen.st_dev,
        links=1 if kind is Kind.DIRECTORY else seen.st_nlink,
        link_target=os.readlink(real) if kind is Kind.SYMLINK else b"",
        device_number=seen.st_rdev if is_device else 0,
        xattrs=xattrs,
    )


class Content(TypedDict):
    """What is in a file: `size_bytes` as it was read, where that is not what its status said."""

    chunks: NotRequired[tuple[ChunkRef, ...]]
    size_bytes: NotRequired[int]
    unstable: NotRequired[bool]


def file_entry(
    path: bytes,
    names: Names,
    seen: os.stat_result,
    *,
    xattrs: tuple[Xattr, ...],
    holes: tuple[Hole, ...],
    **content: Unpack[Content],
) -> Entry:
    """The entry of a regular file from what was read of it, its content with it: built once, not built and then changed."""
    uid, gid = seen.st_uid, seen.st_gid
    return Entry(
        path=path,
        kind=Kind.FILE,
        mode=seen.st_mode & 0o7777,
        uid=uid,
        gid=gid,
        user=names.user(uid),
        group=names.group(gid),
        size_bytes=content.get("size_bytes", seen.st_size),
        mtime_ns=seen.st_mtime_ns,
        atime_ns=seen.st_atime_ns,
        ctime_ns=seen.st_ctime_ns,
        inode=seen.st_ino,
        device=seen.st_dev,
        links=seen.st_nlink,
        xattrs=xattrs,
        holes=holes,
        chunks=content.get("chunks", ()),
        unstable=content.get("unstable", False),
    )


def read_xattrs(target: bytes | int, path: bytes, on_problem: OnProblem = ignore_problem) -> tuple[Xattr, ...]:
    """Extended attributes by name. File systems without them have none."""
    follow = isinstance(target, int)
    try:
        listed = os.listxattr(target, follow_symlinks=follow)
    except OSError as error:
        if error.errno not in _NO_XATTRS:
            on_problem(_xattr_problem(path, error))
        return ()
    if not listed:
        return ()
    found = []
    for name in sorted(os.fsencode(name) for name in listed):
        try:
            found.append(Xattr(name, os.getxattr(target, name, follow_symlinks=follow)))
        except OSError as error:
            if error.errno not in _GONE:
                on_problem(_xattr_problem(path, error, name))
    return tuple(found)


def read_holes(descriptor: int, size_bytes: int) -> tuple[Hole, ...]:
    """Ranges of an open file without blocks. Moves the file position. Empty where the file system cannot tell."""
    holes: list[Hole] = []
    position = 0
    try:
        while position < size_bytes:
            start = os.lseek(descriptor, position, os.SEEK_HOLE)
            if start >= size_bytes:
                break
            try:
                position = min(os.lseek(descriptor, start, os.SEEK_DATA), size_bytes)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                position = size_bytes
            holes.append(Hole(start, position - start))
            if len(holes) > MAX_HOLES:
                return ()
    except OSError:
        return ()
    return tuple(holes)


def open_for_reading(path: bytes) -> int:
    """A descriptor of a regular file: never through a symlink, without touching its atime where the kernel lets us, never waiting."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        return os.open(path, flags | os.O_NOATIME)
    except PermissionError:
        # O_NOATIME is for the owner and root only.
        return os.open(path, flags)


def holes_of(path: bytes, seen: os.stat_result, descriptor: int | None = None) -> tuple[Hole, ...]:
    """The holes of a regular file with this status; none where it has a block for every byte."""
    size_bytes = seen.st_size
    if seen.st_blocks * 512 >= size_bytes:
        return ()
    if descriptor is not None:
        return read_holes(descriptor, size_bytes)
    try:
        own = open_for_reading(path)
    except OSError:
        return ()
    try:
        return read_holes(own, size_bytes)
    finally:
        os.close(own)


def _xattr_problem(path: bytes, error: OSError, name: bytes = b"") -> Finding:
    which = f"the attribute {display_path(name)}" if name else "extended attributes"
    return Finding(
        code="xattr-unreadable",
        severity=Severity.WARNING,
        message=f"{which} could not be read: {os.strerror(error.errno or 0)}",
        path=display_path(path),
        hint="the entry is captured without it; check the file system and the rights of the node",
    )

"""Whether what stands somewhere is what an entry says, and what is known of it. Reads, and writes nothing."""

from __future__ import annotations

import hashlib
import os
import stat

from holdfast.host.metadata import KINDS, read_xattrs
from holdfast.host.tree_writer import TreeWriter
from holdfast.model.entry import Entry, Kind


def equal_file(looker: TreeWriter, at: bytes, entry: Entry, found: os.stat_result) -> Entry | None:
    """What is known of the file at `at` if its size, mtime and content are the entry's; it is read only where size and time agree."""
    if not stat.S_ISREG(found.st_mode) or (found.st_size, found.st_mtime_ns) != (entry.size_bytes, entry.mtime_ns):
        return None
    try:
        fd = looker.open_file(at)
    except OSError:
        return None
    try:
        is_equal = leading_chunks(fd, entry) == len(entry.chunks)
        return metadata_of(at, found, fd) if is_equal else None
    except OSError:
        return None
    finally:
        os.close(fd)


def leading_chunks(fd: int, entry: Entry) -> int:
    """How many of the entry's chunks, from the first on, an open file holds. Raises `OSError`."""
    offset = count = 0
    for ref in entry.chunks:
        if hashlib.sha256(os.pread(fd, ref.size_bytes, offset)).digest() != ref.id:
            break
        offset += ref.size_bytes
        count += 1
    return count


def is_equal_special(looker: TreeWriter, at: bytes, entry: Entry, found: os.stat_result) -> bool:
    """Whether the link, FIFO or device at `at` is the entry's, its metadata too. One that has attributes is never equal: they are not
    read."""
    if KINDS.get(stat.S_IFMT(found.st_mode)) is not entry.kind or entry.xattrs:
        return False
    if (found.st_uid, found.st_gid, found.st_mtime_ns) != (_or(entry.uid, found.st_uid), _or(entry.gid, found.st_gid), entry.mtime_ns):
        return False
    if entry.kind is Kind.SYMLINK:
        return looker.read_link(at) == entry.link_target
    is_device = entry.kind in (Kind.CHARACTER_DEVICE, Kind.BLOCK_DEVICE)
    return found.st_mode & 0o7777 == entry.mode and (not is_device or found.st_rdev == entry.device_number)


def is_as_written(looker: TreeWriter, at: bytes, entry: Entry, found: os.stat_result) -> bool:
    """Whether what stands at `at` is what a restore put there, its content and time at least: owner and mode it may not have been able to
    set."""
    if entry.kind is Kind.FILE:
        return equal_file(looker, at, entry, found) is not None
    if KINDS.get(stat.S_IFMT(found.st_mode)) is not entry.kind:
        return False
    if entry.kind is Kind.SYMLINK:
        return looker.read_link(at) == entry.link_target
    return found.st_mtime_ns == entry.mtime_ns


def metadata_of(at: bytes, found: os.stat_result, fd: int | None = None) -> Entry:
    """Without content, and without attributes where no open file is given."""
    path = b"/" + at
    return Entry(
        path=path,
        kind=KINDS[stat.S_IFMT(found.st_mode)],
        mode=found.st_mode & 0o7777,
        uid=found.st_uid,
        gid=found.st_gid,
        size_bytes=found.st_size if stat.S_ISREG(found.st_mode) else 0,
        mtime_ns=found.st_mtime_ns,
        atime_ns=found.st_atime_ns,
        xattrs=() if fd is None else read_xattrs(fd, path),
    )


def metadata_of_folder(looker: TreeWriter, at: bytes, found: os.stat_result) -> Entry:
    """Its attributes too, where this user may read them."""
    try:
        fd = looker.open_file(at)
    except OSError:
        return metadata_of(at, found)
    try:
        return metadata_of(at, found, fd)
    finally:
        os.close(fd)


def is_dressed(entry: Entry, was: Entry) -> bool:
    """Whether what is there has the entry's metadata already."""
    owner = (_or(entry.uid, was.uid), _or(entry.gid, was.gid))
    return (entry.mode, *owner, entry.xattrs, entry.mtime_ns) == (was.mode, was.uid, was.gid, was.xattrs, was.mtime_ns)


def _or(wanted: int, there: int) -> int:
    """-1 leaves an owner as it is."""
    return there if wanted == -1 else wanted

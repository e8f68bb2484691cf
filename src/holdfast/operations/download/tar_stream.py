"""A tar archive as a stream: the POSIX format of 2001 (pax), which GNU tar, bsdtar and Python read, with exact times, names that are not
UTF-8, owners, hard links, devices and extended attributes. Holes are written as the zeros they read as."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable, Iterator

from holdfast.model.entry import Entry, Kind
from holdfast.operations.download.members import Member
from holdfast.operations.download.pieces import Piece

_TYPES = {
    Kind.FILE: tarfile.REGTYPE,
    Kind.DIRECTORY: tarfile.DIRTYPE,
    Kind.SYMLINK: tarfile.SYMTYPE,
    Kind.FIFO: tarfile.FIFOTYPE,
    Kind.CHARACTER_DEVICE: tarfile.CHRTYPE,
    Kind.BLOCK_DEVICE: tarfile.BLKTYPE,
}
_SECOND_NS = 1_000_000_000
# As Schily's star, GNU tar (--xattrs) and bsdtar call them.
_XATTR = "SCHILY.xattr."


def tar_of(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """Blocks of any length. Raises what `pieces` raises."""
    for piece in pieces:
        if piece.first:
            yield header_of(piece.member)
        yield from piece.data
        if piece.last and (over := piece.member.content_bytes % tarfile.BLOCKSIZE):
            yield bytes(tarfile.BLOCKSIZE - over)
    yield bytes(2 * tarfile.BLOCKSIZE)


def header_of(member: Member) -> bytes:
    """Of one member, extended headers in front of it included."""
    entry = member.entry
    info = tarfile.TarInfo(os.fsdecode(member.name))
    info.type = tarfile.LNKTYPE if member.same_as else _TYPES[entry.kind]
    info.size = member.content_bytes
    info.mode, info.uid, info.gid, info.uname, info.gname = entry.mode, entry.uid, entry.gid, entry.user, entry.group
    info.linkname = os.fsdecode(member.same_as or entry.link_target)
    info.devmajor, info.devminor = os.major(entry.device_number), os.minor(entry.device_number)
    info.pax_headers = _extended(entry)
    info.mtime = entry.mtime_ns // _SECOND_NS
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _extended(entry: Entry) -> dict[str, str]:
    seconds, ns = divmod(entry.mtime_ns, _SECOND_NS)
    found = {}
    if ns and seconds >= 0:
        found["mtime"] = f"{seconds}.{ns:09}"
    for xattr in entry.xattrs:
        found[_XATTR + os.fsdecode(xattr.name)] = os.fsdecode(xattr.value)
    return found

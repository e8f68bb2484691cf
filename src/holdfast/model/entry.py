"""One path of a dataset: kind, Linux metadata, and the chunks of its content.

Paths are absolute bytes as the source's kernel knows them: no trailing slash (the root of all is b"/"), no `.` or `..`
components, no NUL. `walk_key` gives the one order that scan, state, stream, tree builder and catalog share.
"""

from __future__ import annotations

import re
from enum import Enum

import msgspec

from holdfast.core.errors import ProtocolError


class Kind(str, Enum):
    """Kinds of file, by restic's names. Sockets are never captured."""

    FILE = "file"
    DIRECTORY = "dir"
    SYMLINK = "symlink"
    FIFO = "fifo"
    CHARACTER_DEVICE = "chardev"
    BLOCK_DEVICE = "dev"


class ChunkRef(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`id` is the SHA-256 (32 bytes) of the chunk's plain bytes, `size_bytes` their count."""

    id: bytes
    size_bytes: int


class Xattr(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One extended attribute; POSIX ACLs are `system.posix_acl_access` and `..._default`."""

    name: bytes
    value: bytes


class Hole(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A range of a sparse file that has no blocks and reads as zeros."""

    offset: int
    size_bytes: int


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A path with its full metadata. `mode` holds the twelve permission bits (`st_mode & 0o7777`).

    `chunks` covers a file's content in order, holes included (they read as zeros); empty for other kinds.
    `user` and `group` are names on the source machine, empty where unknown. `links > 1` with equal (`device`, `inode`)
    marks hard links. `device_number` is `st_rdev` of device nodes. `unstable` = changed while it was read.
    """

    path: bytes
    kind: Kind
    mode: int
    uid: int = 0
    gid: int = 0
    user: str = ""
    group: str = ""
    size_bytes: int = 0
    mtime_ns: int = 0
    atime_ns: int = 0
    ctime_ns: int = 0
    inode: int = 0
    device: int = 0
    links: int = 1
    link_target: bytes = b""
    device_number: int = 0
    xattrs: tuple[Xattr, ...] = ()
    holes: tuple[Hole, ...] = ()
    chunks: tuple[ChunkRef, ...] = ()
    unstable: bool = False


_CLEAN_PATH = re.compile(rb"(?:/(?!\.{1,2}(?:/|\Z))[^/\x00]{1,255})+")


def walk_key(path: bytes) -> bytes:
    """Sorts like a depth-first walk whose siblings are in raw byte order: `/` becomes NUL, which no name contains.

    So `/a`, `/a/b`, `/a-b` come in this order, and all below `/a` lies in one range of keys.
    """
    return path.replace(b"/", b"\x00") if path != b"/" else b""


def path_of(key: bytes) -> bytes:
    """Inverse of `walk_key`."""
    return key.replace(b"\x00", b"/") if key else b"/"


def check_path(path: bytes) -> bytes:
    """The path itself if it is absolute and clean; raises `ProtocolError` otherwise. For every path that comes from outside."""
    if _CLEAN_PATH.fullmatch(path) is not None or path == b"/":
        return path
    if not path.startswith(b"/") or b"\x00" in path:
        raise ProtocolError(f"not an absolute path: {path!r}")
    if any(part in (b"", b".", b"..") or len(part) > 255 for part in path[1:].split(b"/")):
        raise ProtocolError(f"not a clean path: {path!r}")
    return path


def is_name(name: bytes) -> bool:
    """Whether it names something inside its folder: one component of a clean path."""
    return b"/" not in name and b"\x00" not in name and 0 < len(name) <= 255 and name != b"." and name != b".."


def parent_of(path: bytes) -> bytes:
    """The folder a path is in; of the root of all, itself."""
    return path[: path.rfind(b"/")] or b"/"


def name_of(path: bytes) -> bytes:
    """In its folder."""
    return path[path.rfind(b"/") + 1 :]


def is_below(path: bytes, folder: bytes) -> bool:
    """True for the folder itself and everything below it."""
    return path == folder or folder == b"/" or path.startswith(folder + b"/")


def display_path(path: bytes) -> str:
    """For people and JSON: UTF-8, other bytes and control characters as `\\xNN`. Not reversible where a name holds a backslash."""
    text = path.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("utf-8").decode("latin-1").encode("unicode_escape").decode("ascii") for c in text)


def raw_of(path: bytes) -> bytes:
    """The path itself where `display_path` does not spell it; else nothing."""
    return b"" if display_path(path).encode("utf-8", "surrogateescape") == path else path

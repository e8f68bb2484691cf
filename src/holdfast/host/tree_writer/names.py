"""Relative paths taken apart, and names that are neither files nor folders made."""

from __future__ import annotations

import os

from holdfast.core.errors import ProtocolError
from holdfast.host.metadata import FILE_TYPES
from holdfast.host.tree_writer.folders import check_name
from holdfast.model.entry import Entry, Kind

_SLASH = ord("/")


def split_path(path: bytes) -> tuple[bytes, bytes]:
    """(parent, name) of a relative path; (b"", b"") for the root. Raises `ProtocolError` for what leads elsewhere."""
    if not path:
        return b"", b""
    parent, slash, name = path.rpartition(b"/")
    if slash and (not parent or parent[0] == _SLASH):
        raise ProtocolError(f"not a path below a folder: {path!r}")
    return parent, check_name(name)


def make_special(folder_fd: int, name: bytes, entry: Entry) -> None:
    """A symbolic link, FIFO or device under a name that is free. Raises `OSError`."""
    if entry.kind is Kind.SYMLINK:
        os.symlink(entry.link_target, name, dir_fd=folder_fd)
    else:
        os.mknod(name, FILE_TYPES[entry.kind] | 0o600, entry.device_number, dir_fd=folder_fd)

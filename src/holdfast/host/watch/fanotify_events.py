"""What the kernel says in a fanotify queue, as values. Source: fanotify(7) and linux/fanotify.h. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from holdfast.core.errors import ProtocolError
from holdfast.host.watch.syscalls import Handle

# event_len, vers, reserved, metadata_len, mask, fd, pid
_EVENT = struct.Struct("=IBBHQii")
# info_type, pad, len; then, in the kinds read here, the id of the file system (8 bytes), handle_bytes, handle_type
_INFO = struct.Struct("=BxH")
_HANDLE = struct.Struct("=BxH8xIi")
_HANDLE_AT = 12
_VERSION = 3
_FID, _DFID_NAME, _DFID, _OLD_DFID_NAME, _NEW_DFID_NAME = 1, 2, 3, 10, 12


class NameAt(NamedTuple):
    """A name in a folder; `.` is the folder itself."""

    folder: Handle
    name: bytes


class Event(NamedTuple):
    """`old` only of a rename. `target`: the inode that was changed, made, removed or moved. A merged event has several bits of `mask`."""

    mask: int
    pid: int
    old: NameAt | None
    at: NameAt | None
    target: Handle | None


def events_in(data: bytes) -> Iterator[Event]:
    """Raises `ProtocolError` for bytes that no kernel with this version of the interface would give."""
    start = 0
    while start < len(data):
        try:
            length, version, _, head, mask, _, pid = _EVENT.unpack_from(data, start)
            if version != _VERSION or length < head or start + length > len(data):
                raise ProtocolError(f"a fanotify event of version {version} and {length} bytes", hint="this kernel is too new or too old")
            yield _event(data, start + head, start + length, (mask, pid))
        except struct.error as error:
            raise ProtocolError("a fanotify event is cut short", hint="report this with the version of the kernel") from error
        start += length


def _event(data: bytes, at: int, end: int, known: tuple[int, int]) -> Event:
    old = new = target = None
    while at < end:
        kind, length = _INFO.unpack_from(data, at)
        if length < _INFO.size or at + length > end:
            raise ProtocolError("a record of a fanotify event is longer than the event", hint="report this with the version of the kernel")
        if kind in (_FID, _DFID_NAME, _DFID, _OLD_DFID_NAME, _NEW_DFID_NAME):
            name_at = at + _HANDLE.size + _HANDLE.unpack_from(data, at)[2]
            handle = data[at + _HANDLE_AT : name_at]
            if kind == _FID:
                target = handle
            else:
                name = data[name_at : at + length].split(b"\0", 1)[0]
                found = NameAt(handle, name or b".")
                if kind == _OLD_DFID_NAME:
                    old = found
                else:
                    new = found
        at += length
    return Event(*known, old, new, target)

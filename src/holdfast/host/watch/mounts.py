"""Which file system lies where: /proc/self/mountinfo (proc(5)), and which mount a path is on."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

MOUNTINFO = "/proc/self/mountinfo"
_ESCAPE = re.compile(rb"\\([0-7]{3})")
_REMOTE = re.compile(r"nfs|cifs|smb|9p|ceph|gluster|lustre|afs|fuse")


@dataclass(frozen=True, slots=True)
class Mount:
    """`device` is `major:minor` and names the file system; `root`: which folder of it is seen at `point`."""

    id: int
    device: str
    root: bytes
    point: bytes
    kind: str

    @property
    def is_remote(self) -> bool:
        """Others may change it, and the kernel here is not told."""
        return _REMOTE.match(self.kind) is not None


def mounts_in(text: bytes) -> tuple[Mount, ...]:
    """Of the text of a mountinfo file, in its order: the later lies over the earlier."""
    found = []
    for line in text.splitlines():
        fields, _, source = line.partition(b" - ")
        parts = fields.split(b" ")
        if len(parts) >= 6 and source:
            kind = source.split(b" ", 1)[0].decode("ascii", "replace")
            found.append(Mount(int(parts[0]), parts[2].decode(), _unescaped(parts[3]), _unescaped(parts[4]), kind))
    return tuple(found)


def mounts_now() -> tuple[Mount, ...]:
    with open(MOUNTINFO, "rb") as file:
        return mounts_in(file.read())


def mount_of(path: bytes, mounts: Iterable[Mount]) -> Mount | None:
    """The mount a path is on, links not followed at its end; None when it is not there, or its mount is not in the list."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        with open(f"/proc/self/fdinfo/{descriptor}", "rb") as file:
            found = re.search(rb"mnt_id:\s*(\d+)", file.read())
    finally:
        os.close(descriptor)
    number = int(found[1]) if found else -1
    return next((mount for mount in mounts if mount.id == number), None)


def _unescaped(field: bytes) -> bytes:
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 8)]), field)

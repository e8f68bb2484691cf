"""Free space, and stopping before a disk is full."""

from __future__ import annotations

import os
from pathlib import Path

from holdfast.core.errors import NoSpace
from holdfast.core.units import format_size


def free_bytes(path: str | bytes | Path) -> int:
    """Bytes an unprivileged program may still write on the file system of `path`. Raises `OSError` if the path is not there."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


def room_bytes(path: str | bytes | Path) -> tuple[int, int]:
    """Bytes an unprivileged program may still write on the file system of `path`, and bytes it would have for itself on an empty one.
    Raises `OSError` if the path is not there."""
    status = os.statvfs(path)
    reserved = status.f_bfree - status.f_bavail
    return status.f_bavail * status.f_frsize, max(0, status.f_blocks - reserved) * status.f_frsize


def check_free(path: str | bytes | Path, minimum_bytes: int) -> None:
    """Raises `NoSpace` when less than `minimum_bytes` is free on the file system of `path`."""
    free = free_bytes(path)
    if free < minimum_bytes:
        shown = os.fsdecode(path)
        raise NoSpace(
            f"only {format_size(free)} is free on the disk of {shown}; {format_size(minimum_bytes)} is kept in reserve",
            hint=f"make room on that disk (`df {shown}`), or move the folder to a larger one; the next run goes on by itself",
            path=shown,
            free_bytes=str(free),
            minimum_bytes=str(minimum_bytes),
        )

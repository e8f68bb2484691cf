"""Files and folders that only their owner can read; files are replaced whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def make_private_folder(path: Path) -> Path:
    """The folder, there and 0700 where it had to be made, its missing parents too."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def write_private(path: Path, content: bytes) -> None:
    """The file with this content, 0600, on disk when this returns. A crash at any moment leaves the old file or the new one.

    Raises `OSError`; then, too, there is the old one or the new one, and where the disk was full no half of it takes up room.
    """
    fresh = path.with_name(f".{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        try:
            # Left behind by a crash, it may have been made by somebody with another mode.
            os.fchmod(descriptor, 0o600)
            left = memoryview(content)
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        fresh.replace(path)
    except OSError:
        with suppress(OSError):
            fresh.unlink()
        raise
    sync_folder(path.parent)


def touch_private(path: Path | str | bytes) -> None:
    """The file is there and 0600, whatever the umask: for databases, which others then fill (their side files take the same mode)."""
    os.close(open_to_append(path))


def open_to_append(path: Path | str | bytes) -> int:
    """A descriptor to write at the end of the file, which is 0600 whatever the umask: for logs."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor


def sync_folder(folder: str | Path) -> None:
    """The names in it are on disk when this returns."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

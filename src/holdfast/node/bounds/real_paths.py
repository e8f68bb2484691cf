"""Paths as the kernel knows them: symlinks resolved, and by device and inode where they have other names."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

Inode = tuple[int, int]
"""Device and inode."""


def real_path(path: str | bytes | Path) -> bytes:
    return os.path.realpath(os.fsencode(path))


def inode_of(path: bytes) -> Inode | None:
    with suppress(OSError):
        facts = os.stat(path)
        return facts.st_dev, facts.st_ino
    return None


def lineage_of(path: bytes) -> set[Inode]:
    """What the path and all folders above it are, whatever they are called here."""
    found = set()
    while True:
        found.add(inode_of(path))
        if path in (b"/", b""):
            return {inode for inode in found if inode is not None}
        path = os.path.dirname(path)


def inodes_in(place: bytes) -> set[Inode]:
    """The folder and the folders in it: any of them may be mounted elsewhere."""
    found = {inode_of(place)}
    with suppress(OSError), os.scandir(place) as listing:
        found.update(inode_of(item.path) for item in listing if item.is_dir(follow_symlinks=False))
    return {inode for inode in found if inode is not None}

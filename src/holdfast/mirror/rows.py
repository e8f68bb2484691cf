"""Rows of a mirror's records, as values."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from holdfast.core.ids import DatasetId
from holdfast.mirror.moves import MovedTree
from holdfast.model.change import Cursor
from holdfast.model.entry import Entry, Kind
from holdfast.model.mirrors import Stand

What = Literal["put", "remove", "keep"]


@dataclass(frozen=True)
class Fingerprint:
    """Tells whether a file is still the one that was written."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, found: os.stat_result) -> Fingerprint:
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)

    def is_like(self, found: os.stat_result) -> bool:
        """Cheap, and not certain: size, time and inode."""
        return (found.st_size, found.st_mtime_ns, found.st_ino) == (self.size, self.mtime_ns, self.inode)


@dataclass(frozen=True)
class Content:
    """A row of `files`."""

    n: int
    key: bytes
    placed: bool
    fingerprint: Fingerprint


class Seen(msgspec.Struct, frozen=True, gc=False):
    """Of an entry what a look at its name can tell."""

    kind: Kind
    mode: int
    mtime_ns: int = 0


@dataclass(frozen=True)
class Recorded:
    """An entry the mirror holds. `file` is None for all kinds but files."""

    entry: Entry
    file: int | None


@dataclass(frozen=True)
class Staged:
    """A change of the open commit. `keep`: what is there stays (nothing to do, or its new content did not come)."""

    key: bytes
    what: What
    entry: Entry | None
    file: int | None


@dataclass(frozen=True)
class Place:
    """Where a chunk's bytes should be."""

    file: int
    offset: int
    size: int


class Intention(msgspec.Struct, frozen=True, kw_only=True):
    """What must be finished once it is written down: kept in the records until it is. `keeps_spares`: what came of other files stays."""

    dataset: DatasetId
    cursor: Cursor
    full: bool
    stamp: str
    keep_s: float | None
    moves: tuple[MovedTree, ...] = ()
    keeps_spares: bool = False
    captured_at: datetime | None = None
    files: int = 0
    size_bytes: int = 0

    @property
    def stand(self) -> Stand | None:
        """What the mirror is equal to afterwards; None where an older version of Holdfast wrote the intention down."""
        if self.captured_at is None:
            return None
        return Stand(cursor=self.cursor, captured_at=self.captured_at, files=self.files, size_bytes=self.size_bytes)


def hardlink_of(entry: Entry) -> bytes | None:
    """The same for all names of one file of the source."""
    if entry.kind is Kind.DIRECTORY or entry.links < 2:
        return None
    return b"%d:%d" % (entry.device, entry.inode)

"""One target of a mirror: where its paths are, and whether contents in it are still what was written."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
from dataclasses import dataclass
from functools import cached_property

from holdfast.core.errors import HoldfastError
from holdfast.host.metadata import FILE_TYPES
from holdfast.host.tree_writer import TreeWriter
from holdfast.mirror.records import Records
from holdfast.mirror.rows import Content, Fingerprint, Place, Recorded
from holdfast.model.entry import Entry, Kind, is_below, path_of, walk_key

TEMP = b"tmp"
REMOVED = b"removed"


@dataclass(frozen=True)
class Target:
    """`root` is the source's path, `base` the target's name in its folder, which is `writer`'s root. `side` writes in the side folder."""

    root: bytes
    base: bytes
    writer: TreeWriter
    side: TreeWriter
    records: Records

    @cached_property
    def _below(self) -> bytes:
        """How all keys below the root begin."""
        return walk_key(self.root) + b"\x00"

    def covers(self, path: bytes) -> bool:
        return is_below(path, self.root)

    def relative(self, path: bytes) -> bytes:
        """Where a source path is, for `writer`."""
        return self.base if path == self.root else self.base + (path if self.root == b"/" else path[len(self.root) :])

    def at(self, key: bytes) -> bytes:
        """Where what the records know under `key` is. Raises `sqlite3.DatabaseError` for what is not of this mirror."""
        if isinstance(key, bytes) and key.startswith(self._below):
            return self.base + b"/" + key[len(self._below) :].replace(b"\x00", b"/")
        if not isinstance(key, bytes) or not self.covers(path := path_of(key)):
            raise sqlite3.DatabaseError(f"a record names {key!r}, which is not of this mirror")
        return self.relative(path)

    def key_of(self, relative: bytes) -> bytes:
        """Inverse of `at`."""
        tail = relative[len(self.base) :]
        return walk_key(tail or b"/") if self.root == b"/" else walk_key(self.root + tail)


def side_of(path: bytes) -> bytes:
    """The side folder of the target at this path."""
    parent, name = os.path.split(path)
    return os.path.join(parent, b".holdfast-" + name)


def temp_path(n: int) -> bytes:
    return b"%b/%d" % (TEMP, n)


def has_kind(found: os.stat_result, kind: Kind) -> bool:
    return stat.S_IFMT(found.st_mode) == FILE_TYPES[kind]


def matches_special(target: Target, relative: bytes, found: os.stat_result, entry: Entry) -> bool:
    """True when a link, FIFO or device that stands there is already the entry's, metadata aside."""
    if not has_kind(found, entry.kind):
        return False
    if entry.kind is Kind.SYMLINK:
        return target.writer.read_link(relative) == entry.link_target
    return entry.kind is Kind.FIFO or found.st_rdev == entry.device_number


class Contents:
    """Reads and verifies contents of the mirror and of the side folder. `looks_same` answers are kept for one commit."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._same: dict[int, bool] = {}
        self._open: tuple[int, int] | None = None

    def looks_same(self, n: int) -> bool:
        """Cheap: size, mtime and inode as recorded. Enough to offer a chunk that is verified when it is used."""
        known = self._same.get(n)
        if known is None:
            known = self._same[n] = self._look(n)
        return known

    def _look(self, n: int) -> bool:
        content = self._target.records.file(n)
        if content is None:
            return False
        if not content.placed:
            return self._target.side.stat(temp_path(n)) is not None
        found = self._target.writer.stat(self._target.at(content.key))
        if found is None or not stat.S_ISREG(found.st_mode):
            return False
        return content.fingerprint.is_like(found)

    def is_exact(self, content: Content, relative: bytes, found: os.stat_result | None = None) -> bool:
        """Certain: the file at `relative` has exactly the recorded bytes, by its whole fingerprint or else by reading it. `found`: what
        stands there, by somebody who has just looked."""
        found = self._target.writer.stat(relative) if found is None else found
        if found is None or not stat.S_ISREG(found.st_mode):
            return False
        return Fingerprint.of(found) == content.fingerprint or (
            found.st_size == content.fingerprint.size and self.verify(content, relative)
        )

    def verify(self, content: Content, relative: bytes | None = None) -> bool:
        """Reads all chunks the records say it has; they must cover it."""
        try:
            fd = self._target.writer.open_file(relative) if relative is not None else self._target.side.open_file(temp_path(content.n))
        except OSError:
            return False
        try:
            offset = 0
            for ref in self._target.records.chunks_of(content.n):
                if hashlib.sha256(os.pread(fd, ref.size_bytes, offset)).digest() != ref.id:
                    return False
                offset += ref.size_bytes
            return os.fstat(fd).st_size == offset
        except OSError:
            return False
        finally:
            os.close(fd)

    def is_ours(self, recorded: Recorded | None, relative: bytes, found: os.stat_result) -> bool:
        """True when what stands there is what this mirror put there."""
        if recorded is None or not has_kind(found, recorded.entry.kind):
            return False
        if recorded.entry.kind is Kind.DIRECTORY:
            return True
        if recorded.entry.kind is not Kind.FILE:
            return matches_special(self._target, relative, found, recorded.entry)
        content = None if recorded.file is None else self._target.records.file(recorded.file)
        return content is not None and self.is_exact(content, relative, found)

    def read(self, place: Place, chunk_id: bytes) -> bytes | None:
        """The chunk's verified bytes; None when they are not there."""
        if not self.looks_same(place.file):
            return None
        try:
            data = os.pread(self._fd(place.file), place.size, place.offset)
        except (OSError, HoldfastError):
            return None
        return data if hashlib.sha256(data).digest() == chunk_id else None

    def _fd(self, n: int) -> int:
        if self._open is not None and self._open[0] == n:
            return self._open[1]
        self.close()
        content = self._target.records.file(n)
        if content is not None and content.placed:
            fd = self._target.writer.open_file(self._target.at(content.key))
        else:
            fd = self._target.side.open_file(temp_path(n))
        self._open = (n, fd)
        return fd

    def distrust(self, n: int) -> None:
        """Its bytes were not what the records say."""
        self._same[n] = False
        self._target.records.drop_chunks(n)

    def reset(self) -> None:
        self._same.clear()
        self.close()

    def close(self) -> None:
        if self._open is not None:
            os.close(self._open[1])
            self._open = None

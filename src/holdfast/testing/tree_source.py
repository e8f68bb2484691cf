"""A folder of this machine read into entries and chunks: the smallest source there can be, for tests of writers and readers."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from holdfast.core.errors import RepositoryDamaged, UnknownName
from holdfast.host.metadata import KINDS
from holdfast.model.change import Payload
from holdfast.model.entry import ChunkRef, Entry, Hole, Kind, Xattr, is_below, walk_key
from holdfast.model.reading import PointReader


def read_entry(path: bytes, chunks: dict[bytes, bytes], *, chunk_bytes: int = 4096) -> Entry:
    """One path with its metadata, without access time (reading changes it). Its content, in equal chunks, is added to `chunks`."""
    found = os.lstat(path)
    kind = KINDS[stat.S_IFMT(found.st_mode)]
    return Entry(
        path=path,
        kind=kind,
        mode=stat.S_IMODE(found.st_mode),
        uid=found.st_uid,
        gid=found.st_gid,
        size_bytes=found.st_size if kind is Kind.FILE else 0,
        mtime_ns=found.st_mtime_ns,
        ctime_ns=found.st_ctime_ns,
        inode=found.st_ino,
        device=found.st_dev,
        links=found.st_nlink,
        link_target=os.readlink(path) if kind is Kind.SYMLINK else b"",
        device_number=found.st_rdev,
        xattrs=tuple(
            Xattr(os.fsencode(name), os.getxattr(path, name, follow_symlinks=False)) for name in os.listxattr(path, follow_symlinks=False)
        ),
        holes=_holes(path, found.st_size) if kind is Kind.FILE else (),
        chunks=_chunks(path, chunks, chunk_bytes) if kind is Kind.FILE else (),
    )


def _chunks(path: bytes, chunks: dict[bytes, bytes], chunk_bytes: int) -> tuple[ChunkRef, ...]:
    refs = []
    with open(path, "rb") as file:
        while data := file.read(chunk_bytes):
            digest = hashlib.sha256(data).digest()
            chunks[digest] = data
            refs.append(ChunkRef(digest, len(data)))
    return tuple(refs)


def _holes(path: bytes, size_bytes: int) -> tuple[Hole, ...]:
    holes, at = [], 0
    fd = os.open(path, os.O_RDONLY)
    try:
        while at < size_bytes:
            start = os.lseek(fd, at, os.SEEK_HOLE)
            if start >= size_bytes:
                break
            try:
                at = os.lseek(fd, start, os.SEEK_DATA)
            except OSError:
                at = size_bytes
            holes.append(Hole(start, at - start))
    finally:
        os.close(fd)
    return tuple(holes)


class TreeSource(PointReader):
    """The state of `root` when it was made, its parents included, as a `PointReader`. `refused` ids cannot be had."""

    def __init__(self, root: Path | bytes, *, chunk_bytes: int = 4096) -> None:
        self.root = os.fsencode(root)
        self.chunks: dict[bytes, bytes] = {}
        self.refused: set[bytes] = set()
        self.all: dict[bytes, Entry] = {}
        parts = self.root.split(b"/")[1:]
        for count in range(1, len(parts)):
            self._add(b"/" + b"/".join(parts[:count]), chunk_bytes)
        self._add_below(self.root, chunk_bytes)

    def _add(self, path: bytes, chunk_bytes: int) -> Entry:
        self.all[path] = read_entry(path, self.chunks, chunk_bytes=chunk_bytes)
        return self.all[path]

    def _add_below(self, path: bytes, chunk_bytes: int) -> None:
        if not os.path.lexists(path):
            return
        if self._add(path, chunk_bytes).kind is Kind.DIRECTORY:
            for name in sorted(os.listdir(path)):
                self._add_below(path + b"/" + name, chunk_bytes)

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        for path in paths:
            if path not in self.all:
                raise UnknownName(f"no such path: {path!r}")
        for path in sorted(self.all, key=walk_key):
            if not paths or any(is_below(path, wanted) for wanted in paths):
                yield self.all[path]

    def payloads(self, ids: Sequence[bytes]) -> Iterator[Payload]:
        for chunk_id in ids:
            if chunk_id in self.refused:
                raise RepositoryDamaged(f"chunk {chunk_id.hex()} cannot be read")
            data = self.chunks[chunk_id]
            yield Payload(chunk_id, len(data), False, data)

    def close(self) -> None:
        return None

"""Looking at a path and reading its content once: metadata, chunks, and whether what was read can be trusted.

Files up to `WHOLE_BYTES` are read whole, in batches on a small pool of threads; larger ones stream in windows of 4 MiB and are never in
memory as a whole. A file that changes while it is read is read again, twice at most; then it is kept as read, marked `unstable`, and read
again in the next run. A streamed file is not tried again: its first parts are on their way already. What a streamed file held when it was
opened is its size; bytes appended meanwhile are the next run's.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

import msgspec

from holdfast.capture.chunking import Cutter, Granularity, choose
from holdfast.capture.chunks import Chunk, FileOrigin, Origin
from holdfast.capture.findings import unreadable
from holdfast.capture.frame import SOCKET_CODE
from holdfast.capture.rows import DIRECTORY_CODE, FILE_CODE, SUSPECT
from holdfast.core.clock import Clock
from holdfast.host.database_files import header_at
from holdfast.host.metadata import (
    Names,
    OnProblem,
    file_entry,
    holes_of,
    ignore_problem,
    open_for_reading,
    read_entry,
    read_holes,
    read_xattrs,
)
from holdfast.host.sight import IN_PLACE, Sight
from holdfast.model.entry import ChunkRef, Entry, Hole, display_path
from holdfast.model.jobs import Finding, Severity

WHOLE_BYTES = 4 * 1024 * 1024
WINDOW_BYTES = 4 * 1024 * 1024
TRIES = 3
# git's racy rule: a change this close before the read could be followed by another one that leaves the same ctime.
RACY_NS = 20_000_000

_ELSEWHERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO})

# As much of a hole as is passed over at once: a chunk of it ends where the next begins.
_ZEROS = bytes(8 * 1024 * 1024)


class Job(msgspec.Struct, frozen=True, gc=False):
    """One path to look at. `recorded` is what the state has of it. `parent`: a folder above a root, symlinks in its path followed.
    `content` False: metadata only (the content of another hard link is known). `file`: the walk saw a regular file, so open it at once.
    `database`: one of SQLite is to be consistent, so its content is not that of the file. `stamp`: of one whose file is read all the same.
    """

    path: bytes
    granularity: Granularity
    recorded: Entry | None = None
    parent: bool = False
    content: bool = True
    file: bool = False
    database: bool = False
    stamp: int | None = None


class Captured(msgspec.Struct, frozen=True):
    """`chunks` hold the bytes just read. `flags` go into the row, and of a database its `stamp`. `findings`: what is worth saying."""

    entry: Entry
    chunks: tuple[Chunk, ...] = ()
    flags: int = 0
    findings: tuple[Finding, ...] = ()
    stamp: int | None = None


class TooLarge(msgspec.Struct, frozen=True):
    """The file must be streamed."""


class Database(msgspec.Struct, frozen=True):
    """It is a database, to be read from a consistent copy."""


class Lost(msgspec.Struct, frozen=True):
    """Nothing could be captured; what was captured before stays. `finding` None: there is nothing there to speak of."""

    finding: Finding | None


class Reading(NamedTuple):
    """Who hears of the bytes read, and where is looked."""

    on_read: Callable[[int], None]
    sight: Sight


class Reader:
    """Thread-safe. `on_read` gets every byte count read from source files; `opened` counts opened files."""

    def __init__(self, clock: Clock, names: Names, on_read: Callable[[int], None], sight: Sight = IN_PLACE) -> None:
        self._clock = clock
        self.sight = sight
        self._names = names
        self._on_read = on_read
        self.opened = 0

    def capture_all(self, jobs: list[Job]) -> list[Captured | TooLarge | Database | Lost]:
        """A batch, for a thread of the pool."""
        return [self.capture(job) for job in jobs]

    def capture(self, job: Job) -> Captured | TooLarge | Database | Lost:
        try:
            if job.file:
                return self._whole(job)
            path = self.sight.real(job.path)
            status = os.stat(path) if job.parent else os.lstat(path)
            kind = status.st_mode >> 12
            if kind == SOCKET_CODE or (job.parent and kind != DIRECTORY_CODE):
                return Lost(None)
            if kind != FILE_CODE or not job.content:
                return self._metadata(job, status)
            if status.st_size > WHOLE_BYTES:
                return TooLarge()
            return self._whole(job)
        except OSError as error:
            return lost(job.path, error)

    def open(self, job: Job) -> Stream:
        """A large file, to be streamed. Raises `OSError`."""
        descriptor = self.descriptor(job.path)
        try:
            return Stream(job, descriptor, self._names, self.started_ns(), Reading(self._on_read, self.sight))
        except BaseException:
            os.close(descriptor)
            raise

    def descriptor(self, path: bytes) -> int:
        self.opened += 1
        return open_for_reading(self.sight.real(path))

    def started_ns(self) -> int:
        """When what is read is as it is: now, or when the snapshot was taken."""
        return self._clock.now_ns() if self.sight.taken_ns is None else self.sight.taken_ns

    def _metadata(self, job: Job, status: os.stat_result) -> Captured:
        findings: list[Finding] = []
        started_ns = self.started_ns()
        entry = read_entry(job.path, self._names, status=status, at=self.sight.real(job.path), on_problem=findings.append)
        return Captured(on_device(entry, self.sight), (), _racy(status, started_ns), tuple(findings))

    def _whole(self, job: Job) -> Captured | TooLarge | Database | Lost:
        path = job.path
        findings: list[Finding] = []
        cutter = choose(job.granularity, job.recorded.chunks if job.recorded else ())
        descriptor = self.descriptor(path)
        try:
            for _ in range(TRIES):
                findings.clear()
                started_ns = self.started_ns()
                before = os.fstat(descriptor)
                size = before.st_size
                if before.st_mode >> 12 != FILE_CODE:
                    return vanished(path)
                if size > WHOLE_BYTES:
                    return TooLarge()
                if job.database and header_at(descriptor) is not None:
                    return Database()
                data = _read(descriptor, size, cutter)
                self._on_read(len(data))
                xattrs = read_xattrs(descriptor, path, findings.append)
                holes = holes_of(path, before, descriptor)
                stable = len(data) == size and not _differs(before, os.fstat(descriptor))
                if stable:
                    break
        finally:
            os.close(descriptor)
        chunks = _chunks_in(data, cutter)
        refs = tuple([ChunkRef(chunk.id, chunk.size_bytes) for chunk in chunks])
        entry = file_entry(path, self._names, before, xattrs=xattrs, holes=holes, chunks=refs, size_bytes=len(data), unstable=not stable)
        flags = _racy(before, started_ns)
        if not stable:
            findings.append(_changed_while_read(path))
            flags = SUSPECT
        return Captured(on_device(entry, self.sight), chunks, flags, tuple(findings), job.stamp)


class Stream:
    """A large file being read window by window. One caller at a time; `close` in any case. `entry` is what it was when opened."""

    def __init__(self, job: Job, descriptor: int, names: Names, started_ns: int, reading: Reading) -> None:
        self._job = job
        self._descriptor = descriptor
        self._names = names
        self._started_ns = started_ns
        self._on_read, self._sight = reading
        self._cutter = choose(job.granularity, job.recorded.chunks if job.recorded else ())
        self._before = os.fstat(descriptor)
        self.entry = self._look()
        self._left = self._before.st_size
        self._position = 0
        # What was read and is not cut yet, at the front of a buffer that serves all windows: the cutter looks a longest chunk ahead.
        self._buffer = _pages(min(self._left, self._cutter.most + WINDOW_BYTES))
        self._filled = 0
        self._refs: list[ChunkRef] = []
        sparse = self._before.st_blocks * 512 < self._before.st_size
        self._holes = list(read_holes(descriptor, self._before.st_size)) if sparse else []

    def window(self) -> list[Chunk]:
        """The next chunks, mostly 4 MiB of them; empty at the end of the file."""
        while self._left:
            hole = len(_ZEROS)
            if self._left >= hole and not self._filled and self._in_hole(hole) and (known := _zero_chunks(self._cutter)):
                self._position += hole
                self._left -= hole
                return self._note(known)
            read = self._read(min(WINDOW_BYTES, self._left))
            # A file that became shorter ends here; `finish` sees that it changed.
            self._left = self._left - read if read else 0
            if chunks := self._cut(final=self._left == 0):
                return self._note(chunks)
        return self._note(self._cut(final=True))

    def finish(self) -> Captured:
        """The entry, when all windows were taken."""
        findings: list[Finding] = []
        size = sum(ref.size_bytes for ref in self._refs)
        stable = size == self._before.st_size and not _differs(self._before, os.fstat(self._descriptor))
        entry = self._look(findings.append)
        if not stable:
            findings.append(_changed_while_read(self._job.path))
        entry = msgspec.structs.replace(entry, chunks=tuple(self._refs), size_bytes=size, unstable=not stable)
        return self._captured(entry, tuple(findings))

    def close(self) -> None:
        os.close(self._descriptor)

    def origin(self, on_withdrawn: Callable[[bytes], None]) -> Origin:
        """Where what was taken can be read again."""
        return FileOrigin(self.entry, self._on_read, on_withdrawn, self._sight)

    def _look(self, on_problem: OnProblem = ignore_problem) -> Entry:
        entry = read_entry(self._job.path, self._names, status=self._before, descriptor=self._descriptor, on_problem=on_problem)
        return on_device(entry, self._sight)

    def _captured(self, entry: Entry, findings: tuple[Finding, ...]) -> Captured:
        return Captured(entry, (), SUSPECT if entry.unstable else _racy(self._before, self._started_ns), findings, self._job.stamp)

    def _note(self, chunks: list[Chunk]) -> list[Chunk]:
        self._refs.extend(ChunkRef(chunk.id, chunk.size_bytes) for chunk in chunks)
        return chunks

    def _in_hole(self, size: int) -> bool:
        while self._holes and self._holes[0].offset + self._holes[0].size_bytes <= self._position:
            del self._holes[0]
        return bool(self._holes) and _covers(self._holes[0], self._position, size)

    def _cut(self, *, final: bool) -> list[Chunk]:
        filled = self._buffer[: self._filled]
        ends = self._cutter.cut(filled, final=final)
        if not ends:
            return []
        chunks = _cut_up(filled, ends)
        left = self._filled - ends[-1]
        self._buffer[:left] = filled[ends[-1] :]
        self._filled = left
        return chunks

    def _read(self, want: int) -> int:
        """Bytes put behind what is in the buffer."""
        start, end = self._position, self._position + want
        while self._position < end:
            zeros, size = self._span(self._position, end)
            space = self._buffer[self._filled : self._filled + size]
            if zeros:
                space[:] = _ZEROS[:size]
            else:
                size = os.preadv(self._descriptor, [space], self._position)
                self._on_read(size)
            if not size:
                break
            self._filled += size
            self._position += size
        return self._position - start

    def _span(self, position: int, end: int) -> tuple[bool, int]:
        """Whether a hole begins here or data, and for how long within `end`."""
        for hole in self._holes:
            if position < hole.offset:
                return False, min(end, hole.offset) - position
            if position < hole.offset + hole.size_bytes:
                return True, min(end, hole.offset + hole.size_bytes) - position
        return False, end - position


def on_device(entry: Entry, sight: Sight) -> Entry:
    """As it is in its place: a snapshot has a device of its own."""
    return msgspec.structs.replace(entry, device=sight.device(entry.device)) if sight else entry


def lost(path: bytes, error: OSError) -> Lost:
    """Gone or another kind since the walk: the next run sees to it. Else unreadable."""
    return vanished(path) if error.errno in _ELSEWHERE else Lost(unreadable(path, error))


def vanished(path: bytes) -> Lost:
    return Lost(
        Finding(
            code="vanished-while-captured",
            severity=Severity.INFO,
            message="it was there when the run began and is gone or replaced now; the next run sees to it",
            path=display_path(path),
        )
    )


def _changed_while_read(path: bytes) -> Finding:
    return Finding(
        code="changed-while-read",
        severity=Severity.WARNING,
        message="the file changed while it was read; it is kept as read, and read again in the next run",
        path=display_path(path),
        hint="use a hook that brings its program to rest, or a snapshot (`consistent: snapshot`)",
    )


def _read(descriptor: int, size: int, cutter: Cutter) -> bytes | memoryview:
    """The content from its start. What will be cut up comes into pages of its own, since chunks are copies."""
    if size <= cutter.least:
        return os.pread(descriptor, size, 0) if size else b""
    pages = _pages(size)
    return pages[: os.preadv(descriptor, [pages], 0)]


def _pages(size_bytes: int) -> memoryview:
    """Memory that goes back to the kernel once nobody uses it. Out of the heap, what else was put there meanwhile kept parts of it in
    use: some 20 MB after a few large files.
    """
    return memoryview(mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)) if size_bytes else memoryview(b"")


def _chunks_in(data: bytes | memoryview, cutter: Cutter) -> tuple[Chunk, ...]:
    size = len(data)
    if size == 0:
        return ()
    if size <= cutter.least:
        return (Chunk(sha256(data).digest(), size, bytes(data)),)
    return tuple(_cut_up(data, cutter.cut(data, final=True)))


def _cut_up(data: bytes | memoryview, ends: list[int]) -> list[Chunk]:
    """Chunks of their own: a part of a window would keep the whole of it in memory for as long as one of them is on its way."""
    view, start, chunks = memoryview(data), 0, []
    for end in ends:
        piece = bytes(view[start:end])
        chunks.append(Chunk(sha256(piece).digest(), end - start, piece))
        start = end
    return chunks


@lru_cache(maxsize=4)
def _zero_digests(cutter: Cutter) -> tuple[tuple[bytes, int], ...]:
    ends = cutter.cut(_ZEROS, final=True)
    if any(end - start != cutter.most for start, end in zip([0, *ends], ends, strict=False)):
        return ()
    return ((sha256(_ZEROS[: cutter.most]).digest(), cutter.most),) * len(ends)


def _zero_chunks(cutter: Cutter) -> list[Chunk]:
    """Zeros, hashed once per process: a huge hole costs neither reading nor hashing."""
    view = memoryview(_ZEROS)
    return [Chunk(digest, size, view[:size]) for digest, size in _zero_digests(cutter)]


def _covers(hole: Hole, position: int, size: int) -> bool:
    return hole.offset <= position and position + size <= hole.offset + hole.size_bytes


def _differs(before: os.stat_result, after: os.stat_result) -> bool:
    return before.st_ctime_ns != after.st_ctime_ns or before.st_mtime_ns != after.st_mtime_ns or before.st_size != after.st_size


def _racy(status: os.stat_result, started_ns: int) -> int:
    return SUSPECT if status.st_ctime_ns >= started_ns - RACY_NS else 0

"""SQLite databases in a capture: read from a consistent copy, and what is said where none can be made.

The row of a database bears a stamp in place of its ctime: one number for the stamps of the database and of its logs, see
`host.database_files.look`. So a change of the log alone makes the database dirty. Stamps of copies are even, those of databases whose files
were kept as they are odd, so that who reads content again knows what it was.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress

import msgspec

from holdfast.capture.chunks import FileOrigin, Origin
from holdfast.capture.reader import RACY_NS, Captured, Job, Reading, Stream, on_device
from holdfast.capture.rows import SUSPECT
from holdfast.host.database_copy import DatabaseCopier, DatabaseCopy, DatabaseNotCopied
from holdfast.host.database_files import Looks, look
from holdfast.host.metadata import Names, OnProblem, ignore_problem, read_entry
from holdfast.model.entry import Entry, display_path
from holdfast.model.jobs import Finding, Severity

# Odd, and of no database.
_TRY_AGAIN = 1


def stamp_of(looks: Looks, *, copied: bool) -> int:
    """What a row bears for its ctime."""
    return looks.digest & ~1 | (not copied)


def is_unchanged(stamp: int, looks: Looks) -> bool:
    """Whether the row with this stamp is of the database as it is."""
    return stamp | 1 == looks.digest | 1


class Databases:
    """Copies for one run."""

    def __init__(self, copier: DatabaseCopier, names: Names, reading: Reading) -> None:
        self._copier, self._names, self._reading = copier, names, reading

    def open(self, job: Job) -> CopyStream:
        """Raises `DatabaseNotCopied`, and `OSError` when the database cannot be read at all."""
        sight = self._reading.sight
        path = sight.real(job.path)
        status = os.lstat(path)
        copy = self._copier.copy(path, is_frozen=sight.is_frozen(job.path), real=sight.real)
        return CopyStream(job, copy, status, self._names, self._reading)

    def again(self, file: FileOrigin, stamp: int) -> Origin:
        """The content that was captured under this stamp."""
        return AgainCopied(self._copier, file, stamp)

    def stamp_as_it_is(self, path: bytes, problem: DatabaseNotCopied) -> int:
        """Of one whose files are kept as they are. What may pass is tried again with the next look, also when nothing has changed."""
        try:
            return _TRY_AGAIN if problem.may_pass else stamp_of(look(self._reading.sight.real(path)), copied=False)
        except OSError:
            return _TRY_AGAIN


class CopyStream(Stream):
    """The content of a consistent copy with the metadata of the database. Its mtime is that of the last write, which may be in the log."""

    def __init__(self, job: Job, copy: DatabaseCopy, status: os.stat_result, names: Names, reading: Reading) -> None:
        self._copy = copy
        self._status = status
        fine = msgspec.structs.replace(job, granularity="fine" if job.granularity == "auto" else job.granularity)
        super().__init__(fine, os.dup(copy.descriptor), names, 0, reading)

    def whole(self) -> Captured:
        """All of it in memory: for small ones."""
        chunks = []
        while window := self.window():
            chunks += window
        return msgspec.structs.replace(self.finish(), chunks=tuple(chunks))

    def origin(self, on_withdrawn: Callable[[bytes], None]) -> Origin:
        return CopyOrigin(self._copy, self._job.path, self._on_read)

    def _look(self, on_problem: OnProblem = ignore_problem) -> Entry:
        at = self._sight.real(self._job.path)
        entry = read_entry(self._job.path, self._names, status=self._status, at=at, on_problem=on_problem)
        entry = on_device(entry, self._sight)
        looks = self._copy.looks
        # Restored as one file with its other names it would lose what its log held, or give it to them.
        links = 1 if looks.has_log else entry.links
        return msgspec.structs.replace(entry, size_bytes=self._copy.size_bytes, mtime_ns=looks.mtime_ns, holes=(), links=links)

    def _captured(self, entry: Entry, findings: tuple[Finding, ...]) -> Captured:
        looks = self._copy.looks
        flags = SUSPECT if looks.newest_ns >= self._copy.began_ns - RACY_NS else 0
        return Captured(entry, (), flags, findings, stamp=stamp_of(looks, copied=True))


class CopyOrigin:
    """`chunks.Origin` of a copy that is still there."""

    def __init__(self, copy: DatabaseCopy, path: bytes, on_read: Callable[[int], None]) -> None:
        self.path, self.on_read = path, on_read
        self._copy = copy

    def open(self) -> int | None:
        return os.dup(self._copy.descriptor)

    def withdraw(self) -> None:
        """Nothing can have changed in it."""


class AgainCopied:
    """`chunks.Origin` of a database that was captured before: copied again when somebody asks, if it has not changed since."""

    def __init__(self, copier: DatabaseCopier, file: FileOrigin, stamp: int) -> None:
        self.path, self.on_read = file.path, file.on_read
        self._copier, self._file, self._stamp = copier, file, stamp
        self._lock = threading.Lock()
        self._tried = False
        self._copy: DatabaseCopy | None = None

    def open(self) -> int | None:
        with self._lock:
            if not self._tried:
                self._tried = True
                with suppress(DatabaseNotCopied, OSError):
                    path, sight = self.path, self._file.sight
                    self._copy = self._copier.copy(sight.real(path), is_frozen=sight.is_frozen(path), real=sight.real)
            copy = self._copy
        if copy is None or stamp_of(copy.looks, copied=True) != self._stamp:
            return None
        return os.dup(copy.descriptor)

    def withdraw(self) -> None:
        self._file.withdraw()


def not_copied(path: bytes, problem: DatabaseNotCopied) -> Finding:
    """Its files are kept as they are."""
    return Finding(
        code=problem.code,
        severity=Severity.WARNING,
        message=f"{problem.message}; its files are kept as they are and may not fit each other",
        path=display_path(path),
        hint=problem.hint,
    )


def foreign(path: bytes) -> Finding:
    return Finding(
        code="database-foreign",
        severity=Severity.WARNING,
        message="it has a log and an index as a SQLite database has, and is none, or is encrypted; its files are kept as they are",
        path=display_path(path),
        hint="let its program export it in a `before` hook",
    )

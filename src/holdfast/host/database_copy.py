"""A consistent copy of a SQLite database that other programs may be writing to, made without keeping them from it.

By SQLite's own backup where somebody may have it open: read only, some pages at a time. With a write-ahead log one read transaction lies
over all of the steps, which hinders nobody. With a rollback journal the lock is let go between the steps; who writes meanwhile makes it
begin again, and the last try takes small databases in one step.

A database at rest (a write-ahead log that nobody has indexed, or none; on a read-only file system) would be written to by opening it: an
index and a log would be made beside it. There its files are copied while they do not change, and SQLite brings the copy in order.

The locks SQLite takes are those of the process: while a copy is made, nobody else in it may open and close the same file.
https://www.sqlite.org/c3ref/backup_finish.html, https://www.sqlite.org/howtocorrupt.html (2.2)
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import quote

from holdfast.core.clock import Clock
from holdfast.core.errors import NoSpace, is_no_space
from holdfast.core.private_files import make_private_folder, touch_private
from holdfast.host.database_files import LOGS, Looks, header_at, look
from holdfast.host.disk import check_free
from holdfast.host.metadata import open_for_reading
from holdfast.host.super_journal import settle_journal

# Asked for often: who writes without a pause leaves moments of a millisecond.
PATIENCE_S, _POLL_S = 3.0, 0.002
_LOCK_S = 0.5
TRIES = 4
STEP_PAGES = 1_024
# In one step its writers wait for as long as that takes: a tenth of a second for 64 MiB.
WHOLE_BYTES = 64 * 1024 * 1024
# What changed so shortly ago could change again and look the same.
_RACY_NS = 20_000_000
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_NOT_OPENED = frozenset(
    {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
)


class DatabaseNotCopied(Exception):
    """`code`: `database-busy`, `database-damaged` or `database-not-copied`. Never leaves capture, which makes a finding of it."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint

    @property
    def may_pass(self) -> bool:
        """Whether it may be otherwise later, though the database has not changed."""
        return self.code != "database-damaged"


class _Again(Exception):
    """Somebody wrote meanwhile."""


class DatabaseCopy:
    """The copy: a file without a name, gone with the last reference to this. `looks`: of the original at `began_ns`, before it was
    copied."""

    def __init__(self, descriptor: int, looks: Looks, began_ns: int) -> None:
        self.descriptor, self.looks, self.began_ns = descriptor, looks, began_ns
        self.size_bytes = os.fstat(descriptor).st_size

    def __del__(self) -> None:
        os.close(self.descriptor)


@dataclass(frozen=True)
class DatabaseCopier:
    """Copies lie in `folder`, made when it is needed; `reserve_bytes` stay free on its disk. One thread at a time for each database."""

    folder: Path
    clock: Clock
    reserve_bytes: int
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def sweep(self) -> None:
        """Take away what a process that died has left. Not while copies are made."""
        if self.folder.is_dir():
            shutil.rmtree(self.folder, ignore_errors=True)

    def copy(self, path: bytes, *, is_frozen: bool = False, real: Callable[[bytes], bytes] = bytes) -> DatabaseCopy:
        """`is_frozen`: nobody can write there. `real`: where to look at what a path names that its journal bears. Raises
        `DatabaseNotCopied`, and `OSError` when the database itself cannot be read."""
        descriptor = open_for_reading(path)
        try:
            header = header_at(descriptor)
        finally:
            os.close(descriptor)
        looks = look(path)
        try:
            with self._place(looks.size_bytes) as place:
                if is_frozen or (header is not None and header.is_wal and not (looks.has_wal and looks.has_index)):
                    return self._by_files(path, place, is_frozen, real)
                with suppress(_Again):
                    return self._by_backup(path, place, is_wal=header is not None and header.is_wal)
                # Somebody holds it for good, or died while writing.
                return self._by_files(path, place, is_frozen, real)
        except sqlite3.Error as error:
            raise _translated(error) from error
        except NoSpace as error:
            raise DatabaseNotCopied("database-not-copied", f"no room for a consistent copy of it: {error.message}", error.hint) from error
        except OSError as error:
            if not os.path.lexists(path):
                raise
            # It was opened a moment ago: the place of the copy is what fails.
            hint = f"look at {self.folder.parent} and its disk"
            raise DatabaseNotCopied(
                "database-not-copied", f"no copy of it could be written: {os.strerror(error.errno or 0)}", hint
            ) from error

    @contextmanager
    def _place(self, size_bytes: int) -> Iterator[Path]:
        """A folder for one copy, with the room it needs. Raises `NoSpace`."""
        place = self.folder / str(next(self._numbers))
        try:
            make_private_folder(place)
            check_free(place, self.reserve_bytes + size_bytes)
            yield place
        except OSError as error:
            if is_no_space(error):
                raise NoSpace(f"the disk of {self.folder} is full", hint="make room there; the next run tries again") from error
            raise
        finally:
            shutil.rmtree(place, ignore_errors=True)
            with suppress(OSError):
                self.folder.rmdir()

    def _by_backup(self, path: bytes, place: Path, *, is_wal: bool) -> DatabaseCopy:
        """Raises `_Again` when it cannot be opened read only, or is held by others for longer than our patience."""
        target = place / "database"
        end_s = self.clock.monotonic_s() + PATIENCE_S
        # Before the first page is read: what is written after this makes the database differ from it.
        looks, began_ns = look(path), self.clock.now_ns()
        try:
            with closing(sqlite3.connect(_read_only(path), uri=True, isolation_level=None, timeout=_LOCK_S)) as source:
                if is_wal:
                    source.execute("BEGIN")
                    source.execute("SELECT 1 FROM sqlite_master").fetchone()
                source.execute("PRAGMA busy_timeout = 0")
                for attempt in range(TRIES):
                    if not is_wal:
                        looks, began_ns = look(path), self.clock.now_ns()
                    is_last = attempt == TRIES - 1
                    if is_last and os.lstat(path).st_size > WHOLE_BYTES:
                        break
                    with suppress(_Again):
                        self._backup(source, target, -1 if is_last else STEP_PAGES, end_s)
                        return _taken(target, looks, began_ns)
        except sqlite3.Error as error:
            if _code(error) in _NOT_OPENED:
                raise _Again from error
            raise
        raise _Again

    def _backup(self, source: sqlite3.Connection, target: Path, pages: int, end_s: float) -> None:
        target.unlink(missing_ok=True)
        touch_private(target)
        left_before: int | None = None

        def stepped(status: int, left: int, _total: int) -> None:
            nonlocal left_before
            if status in _BUSY:
                if self.clock.monotonic_s() >= end_s:
                    raise _Again
                return
            if left_before is not None and left >= left_before:
                raise _Again
            left_before = left

        with closing(sqlite3.connect(target, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("PRAGMA synchronous = OFF")
            source.backup(database, pages=pages, progress=stepped, sleep=_POLL_S)

    def _by_files(self, path: bytes, place: Path, is_frozen: bool, real: Callable[[bytes], bytes]) -> DatabaseCopy:
        target = place / "database"
        for _ in range(TRIES):
            looks, began_ns = look(path), self.clock.now_ns()
            if not is_frozen and looks.newest_ns > self.clock.now_ns() - _RACY_NS:
                # Nobody can tell two changes within so short a time apart; a moment later everybody can.
                threading.Event().wait(2 * _RACY_NS / 1e9)
                looks, began_ns = look(path), self.clock.now_ns()
            logs = [ending for ending in LOGS if _copy_file(path + ending, target.with_name(target.name + ending.decode()))]
            _copy_file(path, target)
            if b"-journal" in logs:
                # Asked while nothing changes: when it goes, all that it commits is in the database.
                settle_journal(target.with_name(target.name + "-journal"), path, real)
            if look(path).digest == looks.digest:
                if logs:
                    _recover(target)
                return _taken(target, looks, began_ns)
        raise DatabaseNotCopied(
            "database-busy",
            "the database was written to, or held, for as long as it was tried to copy it",
            "the next run tries again; a `before` hook can bring its program to rest",
        )


def _recover(target: Path) -> None:
    """The first who reads brings in what the log holds, or undoes what was not committed."""
    with closing(sqlite3.connect(target, isolation_level=None)) as database:
        database.execute("SELECT 1 FROM sqlite_master").fetchone()
    if target.with_name(target.name + "-wal").exists():
        raise DatabaseNotCopied("database-damaged", "the log beside the database does not fit it", "let its program open and check it")


def _taken(target: Path, looks: Looks, began_ns: int) -> DatabaseCopy:
    descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    target.unlink()
    return DatabaseCopy(descriptor, looks, began_ns)


def _copy_file(path: bytes, target: Path) -> bool:
    """Whether there is such a file."""
    target.unlink(missing_ok=True)
    try:
        source = open_for_reading(path)
    except FileNotFoundError:
        return False
    with open(source, "rb") as reader, open(target, "xb", opener=_private) as writer:
        shutil.copyfileobj(reader, writer, 1024 * 1024)
    return True


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _read_only(path: bytes) -> str:
    return f"file:{quote(path)}?mode=ro"


def _code(error: sqlite3.Error) -> int:
    """The primary result code; 0 for what Python itself says."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _translated(error: sqlite3.Error) -> DatabaseNotCopied:
    if _code(error) == sqlite3.SQLITE_FULL:
        return DatabaseNotCopied("database-not-copied", "no room for a consistent copy of it", "make room on the disk of the node's home")
    if _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return DatabaseNotCopied("database-damaged", f"SQLite does not take it for a sound database: {error}", "let its program check it")
    return DatabaseNotCopied("database-not-copied", f"no consistent copy could be made of it: {error}", "see what the message names")

"""SQLite files as we use them: write-ahead log, transactions begun by hand, usable from any thread by one at a time."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Literal

from holdfast.core.errors import HoldfastError, NoSpace, StoreError
from holdfast.core.private_files import touch_private

_BUSY_S = 30.0
# One statement for many rows: SQLite lets go of the interpreter lock at every step, and getting it back costs more than the row.
_ROWS_PER_STATEMENT = 256


def open_database(
    path: Path | bytes, *, synchronous: Literal["NORMAL", "FULL"], schema: str = "", **settings: int | str
) -> sqlite3.Connection:
    """`synchronous`: after a power cut, FULL keeps every commit, NORMAL perhaps not the last ones (but never half of one).

    `settings` are further pragmas; they come first, because a page size must be known before the log is there. `schema`: statements to
    begin with, which must bear being repeated. Raises `sqlite3.Error`; then nothing is left open, which would hold its locks for nobody
    knows how long (a connection is part of a cycle, and freed by the collector only).
    """
    try:
        touch_private(path)
    except OSError as error:
        raise sqlite3.OperationalError(f"unable to open database file: {error.strerror}") from error
    database = sqlite3.connect(os.fsdecode(path), isolation_level=None, check_same_thread=False, timeout=_BUSY_S, cached_statements=256)
    try:
        for name, value in {**settings, "journal_mode": "WAL", "synchronous": synchronous}.items():
            database.execute(f"PRAGMA {name} = {value}")
        database.executescript(schema)
    except BaseException:
        database.close()
        raise
    return database


class DatabaseErrors:
    """`with DatabaseErrors(path, "the records of the mirror")`: what SQLite or the disk under it raises, as an error of our tree.

    `NoSpace` when the disk is full, `StoreError` (or `kind`) otherwise, `damaged` being the hint where the file is no sound database.
    """

    def __init__(self, path: Path | bytes, what: str, *, damaged: str = "", kind: type[HoldfastError] = StoreError) -> None:
        self._path, self._what, self._damaged, self._kind = path, what, damaged, kind

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if type(error) not in (sqlite3.DatabaseError, sqlite3.OperationalError):
            # Not of the disk's making: a fault of ours.
            return
        assert isinstance(error, sqlite3.Error)
        shown = os.fsdecode(self._path)
        if _is_full(error, shown):
            raise NoSpace(f"the disk of {shown} is full", hint="make room there; the next run goes on by itself") from error
        hint = (
            self._damaged
            if not isinstance(error, sqlite3.OperationalError)
            else "see whether its disk is there, sound and writable; the next run goes on by itself"
        )
        raise self._kind(f"{self._what} cannot be used ({error}): {shown}", hint=hint) from error


def _is_full(error: sqlite3.Error, path: str) -> bool:
    """SQLite tells of a full disk as such only where it is in the middle of a write."""
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
        return True
    if isinstance(error.__cause__, OSError):
        return error.__cause__.errno in (errno.ENOSPC, errno.EDQUOT)
    try:
        return isinstance(error, sqlite3.OperationalError) and os.statvfs(os.path.dirname(path)).f_bavail == 0
    except OSError:
        return False


@contextmanager
def written_through(database: sqlite3.Connection) -> Iterator[None]:
    """For a NORMAL one: what is committed inside is on disk at the end, and with it all before, because the log is written in order.

    Something must be written inside, and not within an open transaction: the level cannot change in one.
    """
    database.execute("PRAGMA synchronous = FULL")
    try:
        yield
    finally:
        database.execute("PRAGMA synchronous = NORMAL")


def insert_many(
    database: sqlite3.Connection, table: str, rows: Sequence[Sequence[object]], *, on_conflict: Literal["REPLACE", "IGNORE"] = "REPLACE"
) -> None:
    """Insert whole rows of `table`, in as few steps as there can be. To be called inside a transaction."""
    for start in range(0, len(rows), _ROWS_PER_STATEMENT):
        some = rows[start : start + _ROWS_PER_STATEMENT]
        places = f"({','.join('?' * len(some[0]))})"
        sql = f"INSERT OR {on_conflict} INTO {table} VALUES {','.join([places] * len(some))}"
        database.execute(sql, list(chain.from_iterable(some)))

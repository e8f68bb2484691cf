"""SQLite files as we use them: write-ahead log, transactions begun by hand, usable from any thread by one at a time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Literal

from holdfast.core.private_files import touch_private

_BUSY_S = 30.0
# One statement for many rows: SQLite lets go of the interpreter lock at every step, and getting it back costs more than the row.
_ROWS_PER_STATEMENT = 256


def open_database(path: Path | bytes, *, synchronous: Literal["NORMAL", "FULL"], **settings: int | str) -> sqlite3.Connection:
    """`synchronous`: after a power cut, FULL keeps every commit, NORMAL perhaps not the last ones (but never half of one).

    `settings` are further pragmas; they come first, because a page size must be known before the log is there. Raises `sqlite3.Error`.
    """
    try:
        touch_private(path)
    except OSError as error:
        raise sqlite3.OperationalError(f"unable to open database file: {error.strerror}") from error
    database = sqlite3.connect(os.fsdecode(path), isolation_level=None, check_same_thread=False, timeout=_BUSY_S, cached_statements=256)
    try:
        for name, value in {**settings, "journal_mode": "WAL", "synchronous": synchronous}.items():
            database.execute(f"PRAGMA {name} = {value}")
    except BaseException:
        database.close()
        raise
    return database


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

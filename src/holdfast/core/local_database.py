"""SQLite files as we use them: write-ahead log, transactions begun by hand, usable from any thread by one at a time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from holdfast.core.private_files import touch_private

_BUSY_S = 30.0


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

"""SQLite files as we use them: write-ahead log, transactions begun by hand, usable from any thread by one at a time."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple

from holdfast.core.errors import HoldfastError, NoSpace, StoreError, is_no_space
from holdfast.core.private_files import touch_private

_BUSY_S = 30.0
# More than the pages of one small transaction.
_PROBE_BYTES = 64 << 10
_DISK_CODES = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
FULL_CODES = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
"""In the middle of a write, and where the shared memory of a database has to become larger."""
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
    except UnicodeDecodeError as error:
        # What SQLite says of a damaged file may quote it.
        database.close()
        raise sqlite3.DatabaseError(f"not a sound database: {error}") from error
    except BaseException:
        database.close()
        raise
    return database


class DatabaseErrors:
    """`with DatabaseErrors(path, "the records of the mirror")`: what SQLite or the disk under it raises, as an error of our tree.

    `NoSpace` when the disk is full, `StoreError` (or `kind`) otherwise, `damaged` being the hint where the file is no sound database.
    `is_sound` is asked when anything else is raised that nobody foresaw: rows that make no sense end in all sorts of errors, and to look
    at each before it is used would cost more than they are worth.
    """

    def __init__(
        self,
        path: Path | bytes,
        what: str,
        *,
        damaged: str = "",
        kind: type[HoldfastError] = StoreError,
        is_sound: Callable[[], bool] = lambda: True,
    ) -> None:
        self._path, self._what, self._damaged, self._kind, self._is_sound = path, what, damaged, kind, is_sound

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            return
        shown = os.fsdecode(self._path)
        if is_damage(error, self._is_sound):
            raise self._kind(f"{self._what} cannot be used ({error}): {shown}", hint=self._damaged) from error
        if isinstance(error, sqlite3.OperationalError):
            if is_full(error, shown):
                raise NoSpace(f"the disk of {shown} is full", hint="make room there; the next run goes on by itself") from error
            hint = "see whether its disk is there, sound and writable; the next run goes on by itself"
            raise self._kind(f"{self._what} cannot be used ({error}): {shown}", hint=hint) from error


def is_damage(error: BaseException, is_sound: Callable[[], bool]) -> bool:
    """Whether this was raised because the database is damaged: SQLite says so, or nobody foresaw it and `is_sound` says so (or raises)."""
    if isinstance(error, HoldfastError | OSError) or not isinstance(error, Exception):
        return False
    if isinstance(error, sqlite3.Error) and not _is_vague(error):
        return type(error) is sqlite3.DatabaseError
    try:
        return not is_sound()
    except sqlite3.OperationalError as second:
        return _is_vague(second)
    except OSError:
        return False
    except Exception:  # noqa: BLE001 - rows that make no sense end in all sorts of errors here, too
        return True


def _is_vague(error: sqlite3.Error) -> bool:
    """Neither the disk's fault for certain nor damage: a statement that does not fit, text that is none. Python's own have no code."""
    if isinstance(error.__cause__, OSError):
        return False
    is_named = type(error) in (sqlite3.DatabaseError, sqlite3.OperationalError)
    return not is_named or (isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorcode", 1) == sqlite3.SQLITE_ERROR)


def is_full(error: sqlite3.Error, path: str) -> bool:
    """SQLite does not tell of a full disk as such everywhere."""
    if getattr(error, "sqlite_errorcode", 0) in FULL_CODES:
        return True
    if isinstance(error.__cause__, OSError):
        return is_no_space(error.__cause__)
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DISK_CODES and not _has_room(os.path.dirname(path))


def _has_room(folder: str) -> bool:
    """Asked by writing: a quota that is used up shows in no figure of the file system, and SQLite tells of it as of a broken disk."""
    try:
        if os.statvfs(folder).f_bavail == 0:
            return False
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            os.write(file.fileno(), bytes(_PROBE_BYTES))
            os.fsync(file.fileno())
    except OSError as error:
        return not is_no_space(error)
    return True


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


def carry_over(path: Path) -> None:
    """Brings what is in the log of a database into the database itself, while somebody else reads and writes it and waits for nothing.

    Who writes much does it himself now and then (`wal_autocheckpoint`), in the middle of his work, and then waits for the disk. A database
    that is not there, or cannot be used, is left to whoever uses it.
    """
    quoted = str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    try:
        with closing(sqlite3.connect(f"file:{quoted}?mode=rw", uri=True, isolation_level=None, timeout=0)) as database:
            database.execute("PRAGMA wal_checkpoint(PASSIVE)")
    except sqlite3.Error:
        return


def insert_many(
    database: sqlite3.Connection, table: str, rows: Sequence[Sequence[object]], *, on_conflict: Literal["REPLACE", "IGNORE"] = "REPLACE"
) -> None:
    """Insert whole rows of `table`, in as few steps as there can be. To be called inside a transaction.

    Each number of rows is a statement of its own, and making one ready costs as much as carrying it out: so there are few numbers.
    """
    left, start, size = len(rows), 0, _ROWS_PER_STATEMENT
    while left:
        while size > left:
            size //= 2
        some = rows[start : start + size]
        database.execute(_insert_statement(table, on_conflict, len(some[0]), size), list(chain.from_iterable(some)))
        start += size
        left -= size


@lru_cache(maxsize=256)
def _insert_statement(table: str, on_conflict: str, columns: int, rows: int) -> str:
    row = f"({','.join('?' * columns)})"
    return f"INSERT OR {on_conflict} INTO {table} VALUES {','.join([row] * rows)}"


def fits(database: sqlite3.Connection, tables: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether the file is whole, and every value of the type its column has: names of SQLite's types, with `|` between several. Slow."""
    if database.execute("PRAGMA integrity_check(1)").fetchall() != [("ok",)]:
        return False
    for table, types in tables.items():
        wrong = " OR ".join(f"typeof({name}) NOT IN ({','.join(repr(one) for one in kinds.split('|'))})" for name, kinds in types.items())
        if database.execute(f"SELECT 1 FROM {table} WHERE {wrong} LIMIT 1").fetchone() is not None:
            return False
    return True


class Replaced(NamedTuple):
    """A damaged database that is now called `aside`; and why."""

    aside: Path
    error: str


def open_or_replace(
    path: Path, *, synchronous: Literal["NORMAL", "FULL"], schema: str, afresh: str = ""
) -> tuple[sqlite3.Connection, Replaced | None]:
    """As `open_database`, for what its owner can do without: a damaged file is moved aside and a new one made, with `afresh` as its first
    statements behind the schema."""
    try:
        return open_database(path, synchronous=synchronous, schema=schema), None
    except sqlite3.DatabaseError as error:
        if not is_damage(error, lambda: False):
            raise
        aside = move_aside(path)
        return open_database(path, synchronous=synchronous, schema=schema + afresh), Replaced(aside, str(error))


def move_aside(path: Path) -> Path:
    """Gives a damaged file, and what SQLite keeps beside it, another name: NAME.corrupt-N. Raises `OSError`."""
    number = 1
    while (aside := path.with_name(f"{path.name}.corrupt-{number}")).exists():
        number += 1
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + suffix))
    return aside

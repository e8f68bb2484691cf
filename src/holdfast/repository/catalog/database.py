"""The catalog file: one SQLite database in the owner's home, guarded by one lock, thrown away when it cannot be read.

The tables' own queries are in `blob_table`, `commit_table`, `version_table`, `version_lookup` and `name_index`; each takes the open
`Catalog`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, Protocol

from holdfast.core.errors import NoSpace, StoreError
from holdfast.core.local_database import insert_many, open_database
from holdfast.core.private_files import make_private_folder
from holdfast.repository.catalog.schema import SCRATCH, TABLES, VERSION

_BATCH = 500
Row = tuple[Any, ...]


class Rows(Protocol):
    """What is needed to read."""

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]: ...

    def row(self, sql: str, values: Sequence[object] = ()) -> Row | None: ...

    def rows_among(self, sql: str, ids: Sequence[bytes | int], values: Sequence[object] = ()) -> Iterator[Row]:
        """Rows of `sql` for many ids: `{ids}` in it becomes placeholders, bound before `values`."""
        for start in range(0, len(ids), _BATCH):
            part = ids[start : start + _BATCH]
            # Filled up to a power of two with one more of the same: few statements, which SQLite then has ready.
            more = (1 << (len(part) - 1).bit_length()) - len(part)
            yield from self.rows(sql.replace("{ids}", ",".join("?" * (len(part) + more))), (*part, *[part[-1]] * more, *values))


class CatalogRows(Rows):
    """Reading through a connection of its own. `translated` makes an error of our tree of what SQLite raises."""

    def __init__(self, connection: sqlite3.Connection, translated: Callable[[sqlite3.Error], StoreError]) -> None:
        self._connection = connection
        self._translated = translated

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def row(self, sql: str, values: Sequence[object] = ()) -> Row | None:
        try:
            found: Row | None = self._connection.execute(sql, values).fetchone()
        except sqlite3.Error as error:
            raise self._translated(error) from error
        return found


class Catalog(Rows):
    """The open database. Every method may be called from any thread; `transaction` nests, the outermost commits."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self.damaged = False
        # Rises when rows may have vanished under somebody who remembers their numbers: after a rollback, when folders are
        # removed, and when another catalog takes this one's place.
        self.generation = 0
        self.file_number = 0
        """Rises when another file takes this one's place."""
        self.exchange = threading.Lock()
        """Held while that happens."""
        self._guard = threading.RLock()
        self._depth = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. Raises `NoSpace` when HOME's disk is full, `StoreError` when the file fails."""
        with self._guard:
            outermost = self._depth == 0
            self._depth += 1
            try:
                if outermost:
                    self._connection.execute("BEGIN IMMEDIATE")
                yield
                if outermost:
                    self._connection.execute("COMMIT")
            except BaseException as error:
                if outermost:
                    self.generation += 1
                if outermost and self._connection.in_transaction:
                    with suppress(sqlite3.Error):
                        self._connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise self.translated(error) from error
                raise
            finally:
                self._depth -= 1

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Nobody else reads or writes meanwhile; no transaction begins."""
        with self._guard:
            yield

    def go_on_with(self, path: Path) -> None:
        """The closed catalog at `path` takes the place of this one, for everybody who holds it. Raises `StoreError`."""
        with self._guard, self.exchange:
            self._connection.close()
            discard_catalog(self._path)
            path.replace(self._path)
            try:
                self._connection = _connect(self._path)
            except sqlite3.Error as error:
                raise self.translated(error) from error
            self.damaged = False
            self.generation += 1
            self.file_number += 1

    @property
    def path(self) -> Path:
        return self._path

    def execute(self, sql: str, values: Sequence[object] = ()) -> int:
        """The number of rows changed."""
        with self.transaction():
            return self._connection.execute(sql, values).rowcount

    def insert(self, sql: str, values: Sequence[object]) -> int:
        """The new row's number."""
        with self.transaction():
            return int(self._connection.execute(sql, values).lastrowid or 0)

    def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        with self.transaction():
            self._connection.executemany(sql, rows)

    def insert_many(self, table: str, rows: Sequence[Sequence[object]], *, on_conflict: Literal["REPLACE", "IGNORE"]) -> None:
        with self.transaction():
            insert_many(self._connection, table, rows, on_conflict=on_conflict)

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        with self._guard:
            try:
                return self._connection.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                raise self.translated(error) from error

    def row(self, sql: str, values: Sequence[object] = ()) -> Row | None:
        with self._guard:
            try:
                found: Row | None = self._connection.execute(sql, values).fetchone()
            except sqlite3.Error as error:
                raise self.translated(error) from error
            return found

    def number_of(self, table: str, identity: str) -> int:
        """The short number of a node or dataset, given on first use. `table` is `nodes` or `datasets`."""
        with self.transaction():
            self._connection.execute(f"INSERT OR IGNORE INTO {table} (id) VALUES (?)", (identity,))
            found = self._connection.execute(f"SELECT no FROM {table} WHERE id = ?", (identity,)).fetchone()
            return int(found[0])

    def last_number(self, table: str) -> int:
        """The highest that a row of it ever had; 0 where there was none."""
        row = self.row("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,))
        return int(row[0]) if row else 0

    def know_numbers_of(self, other: Catalog) -> None:
        """Nodes and datasets get the numbers they have there, so that who remembers those can go on."""
        for table in ("nodes", "datasets"):
            self.insert_many(table, other.rows(f"SELECT no, id FROM {table}"), on_conflict="IGNORE")

    def close(self) -> None:
        """A catalog found damaged is deleted, so that the next start builds it again."""
        with self._guard:
            with suppress(sqlite3.Error):
                self._connection.close()
            if self.damaged:
                discard_catalog(self._path)

    def translated(self, error: sqlite3.Error) -> StoreError:
        """What SQLite raised as an error of our tree; damage is noted."""
        name = getattr(error, "sqlite_errorname", "")
        self.damaged |= name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or "no such" in str(error)
        return _translated(error)


def _translated(error: sqlite3.Error) -> StoreError:
    code = getattr(error, "sqlite_errorname", "")
    if code == "SQLITE_FULL":
        return NoSpace("the catalog's disk is full", hint="make room where HOME lies")
    return StoreError(f"the catalog fails: {error}", hint="restart the node; the catalog is built again from the repository")


def open_catalog(path: Path, repository: str) -> Catalog:
    """The catalog of the repository with this config id. Whatever else lies there is thrown away, and an empty one made."""
    make_private_folder(path.parent)
    try:
        connection = _connect(path)
        if _belongs(connection, repository):
            return Catalog(connection, path)
        connection.close()
    except sqlite3.DatabaseError:
        pass
    discard_catalog(path)
    try:
        connection = _connect(path)
        connection.executescript("BEGIN;" + TABLES)
        connection.executemany("INSERT INTO meta VALUES (?, ?)", (("version", str(VERSION)), ("repository", repository)))
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise _translated(error) from error
    return Catalog(connection, path)


def discard_catalog(path: Path) -> None:
    """The file and what SQLite keeps beside it; absent is fine."""
    for leftover in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        leftover.unlink(missing_ok=True)


def _connect(path: Path) -> sqlite3.Connection:
    connection = open_database(path, synchronous="NORMAL", cache_size=-16_000, temp_store="MEMORY")
    try:
        # They live as long as the connection, so each one has its own.
        connection.executescript(SCRATCH)
    except BaseException:
        connection.close()
        raise
    return connection


def _belongs(connection: sqlite3.Connection, repository: str) -> bool:
    try:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            return False
        # Only the first problem is wanted; the pages of a large catalog are not all read at each start.
        connection.execute("SELECT no FROM commits ORDER BY no DESC LIMIT 1").fetchone()
        meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return (meta.get("version"), meta.get("repository")) == (str(VERSION), repository)

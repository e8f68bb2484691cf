"""The connection under a mirror's records: rows are written many at a time and, where a commit will ask for them, read many at a time.

A statement costs some 15 microseconds whatever it does, and a changed file needed ten of them. New rows wait here until somebody reads what
they could be part of, or the transaction ends; nothing else ever sees the database without them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import msgspec

from holdfast.core.local_database import insert_many, open_database, written_through
from holdfast.mirror.rows import Content, Fingerprint, Recorded, Staged, What
from holdfast.model.entry import Entry

# How far the log grows before it is carried over, which waits for the disk: 32 MiB, a burst of some 50,000 changes.
_LOG_PAGES = 8_192
# Rows that are remembered, of each kind.
_MOST_REMEMBERED = 20_000
# Rows that wait, of each kind.
_MOST_WAITING = 2_000
# Rows that are asked for in one statement.
_ASKED_AT_ONCE = 256

# Tables whose new rows may wait.
FILES, CHUNKS, STAGED = ("files",), ("chunks",), ("staged",)
_LATE_TABLES = (*FILES, *CHUNKS, *STAGED)
STAGED_COLUMNS = "key, what, entry, file"
FILE_COLUMNS = "n, key, placed, size, mtime_ns, ctime_ns, inode"

_Key = TypeVar("_Key")
_Found = TypeVar("_Found")
decode_entry = msgspec.msgpack.Decoder(Entry).decode


class RowStore:
    """One connection; used by one thread at a time. Changes are held in an open transaction until `save`."""

    def __init__(self, path: bytes, schema: str) -> None:
        self._db = open_database(path, synchronous="NORMAL", schema=schema, cache_size=-16_000, wal_autocheckpoint=_LOG_PAGES)
        # Rows as they were read, until they change: a commit asks for most of them several times.
        self._entries: dict[bytes, Recorded | None] = {}
        self._files: dict[int, Content | None] = {}
        self._files_at: dict[bytes, list[Content]] = {}
        self._staged: dict[bytes, Staged | None] = {}
        # Ids of chunks that were asked for ahead and lie nowhere.
        self._nowhere: set[bytes] = set()
        self._waiting: dict[str, list[Sequence[object]]] = {table: [] for table in _LATE_TABLES}
        # Contents that some name is staged with; None = not known, or too many to tell.
        self._staged_contents: set[int] | None = None
        self._newest_file: int | None = None

    def save(self, *, durable: bool = False) -> None:
        """End of a transaction. `durable`: on disk when this returns; else only after a crash of the process."""
        self._write_all_waiting()
        if not self._db.in_transaction:
            return
        self._db.execute("COMMIT")
        if durable:
            with written_through(self._db):
                self._db.execute(
                    "INSERT OR REPLACE INTO facts VALUES('saved', COALESCE((SELECT value FROM facts WHERE name='saved'), 0) + 1)"
                )

    def forget(self) -> None:
        """Roll back what was not saved."""
        self._forget_remembered()
        for rows in self._waiting.values():
            rows.clear()
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def close(self) -> None:
        self.forget()
        self._db.close()

    def foresee(self, keys: Collection[bytes], chunk_ids: Iterable[bytes] = ()) -> None:
        """Reads what is recorded at these keys, and notes which of these chunks lie nowhere: each will be asked for."""
        self.foresee_entries(keys)
        for some in _some_of(key for key in keys if key not in self._files_at):
            files: dict[bytes, list[Content]] = {key: [] for key in some}
            for row in self._read_of(some, f"SELECT {FILE_COLUMNS} FROM files WHERE key IN", FILES):
                content = content_of(row)
                files[content.key].append(content)
                _remember(self._files, content.n, content)
            for key, found in files.items():
                _remember(self._files_at, key, sorted(found, key=_newest_first))
        for some in _some_of(chunk_ids):
            there = {row[0] for row in self._read_of(some, "SELECT DISTINCT id FROM chunks WHERE id IN", CHUNKS)}
            if len(self._nowhere) + len(some) > _MOST_REMEMBERED:
                self._nowhere.clear()
            self._nowhere.update(chunk_id for chunk_id in some if chunk_id not in there)

    def foresee_entries(self, keys: Iterable[bytes]) -> None:
        """Reads the entries at these keys and their contents: each will be asked for."""
        for some in _some_of(key for key in keys if key not in self._entries):
            rows = self._read_of(some, "SELECT key, entry, file FROM entries WHERE key IN", ())
            found = {key: Recorded(decode_entry(entry), file) for key, entry, file in rows}
            for key in some:
                _remember(self._entries, key, found.get(key))
            self.foresee_files(recorded.file for recorded in found.values())

    def foresee_files(self, numbers: Iterable[int | None]) -> None:
        """Reads these contents: each will be asked for."""
        for some in _some_of(n for n in numbers if n is not None and n not in self._files):
            found = {row[0]: content_of(row) for row in self._read_of(some, f"SELECT {FILE_COLUMNS} FROM files WHERE n IN", FILES)}
            for n in some:
                _remember(self._files, n, found.get(n))

    def foresee_staged(self, keys: Iterable[bytes]) -> None:
        """Reads what is staged at these keys: each will be asked for."""
        for some in _some_of(key for key in keys if key not in self._staged):
            found = {row[0]: staged_of(row) for row in self._read_of(some, f"SELECT {STAGED_COLUMNS} FROM staged WHERE key IN", STAGED)}
            for key in some:
                _remember(self._staged, key, found.get(key))

    def _read(self, sql: str, values: Sequence[object] = (), of: Sequence[str] = _LATE_TABLES) -> sqlite3.Cursor:
        """`of`: which of the tables whose rows wait are read."""
        for table in of:
            if self._waiting[table]:
                self._write_waiting(table)
        return self._db.execute(sql, values)

    def _read_of(self, some: Sequence[object], sql: str, of: Sequence[str]) -> sqlite3.Cursor:
        return self._read(f"{sql} ({','.join('?' * len(some))})", some, of)

    def _change(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        self._begin()
        self._write_all_waiting()
        return self._db.execute(sql, values)

    def _insert(self, table: str, rows: Sequence[Sequence[object]]) -> None:
        """Now, in place of rows with the same key."""
        self._begin()
        self._write_all_waiting()
        insert_many(self._db, table, rows)

    def _insert_later(self, table: str, row: Sequence[object]) -> None:
        waiting = self._waiting[table]
        waiting.append(row)
        if len(waiting) >= _MOST_WAITING:
            self._write_waiting(table)

    def _write_all_waiting(self) -> None:
        for table, rows in self._waiting.items():
            if rows:
                self._write_waiting(table)

    def _write_waiting(self, table: str) -> None:
        self._begin()
        insert_many(self._db, table, self._waiting[table])
        self._waiting[table].clear()

    def _begin(self) -> None:
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")

    def _add_file(self, key: bytes, placed: bool, fingerprint: Fingerprint) -> int:
        """A number that no content has had: what was rolled back may have left a file of its number."""
        if self._newest_file is None:
            self._newest_file = int(self._read("SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name='files'").fetchone()[0])
        self._newest_file = n = self._newest_file + 1
        content = Content(n, key, placed, fingerprint)
        self._insert_later("files", row_of(content))
        _remember(self._files, n, content)
        if key in self._files_at:
            self._files_at[key] = [content, *self._files_at[key]]
        return n

    def _note_staged(self, file: int | None) -> None:
        if file is not None and self._staged_contents is not None:
            self._staged_contents.add(file)
            if len(self._staged_contents) > _MOST_REMEMBERED:
                self._staged_contents = None

    def entry(self, key: bytes) -> Recorded | None:
        if key in self._entries:
            return self._entries[key]
        row = self._read("SELECT entry, file FROM entries WHERE key=?", (key,), ()).fetchone()
        found = None if row is None else Recorded(decode_entry(row[0]), row[1])
        _remember(self._entries, key, found)
        return found

    def file(self, n: int) -> Content | None:
        if n in self._files:
            return self._files[n]
        row = self._read(f"SELECT {FILE_COLUMNS} FROM files WHERE n=?", (n,), FILES).fetchone()
        found = None if row is None else content_of(row)
        _remember(self._files, n, found)
        return found

    def files_at(self, key: bytes) -> list[Content]:
        """Newest first."""
        if key in self._files_at:
            return self._files_at[key]
        rows = self._read(f"SELECT {FILE_COLUMNS} FROM files WHERE key=? ORDER BY n DESC", (key,), FILES)
        return [content_of(row) for row in rows]

    def _forget_remembered(self) -> None:
        self._entries.clear()
        self._staged.clear()
        self._staged_contents = None
        self._nowhere.clear()
        self._forget_contents_remembered()

    def _forget_contents_remembered(self) -> None:
        self._files.clear()
        self._files_at.clear()


def staged_of(row: tuple[bytes, What, bytes | None, int | None]) -> Staged:
    key, what, entry, file = row
    return Staged(key, what, None if entry is None else decode_entry(entry), file)


def row_of(content: Content) -> tuple[object, ...]:
    at = content.fingerprint
    return content.n, content.key, int(content.placed), at.size, at.mtime_ns, at.ctime_ns, at.inode


def content_of(row: tuple[int, bytes, int, int, int, int, int]) -> Content:
    return Content(row[0], row[1], bool(row[2]), Fingerprint(*row[3:]))


def _newest_first(content: Content) -> int:
    return -content.n


def _remember(known: dict[_Key, _Found], key: _Key, found: _Found) -> None:
    if len(known) >= _MOST_REMEMBERED:
        known.clear()
    known[key] = found


def _some_of(asked: Iterable[_Key]) -> Iterator[list[_Key]]:
    rest = iter(asked)
    while some := list(islice(rest, _ASKED_AT_ONCE)):
        yield some

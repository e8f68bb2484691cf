"""What the archive operation is about to do, and has done: `HOME/archive.db`. Every change is on the disk before the next step is taken."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from holdfast.capture.rows import Row, unsigned
from holdfast.core.ids import DatasetId
from holdfast.core.local_database import DatabaseErrors, open_database
from holdfast.model.entry import path_of

_SCHEMA = """
CREATE TABLE IF NOT EXISTS moves (path BLOB NOT NULL, private BLOB NOT NULL, root BLOB NOT NULL, target BLOB NOT NULL,
    device TEXT NOT NULL, inode TEXT NOT NULL, PRIMARY KEY (path, private)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS copies (dataset TEXT NOT NULL, path BLOB NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,
    inode TEXT NOT NULL, PRIMARY KEY (dataset, path)) WITHOUT ROWID;
"""
FILE = "archive.db"


class Move(NamedTuple):
    """The file `path`, below `root` of its classification, is to leave its place for `private`, a name in the same folder, and then to go.
    `target`: what the stub in its place says; empty = none is left there. `device` and `inode` tell the file, wherever it is found."""

    path: bytes
    private: bytes
    root: bytes
    target: bytes
    device: int
    inode: int


class Copied(NamedTuple):
    """A file that is archived and stays: the state that was archived."""

    path: bytes
    size_bytes: int
    mtime_ns: int
    inode: int


class ArchiveBook:
    """One process uses it at a time, each of its threads its own. Raises `StoreError`, `NoSpace`."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE
        with self._errors():
            self._database = open_database(self._path, synchronous="FULL", schema=_SCHEMA)

    def begin(self, moves: Sequence[Move]) -> None:
        """What is about to be done; durable when this returns."""
        rows = [(*move[:4], str(move.device), str(move.inode)) for move in moves]
        with self._errors(), self._writing():
            self._database.executemany("INSERT OR REPLACE INTO moves VALUES (?, ?, ?, ?, ?, ?)", rows)

    def end(self, moves: Iterable[Move]) -> None:
        """Nothing is left to be done of these."""
        with self._errors(), self._writing():
            self._database.executemany("DELETE FROM moves WHERE path = ? AND private = ?", [(move.path, move.private) for move in moves])

    def begun(self) -> tuple[Move, ...]:
        """What an earlier life has left unfinished."""
        with self._errors():
            rows = self._database.execute("SELECT path, private, root, target, device, inode FROM moves ORDER BY path").fetchall()
        return tuple(Move(row[0], row[1], row[2], row[3], int(row[4]), int(row[5])) for row in rows)

    def note_copies(self, dataset: DatasetId, files: Iterable[Copied]) -> None:
        rows = [(dataset, file.path, file.size_bytes, file.mtime_ns, str(file.inode)) for file in files]
        with self._errors(), self._writing():
            self._database.executemany("INSERT OR REPLACE INTO copies VALUES (?, ?, ?, ?, ?)", rows)

    def not_copied(self, dataset: DatasetId, rows: Sequence[Row]) -> Sequence[Row]:
        """Those whose state, as it was captured, is not archived already; at most some hundred rows."""
        paths = [path_of(row.key) for row in rows]
        marks = ", ".join("?" * len(paths))
        with self._errors():
            asked = f"SELECT path, size, mtime, inode FROM copies WHERE dataset = ? AND path IN ({marks})"
            found = {path: facts for path, *facts in self._database.execute(asked, (dataset, *paths))}
        return [row for row, path in zip(rows, paths, strict=True) if found.get(path) != [row.size, row.mtime_ns, str(unsigned(row.inode))]]

    def close(self) -> None:
        self._database.close()

    def _errors(self) -> DatabaseErrors:
        hint = "move it away; what it says is looked up again"
        return DatabaseErrors(self._path, "the book of the archive operation", damaged=hint)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self._database
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

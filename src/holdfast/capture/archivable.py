"""Files of the state that an archive operation may take, and what it writes down of them."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from holdfast.capture.rows import ARCHIVED, COLUMNS, FILE_CODE, OF_VERSION, STUBBED, Row
from holdfast.model.entry import walk_key


@dataclass(frozen=True)
class Wanted:
    """Files of a dataset (its bit), last changed before a time, larger than a size."""

    bit: int
    before_ns: int
    larger_than_bytes: int


class Archivable:
    """Questions about the rows of one state, under its lock."""

    def __init__(self, database: sqlite3.Connection, lock: threading.RLock) -> None:
        self._database, self._lock = database, lock

    def files(self, wanted: Wanted, after: bytes, limit: int) -> list[Row]:
        """In walk order behind the key `after`. Only files that are captured as they are: none that is to be looked at again, and none
        that is archived already."""
        where = "key > ? AND members & ? AND kind = ? AND flags & ? = 0 AND mtime < ? AND size > ?"
        values = (after, wanted.bit, FILE_CODE, OF_VERSION, wanted.before_ns, wanted.larger_than_bytes, limit)
        with self._lock:
            found = self._database.execute(f"SELECT {COLUMNS} FROM rows WHERE {where} ORDER BY key LIMIT ?", values).fetchall()
        return [Row(*values) for values in found]

    def note_stubbed(self, paths: Iterable[bytes]) -> None:
        """What is at these paths now are stubs."""
        self._note(paths, STUBBED)

    def note_archived(self, paths: Iterable[bytes]) -> None:
        """These are about to be removed, for they are archived: to be said before it is so."""
        self._note(paths, ARCHIVED)

    def _note(self, paths: Iterable[bytes], flag: int) -> None:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._database.executemany(
                    "UPDATE rows SET flags = flags | ? WHERE key = ? AND kind = ?", [(flag, walk_key(path), FILE_CODE) for path in paths]
                )
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

"""The verdicts of a walk, on disk: what the second pass has to do, in walk order. Flat in memory whatever the size of the tree.

Nearly all come in walk order and are appended to a file. Those that come late (a folder that belongs only if something below it does is
judged when it is left) go into a small database, which sorts them; reading merges the two.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from enum import IntEnum
from heapq import merge
from operator import attrgetter
from pathlib import Path

import msgspec

from holdfast.capture.database import disk_error
from holdfast.core.local_database import insert_many
from holdfast.core.private_files import open_to_append, touch_private

_SCHEMA = """
CREATE TABLE late (key BLOB PRIMARY KEY, act INTEGER, members INTEGER, gone INTEGER, strayed INTEGER, kind INTEGER, size INTEGER,
    device INTEGER, inode INTEGER, known INTEGER) WITHOUT ROWID
"""
_BATCH = 4_000


class Act(IntEnum):
    """CAPTURE: look and read. PARENT: look at a folder above a root, through symlinks. MEMBERS: only memberships change.
    GONE: not there. BESIDE: the log of a database that has changed; what becomes of it goes by what became of that."""

    CAPTURE = 1
    PARENT = 2
    MEMBERS = 3
    GONE = 4
    BESIDE = 5


class Verdict(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`members`: requested datasets the path belongs to now. `gone`: those it belonged to before; of them `strayed` left by classification.
    `device` and `inode` are set for files with several links. `known`: the state has a row.
    """

    key: bytes
    act: int
    members: int
    gone: int
    strayed: int
    kind: int
    size: int
    device: int
    inode: int
    known: int


class Handover:
    """Verdicts that are taken as they come, instead of a ledger."""

    def __init__(self) -> None:
        self._pending: list[Verdict] = []

    def add(self, verdict: Verdict) -> bool:
        """Never writes."""
        self._pending.append(verdict)
        return False

    def flush(self) -> None:
        """Nothing waits anywhere else."""

    def take(self) -> list[Verdict]:
        """Those that came since the last time."""
        taken, self._pending = self._pending, []
        return taken


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Verdict]).decode
_key = attrgetter("key")


def late_of(path: Path) -> Path:
    """Where a ledger keeps those that come late."""
    return path.with_name(path.name + "-late")


class Ledger:
    """Throw-away files beside the state. `close` removes them. Every method may raise `NoSpace` or `SourceError` when their disk fails."""

    def __init__(self, path: Path) -> None:
        self._path, self._late_path = path, late_of(path)
        try:
            self._remove()
            self._file = open_to_append(path)
        except OSError as error:
            raise disk_error(path, error) from error
        # Where each batch ends.
        self._ends: list[int] = [0]
        self._pending: list[Verdict] = []
        self._last_key = b""
        self._late: list[Verdict] = []
        self._database: sqlite3.Connection | None = None

    def add(self, verdict: Verdict) -> bool:
        """Whether this one caused a write, now and then: a good moment to look at the disk."""
        if verdict.key < self._last_key:
            self._late.append(verdict)
            if len(self._late) < _BATCH:
                return False
            self._save_late()
            return True
        self._last_key = verdict.key
        self._pending.append(verdict)
        if len(self._pending) < _BATCH:
            return False
        self._append()
        return True

    def flush(self) -> None:
        """Everything is where reading finds it."""
        self._append()
        if self._late and self._database is not None:
            self._save_late()
        self._late.sort(key=_key)

    def __iter__(self) -> Iterator[Verdict]:
        """All verdicts in walk order."""
        self.flush()
        if not self._late and self._database is None:
            return self._in_order()
        return merge(self._in_order(), self._sorted_late(), key=_key)

    def close(self) -> None:
        os.close(self._file)
        if self._database is not None:
            self._database.close()
        # What cannot be removed now is before the next walk, which must not take it for its own.
        with suppress(OSError):
            self._remove()

    def _append(self) -> None:
        if not self._pending:
            return
        view = memoryview(_encode(self._pending))
        self._ends.append(self._ends[-1] + len(view))
        self._pending.clear()
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            raise disk_error(self._path, error) from error

    def _save_late(self) -> None:
        database = self._database
        if database is None:
            touch_private(self._late_path)
            database = self._database = sqlite3.connect(self._late_path, isolation_level=None, check_same_thread=False)
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("PRAGMA synchronous = OFF")
            database.execute(_SCHEMA)
        database.execute("BEGIN")
        insert_many(database, "late", [msgspec.structs.astuple(verdict) for verdict in self._late])
        database.execute("COMMIT")
        self._late.clear()

    def _in_order(self) -> Iterator[Verdict]:
        reader = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            for start, end in zip(self._ends, self._ends[1:], strict=False):
                yield from _decode(os.pread(reader, end - start, start))
        finally:
            os.close(reader)

    def _sorted_late(self) -> Iterator[Verdict]:
        if self._database is None:
            yield from self._late
            return
        last: bytes | None = None
        while True:
            where, values = ("", ()) if last is None else ("WHERE key > ?", (last,))
            page = self._database.execute(f"SELECT * FROM late {where} ORDER BY key LIMIT {_BATCH}", values).fetchall()
            for values_of_row in page:
                yield Verdict(*values_of_row)
            if len(page) < _BATCH:
                return
            last = page[-1][0]

    def _remove(self) -> None:
        for path in (self._path, self._late_path):
            with suppress(FileNotFoundError):
                path.unlink()

"""The verdicts of a walk, on disk: what the second pass has to do, in walk order. Flat in memory whatever the size of the tree."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from holdfast.core.local_database import insert_many
from holdfast.core.private_files import touch_private

_SCHEMA = """
CREATE TABLE verdicts (key BLOB PRIMARY KEY, act INTEGER, members INTEGER, gone INTEGER, strayed INTEGER, kind INTEGER, size INTEGER,
    device INTEGER, inode INTEGER, known INTEGER) WITHOUT ROWID
"""
_BATCH = 4_000
_PAGE = 4_000


class Act(IntEnum):
    """CAPTURE: look and read. PARENT: look at a folder above a root, through symlinks. MEMBERS: only memberships change.
    GONE: not there."""

    CAPTURE = 1
    PARENT = 2
    MEMBERS = 3
    GONE = 4


class Verdict(NamedTuple):
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


class Ledger:
    """A throw-away database beside the state. `close` removes it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        _remove(path)
        touch_private(path)
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(_SCHEMA)
        self._pending: list[Verdict] = []

    def add(self, verdict: Verdict) -> bool:
        """Whether this one caused a write, now and then: a good moment to look at the disk."""
        self._pending.append(verdict)
        if len(self._pending) < _BATCH:
            return False
        self.flush()
        return True

    def flush(self) -> None:
        self._database.execute("BEGIN")
        insert_many(self._database, "verdicts", self._pending)
        self._database.execute("COMMIT")
        self._pending.clear()

    def __iter__(self) -> Iterator[Verdict]:
        """All verdicts in walk order."""
        self.flush()
        last: bytes | None = None
        while True:
            where, values = ("", ()) if last is None else ("WHERE key > ?", (last,))
            page = self._database.execute(f"SELECT * FROM verdicts {where} ORDER BY key LIMIT {_PAGE}", values).fetchall()
            for values_of_row in page:
                yield Verdict(*values_of_row)
            if len(page) < _PAGE:
                return
            last = page[-1][0]

    def close(self) -> None:
        self._database.close()
        _remove(self._path)


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.unlink()

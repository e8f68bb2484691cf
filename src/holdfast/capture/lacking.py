"""What receivers lack: the rows that were changed since the run they stand at. Costs by what was changed, where the runs list it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence

from holdfast.capture.accounts import Accounts
from holdfast.capture.rows import COLUMNS, FILE_CODE, RESTLESS, WITHDRAWN, Row

_PAGE = 500


class Lacking:
    """Questions about the rows of one state, under its lock."""

    def __init__(self, database: sqlite3.Connection, lock: threading.RLock, accounts: Accounts) -> None:
        self._database, self._lock, self._accounts = database, lock, accounts

    def rows(self, bases: Mapping[int, int], before: int) -> Iterator[Row]:
        """Rows that receivers lack, in walk order: by dataset bit, changed after that run (-1 = all rows) and before run `before`.
        A run given is one that `CaptureState.base_for` allows: what changed before a dataset's horizon is not known any more.

        May give rows that one of several datasets is not behind in. Page by page: the table may change behind the page. Costs by what was
        changed since, or one look at all rows where that was long ago or much.
        """
        behind = {bit: base for bit, base in bases.items() if base < before - 1}
        with self._lock:
            listed = {bit: None if base < 0 else self._accounts.changed_keys((base, before), bit) for bit, base in behind.items()}
        behind = {bit: base for bit, base in behind.items() if listed[bit] != []}
        if not behind:
            return
        runs, mask = (min(behind.values()), before), sum(behind)
        if any(listed[bit] is None for bit in behind):
            last: bytes | None = None
            while page := self._rows_after(last, runs, mask, _PAGE):
                yield from page
                last = page[-1].key
            return
        keys = sorted({key for bit in behind for key in listed[bit] or ()})
        for start in range(0, len(keys), _PAGE):
            yield from self._rows_at(keys[start : start + _PAGE], runs, mask)

    def size_bytes(self, runs: tuple[int, int], mask: int) -> int:
        """Size of the files of `mask` that were changed after runs[0] and before runs[1]; runs[0] -1 = of all."""
        with self._lock:
            keys = None if runs[0] < 0 else self._accounts.changed_keys(runs, mask)
            if keys is None:
                where = "kind = ? AND run > ? AND run < ? AND members & ?"
                return int(self._database.execute(f"SELECT total(size) FROM rows WHERE {where}", (FILE_CODE, *runs, mask)).fetchone()[0])
            pages = (self._rows_at(keys[start : start + _PAGE], runs, mask) for start in range(0, len(keys), _PAGE))
            return sum(row.size for page in pages for row in page if row.members & mask and row.kind == FILE_CODE)

    def calm(self, slot: int, passed_seq: int) -> None:
        """Every receiver of the dataset is about to have passed this run. What has not changed since the one they had all passed before has
        rested between two runs that served them all, and is restless no more. Within a transaction, before the horizon moves."""
        flags = f"flags != 0 AND flags & {RESTLESS | WITHDRAWN} = {RESTLESS}"
        passed = "run <= (SELECT horizon FROM datasets WHERE slot = ?1 AND horizon < ?2)"
        query = f"UPDATE rows INDEXED BY flagged SET flags = flags - {RESTLESS} WHERE {flags} AND members & ?3 AND {passed}"
        self._database.execute(query, (slot, passed_seq, 1 << slot))

    def _rows_after(self, key: bytes | None, runs: tuple[int, int], mask: int, limit: int) -> list[Row]:
        where = "run > ? AND run < ? AND (members | departed) & ?"
        values: list[object] = [*runs, mask]
        if key is not None:
            where, values = f"key > ? AND {where}", [key, *values]
        with self._lock:
            found = self._database.execute(f"SELECT {COLUMNS} FROM rows WHERE {where} ORDER BY key LIMIT ?", (*values, limit)).fetchall()
        return [Row(*values) for values in found]

    def _rows_at(self, keys: Sequence[bytes], runs: tuple[int, int], mask: int) -> list[Row]:
        where = f"key IN ({','.join('?' * len(keys))}) AND run > ? AND run < ? AND (members | departed) & ?"
        with self._lock:
            found = self._database.execute(f"SELECT {COLUMNS} FROM rows WHERE {where} ORDER BY key", (*keys, *runs, mask)).fetchall()
        return [Row(*values) for values in found]

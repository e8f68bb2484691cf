"""What lies beside a database in the first pass: its log and index are no files of their own, but part of what it holds."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from holdfast.capture.databases import is_unchanged
from holdfast.capture.frame import ROWS_BETWEEN, RowHead
from holdfast.capture.ledger import Act, Verdict
from holdfast.capture.rows import FILE_CODE, signed
from holdfast.host.database_files import HEAD_BYTES, INDEX, look, main_of, read_header
from holdfast.host.sight import Sight
from holdfast.model.entry import name_of, walk_key


@dataclass(frozen=True)
class Beside:
    """One path beside the file `main`, which is there, with this status; `real` is where to look at it."""

    path: bytes
    main: bytes
    real: bytes
    status: os.stat_result
    is_database: bool

    @classmethod
    def find(cls, path: bytes, sight: Sight, on_read: Callable[[int], None]) -> Beside | None:
        """None when there is no file beside which it would lie. `on_read` hears of the bytes read to know."""
        main = main_of(path)
        if main is None:
            return None
        try:
            real = sight.real(main)
            status = os.lstat(real)
        except OSError:
            return None
        if not stat.S_ISREG(status.st_mode) or not status.st_size:
            return None
        on_read(HEAD_BYTES)
        return cls(path, main, real, status, read_header(real) is not None)

    @property
    def name(self) -> bytes:
        """Of the file."""
        return name_of(self.main)

    @property
    def is_index(self) -> bool:
        return self.path.endswith(INDEX)

    @property
    def has_log(self) -> bool:
        return os.path.lexists(self.real + b"-wal")

    def row(self, reader: sqlite3.Connection) -> RowHead | None:
        """What the state knows of the database."""
        key = walk_key(self.main)
        found: RowHead | None = reader.execute(ROWS_BETWEEN, (key, key + b"\x00")).fetchone()
        return found

    def is_unchanged(self, known: RowHead | None) -> bool:
        """Whether the second pass will have nothing to do with the database."""
        return known is not None and known[2] == 0 and is_same_database(known, self.real, self.status)

    def verdicts(self, known: RowHead | None, wanted: int, own: tuple[bytes, int, int | None], status: os.stat_result) -> Iterator[Verdict]:
        """Of a database that has changed. `own`: of what lies beside it the key, the datasets it belongs to, and those its row is of
        (None = there is none)."""
        if known is not None and self._was_a_file(known):
            # It passed for unchanged by its own stamps, and was not captured as a database before.
            yield Verdict(walk_key(self.main), Act.CAPTURE, wanted, 0, 0, FILE_CODE, self.status.st_size, 0, 0, 1)
        key, bits, before = own
        kind = status.st_mode >> 12
        yield Verdict(key, Act.BESIDE, bits, before or 0, before or 0, kind, status.st_size, 0, 0, int(before is not None))

    def _was_a_file(self, known: RowHead) -> bool:
        """Whether its row is one of a file like others, that has not changed since."""
        now = (FILE_CODE, self.status.st_size, self.status.st_mtime_ns, self.status.st_ctime_ns, signed(self.status.st_ino))
        return known[2:] == (0, *now)


def is_same_database(row: RowHead, path: bytes, status: os.stat_result) -> bool:
    """Whether the row is of a database that nobody has written to since, be it by its log."""
    if row[2] != 0 or row[3] != FILE_CODE or status.st_mode >> 12 != FILE_CODE or row[6] == status.st_ctime_ns:
        return False
    return is_unchanged(row[6], look(path, status))

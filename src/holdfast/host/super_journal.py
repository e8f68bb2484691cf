"""The name that a rollback journal bears where one transaction writes to several databases: that of their super-journal, whose removal
commits all of them at one moment. As long as it is there the journal undoes what the database has of the transaction; once it is gone the
journal means nothing.

SQLite looks for it under that very name. A program in a container, or a database that is looked at in a snapshot, has it elsewhere: then
SQLite takes a transaction that was never committed for one that was, and half of it stays.

Source of the format: https://www.sqlite.org/fileformat2.html#the_rollback_journal and `readSuperJournal` of SQLite's pager.c.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

_MAGIC = bytes.fromhex("d9d505f920a163d7")
_TAIL = struct.Struct(">II8s")
# Before the name stands the number of a page that no database has.
_PAGE_NUMBER_BYTES = 4
_LONGEST = 4096


def settle_journal(journal: Path, database: bytes, real: Callable[[bytes], bytes]) -> None:
    """A copy of the journal of this database stands for itself afterwards: it undoes, whatever else there is, or is gone. `real`: where to
    look at what a path names. Raises `OSError`."""
    with journal.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        found = _named(file.fileno(), size)
        if found is None:
            return
        name, begins_at = found
        beside = os.path.join(os.path.dirname(database), os.path.basename(name))
        is_pending = os.path.lexists(beside) or os.path.lexists(real(name))
        if is_pending:
            file.truncate(begins_at)
    if not is_pending:
        journal.unlink()


def _named(descriptor: int, size: int) -> tuple[bytes, int] | None:
    """The name of the super-journal, and where what is said of it begins; None where nothing is."""
    if size <= _TAIL.size:
        return None
    length, checksum, magic = _TAIL.unpack(os.pread(descriptor, _TAIL.size, size - _TAIL.size))
    begins_at = size - _TAIL.size - length - _PAGE_NUMBER_BYTES
    if magic != _MAGIC or not 0 < length <= _LONGEST or begins_at < 0:
        return None
    name = os.pread(descriptor, length, begins_at + _PAGE_NUMBER_BYTES)
    # SQLite adds signed characters.
    added = sum(byte - 256 if byte > 127 else byte for byte in name) & 0xFFFFFFFF
    return (name, begins_at) if added == checksum and b"\0" not in name else None

"""SQLite databases as files: how one is recognised, what lies beside it, and whether it has changed.

Sources of the format: https://www.sqlite.org/fileformat2.html (header, `-wal`, `-journal`), https://www.sqlite.org/walformat.html
(`-shm`). Nothing here opens a database; only the first bytes of a file are read.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

from holdfast.host.metadata import open_for_reading

MAGIC = b"SQLite format 3\x00"
# Hold what is committed and not in the database yet, or what undoes what is in it and not committed.
LOGS = (b"-wal", b"-journal")
# An index of the log in shared memory: made anew by whoever opens the database first.
INDEX = b"-shm"
BESIDE = (*LOGS, INDEX)

HEAD_BYTES = 20
_WAL_VERSION = 2


@dataclass(frozen=True)
class Header:
    """`is_wal`: it is written by way of a write-ahead log, also while none is there."""

    is_wal: bool


@dataclass(frozen=True)
class Looks:
    """The stamps of a database and of its logs: equal while nobody has written to it. `newest_ns` is the latest change of any of them,
    `mtime_ns` the latest write, `size_bytes` what they take together."""

    digest: int
    newest_ns: int
    mtime_ns: int
    size_bytes: int
    has_log: bool
    has_wal: bool
    has_index: bool


def main_of(path: bytes) -> bytes | None:
    """The database that a file with this name would belong to; None where the name says of none."""
    for ending in BESIDE:
        if path.endswith(ending) and not path[: -len(ending)].endswith(b"/") and len(path) > len(ending):
            return path[: -len(ending)]
    return None


def header_of(head: bytes) -> Header | None:
    """What the first bytes of a file say; None when it is no SQLite database, or an encrypted one."""
    if len(head) < HEAD_BYTES or not head.startswith(MAGIC):
        return None
    return Header(is_wal=head[18] == _WAL_VERSION)


def read_header(path: bytes) -> Header | None:
    """Also None for what is no file or cannot be read."""
    try:
        # To open a device may do something to it.
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
        descriptor = open_for_reading(path)
    except OSError:
        return None
    try:
        return header_at(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def header_at(descriptor: int) -> Header | None:
    """As `read_header`, of an open file. Raises `OSError`."""
    return header_of(os.pread(descriptor, HEAD_BYTES, 0))


def has_log(path: bytes) -> bool:
    """Whether there is more to a database at this path than its own file."""
    return any(os.path.lexists(path + ending) for ending in LOGS)


def look(path: bytes, status: os.stat_result | None = None) -> Looks:
    """As of now. `status`: of the database, where the caller has it. Raises `OSError` when the database is not there."""
    seen: dict[bytes, os.stat_result] = {b"": os.lstat(path) if status is None else status}
    for ending in BESIDE:
        with suppress(OSError):
            seen[ending] = os.lstat(path + ending)
    # The index changes when somebody reads, and the ctime of a log too: as root SQLite sets its owner, whoever it is.
    main, logs = seen[b""], [seen[ending] for ending in LOGS if ending in seen]
    stamps = [main.st_ctime_ns, *((each.st_size, each.st_mtime_ns, each.st_ino) for each in (main, *logs))]
    return Looks(
        digest=int.from_bytes(sha256(repr(stamps).encode()).digest()[:8], "big") >> 1,
        newest_ns=max(main.st_ctime_ns, *(each.st_mtime_ns for each in (main, *logs))),
        mtime_ns=max(each.st_mtime_ns for each in (main, *logs) if each is main or each.st_size),
        size_bytes=sum(each.st_size for each in (main, *logs)),
        has_log=bool(logs),
        has_wal=b"-wal" in seen,
        has_index=INDEX in seen,
    )

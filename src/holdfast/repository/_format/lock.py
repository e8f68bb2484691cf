"""Session lock files, as restic writes them."""

from __future__ import annotations

import msgspec

from holdfast.core.errors import RepositoryDamaged
from holdfast.model.decoding import UNREADABLE
from holdfast.repository._format.text import time_ns


class LockFile(msgspec.Struct, frozen=True, kw_only=True):
    """`time` is RFC 3339, of the creation or the last refresh."""

    time: str
    exclusive: bool = False
    hostname: str = ""
    username: str = ""
    pid: int = 0
    uid: int = 0
    gid: int = 0


def encode_lock(lock: LockFile) -> bytes:
    return msgspec.json.encode(lock)


def decode_lock(json: bytes) -> LockFile:
    """Raises `RepositoryDamaged`."""
    try:
        lock = msgspec.json.decode(json, type=LockFile)
    except UNREADABLE as error:
        raise RepositoryDamaged(f"a lock file cannot be read: {error}") from error
    time_ns(lock.time)
    return lock

"""The contract of every place a repository can lie in."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Protocol


class FileType(str, Enum):
    """Folders of the restic format; `CONFIG` is the single file `config`."""

    CONFIG = "config"
    KEY = "keys"
    DATA = "data"
    INDEX = "index"
    SNAPSHOT = "snapshots"
    LOCK = "locks"


class Backend(Protocol):
    """Holds immutable files by type and name. Names are 64 lower hex digits (empty for CONFIG); stray files are never listed.

    `save` is atomic and durable: after it returns the whole file survives a power cut, before that no reader sees any of it. Saving a name
    that exists with the same content is nothing. `load` gives exactly the bytes of the range or raises. Errors: `RepositoryMissing` when
    the place or file is not there, `NoSpace` when it is full, `NotReachable` when it is away. A far place retries by itself.
    All methods may be called from several threads.
    """

    @property
    def location(self) -> str:
        """What stock restic takes as `-r`."""
        ...

    def create(self) -> None:
        """Make the folders. Raises `Conflict` when something other than an empty place is there."""
        ...

    def save(self, kind: FileType, name: str, data: bytes) -> None: ...

    def load(self, kind: FileType, name: str, offset: int = 0, size: int | None = None) -> bytes: ...

    def size(self, kind: FileType, name: str) -> int: ...

    def names(self, kind: FileType) -> Iterator[str]: ...

    def remove(self, kind: FileType, name: str) -> None:
        """Absent is fine."""
        ...

    def close(self) -> None: ...

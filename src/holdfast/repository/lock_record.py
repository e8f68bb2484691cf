"""Which session lock files the owner of a repository has written and not removed yet: a line each, in its home.

A repository has one owner, so what the record names when the owner starts was left by an earlier life that was killed. A process number
would not tell: the dead process may not have been cleared away yet, and after a restart of the machine or its container another has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from holdfast.core.private_files import write_private

_FILE = "session-locks"
_NAME = re.compile("[0-9a-f]{64}")


class LockRecord:
    """`home` is the repository's folder in its owner's home. Never raises: without the record, process numbers have to do."""

    def __init__(self, home: Path) -> None:
        self._path = home / _FILE

    def names(self) -> tuple[str, ...]:
        with suppress(OSError, UnicodeDecodeError):
            return tuple(name for name in self._path.read_text(encoding="ascii").split() if _NAME.fullmatch(name))
        return ()

    def write(self, names: Iterable[str]) -> None:
        with suppress(OSError):
            write_private(self._path, "".join(f"{name}\n" for name in sorted(names)).encode())

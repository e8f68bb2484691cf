"""Small JSON records that a process keeps in its home, each of them a cache or a memory that may be lost."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from holdfast.core.private_files import write_private
from holdfast.model.decoding import UNREADABLE_FILE

T = TypeVar("T")


def load_record(path: Path, kind: type[T]) -> T | None:
    """None where there is none, and where it cannot be read: that is as good as none, and the next one is written over it."""
    with suppress(*UNREADABLE_FILE):
        return msgspec.json.decode(path.read_bytes(), type=kind)
    return None


def save_record(path: Path, record: object) -> None:
    """In the place of the one before, whole or not at all. Raises `OSError`; the folder must be there."""
    write_private(path, msgspec.json.encode(record) + b"\n")

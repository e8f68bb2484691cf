"""Where the receiver stood when the spool held nothing, and since when it misses runs that nobody kept: a small file beside the runs."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from holdfast.core.private_files import make_private_folder, write_private
from holdfast.delivery.spool.run_file import translated
from holdfast.model.change import Cursor
from holdfast.model.decoding import UNREADABLE_FILE

_NAME = "stand"


class Stand(msgspec.Struct, frozen=True):
    """`cursor` None = not known."""

    cursor: Cursor | None = None
    missed_since: datetime | None = None


def load_stand(folder: Path) -> Stand:
    """One that cannot be read says nothing: the receiver is asked."""
    with suppress(*UNREADABLE_FILE):
        return msgspec.msgpack.decode((folder / _NAME).read_bytes(), type=Stand)
    return Stand()


def save_stand(folder: Path, stand: Stand) -> None:
    """Raises `NoSpace`, `StoreError`."""
    try:
        make_private_folder(folder)
        write_private(folder / _NAME, msgspec.msgpack.encode(stand))
    except OSError as error:
        raise translated(error) from error

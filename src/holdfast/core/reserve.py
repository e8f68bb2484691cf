"""Room for a start on a full disk: a file that is given up then, and made anew once there is plenty.

A program that begins has to write a little even where it only answers and restores: the logs of its databases are gone after a stop in
order, and with them their room.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

RESERVE_BYTES = 8 * 1024 * 1024
PLENTY_BYTES = 256 * 1024 * 1024


class Reserve:
    """`FOLDER/reserve`. Neither call raises: what cannot be kept is not there, and who needs it then finds the disk full."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "reserve"

    def keep(self) -> None:
        """It is there, where much more than that is free. To be called now and then."""
        with suppress(OSError):
            if self._path.exists() or _free_bytes(self.folder) < PLENTY_BYTES:
                return
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
            except OSError:
                self._path.unlink()
            finally:
                os.close(descriptor)

    def give_up(self) -> bool:
        """Whether there is more room than before."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def give_up_if_short(self) -> None:
        """Where a start would find less room than it needs."""
        with suppress(OSError):
            if _free_bytes(self.folder) < RESERVE_BYTES:
                self.give_up()


def _free_bytes(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize

"""The disk begins to write what is staged while more of it comes, so that there is less to wait for at the end.

Nothing relies on it: what a commit needs to be durable it makes durable itself. That it sees every error of the disk then is the reason for
a descriptor opened here each time: the kernel tells an error of writing back once to each open file, and one that this thread was told
would be missing where it counts.
"""

from __future__ import annotations

import threading

from holdfast.host.tree_writer import start_syncing

# Small files take the time of so many names, whatever their size.
_MOST_WRITTEN = 1_000


class Writeback:
    """Of the file system of one folder. Used by one thread; never raises."""

    def __init__(self, folder: bytes) -> None:
        self._folder = folder
        self._written = 0
        self._thread: threading.Thread | None = None

    def written(self, changes: int) -> None:
        """So many changes more were staged."""
        self._written += changes
        if self._written < _MOST_WRITTEN or (self._thread is not None and self._thread.is_alive()):
            return
        self._written = 0
        self._thread = threading.Thread(target=start_syncing, args=(self._folder,), name="writeback", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Before the file system may be taken away."""
        if self._thread is not None:
            self._thread.join()

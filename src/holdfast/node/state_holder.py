"""The capture state of this node while its source worker lives: one user at a time."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.capture.state import CaptureState
from holdfast.core.entropy import Entropy


class StateHolder:
    """`lease` gives the open state to one thread. Kept open between leases only while `keeps_open`, and opened anew when its file was taken
    away or whoever used it failed: a database that turned out damaged is made anew by the next."""

    def __init__(self, path: Path, entropy: Entropy) -> None:
        self.lock = threading.RLock()
        self.keeps_open = False
        self._path = path
        self._entropy = entropy
        self._state: CaptureState | None = None
        self._inode = 0

    @contextmanager
    def lease(self) -> Iterator[CaptureState]:
        """Raises what `CaptureState.open` raises."""
        with self.lock:
            state = self._opened()
            try:
                yield state
            except BaseException:
                self._close()
                raise
            if not self.keeps_open:
                self._close()

    def close(self) -> None:
        with self.lock:
            self.keeps_open = False
            self._close()

    def _opened(self) -> CaptureState:
        if self._state is not None and _inode_of(self._path) != self._inode:
            self._close()
        if self._state is None:
            self._state = CaptureState.open(self._path, entropy=self._entropy)
            self._inode = _inode_of(self._path)
        return self._state

    def _close(self) -> None:
        state, self._state = self._state, None
        if state is not None:
            state.close()


def _inode_of(path: Path) -> int:
    """0 = it is not there."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0

"""The capture state of this node while its source worker lives: one object, used by runs that may go on at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.capture.state import CaptureState
from holdfast.core.entropy import Entropy


class StateHolder:
    """`lease` gives the open state to one user more. Kept open between leases only while `keeps_open`, and opened anew when its file was
    taken away or a user failed: a database that turned out damaged is made anew once its last user has ended. Two are never open at once,
    since each counts the runs. Nobody waits here: who comes meanwhile gets the old one, and fails with the others."""

    def __init__(self, path: Path, entropy: Entropy) -> None:
        self.keeps_open = False
        self._changed = threading.Condition(threading.RLock())
        self._path = path
        self._entropy = entropy
        self._state: CaptureState | None = None
        self._inode = 0
        self._users = 0
        self._is_doubted = False

    @contextmanager
    def lease(self) -> Iterator[CaptureState]:
        """Raises what `CaptureState.open` raises."""
        with self._changed:
            state = self._opened()
            self._users += 1
        try:
            yield state
        except BaseException:
            with self._changed:
                self._is_doubted = True
            raise
        finally:
            with self._changed:
                self._users -= 1
                if not self._users and (self._is_doubted or not self.keeps_open):
                    self._close()
                self._changed.notify_all()

    def close(self) -> None:
        """When all users have ended."""
        with self._changed:
            self.keeps_open = False
            self._changed.wait_for(lambda: self._users == 0)
            self._close()

    def _must_go(self) -> bool:
        return self._state is not None and (self._is_doubted or _inode_of(self._path) != self._inode)

    def _opened(self) -> CaptureState:
        if not self._users and self._must_go():
            self._close()
        if self._state is None:
            self._state = CaptureState.open(self._path, entropy=self._entropy)
            self._inode = _inode_of(self._path)
        return self._state

    def _close(self) -> None:
        state, self._state, self._is_doubted = self._state, None, False
        if state is not None:
            state.close()


def _inode_of(path: Path) -> int:
    """0 = it is not there."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0

"""Work that takes turns in one thread: each does a little and is asked again when all others have had theirs."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

logger = logging.getLogger(__name__)

Turn = Callable[[], bool]
"""Does a little; true = there is nothing more to do."""


class Turns:
    """The thread runs while there is work."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._guard = threading.Lock()
        self._waiting: deque[Turn] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False

    def add(self, turn: Turn) -> None:
        """Dropped when closed."""
        with self._guard:
            if self._closed:
                return
            self._waiting.append(turn)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Waits for the turn that is being taken; all others are dropped."""
        with self._guard:
            self._closed = True
            self._waiting.clear()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._guard:
                if not self._waiting:
                    self._thread = None
                    return
                turn = self._waiting.popleft()
            if not self._is_done(turn):
                with self._guard:
                    if not self._closed:
                        self._waiting.append(turn)

    def _is_done(self, turn: Turn) -> bool:
        try:
            return turn()
        except Exception:
            # The others go on, whatever one did.
            logger.exception("work that takes turns failed", extra={"facts": {"thread": self._name}})
            return True

"""What a worker looks at now and then, on a thread of its own beside its jobs."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod

logger = logging.getLogger(__name__)


class Periodic(ABC):
    """`start` has `look` called every `every_s`; `at_once`: the first time right then. Who starts it stops it."""

    def __init__(self, name: str, every_s: float, *, at_once: bool = False) -> None:
        self._every_s = every_s
        self._at_once = at_once
        self._failed = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def look(self) -> None:
        """Once. It meets what can be expected itself; what else it raises is logged, and it is made again in its time."""

    @property
    def is_stopping(self) -> bool:
        return self._stop.is_set()

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 0.0) -> None:
        """No other look begins. Waits so long for one that is under way."""
        self._stop.set()
        if timeout_s and self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        if self._at_once:
            self._try()
        while not self._stop.wait(self._every_s):
            self._try()

    def _try(self) -> None:
        try:
            self.look()
        except Exception as error:
            # Once, however often it comes again.
            if self._failed != (failed := repr(error)):
                self._failed = failed
                logger.exception(f"a look at {self._thread.name} failed; it is made again")
        else:
            self._failed = ""

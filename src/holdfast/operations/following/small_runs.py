"""Small runs in threads of their own: one may go on for a receiver that takes its time, while the next is made."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future

from holdfast.core.errors import Cancelled
from holdfast.operations.following.follow_tools import SmallResult
from holdfast.operations.running import Cancellation

logger = logging.getLogger(__name__)

Tell = Callable[[SmallResult], None]
"""Told by a run before its end what became of all but those that it goes on for; nobody waits for it any more."""


class SmallRuns:
    """To be closed, which cancels those that go on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._going: dict[threading.Thread, Cancellation] = {}

    def result_of(self, run: Callable[[Tell], SmallResult], cancellation: Cancellation) -> SmallResult:
        """Once it has ended, or let go. Raises what it raises until then."""
        told = Future[SmallResult]()
        thread = threading.Thread(target=self._make, args=(run, told), name="small-run", daemon=True)
        with self._lock:
            self._going[thread] = cancellation
        thread.start()
        return told.result()

    def close(self) -> None:
        with self._lock:
            going = dict(self._going)
        for cancellation in going.values():
            cancellation.cancel()
        for thread in going:
            thread.join()

    def _make(self, run: Callable[[Tell], SmallResult], told: Future[SmallResult]) -> None:
        try:
            result = run(told.set_result)
            if not told.done():
                told.set_result(result)
        except Exception as error:
            if not told.done():
                told.set_exception(error)
            elif not isinstance(error, Cancelled):
                logger.exception("what a small run went on with failed")
        finally:
            with self._lock:
                del self._going[threading.current_thread()]

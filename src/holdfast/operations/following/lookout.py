"""The watch of the follower: opened over all roots, read by a thread of its own, opened again when it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable

from holdfast.core.clock import Clock
from holdfast.core.errors import HoldfastError
from holdfast.host.watch import Batch, Coverage, OpenFiles, Suspects, Watch, WatchRequest, open_watch

_TAKE_S = 0.1


class Lookout:
    """One watch while it lasts. `on_batch` is called by the reading thread; `error` is set when the watch came to an end by itself."""

    def __init__(self, request: WatchRequest, on_batch: Callable[[Batch], None], clock: Clock) -> None:
        """Raises what `open_watch` raises."""
        self.request = request
        self._watch: Watch = open_watch(request, clock)
        self._on_batch = on_batch
        self._open_files = OpenFiles(self._watch.territory, clock)
        self._cycles = 0
        self._turned = threading.Condition()
        self._closing = False
        self.error: HoldfastError | None = None
        self._thread = threading.Thread(target=self._read, name="lookout", daemon=True)
        self._thread.start()

    @property
    def coverage(self) -> tuple[Coverage, ...]:
        return self._watch.coverage()

    @property
    def is_reading(self) -> bool:
        """Whether more is about to be told."""
        return self._watch.is_reading

    def suspects(self) -> Suspects:
        """Files held open for writing, or mapped."""
        return self._open_files.suspects()

    def catch_up(self, timeout_s: float) -> bool:
        """Waits until all that changed before the call was handed on; False when that took too long, or the watch is over."""
        try:
            if not self._watch.sync(timeout_s):
                return False
        except HoldfastError:
            return False
        with self._turned:
            # The cycle that runs now may have begun before.
            wanted = self._cycles + 2
            self._turned.wait_for(lambda: self._cycles >= wanted or self.error is not None or self._closing, timeout_s)
            return self._cycles >= wanted

    def close(self) -> None:
        self._closing = True
        self._watch.close()
        self._thread.join()

    def _read(self) -> None:
        while not self._closing:
            try:
                batch = self._watch.take(_TAKE_S)
            except HoldfastError as error:
                self.error = error
                self._on_batch(Batch())
                return
            if batch:
                self._on_batch(batch)
            with self._turned:
                self._cycles += 1
                self._turned.notify_all()

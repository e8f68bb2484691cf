"""Listening for deliveries and reads, as long as it takes: a port that is taken at the start may be free a moment later.

An agent that was killed and started anew meets its old worker's socket for an instant. A node that gave up then would be deaf until
somebody starts it again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from holdfast.core.errors import ErrorFacts, HoldfastError
from holdfast.wire.data_server import DataServer

RETRY_S = 2.0


class Listening:
    """`make` builds a server that has not started. `changed` is called, from another thread, when a later attempt worked."""

    def __init__(self, make: Callable[[], DataServer], changed: Callable[[], None]) -> None:
        self._make = make
        self._changed = changed
        self._guard = threading.Lock()
        self._stopped = threading.Event()
        self._server: DataServer | None = None
        self.port = 0
        self.problem: ErrorFacts | None = None

    def start(self) -> None:
        """Tries once now, and goes on trying if that fails; `port` and `problem` say how it stands."""
        if not self._try():
            threading.Thread(target=self._go_on, name="listen-again", daemon=True).start()

    def recheck(self) -> None:
        with self._guard:
            server = self._server
        if server is not None:
            server.recheck()

    def stop(self, grace_s: float) -> None:
        self._stopped.set()
        with self._guard:
            server, self._server = self._server, None
        if server is not None:
            server.stop(grace_s)

    def _go_on(self) -> None:
        while not self._stopped.wait(RETRY_S):
            if self._try():
                self._changed()
                return

    def _try(self) -> bool:
        server = self._make()
        with self._guard:
            if self._stopped.is_set():
                return True
            try:
                self.port = server.start()
            except HoldfastError as error:
                self.problem = error.facts()
            else:
                self._server, self.problem = server, None
                return True
        server.stop(0)
        return False

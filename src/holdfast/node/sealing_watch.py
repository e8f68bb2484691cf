"""Has each repository seal what it has held for long enough."""

from __future__ import annotations

import threading

from holdfast.model.jobs import Finding
from holdfast.node.store_worker_repositories import Repositories

LOOK_EVERY_S = 1.0


class SealingWatch:
    """`start` has a thread of its own look; sealing takes as long as the store does."""

    def __init__(self, repositories: Repositories, every_s: float = LOOK_EVERY_S) -> None:
        self._repositories = repositories
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="sealing", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            for repository in self._repositories.opened():
                repository.tick()


def held_findings(repositories: Repositories) -> tuple[Finding, ...]:
    """Standing problems with what the repositories hold."""
    return tuple(finding for repository in repositories.opened() for finding in repository.held_problems)

"""Looks now and then whether the time that points expire by is doubted: says so once in the log, and asks what time it is elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable

from holdfast.core.clock import Clock, boot_clock, now
from holdfast.core.ids import NodeId, RepositoryId
from holdfast.model.jobs import Event, Finding, Severity
from holdfast.node.store_worker_repositories import Repositories
from holdfast.node.worker_messages import EventNews, FromWorker, MasterTime, TimeDoubted

LOOK_EVERY_S = 30.0
_HINT = "set the clock right, or let the node reach its Master"


class TimeWatch:
    """`look` may be called by any thread; `start` has one of its own do it."""

    def __init__(
        self, repositories: Repositories, send: Callable[[FromWorker], None], node: Callable[[], NodeId | None], *, clock: Clock
    ) -> None:
        self._repositories = repositories
        self._send = send
        self._node = node
        self._clock = clock
        self._boot = boot_clock(clock)
        self._guard = threading.Lock()
        self._suspended: set[RepositoryId] = set()
        self._stop = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="time-watch", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def hear(self, message: MasterTime) -> None:
        """The Master's time; it has gone on while the message was on its way."""
        master_ns = message.time_ns + max(0, self._boot.boottime_ns() - message.boottime_ns)
        for repository in self._repositories.opened():
            repository.time.hear(master_ns)
        self.look()

    def look(self) -> None:
        with self._guard:
            opened = self._repositories.opened()
            for repository in opened:
                why = repository.time.suspended()
                if why and repository.id not in self._suspended:
                    self._suspended.add(repository.id)
                    self._event("expiry-suspended", Severity.ERROR, f"repository {repository.name}: {why}")
                elif not why and repository.id in self._suspended:
                    self._suspended.discard(repository.id)
                    self._event("expiry-resumed", Severity.INFO, f"repository {repository.name}: the time is certain again, points expire")
            if any(repository.time.is_doubted() for repository in opened):
                self._send(TimeDoubted())

    def _run(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            self.look()

    def _event(self, code: str, severity: Severity, message: str) -> None:
        node = self._node()
        if node is not None:
            self._send(EventNews(event=Event(code=code, severity=severity, message=message, node=node, time=now(self._clock))))


def time_findings(repositories: Repositories) -> tuple[Finding, ...]:
    """What stands now."""
    told = ((repository.name, repository.time.suspended()) for repository in repositories.opened())
    return tuple(
        Finding(code="expiry-suspended", severity=Severity.ERROR, message=f"repository {name}: {why}", hint=_HINT)
        for name, why in told
        if why
    )

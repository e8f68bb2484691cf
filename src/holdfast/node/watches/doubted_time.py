"""Looks now and then at what locks rest on: whether the time that points expire by is doubted, which is said once in the log and asked
elsewhere; and whether points are gone that nobody here let go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from holdfast.core.clock import Clock, boot_clock, now
from holdfast.core.ids import NodeId, RepositoryId
from holdfast.model.jobs import Event, Finding, Severity
from holdfast.model.points import Point
from holdfast.node.owned.repositories import Repositories
from holdfast.node.workers.messages import EventNews, FromWorker, MasterTime, TimeDoubted
from holdfast.node.workers.periodic import Periodic
from holdfast.repository.repository import Repository

LOOK_EVERY_S = 30.0
_MOST_NAMED = 5
_HINT = "set the clock right, or let the node reach its Master"


class TimeWatch(Periodic):
    """`look` may be called by any thread."""

    def __init__(
        self, repositories: Repositories, send: Callable[[FromWorker], None], node: Callable[[], NodeId | None], *, clock: Clock
    ) -> None:
        super().__init__("time-watch", LOOK_EVERY_S)
        self._repositories = repositories
        self._send = send
        self._node = node
        self._clock = clock
        self._boot = boot_clock(clock)
        self._guard = threading.Lock()
        self._suspended: set[RepositoryId] = set()

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
                self._tell_vanished(repository)
                why = repository.time.suspended()
                if why and repository.id not in self._suspended:
                    self._suspended.add(repository.id)
                    self._event("expiry-suspended", Severity.ERROR, f"repository {repository.name}: {why}")
                elif not why and repository.id in self._suspended:
                    self._suspended.discard(repository.id)
                    self._event("expiry-resumed", Severity.INFO, f"repository {repository.name}: the time is certain again, points expire")
            if any(repository.time.is_doubted() for repository in opened):
                self._send(TimeDoubted())

    def _tell_vanished(self, repository: Repository) -> None:
        gone = repository.vanished.take()
        alarms = {each.point for each in repository.vanished.alarms(repository.time.now())}
        locked = [each.point for each in gone if each.point.id in alarms]
        seen = [each.point for each in gone if each.point.id not in alarms and not each.unseen]
        unseen = [each.point for each in gone if each.point.id not in alarms and each.unseen]
        where = f"repository {repository.name}"
        if locked:
            self._event("locked-point-vanished", Severity.ERROR, f"{where}: another program removed {_named(locked)}, locked as they were")
        if seen:
            self._event("points-vanished", Severity.WARNING, f"{where}: another program removed {_named(seen)}")
        if unseen:
            who = "another program, while this node did not run, or its own last run that was cut off"
            self._event("points-vanished", Severity.INFO, f"{where}: {_named(unseen)} removed by {who}")

    def _event(self, code: str, severity: Severity, message: str) -> None:
        node = self._node()
        if node is not None:
            self._send(EventNews(event=Event(code=code, severity=severity, message=message, node=node, time=now(self._clock))))


def _named(points: Sequence[Point]) -> str:
    named = ", ".join(f"{point.id[:8]} of {point.dataset}" for point in points[:_MOST_NAMED])
    more = f" and {len(points) - _MOST_NAMED} more" if len(points) > _MOST_NAMED else ""
    return f"{'1 point' if len(points) == 1 else f'{len(points)} points'} ({named}{more})"


def alarm_findings(repositories: Repositories) -> tuple[Finding, ...]:
    """Locked points that are gone, by repository: an alarm for as long as they should be there."""
    found = []
    for repository in repositories.opened():
        alarms = repository.vanished.alarms(repository.time.now())
        if alarms:
            named = ", ".join(f"{each.point[:8]} of {each.dataset}" for each in alarms[:_MOST_NAMED])
            more = f" and {len(alarms) - _MOST_NAMED} more" if len(alarms) > _MOST_NAMED else ""
            message = f"repository {repository.name}: {len(alarms)} locked points were removed by another program: {named}{more}"
            hint = "find out who can write there; bring them back from another copy, or from old versions in the bucket"
            finding = Finding(code="locked-point-vanished", severity=Severity.ERROR, message=message, hint=hint, repository=repository.name)
            found.append(finding)
    return tuple(found)


def time_findings(repositories: Repositories) -> tuple[Finding, ...]:
    """What stands now."""
    told = ((repository.name, repository.time.suspended()) for repository in repositories.opened())
    return tuple(
        Finding(code="expiry-suspended", severity=Severity.ERROR, message=f"repository {name}: {why}", hint=_HINT, repository=name)
        for name, why in told
        if why
    )

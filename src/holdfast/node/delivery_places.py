"""The places of repositories that have a limit: how many jobs deliver to each at once. Who finds none free is refused and comes again.

All runs of one machine are one job, however many datasets they bring, since a machine makes one run after the other; each cascade is one;
what is followed takes no place, because its session stays open. Who waits here would hold up its other receivers, and two repositories that
feed each other could wait for one another for ever: so nobody waits, and the sender's agent tries again.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable

from holdfast.core.errors import RepositoryBusy
from holdfast.core.ids import RepositoryId
from holdfast.model.rules import Receive, RepositoryRule


class DeliveryPlaces:
    """Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: dict[RepositoryId, RepositoryRule] = {}
        self._jobs: dict[RepositoryId, Counter[str]] = {}

    def configure(self, rules: Iterable[RepositoryRule]) -> None:
        """Who has a place keeps it."""
        with self._lock:
            self._rules = {rule.id: rule for rule in rules}

    def take(self, repository: RepositoryId, receive: Receive) -> Callable[[], None]:
        """A place for a session, and what gives it back. Raises `RepositoryBusy` when none is free."""
        if receive.comes_by == "following":
            return lambda: None
        job = receive.sender if receive.comes_by == "run" else f"{receive.sender}/{receive.dataset}"
        with self._lock:
            jobs = self._jobs.setdefault(repository, Counter())
            rule = self._rules.get(repository)
            most = None if rule is None else rule.parallel_jobs
            if rule is not None and most is not None and job not in jobs and len(jobs) >= most:
                why = "one job delivers there at once" if most == 1 else f"{most} jobs deliver there at once"
                raise RepositoryBusy(f"repository {rule.name} has no place free: {why}", repository=rule.name, why=why)
            jobs[job] += 1
        return lambda: self._give_back(repository, job)

    def taken(self, repository: RepositoryId) -> int:
        """How many jobs deliver to it now."""
        with self._lock:
            return len(self._jobs.get(repository, ()))

    def _give_back(self, repository: RepositoryId, job: str) -> None:
        with self._lock:
            jobs = self._jobs[repository]
            jobs[job] -= 1
            if jobs[job] <= 0:
                del jobs[job]

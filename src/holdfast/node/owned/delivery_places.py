"""The places of repositories that have a limit: how many jobs deliver to each at once. Who finds none free is refused and comes again.

All runs of one machine are one job, however many datasets they bring and however many go on at once; each cascade is one;
what is followed takes no place, because its session stays open. Who waits here would hold up its other receivers, and two repositories that
feed each other could wait for one another for ever: so nobody waits, and the sender's agent tries again. Who was refused is remembered, so
that a place which is given back is for the one that was refused first, as long as it comes again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice, takewhile

from holdfast.core.clock import Clock, now
from holdfast.core.errors import RepositoryBusy
from holdfast.core.ids import RepositoryId
from holdfast.model.repository_status import JobAtRepository
from holdfast.model.rules import Receive, RepositoryRule

COMES_AGAIN_S = 120.0
"""Who was refused comes again after a minute at most. Whoever has not for so long has lost its turn."""

TOGETHER_S = 600.0
"""The sessions of one run are opened together. What a job opens so long after its place was taken is let in only when nobody waits."""

_MOST_NAMES = 3
_MOST_TOLD = 20


@dataclass
class _Held:
    who: JobAtRepository
    since_s: float
    sessions: int = 0


@dataclass
class _Refused:
    who: JobAtRepository
    last_s: float


@dataclass(frozen=True)
class PlacesTaken:
    """`delivering`: so many jobs have a place. Where there is a limit, `holders` and `waiting` say who, some of them."""

    parallel_jobs: int | None = None
    delivering: int = 0
    holders: tuple[JobAtRepository, ...] = ()
    waiting: tuple[JobAtRepository, ...] = ()
    waiting_total: int = 0


@dataclass
class _Places:
    """Of one repository, by job. `refused` in the order in which they first were."""

    held: dict[str, _Held] = field(default_factory=dict)
    refused: dict[str, _Refused] = field(default_factory=dict)

    def waiting(self, now_s: float, until: str = "") -> list[JobAtRepository]:
        """Who was refused and still comes again, but for those that have a place; those before the job `until`, if it is one of them."""
        self.refused = {key: each for key, each in self.refused.items() if now_s - each.last_s <= COMES_AGAIN_S}
        first = takewhile(lambda key: key != until, self.refused)
        return [self.refused[key].who for key in first if key not in self.held]

    def refuse(self, job: str, who: JobAtRepository, now_s: float) -> None:
        self.refused.setdefault(job, _Refused(who, now_s)).last_s = now_s

    def take(self, job: str, who: JobAtRepository, now_s: float) -> None:
        self.refused.pop(job, None)
        self.held.setdefault(job, _Held(who, now_s)).sessions += 1


class DeliveryPlaces:
    """Any thread may call."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rules: dict[RepositoryId, RepositoryRule] = {}
        self._places: dict[RepositoryId, _Places] = {}

    def configure(self, rules: Iterable[RepositoryRule]) -> None:
        """Who has a place keeps it."""
        with self._lock:
            self._rules = {rule.id: rule for rule in rules}

    def take(self, repository: RepositoryId, receive: Receive, sender_name: str) -> Callable[[], None]:
        """A place for a session, and what gives it back. Raises `RepositoryBusy` when none is free, or others have waited for it longer."""
        if receive.comes_by == "following":
            return lambda: None
        is_run = receive.comes_by == "run"
        job = receive.sender if is_run else f"{receive.sender}/{receive.dataset}"
        who = JobAtRepository(node=sender_name, dataset="" if is_run else receive.label, since=now(self._clock))
        with self._lock:
            places, rule = self._places.setdefault(repository, _Places()), self._rules.get(repository)
            now_s = self._clock.monotonic_s()
            if rule is not None and rule.parallel_jobs is not None:
                before = places.waiting(now_s, until=job)
                if not _has_room(places.held.get(job), len(before), rule.parallel_jobs - len(places.held), now_s):
                    places.refuse(job, who, now_s)
                    why = _why(rule.parallel_jobs, [each.who for each in places.held.values()], before)
                    raise RepositoryBusy(f"repository {rule.name} has no place free: {why}", repository=rule.name, why=why)
            places.take(job, who, now_s)
        return lambda: self._give_back(repository, job)

    def told(self, repository: RepositoryId) -> PlacesTaken:
        """Who has its places now, and who waits for one."""
        with self._lock:
            rule, places = self._rules.get(repository), self._places.get(repository, _Places())
            if rule is None or rule.parallel_jobs is None:
                return PlacesTaken(delivering=len(places.held))
            waiting = places.waiting(self._clock.monotonic_s())
            return PlacesTaken(
                parallel_jobs=rule.parallel_jobs,
                delivering=len(places.held),
                holders=tuple(each.who for each in islice(places.held.values(), _MOST_TOLD)),
                waiting=tuple(waiting[:_MOST_TOLD]),
                waiting_total=len(waiting),
            )

    def _give_back(self, repository: RepositoryId, job: str) -> None:
        with self._lock:
            held = self._places[repository].held
            held[job].sessions -= 1
            if held[job].sessions <= 0:
                del held[job]


def _has_room(held: _Held | None, before: int, free: int, now_s: float) -> bool:
    """Whether a job may open one more session. `held`: its place, if it has one; `before`: so many others come first."""
    if held is None:
        return before < free
    return before == 0 or now_s - held.since_s <= TOGETHER_S


def _why(most: int, holders: list[JobAtRepository], before: list[JobAtRepository]) -> str:
    why = "one job delivers there at once" if most == 1 else f"{most} jobs deliver there at once"
    if holders:
        why += f", now {_named(holders)}"
    return f"{why}; {_named(before)} waited first" if before else why


def _named(jobs: list[JobAtRepository]) -> str:
    """Some of them, and how many more there are."""
    shown, more = [_words(job) for job in jobs[:_MOST_NAMES]], len(jobs) - _MOST_NAMES
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _words(job: JobAtRepository) -> str:
    return f"{job.node} with {job.dataset}" if job.dataset else job.node

"""What a repository gets by itself, as the rules say: a prune a week, a scrub a day, drills. When it was last done is in the journal."""

from __future__ import annotations

from datetime import datetime

from holdfast.core.clock import Clock, ns_of, utc
from holdfast.core.errors import RepositoryDamaged
from holdfast.model.jobs import Job, State
from holdfast.model.maintenance import Prune, Scrub, Task, kind_of
from holdfast.model.rules import RepositoryRule, Rules
from holdfast.model.schedule import next_open
from holdfast.node.planning.drill_schedule import DrillSchedule
from holdfast.node.records.job_book import JobBook
from holdfast.node.records.journal import Journal, Request
from holdfast.node.workers.messages import RunMaintenance

_HOUR_NS = 3_600 * 1_000_000_000
EVERY_NS: dict[type[Task], int] = {Prune: 7 * 24 * _HOUR_NS, Scrub: 24 * _HOUR_NS}
AGAIN_NS = 2 * _HOUR_NS
"""After one that failed, because somebody else was at work there for example."""


class Housekeeping:
    """Queues what is due. The first time comes a whole span after a repository was first seen."""

    def __init__(self, book: JobBook, journal: Journal, *, clock: Clock) -> None:
        self._book = book
        self._journal = journal
        self._clock = clock
        self._repositories: tuple[RepositoryRule, ...] = ()
        self._done_ns = journal.care()
        self._drills = DrillSchedule(book, journal, clock=clock)

    def set_rules(self, rules: Rules) -> None:
        self._drills.set_rules(rules)
        self._repositories = repositories = rules.repositories
        for repository in repositories:
            for kind in EVERY_NS:
                if (repository.id, kind.__name__) not in self._done_ns:
                    self._note(repository.id, kind, self._clock.now_ns())

    def plan(self) -> None:
        """Queue what is due, unless one of its kind waits or runs."""
        self._drills.plan()
        now_ns = self._clock.now_ns()
        for repository in self._repositories:
            for kind in EVERY_NS:
                if self._done_ns[repository.id, kind.__name__] > now_ns:
                    # The clock was set back since: a span from now on, or it would be missed for as long as the clock was ahead.
                    self._note(repository.id, kind, now_ns)
                due_ns = self._due_ns(repository, kind)
                if due_ns is not None and due_ns <= now_ns and not self._is_live(repository, kind):
                    self._note(repository.id, kind, now_ns)
                    task = Scrub(ratio=repository.scrub_ratio) if kind is Scrub else Prune()
                    job = self._book.new_job(kind_of(task), repository.name, "schedule")
                    self._book.add(RunMaintenance(job=job, repository=repository.id, task=task))

    def next_wake(self) -> datetime | None:
        moments = [
            due_ns
            for repository in self._repositories
            for kind in EVERY_NS
            if not self._is_live(repository, kind) and (due_ns := self._due_ns(repository, kind)) is not None
        ]
        drill = self._drills.next_wake()
        return min((*map(utc, moments), *(() if drill is None else (drill,))), default=None)

    def ended(self, job: Job, request: Request) -> None:
        """One that failed is tried again soon; one that a person had done counts too."""
        self._drills.ended(job, request)
        if not isinstance(request, RunMaintenance) or request.dry_run or type(request.task) not in EVERY_NS:
            return
        kind = type(request.task)
        # A scrub that found damage has done its work; that part need not be read again.
        is_done = job.state in (State.SUCCEEDED, State.WARNINGS) or (job.error is not None and job.error.code == RepositoryDamaged.code)
        repository = next((each for each in self._repositories if each.id == request.repository), None)
        late_ns = 0 if is_done else _every_ns(repository, kind) - AGAIN_NS
        self._note(request.repository, kind, self._clock.now_ns() - late_ns)

    def _due_ns(self, repository: RepositoryRule, kind: type[Task]) -> int | None:
        """None = never by itself. Later than that it may be too late: a window closes."""
        times = repository.prune
        if (kind is Scrub and repository.scrub_ratio <= 0) or (kind is Prune and times.off):
            return None
        due_ns = self._done_ns[repository.id, kind.__name__] + _every_ns(repository, kind)
        if kind is not Prune or not (times.windows or times.exclude):
            return due_ns
        moment = next_open(times.windows, times.exclude, times.zone, utc(max(due_ns, self._clock.now_ns())))
        return None if moment is None else ns_of(moment)

    def _is_live(self, repository: RepositoryRule, kind: type[Task]) -> bool:
        requests = (live.request for live in self._book.live)
        return any(isinstance(r, RunMaintenance) and r.repository == repository.id and isinstance(r.task, kind) for r in requests)

    def _note(self, repository: str, kind: type[Task], at_ns: int) -> None:
        self._done_ns[repository, kind.__name__] = at_ns
        self._journal.put_care(repository, kind.__name__, at_ns)


def _every_ns(repository: RepositoryRule | None, kind: type[Task]) -> int:
    """A prune that has windows is due a day earlier, so that one that began late in its window begins in the next one, too."""
    has_windows = kind is Prune and repository is not None and bool(repository.prune.windows)
    return EVERY_NS[kind] - (24 * _HOUR_NS if has_windows else 0)

"""When each dataset of a repository here is restored on trial, as the rules say. When it was last done is in the journal.

What is tried on another machine is not queued here: the Master has it done, by what the owner says is due.
"""

from __future__ import annotations

from datetime import datetime

from holdfast.core.clock import Clock, utc
from holdfast.core.ids import DatasetId, RepositoryId
from holdfast.model.document import DrillPlan
from holdfast.model.jobs import Job, State
from holdfast.model.maintenance import Drill, kind_of
from holdfast.model.rules import RepositoryRule, Rules, StoreAction
from holdfast.node.records.job_book import JobBook
from holdfast.node.records.journal import Journal, Request
from holdfast.node.workers.messages import RunMaintenance

_SECOND_NS = 1_000_000_000
FIRST_NS = 15 * 60 * _SECOND_NS
"""After a dataset was first seen to be drilled."""
AGAIN_NS = 2 * 3_600 * _SECOND_NS
"""After one that could not be made: nothing was stored yet, no room, somebody else at work."""
DOUBTED_AGAIN_NS = 24 * 3_600 * _SECOND_NS
"""After one that proved nothing."""
_NOTHING_YET = "drill-nothing"

Key = tuple[RepositoryId, DatasetId]
"""A repository's id, and a dataset in it."""


class DrillSchedule:
    """Queues what is due."""

    def __init__(self, book: JobBook, journal: Journal, *, clock: Clock) -> None:
        self._book = book
        self._journal = journal
        self._clock = clock
        self._plans: dict[Key, DrillPlan] = {}
        self._titles: dict[Key, tuple[RepositoryRule, str]] = {}
        self._due_ns = {row: at_ns for row, at_ns in journal.care().items() if row[1].startswith(_KIND)}

    def set_rules(self, rules: Rules) -> None:
        repositories = {repository.id: repository for repository in rules.repositories}
        self._plans, self._titles = {}, {}
        for receive in rules.receives:
            for action in receive.actions:
                if (
                    isinstance(action, StoreAction)
                    and action.drill is not None
                    and not action.drill.on
                    and action.repository in repositories
                ):
                    key = (action.repository, receive.dataset)
                    self._plans[key] = action.drill
                    self._titles[key] = (repositories[action.repository], receive.label)
        self._bound_waits()

    def _bound_waits(self) -> None:
        """No turn is further ahead than a span: a plan that was made denser, or a clock that was set back, counts from now on."""
        now_ns = self._clock.now_ns()
        for key, plan in self._plans.items():
            every_ns = _every_ns(plan)
            known_ns = self._due_ns.get(_row(key))
            if known_ns is None or known_ns > now_ns + every_ns:
                self._put(key, now_ns + min(every_ns, FIRST_NS if known_ns is None else every_ns))

    def plan(self) -> None:
        """Queue what is due, unless one of the same waits or runs."""
        self._bound_waits()
        now_ns = self._clock.now_ns()
        for key, plan in self._plans.items():
            if self._due_ns[_row(key)] <= now_ns and not self._is_live(key):
                self._put(key, now_ns + _every_ns(plan))
                repository, label = self._titles[key]
                task = Drill(dataset=key[1], any_point=True)
                job = self._book.new_job(kind_of(task), repository.name, "schedule", datasets=(label,))
                self._book.add(RunMaintenance(job=job, repository=repository.id, task=task))

    def next_wake(self) -> datetime | None:
        moments = [self._due_ns[_row(key)] for key in self._plans if not self._is_live(key)]
        return utc(min(moments)) if moments else None

    def ended(self, job: Job, request: Request) -> None:
        """One that a person had done counts too, if it proved something."""
        if not isinstance(request, RunMaintenance) or not isinstance(request.task, Drill):
            return
        for key in self._plans:
            if key[0] == request.repository and request.task.dataset in (key[1], self._titles[key][1]):
                self._put(key, self._clock.now_ns() + self._after_ns(key, job))

    def _after_ns(self, key: Key, job: Job) -> int:
        every_ns = _every_ns(self._plans[key])
        codes = {finding.code for finding in job.findings}
        if job.report is None or _NOTHING_YET in codes:
            return min(every_ns, AGAIN_NS)
        if job.state is State.FAILED or "check-failed" in codes:
            return min(every_ns, DOUBTED_AGAIN_NS)
        return every_ns

    def _is_live(self, key: Key) -> bool:
        requests = (live.request for live in self._book.live)
        return any(
            isinstance(r, RunMaintenance) and r.repository == key[0] and isinstance(r.task, Drill) and r.task.dataset == key[1]
            for r in requests
        )

    def _put(self, key: Key, due_ns: int) -> None:
        self._due_ns[_row(key)] = due_ns
        self._journal.put_care(*_row(key), due_ns)


_KIND = "Drill "


def _row(key: Key) -> tuple[str, str]:
    """Where the journal keeps when it is due."""
    return key[0], _KIND + key[1]


def _every_ns(plan: DrillPlan) -> int:
    return int(plan.every_s * _SECOND_NS)

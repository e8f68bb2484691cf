"""Which of the jobs that wait may start now, and for what the others wait: a window, room on the disk, another job, or a place.

A node whose rules have a limit runs so many jobs at once, the oldest first. Runs, cascades and the care of repositories take a place each;
restores take none, because a person waits for them. What a worker does one after the other takes one place at most, and where there is a
limit only one of it is handed over: else what came later would go before all that waits for a place.

Runs begin one after the other, so that two that are short do not look for each other's files on one disk; one that has been at work for a
minute, perhaps for hours at a thin line, lets the next begin (docs/decisions/0062-runs-at-once.md). Runs of datasets that share paths never
go on at once, nor runs with the same hook: what one has brought to rest the other would start again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import Enum
from itertools import combinations

from holdfast.core.clock import Clock, now
from holdfast.core.ids import DatasetId, JobId
from holdfast.model.jobs import Job, State
from holdfast.model.roots import normal_roots, share_paths
from holdfast.model.rules import Rules
from holdfast.model.waits import Wait, WaitReason
from holdfast.node.planning.openings import opening_of
from holdfast.node.planning.outcomes import subjects_of
from holdfast.node.records.job_book import JobBook, LiveJob, Role, makes_room
from holdfast.node.records.journal import Request
from holdfast.node.workers.asides import RUNS_AT_ONCE
from holdfast.node.workers.messages import RunCascade, RunDatasets, RunDrill, RunMaintenance, ToWorker

LONG_RUN = timedelta(seconds=60)
"""After so much a run keeps no other waiting."""

Subjects = Mapping[DatasetId, frozenset[str]]
_HOOK = "hook "


class Room(Enum):
    """On the disk of the node's home. LOW: nothing is captured. NONE: its records cannot be written, and only what makes room starts."""

    ENOUGH = "enough"
    LOW = "low"
    NONE = "none"


class Starting:
    """`send` hands a message to a worker; False = it is not up now."""

    def __init__(self, book: JobBook, send: Callable[[Role, ToWorker], bool], *, clock: Clock) -> None:
        self._book = book
        self._send = send
        self._clock = clock
        self._known: tuple[Rules, Subjects] | None = None

    def start(self, rules: Rules, room: Room) -> None:
        """Hand over what can start, and note of the rest what it waits for."""
        moment = now(self._clock)
        if self._known is None or self._known[0] is not rules:
            self._known = rules, _run_subjects(rules)
        ahead = _Ahead(rules, self._known[1])
        for live in sorted(self._book.sent, key=lambda live: live.job.state is State.QUEUED):
            self._book.note_wait(live, ahead.worker_is_at(live) if live.job.state is State.QUEUED else None)
            ahead.note(live)
        for live in self._book.queued:
            wait = self._first_wait(live, rules, moment, ahead, room)
            if wait is None and self._send(live.role, live.request):
                live.sent = True
                wait = ahead.worker_is_at(live)
                ahead.note(live)
            elif wait is not None and wait.reason is not WaitReason.WINDOW:
                ahead.claim(live)
            self._book.note_wait(live, wait)

    def next_run_at(self) -> datetime | None:
        """When a run that waits for those before it may begin at the latest, while fewer than `RUNS_AT_ONCE` are at work. None: by what
        happens only."""
        begun = [live.job.started_at for live in self._book.sent if isinstance(live.request, RunDatasets)]
        if len(begun) >= RUNS_AT_ONCE or not any(isinstance(live.request, RunDatasets) for live in self._book.queued):
            return None
        return max((at + LONG_RUN for at in begun if at is not None), default=None)

    def opens_at(self, rules: Rules, request: Request, moment: datetime) -> datetime | None:
        """A run or cascade starts only while one of its movers is open, unless a person asked for it. None = at once."""
        if not isinstance(request, RunCascade | RunDatasets) or request.job.cause == "trigger":
            return None
        return opening_of(rules, request, moment)

    def _first_wait(self, live: LiveJob, rules: Rules, moment: datetime, ahead: _Ahead, room: Room) -> Wait | None:
        """None = it may start."""
        captures = isinstance(live.request, RunDatasets) and not live.request.catch_up
        if (first := ahead.shares_with(live)) is not None:
            return _after(first)
        if (room is Room.NONE and not makes_room(live.request)) or (room is Room.LOW and captures):
            return Wait(reason=WaitReason.LOW_DISK)
        opens = self.opens_at(rules, live.request, moment)
        if opens is not None and opens > moment:
            return Wait(reason=WaitReason.WINDOW, until=opens)
        if isinstance(live.request, RunDatasets) and (before := ahead.run_before(moment)) is not None:
            return _after(before)
        return ahead.limits(live)


class _Ahead:
    """What goes before a job: what runs, and what has waited longer."""

    def __init__(self, rules: Rules, subjects: Subjects) -> None:
        self._rules, self._subjects, self._most = rules, subjects, rules.parallel_jobs
        self._by_subject: dict[str, Job] = {}
        self._by_lane: dict[str, Job] = {}
        self._placed: dict[JobId, Job] = {}
        self._runs: list[Job] = []

    def note(self, live: LiveJob) -> None:
        """A worker has it."""
        self.claim(live)
        if isinstance(live.request, RunDatasets):
            self._runs.append(live.job)
        if self._by_lane.setdefault(_lane_of(live), live.job) is live.job and _takes_a_place(live.request):
            self._placed[live.job.id] = live.job

    def claim(self, live: LiveJob) -> None:
        for subject in self._apart_by(live.request):
            self._by_subject.setdefault(subject, live.job)

    def shares_with(self, live: LiveJob) -> Job | None:
        subjects = sorted(self._apart_by(live.request))
        return next((self._by_subject[subject] for subject in subjects if subject in self._by_subject), None)

    def _apart_by(self, request: Request) -> frozenset[str]:
        """Jobs that share one of these never go on at once."""
        subjects = subjects_of(request)
        if not isinstance(request, RunDatasets):
            return subjects
        further = (each for dataset in request.datasets for each in self._subjects.get(dataset, ()))
        return subjects.union(each for each in further if not (request.catch_up and each.startswith(_HOOK)))

    def run_before(self, moment: datetime) -> Job | None:
        """The run that another has to wait for."""
        if len(self._runs) >= RUNS_AT_ONCE:
            return self._runs[0]
        return next((job for job in self._runs if job.started_at is None or moment - job.started_at < LONG_RUN), None)

    def worker_is_at(self, live: LiveJob) -> Wait | None:
        """What the worker that has it does first."""
        first = self._by_lane.get(_lane_of(live))
        return None if first is None else _after(first)

    def limits(self, live: LiveJob) -> Wait | None:
        if self._most is None or not _takes_a_place(live.request):
            return None
        if (first := self._by_lane.get(_lane_of(live))) is not None:
            return _after(first)
        if len(self._placed) < self._most:
            return None
        first = next(iter(self._placed.values()))
        why = "one job runs there at once" if self._most == 1 else f"{self._most} jobs run there at once"
        return Wait(reason=WaitReason.LIMIT, what=f"node {self._rules.node_name}", since=first.started_at, why=why, job=first.id)


def _after(first: Job) -> Wait:
    return Wait(reason=WaitReason.JOB, what=first.rule, since=first.started_at, job=first.id)


def _run_subjects(rules: Rules) -> Subjects:
    """Of each dataset what keeps its runs apart from those of others: the hooks they call, and each other dataset that shares paths."""
    found = {rule.id: {f"{_HOOK}{name}" for name in (rule.hooks.before, rule.hooks.after) if name} for rule in rules.datasets}
    roots = {rule.id: normal_roots(rule.classification.paths) for rule in rules.datasets}
    for one, other in combinations(roots, 2):
        if share_paths(roots[one], roots[other]):
            found[one].add(f"{one} and {other}")
            found[other].add(f"{one} and {other}")
    return {dataset: frozenset(subjects) for dataset, subjects in found.items()}


def _takes_a_place(request: Request) -> bool:
    return isinstance(request, RunDatasets | RunCascade | RunMaintenance | RunDrill)


def _lane_of(live: LiveJob) -> str:
    """What a worker does one after the other."""
    match live.request:
        case RunDatasets(job=job):
            return f"run {job.id}"
        case RunCascade(cascade=cascade):
            return f"cascade {cascade}"
        case RunMaintenance(repository=repository):
            return f"maintenance {repository}"
        case RunDrill():
            return "drill"
        case _:
            return f"restore by {live.role}"

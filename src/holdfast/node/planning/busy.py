"""What the jobs that live mean for what is promised: how it stands, which job does it, and for what that waits. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from holdfast.core.ids import DatasetId, JobId
from holdfast.model.jobs import State
from holdfast.model.waits import Wait
from holdfast.node.planning.outcomes import subjects_of
from holdfast.node.planning.retries import Retry
from holdfast.node.records.job_book import LiveJob
from holdfast.node.workers.messages import RunDatasets


@dataclass(frozen=True, kw_only=True)
class Busy:
    """By subject (dataset or cascade id). `states`: running, queued, or how the last one ended. `jobs`: those that people see, by subject
    and operation; an empty operation stands for all. `waits`: of what is queued, for what. `retries`: what is to be tried again."""

    states: Mapping[str, State] = field(default_factory=dict)
    jobs: Mapping[tuple[str, str], JobId] = field(default_factory=dict)
    waits: Mapping[str, Wait] = field(default_factory=dict)
    retries: Mapping[str, Retry] = field(default_factory=dict)


def busy_of(live: Iterable[LiveJob], last: Mapping[str, State], retries: Mapping[str, Retry]) -> Busy:
    """`live`: all that have not ended, the oldest first. `last`: how the last job of each subject ended."""
    every = tuple(live)
    return Busy(states=_states(every, last), jobs=_jobs(every), waits=_waits(every), retries=retries)


def _states(every: tuple[LiveJob, ...], last: Mapping[str, State]) -> dict[str, State]:
    states = dict(last)
    for live in every:
        # Another attempt at what failed does not hide that it failed.
        if live.quiet_failure is None:
            states.update(dict.fromkeys(subjects_of(live.request), live.job.state))
    return states


def _jobs(every: tuple[LiveJob, ...]) -> dict[tuple[str, str], JobId]:
    """The one that runs goes before one that waits."""
    jobs: dict[tuple[str, str], JobId] = {}
    for live in sorted(every, key=lambda live: not live.sent):
        request = live.request
        for subject in subjects_of(request) if live.quiet_failure is None else ():
            marks = request.operations.get(DatasetId(subject), ()) if isinstance(request, RunDatasets) else ()
            jobs.update({(subject, mark): live.job.id for mark in marks or ("",) if (subject, mark) not in jobs})
    return jobs


def _waits(every: tuple[LiveJob, ...]) -> dict[str, Wait]:
    found: dict[str, Wait] = {}
    for live in every:
        if live.job.wait is not None:
            found.update({subject: live.job.wait for subject in subjects_of(live.request) if subject not in found})
    return found

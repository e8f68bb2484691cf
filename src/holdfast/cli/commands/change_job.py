"""`holdfast jobs pause|resume|cancel|retry JOB`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.cli.client import ApiClient, path_of
from holdfast.cli.output import print_json, say
from holdfast.cli.reach import ask_agent, local_job, plain, through_master_or_agent
from holdfast.core.errors import UsageError

if TYPE_CHECKING:
    from holdfast.model.questions import Question

_DONE = {
    "pause": "it stops where it is; `holdfast jobs resume` goes on with it",
    "resume": "it goes on",
    "cancel": "it ends; what is in place stays, and it is not tried again by itself",
    "retry": "what it was about runs again",
}


def change_job(home: Path, words: list[str], *, as_json: bool) -> None:
    """Through the Master, or by this machine's own agent when it is away. Raises `UsageError` for other words."""
    verb, *jobs = words
    if verb not in _DONE or len(jobs) != 1:
        raise UsageError(
            f"{' '.join(words)!r} is nothing to do with jobs", hint="holdfast jobs pause JOB, resume JOB, cancel JOB or retry JOB"
        )

    def by_agent(place: Path) -> str:
        job = local_job(place, jobs[0])
        answer = ask_agent(place, _question(verb, job))
        return str(plain(answer)["started"][0]["id"]) if verb == "retry" else job

    job = through_master_or_agent(home, lambda client: _by_master(client, verb, jobs[0]), by_agent)
    print_json({"job": job, "asked": verb}) if as_json else say(f"{job[:8]}: {_DONE[verb]}")


def _by_master(client: ApiClient, verb: str, job: str) -> str:
    answer = client.post(path_of("jobs", job, verb))
    return str(answer["jobs"][0]["id"] if verb == "retry" else answer["id"])


def _question(verb: str, job: str) -> Question:
    from holdfast.core.ids import JobId
    from holdfast.model.questions import AskCancel, AskRetry
    from holdfast.model.restoring import AskPauseJob, AskResumeJob

    if verb == "cancel":
        return AskCancel(job=JobId(job))
    if verb == "retry":
        return AskRetry(job=JobId(job))
    return AskPauseJob(job=JobId(job)) if verb == "pause" else AskResumeJob(job=JobId(job))

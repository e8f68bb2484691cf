"""Asking the Master, or this machine's own agent when the Master is away: `points ls find restore` work on a repository node alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from holdfast.cli.client import ApiClient
from holdfast.cli.home import has_session, load_session, resolve_home
from holdfast.cli.output import note
from holdfast.core.errors import NotReachable, ProtocolError, UnknownName, error_from

if TYPE_CHECKING:
    from holdfast.core.ids import JobId
    from holdfast.model.questions import Answer, Question

T = TypeVar("T")


def master_client(home: Path | None, timeout_s: float = 60) -> ApiClient:
    """The Master, by the login of this home (`--home`). Raises what `load_session` raises."""
    return ApiClient(load_session(resolve_home(home)), timeout_s)


def has_agent(home: Path) -> bool:
    return (home / "run" / "agent.sock").exists()


def through_master_or_agent(home: Path, by_master: Callable[[ApiClient], T], by_agent: Callable[[Path], T]) -> T:
    """The Master's answer; without a session, or with a silent Master, that of the agent in this home, and says so."""
    if not has_session(home) and has_agent(home):
        return by_agent(home)
    try:
        return by_master(ApiClient(load_session(home)))
    except NotReachable:
        if not has_agent(home):
            raise
        _tell_who_answers()
        return by_agent(home)


@cache
def _tell_who_answers() -> None:
    """Once, however often a command asks."""
    note("the Master does not answer; this machine answers for its own repositories")


def ask_agent(home: Path, question: Question, timeout_s: float = 60) -> Answer:
    """The agent's answer; a `Failed` becomes the error it carries."""
    from holdfast.model.questions import Failed
    from holdfast.node.local.client import ask

    answer = ask(home, question, timeout_s)
    if isinstance(answer, Failed):
        raise error_from(answer.error)
    return answer


def local_job(home: Path, prefix: str) -> JobId:
    """The whole id of a job of this machine. Raises `UnknownName`."""
    from holdfast.model.questions import AskJobs, Jobs

    answer = ask_agent(home, AskJobs(limit=10_000))
    known = [job.id for job in answer.jobs if job.id.startswith(prefix)] if isinstance(answer, Jobs) else []
    if len(known) != 1:
        what = "several jobs begin" if known else "no job here begins"
        raise UnknownName(f"{what} with {prefix!r}", hint="write more of the id; `holdfast jobs` lists them")
    return known[0]


def plain(value: object) -> dict[str, Any]:
    """A message as JSON-ready values, without its tag."""
    import msgspec

    built = msgspec.to_builtins(value)
    if not isinstance(built, dict):
        raise ProtocolError(f"unexpected answer: {type(value).__name__}")
    built.pop("type", None)
    return built

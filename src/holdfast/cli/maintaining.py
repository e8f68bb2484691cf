"""Having a repository's owner do a task on it: through the Master, or by this machine's own agent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.cli.client import ApiClient, path_of
from holdfast.cli.reach import ask_agent, through_master_or_agent
from holdfast.cli.waiting import wait_for_local_jobs, wait_for_trigger
from holdfast.core.errors import NotReachable, ProtocolError

if TYPE_CHECKING:
    from holdfast.model.maintenance import Task


def do_task(
    home: Path, name: str, task: Task, body: dict[str, Any], *, dry_run: bool = False, only_master: str = ""
) -> list[dict[str, Any]]:
    """The ended jobs. `body` says to the Master what `task` says to the agent. `only_master`: why the agent is not asked when the Master is
    away; `NotReachable` is raised with that."""
    verb = type(task).__name__.lower()

    def by_master(client: ApiClient) -> list[dict[str, Any]]:
        started = client.post(path_of("repositories", name, verb), {**body, **({"dry_run": True} if dry_run else {})})
        return list(wait_for_trigger(client, started["trigger"])["jobs"])

    def by_agent(place: Path) -> list[dict[str, Any]]:
        from holdfast.model.questions import AskMaintenance, JobsStarted

        if only_master:
            raise NotReachable(only_master, hint="without --on its owner makes it, with the Master away, too")
        answer = ask_agent(place, AskMaintenance(repository=name, task=task, dry_run=dry_run))
        if not isinstance(answer, JobsStarted):
            raise ProtocolError(f"unexpected answer: {type(answer).__name__}")
        return wait_for_local_jobs(place, tuple(answer.jobs))

    return through_master_or_agent(home, by_master, by_agent)

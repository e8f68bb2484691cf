"""Repositories: check them, and hand them to stock restic."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from holdfast.cli import exit_codes
from holdfast.cli.client import ApiClient, path_of
from holdfast.cli.commands.run import print_job_problems
from holdfast.cli.home import resolve_home
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import print_json, say
from holdfast.cli.reach import ask_agent, plain, through_master_or_agent
from holdfast.cli.waiting import wait_for_local_jobs, wait_for_trigger
from holdfast.core.errors import ProtocolError

repository_app = typer.Typer(help="Check repositories, and read them with stock restic.", no_args_is_help=True, rich_markup_mode=None)

NameArgument = Annotated[str, typer.Argument(help="Name of the repository.")]


@repository_app.command()
def check(
    name: NameArgument,
    read_data: Annotated[bool, typer.Option("--read-data", help="Read and verify every byte, too.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look for damage. Never repairs."""
    from pathlib import Path
    from typing import Any

    def by_master(client: ApiClient) -> list[dict[str, Any]]:
        started = client.post(path_of("repositories", name, "check"), {"read_data": read_data})
        return list(wait_for_trigger(client, started["trigger"])["jobs"])

    def by_agent(place: Path) -> list[dict[str, Any]]:
        from holdfast.model.questions import AskCheck, JobsStarted

        answer = ask_agent(place, AskCheck(repository=name, read_data=read_data))
        if not isinstance(answer, JobsStarted):
            raise ProtocolError(f"unexpected answer: {type(answer).__name__}")
        return wait_for_local_jobs(place, tuple(answer.jobs))

    jobs = through_master_or_agent(resolve_home(home), by_master, by_agent)
    if as_json:
        print_json(jobs)
    else:
        for job in jobs:
            print_job_problems(job)
        say(f"{name}: {'no errors were found' if all(j['state'] == 'succeeded' for j in jobs) else 'see above'}")
    raise typer.Exit(max(map(exit_codes.exit_code_of_job, jobs), default=exit_codes.FAILED))


@repository_app.command()
def env(name: NameArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Print what stock restic needs, for `eval`. Works on the owner's machine only."""
    from holdfast.model.questions import AskRepositoryEnv

    answer = plain(ask_agent(resolve_home(home), AskRepositoryEnv(repository=name)))
    if as_json:
        print_json({"RESTIC_REPOSITORY": answer["location"], "RESTIC_PASSWORD": answer["password"]})
        return
    say(f"export RESTIC_REPOSITORY={shlex.quote(answer['location'])}")
    say(f"export RESTIC_PASSWORD={shlex.quote(answer['password'])}")

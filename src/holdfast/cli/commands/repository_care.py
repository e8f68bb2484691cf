"""Looking after repositories: repair, rebuild, scrub. What they find and do comes as a job's report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli import exit_codes
from holdfast.cli.client import ApiClient, path_of
from holdfast.cli.commands.repository import NameArgument
from holdfast.cli.commands.run import print_job_problems
from holdfast.cli.home import resolve_home
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import one_line, print_json, say
from holdfast.cli.reach import ask_agent, through_master_or_agent
from holdfast.cli.waiting import wait_for_local_jobs, wait_for_trigger
from holdfast.core.errors import ProtocolError, UsageError
from holdfast.core.units import format_size

if TYPE_CHECKING:
    from holdfast.model.maintenance import Task

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]


def register(app: typer.Typer) -> None:
    app.command()(repair)
    app.command()(rebuild)
    app.command()(scrub)


def repair(
    name: NameArgument,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    forget_damaged: Annotated[
        bool, typer.Option("--forget-damaged", help="Take what is lost for ever out of the points, so that the rest is whole.")
    ] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put damage in order: from other copies where there are some, else what is whole is kept. Reads every byte first."""
    from holdfast.model.maintenance import Repair

    task, body = Repair(forget_damaged=forget_damaged), {"forget_damaged": forget_damaged}
    where = resolve_home(home)
    if not dry_run and not yes:
        planned = _do(where, name, task, body, dry_run=True)
        _print_reports(planned)
        if all(not (job.get("report") or {}).get("steps") for job in planned):
            raise typer.Exit(max(map(exit_codes.exit_code_of_job, planned), default=exit_codes.FAILED))
        if not sys.stdin.isatty() or not typer.confirm("Do this?"):
            raise UsageError("nothing was changed", hint="say --yes to do it without being asked, or --dry-run to only see the plan")
    _end(_do(where, name, task, body, dry_run=dry_run), as_json=as_json)


def rebuild(name: NameArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Throw the catalog away and make it anew from the repository alone. Reading goes on meanwhile, deliveries wait."""
    from holdfast.model.maintenance import Rebuild

    _end(_do(resolve_home(home), name, Rebuild(), {}), as_json=as_json)


def scrub(
    name: NameArgument,
    part: Annotated[str, typer.Option("--part", metavar="PART", help="How much of it, like 5%; 100% reads the rest of the pass.")] = "5%",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read the next part of all packs now. The node does so each day by itself, as the environment says."""
    from holdfast.model.maintenance import Scrub, parse_subset

    ratio = parse_subset(part).ratio
    if not ratio:
        raise UsageError(f"{part!r} is not a part", hint="write it like 5%")
    _end(_do(resolve_home(home), name, Scrub(ratio=ratio), {"ratio": ratio}), as_json=as_json)


def _do(home: Path, name: str, task: Task, body: dict[str, Any], *, dry_run: bool = False) -> list[dict[str, Any]]:
    """The ended jobs, by the Master or, without one, by this machine's own agent."""
    verb = type(task).__name__.lower()

    def by_master(client: ApiClient) -> list[dict[str, Any]]:
        started = client.post(path_of("repositories", name, verb), {**body, **({"dry_run": True} if dry_run else {})})
        return list(wait_for_trigger(client, started["trigger"])["jobs"])

    def by_agent(place: Path) -> list[dict[str, Any]]:
        from holdfast.model.questions import AskMaintenance, JobsStarted

        answer = ask_agent(place, AskMaintenance(repository=name, task=task, dry_run=dry_run))
        if not isinstance(answer, JobsStarted):
            raise ProtocolError(f"unexpected answer: {type(answer).__name__}")
        return wait_for_local_jobs(place, tuple(answer.jobs))

    return through_master_or_agent(home, by_master, by_agent)


def _end(jobs: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(jobs)
    else:
        _print_reports(jobs)
    raise typer.Exit(max(map(exit_codes.exit_code_of_job, jobs), default=exit_codes.FAILED))


def _print_reports(jobs: list[dict[str, Any]]) -> None:
    for job in jobs:
        report = job.get("report") or {}
        steps = report.get("steps") or ()
        for step in steps:
            size = f" ({format_size(step['size_bytes'])})" if step.get("size_bytes") else ""
            count = f" [{step['count']}]" if step.get("count") else ""
            say(one_line(f"{step['message']}{count}{size} {step.get('path', '')}".rstrip()))
        print_job_problems(job)
        if report.get("dry_run"):
            say(one_line(f"{job['rule']}: dry run, nothing was changed" if steps else f"{job['rule']}: nothing to do"))
        else:
            say(one_line(f"{job['rule']}: {job['state'] if steps or job['kind'] != 'repair' else 'nothing to do'}"))

"""Looking after repositories: repair, rebuild, scrub, adopt. What they find and do comes as a job's report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.cli import exit_codes
from holdfast.cli.client import ApiClient
from holdfast.cli.commands.repository import NameArgument
from holdfast.cli.commands.run import print_job_problems
from holdfast.cli.home import has_session, load_session, resolve_home
from holdfast.cli.maintaining import do_task
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import local_time, note, one_line, print_json, say
from holdfast.cli.reach import ask_agent, plain
from holdfast.core.errors import NotReachable, ProtocolError, UsageError
from holdfast.core.units import format_size

_ADOPT_TIMEOUT_S = 600.0

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]


def register(app: typer.Typer) -> None:
    app.command()(repair)
    app.command()(rebuild)
    app.command()(scrub)
    app.command()(adopt)


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
        planned = do_task(where, name, task, body, dry_run=True)
        print_reports(planned)
        if all(not (job.get("report") or {}).get("steps") for job in planned):
            raise typer.Exit(max(map(exit_codes.exit_code_of_job, planned), default=exit_codes.FAILED))
        if not sys.stdin.isatty() or not typer.confirm("Do this?"):
            raise UsageError("nothing was changed", hint="say --yes to do it without being asked, or --dry-run to only see the plan")
    _end(do_task(where, name, task, body, dry_run=dry_run), as_json=as_json)


def rebuild(name: NameArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Throw the catalog away and make it anew from the repository alone. Reading goes on meanwhile, deliveries wait."""
    from holdfast.model.maintenance import Rebuild

    _end(do_task(resolve_home(home), name, Rebuild(), {}), as_json=as_json)


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
    _end(do_task(resolve_home(home), name, Scrub(ratio=ratio), {"ratio": ratio}), as_json=as_json)


def adopt(
    name: NameArgument,
    location: Annotated[str, typer.Option("--location", help="Where it is; left out for one that this machine owns.")] = "",
    node: Annotated[str, typer.Option("--node", help="This machine's name in the environment (found out by itself).")] = "",
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="File with a password of it; `-` reads standard input.")
    ] = None,
    binds: Annotated[
        list[str] | None, typer.Option("--as", metavar="DATASET=HOST:PATH", help="Snapshots of HOST:PATH are its earlier history.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take over a repository that stock restic made. On the machine that is to own it; restic works beside it as before."""
    from holdfast.cli.typed_secrets import read_secret
    from holdfast.model.adoption import Adopted, AskAdopt, parse_bind
    from holdfast.model.node_status import NodeStatus
    from holdfast.model.questions import AskStatus

    place = resolve_home(home)
    wanted = tuple(map(parse_bind, binds or ()))
    status = ask_agent(place, AskStatus())
    here = status.node if isinstance(status, NodeStatus) else ""
    if node and node != here:
        raise UsageError(f"this machine is {here}, not {node}", hint=f"run it on {node}: a password never leaves its machine")
    password = read_secret(f"a password of {name}", password_file) if location else ""
    answer = ask_agent(place, AskAdopt(repository=name, location=location, password=password, binds=wanted), _ADOPT_TIMEOUT_S)
    if not isinstance(answer, Adopted):
        raise ProtocolError(f"unexpected answer: {type(answer).__name__}")
    written = _write_down(place, name, here, location) if location else True
    if as_json:
        print_json({**plain(answer), "written": written})
        return
    for group in answer.groups:
        belongs = f", earlier history of {group.dataset}" if group.dataset else ""
        say(one_line(f"{group.count} snapshots of {group.group}, the newest {local_time(group.newest_at.isoformat())}{belongs}"))
    if wanted:
        say(one_line(f"{answer.bound} snapshots were bound"))
    if location and written:
        say(f"{name} is in the environment now; draw it in a flow and activate that, then its snapshots are points")
    elif location:
        note(f"this machine opens {name} now; add it to the environment: repositories: {{{name}: {{node: {here}, location: {location}}}}}")


def _write_down(place: Path, name: str, node: str, location: str) -> bool:
    """Into the environment document, if this user is logged in at a Master that answers and it does not stand there."""
    if not has_session(place):
        return False
    try:
        client = ApiClient(load_session(place))
        newest = client.get("/environment/document")
        if name in (newest["values"].get("repositories") or {}):
            return True
        operation = {"op": "set", "path": ["repositories", name], "value": {"node": node, "location": location}}
        client.post("/environment/edit", {"base_revision": newest["revision"], "operations": [operation], "comment": f"adopt {name}"})
    except NotReachable:
        return False
    return True


def _end(jobs: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(jobs)
    else:
        print_reports(jobs)
    raise typer.Exit(max(map(exit_codes.exit_code_of_job, jobs), default=exit_codes.FAILED))


def print_reports(jobs: list[dict[str, Any]]) -> None:
    """What jobs that leave a report did, for people."""
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
            is_whole = job["kind"] == "repair" and not steps and job["state"] == "succeeded"
            say(one_line(f"{job['rule']}: {'nothing to do' if is_whole else job['state']}"))

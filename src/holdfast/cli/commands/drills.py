"""Drills: parts of what is stored, restored on trial. How they stand, and one now."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.cli import exit_codes
from holdfast.cli.commands.look import RepositoryOption, exit_for_unreachable, is_anyone_silent
from holdfast.cli.commands.repository_care import print_reports
from holdfast.cli.datasets import refuse_unknown_dataset
from holdfast.cli.home import resolve_home
from holdfast.cli.maintaining import do_task
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import age, local_time, note, one_line, print_json, print_table
from holdfast.cli.reach import ask_agent, plain, through_master_or_agent
from holdfast.core.clock import SystemClock, now
from holdfast.core.errors import NotReachable, UnknownName
from holdfast.core.units import format_duration


def register(app: typer.Typer) -> None:
    app.command()(drill)
    app.command()(drills)


def drill(
    dataset: Annotated[str, typer.Argument(help="Like files1/documents.")],
    repository: Annotated[str, typer.Option("--repository", help="Only in this repository; else in each that has it.")] = "",
    sample: Annotated[str, typer.Option("--sample", help="Like `100 files`, 1% or all; else as the rules say.")] = "",
    point: Annotated[str, typer.Option("--point", help="This point in place of the newest.")] = "",
    on: Annotated[str, typer.Option("--on", help="The node that restores it; else as the rules say, the repository's own.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Restore a part of a dataset on trial now, compare it, and have the policy's script look at it. Exit 3 when it proved nothing."""
    from holdfast.model.drills import parse_sample
    from holdfast.model.maintenance import Drill

    if sample:
        parse_sample(sample)
    place = resolve_home(home)
    task = Drill(dataset=dataset, sample=sample, point=point)
    away = "" if not on else f"a drill on {on} is ordered by the Master, and it cannot be reached"
    body = {"dataset": dataset, "sample": sample, "point": point, "on": on}
    answer = {} if repository else _points_of(place, dataset)
    names = [repository] if repository else sorted({point["repository"] for point in answer["points"]})
    jobs = [job for name in names for job in do_task(place, name, task, body, only_master=away)]
    if as_json:
        print_json(jobs)
    else:
        print_reports(jobs)
    left_out = exit_codes.WARNINGS if is_anyone_silent(answer) else exit_codes.OK
    raise typer.Exit(max(left_out, *map(_exit_code, jobs)))


def drills(repository: RepositoryOption = "", home: HomeOption = None, as_json: JsonOption = False) -> None:
    """When each dataset was last proven restorable, and what the newest drill found. Exit 3 when one proved nothing or is overdue."""
    answer: dict[str, Any] = through_master_or_agent(resolve_home(home), lambda client: client.get("/drills"), _drills_here)
    rows = [row for row in answer["drills"] if repository in ("", row["repository"])]
    if as_json:
        print_json(rows)
    elif rows:
        print_drills(rows)
    else:
        note("no drills: a policy with `drill: {every: 7d}` has its datasets tried each week")
    exit_for_unreachable(answer)
    if any(row.get("overdue") or (row.get("last") or {}).get("problem") for row in rows):
        raise typer.Exit(exit_codes.WARNINGS)


def print_drills(rows: list[dict[str, Any]]) -> None:
    moment = now(SystemClock())
    cells = [
        (
            row["dataset"],
            row["repository"],
            _state(row),
            _made_on(row),
            age(row.get("proven_at"), moment),
            (row.get("last") or {}).get("files", 0),
            format_duration(row["plan"]["every_s"]) if row.get("plan") and row["plan"].get("every_s") else _every(row),
            local_time(row.get("due_at")),
        )
        for row in rows
    ]
    heads = ("DATASET", "REPOSITORY", "DRILL", "ON", "LAST PROVEN", "FILES", "EVERY", "NEXT DUE")
    print_table(heads, cells, right=frozenset({5}))
    for row in rows:
        last = row.get("last") or {}
        for text in (last.get("problem"), last.get("note")):
            if text:
                note(one_line(f"{row['dataset']} in {row['repository']}: {text}"))


def _every(row: dict[str, Any]) -> str:
    """What is not written is the usual."""
    from holdfast.model.document import DrillPlan

    return format_duration(DrillPlan().every_s) if row.get("plan") is not None else "-"


def _made_on(row: dict[str, Any]) -> str:
    """Where it is made: as the rules say, else where the last one was; nothing for the owner's own machine."""
    return (row.get("plan") or {}).get("on") or (row.get("last") or {}).get("on") or "-"


def _state(row: dict[str, Any]) -> str:
    if (row.get("last") or {}).get("problem"):
        return "failed"
    if row.get("overdue"):
        return "overdue"
    return "proven" if row.get("proven_at") else "not yet"


def _exit_code(job: dict[str, Any]) -> int:
    """That nothing was proven is what a drill is for to find out, and no failure of the command."""
    error = job.get("error") or {}
    return exit_codes.WARNINGS if error.get("code") == "repository-damaged" else exit_codes.exit_code_of_job(job)


def _points_of(place: Path, dataset: str) -> dict[str, Any]:
    """What the owners that answer hold of the dataset, and who does not answer. Raises `UnknownName` or `NotReachable` if it is nothing."""
    from holdfast.model.moments import AskMoment

    answer: dict[str, Any] = through_master_or_agent(
        place,
        lambda client: client.get("/points", dataset=dataset),
        lambda home: plain(ask_agent(home, AskMoment(dataset=dataset))),
    )
    if not answer["points"]:
        refuse_unknown_dataset(place, dataset)
        if is_anyone_silent(answer):
            raise NotReachable(f"no repository that answers has anything of {dataset}", hint="try again when the others answer")
        raise UnknownName(f"nothing of {dataset} is stored yet", hint="`holdfast trigger FLOW` stores it")
    return answer


def _drills_here(place: Path) -> dict[str, Any]:
    from holdfast.model.questions import AskStatus

    status = plain(ask_agent(place, AskStatus()))
    return {
        "drills": [
            {"node": status["node"], "repository": repository["name"], **drill}
            for repository in status.get("repositories", ())
            for drill in repository.get("drills", ())
        ]
    }

"""Running a flow now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from holdfast.cli import exit_codes
from holdfast.cli.client import path_of
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import note, one_line, print_json, print_table, say
from holdfast.cli.reach import master_client
from holdfast.cli.waiting import wait_for_trigger
from holdfast.core.units import format_duration, format_size


def register(app: typer.Typer) -> None:
    app.command()(trigger)


def trigger(
    flow: Annotated[str, typer.Argument(help="Name of the flow.")],
    policy: Annotated[str, typer.Option("--policy", help="Only this policy.")] = "",
    operation: Annotated[str, typer.Option("--operation", help="Only this operation.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait until every action is done and acknowledged.")] = False,
    accept: Annotated[bool, typer.Option("--accept", help="Accept a source that was emptied, replaced or unmounted, this once.")] = False,
    adopt: Annotated[
        bool,
        typer.Option("--adopt", help="Let its mirrors take over folders that are not empty: what is equal stays, the rest is kept aside."),
    ] = False,
    first: Annotated[bool, typer.Option("--first", help="Of what was just activated: the run it begins with will do.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a flow now. With --wait: exit 0 when all is acknowledged, 3 with warnings, 1 when something failed."""
    client = master_client(home)
    asked = {"policy": policy, "operation": operation, "accept": accept, "adopt": adopt, "first": first}
    started = client.post(path_of("flows", flow, "trigger"), asked)
    if not wait:
        if as_json:
            print_json(started)
        else:
            say(f"started {started['trigger']}; watch it with `holdfast jobs`")
        return
    record = wait_for_trigger(client, started["trigger"])
    if as_json:
        print_json(record)
    else:
        print_jobs_result(record["jobs"])
        for problem in record.get("problems") or []:
            note(f"{problem['node']}: {problem['error']['message']} [{problem['error']['code']}]")
        say(f"{flow}: {record['state']}")
    raise typer.Exit(exit_codes.exit_code_of_state(record["state"]))


def print_jobs_result(jobs: list[dict[str, Any]]) -> None:
    """One row per task, then what went wrong."""
    rows = [_task_row(job, task) for job in jobs for task in job.get("tasks") or []]
    if rows:
        heads = ("JOB", "TASK", "STATE", "FILES", "CHANGED", "READ", "SENT", "STORED", "TIME")
        print_table(heads, rows, right=frozenset({3, 4, 5, 6, 7, 8}))
    for job in jobs:
        print_job_problems(job)


def print_job_problems(job: dict[str, Any]) -> None:
    told: set[tuple[str, str]] = set()
    # Tasks first: they say which of them it was. What the job adds to that is news only when no task said it.
    tasks = [(task, f"{task.get('dataset') or job['rule']}, {task['name']}") for task in job.get("tasks") or []]
    for owner, name in (*tasks, (job, job["rule"])):
        error = owner.get("error")
        if not error or (owner is job and (error["code"], error["message"]) in told):
            continue
        told.add((error["code"], error["message"]))
        note(f"{name}: {error['message']} [{error['code']}]")
        if error.get("hint"):
            note(f"  hint: {error['hint']}")
    shown = [f for f in job.get("findings") or [] if f["severity"] != "info"]
    for finding in shown[:20]:
        note(f"{finding['severity']}: {finding['message']} [{finding['code']}] {finding.get('path', '')}".rstrip())
        for line in finding.get("affected") or []:
            note(f"  {one_line(line)}")
    if len(shown) > 20:
        note(f"... {job.get('findings_total', len(shown)) - 20} more: holdfast jobs {job['id'][:8]} --json")


def print_steps(job: dict[str, Any]) -> None:
    """What it did, or as a dry run would do."""
    steps = (job.get("report") or {}).get("steps") or []
    rows = [(step["code"], step["count"], format_size(step.get("size_bytes", 0)), _step_text(step)) for step in steps]
    if rows:
        print_table(("ACTION", "COUNT", "SIZE", ""), rows, right=frozenset({1, 2}))


def _step_text(step: dict[str, Any]) -> str:
    return f"{step['message']} {step['path']}" if step.get("path") else str(step["message"])


def print_bottlenecks(named: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """What held each of these deliveries up, where that is known."""
    for name, owner in named:
        if held := owner.get("bottleneck"):
            say(one_line(f"{name}: {held['message']} [{held['place']}]"))


def _task_row(job: dict[str, Any], task: dict[str, Any]) -> tuple[object, ...]:
    counters = task.get("counters") or {}
    moved = (format_size(counters.get(key, 0)) for key in ("read_bytes", "sent_bytes", "stored_bytes"))
    name = task["name"]
    return (
        task.get("dataset") or job["rule"],
        name,
        task["state"],
        counters.get("files", 0),
        counters.get("changed", 0) + counters.get("removed", 0),
        *moved,
        format_duration(task.get("duration_s", 0.0)),
    )

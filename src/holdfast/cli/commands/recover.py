"""Getting data back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer

from holdfast.cli import exit_codes
from holdfast.cli.client import ApiClient
from holdfast.cli.commands.run import print_job_problems
from holdfast.cli.home import resolve_home
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import print_json, say
from holdfast.cli.reach import ask_agent, through_master_or_agent
from holdfast.cli.waiting import wait_for_local_jobs, wait_for_trigger
from holdfast.core.clock import SystemClock, now
from holdfast.core.errors import ProtocolError, UsageError
from holdfast.core.units import format_utc, parse_rate_bytes_s, parse_time


def register(app: typer.Typer) -> None:
    app.command()(restore)


def restore(
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[POINT] [PATH]...", help="A point, then paths in it.")] = None,
    to: Annotated[str, typer.Option("--to", help="Folder below which the full source paths are written; / is in place.")] = "",
    dataset: Annotated[str, typer.Option("--dataset", help="Instead of a point: this dataset ...")] = "",
    at: Annotated[str, typer.Option("--at", help="... at this time: ISO 8601 or like '2h ago' (default: now).")] = "",
    node: Annotated[str, typer.Option("--node", help="Machine to write on (default: where the data came from).")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be written.")] = False,
    conflict: Annotated[str, typer.Option("--conflict", help="What to do with existing files: skip, overwrite or rename.")] = "overwrite",
    limit: Annotated[str, typer.Option("--limit", help="At most this rate, like 50MB/s.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Restore a point, or a dataset as it was at a time. Waits until it is done."""
    given = list(arguments or [])
    if bool(dataset) == bool(given and not given[0].startswith("/")):
        raise UsageError("name either a point or --dataset", hint="holdfast restore POINT --to DIR, or --dataset D --at TIME --to DIR")
    if not to:
        raise UsageError("where to? --to is missing", hint="--to DIR writes the full paths below DIR, --to / restores in place")
    if conflict not in ("skip", "overwrite", "rename"):
        raise UsageError(f"--conflict {conflict} is not one of skip, overwrite, rename", hint="take one of these")
    paths = given if dataset else given[1:]
    if relative := next((path for path in paths if not path.startswith("/")), None):
        raise UsageError(f"{relative} is not an absolute path", hint="paths are as on the source; `holdfast ls POINT` shows them")
    order: dict[str, Any] = {
        "point": "" if dataset else given[0],
        "dataset": dataset,
        "at": format_utc(parse_time(at or "now", now(SystemClock()), zone=None)) if dataset else "",
        "paths": [quote(os.fsencode(path), safe="/") for path in paths],
        "to": to if node else str(Path(to).expanduser().absolute()),
        "node": node,
        "dry_run": dry_run,
        "conflict": conflict,
        "limit_bytes_s": parse_rate_bytes_s(limit) if limit else None,
    }
    place = resolve_home(home)
    jobs = through_master_or_agent(place, lambda client: _by_master(client, order), lambda h: _by_agent(h, order, paths))
    if as_json:
        print_json(jobs[0] if len(jobs) == 1 else jobs)
    else:
        for job in jobs:
            _print_result(job, order["to"], dry_run)
    raise typer.Exit(max(exit_codes.exit_code_of_job(job) for job in jobs))


def _by_master(client: ApiClient, order: dict[str, Any]) -> list[dict[str, Any]]:
    started = client.post("/restores", {key: value for key, value in order.items() if value not in ("", None)})
    record = wait_for_trigger(client, started["trigger"])
    if not record["jobs"]:
        raise ProtocolError("the restore left no job behind", hint="see `holdfast logs`")
    return list(record["jobs"])


def _by_agent(home: Path, order: dict[str, Any], paths: list[str]) -> list[dict[str, Any]]:
    """Restore on the repository's own machine, without the Master."""
    from holdfast.core.ids import PointId
    from holdfast.model.orders import RestoreRequest
    from holdfast.model.questions import AskRestore, JobsStarted

    if order["node"]:
        raise UsageError("without the Master only this machine can be restored to", hint="leave --node out")
    mode: Literal["skip", "overwrite", "rename"] = order["conflict"]
    request = RestoreRequest(target=order["to"], conflict=mode, dry_run=order["dry_run"], limit_bytes_s=order["limit_bytes_s"])
    point = order["point"] or _newest_point(home, order["dataset"], order["at"])
    answer = ask_agent(home, AskRestore(request=request, point=PointId(point), paths=tuple(os.fsencode(path) for path in paths)))
    if not isinstance(answer, JobsStarted):
        raise ProtocolError(f"unexpected answer: {type(answer).__name__}")
    return wait_for_local_jobs(home, tuple(answer.jobs))


def _newest_point(home: Path, dataset: str, at: str) -> str:
    from holdfast.model.moments import AskMoment
    from holdfast.model.questions import Points

    answer = ask_agent(home, AskMoment(dataset=dataset, at=parse_time(at, now(SystemClock()))))
    if not isinstance(answer, Points):
        raise ProtocolError(f"unexpected answer: {type(answer).__name__}")
    return max(answer.points, key=lambda p: (p.time, p.seq)).id


def _print_result(job: dict[str, Any], target: str, dry_run: bool) -> None:
    print_job_problems(job)
    if job["state"] not in ("succeeded", "warnings"):
        say(f"restore {job['state']}")
        return
    told = next((finding["message"] for finding in job.get("findings") or [] if finding["code"] in ("restored", "dry-run")), "done")
    say(f"{'dry run: ' if dry_run else ''}below {target}: {told}")

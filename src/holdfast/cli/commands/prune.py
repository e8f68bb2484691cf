"""Giving back the space of what no point needs any more."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from holdfast.cli import exit_codes
from holdfast.cli.commands.repository import NameArgument
from holdfast.cli.commands.run import print_job_problems
from holdfast.cli.home import resolve_home
from holdfast.cli.maintaining import do_task
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import one_line, print_json, print_table, say
from holdfast.core.errors import UsageError
from holdfast.core.units import format_size, parse_duration_s, parse_size_bytes

_ALWAYS_TOLD = ("packs-deleted", "packs-needless", "packs-repacked", "space-freed")


def prune(
    name: NameArgument,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    max_unused: Annotated[str, typer.Option("--max-unused", metavar="P", help="So much needless data may stay, like 5%.")] = "5%",
    max_repack: Annotated[str, typer.Option("--max-repack-size", metavar="SIZE", help="Copy no more than that, like 10GiB.")] = "",
    grace: Annotated[str, typer.Option("--grace", metavar="DURATION", help="How long packs stay that are taken out of use.")] = "23h",
    instant: Annotated[bool, typer.Option("--instant", help="They go at once: nobody may be reading with another program.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give back the space of what no point needs any more. Deliveries and restores go on meanwhile."""
    from holdfast.model.maintenance import Prune

    task = Prune(
        max_unused=_ratio(max_unused),
        max_repack_bytes=parse_size_bytes(max_repack) if max_repack else None,
        grace_s=0.0 if instant else parse_duration_s(grace),
    )
    body = {"max_unused": task.max_unused, "max_repack_bytes": task.max_repack_bytes, "grace_s": task.grace_s}
    jobs = do_task(resolve_home(home), name, task, body, dry_run=dry_run)
    if as_json:
        print_json(jobs)
    else:
        for job in jobs:
            _print_report(job)
            print_job_problems(job)
    raise typer.Exit(max(map(exit_codes.exit_code_of_job, jobs), default=exit_codes.FAILED))


def _print_report(job: dict[str, Any]) -> None:
    report = job.get("report") or {}
    if not (steps := report.get("steps") or ()):
        return
    # What is told in any case says nothing where it did nothing; the others are remarks without a number.
    told = [step for step in steps if step.get("count") or step.get("size_bytes") or step["code"] not in _ALWAYS_TOLD]
    if not told:
        say(one_line(f"{job['rule']}: there is nothing to give back; room comes free when points go, by `keep` or `points forget`"))
        return
    cells = [
        (step.get("count") or "-", format_size(step["size_bytes"]) if step.get("size_bytes") else "-", step["message"]) for step in told
    ]
    print_table(("PACKS", "SIZE", "dry run: nothing was changed" if report.get("dry_run") else ""), cells, right=frozenset({0, 1}))
    say(one_line(f"{job['rule']}: {job['state']}"))


def _ratio(text: str) -> float:
    number = text.strip().removesuffix("%")
    try:
        ratio = float(number) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1_000:
        raise UsageError(f"not a part: {text[:40]!r}", hint="write it like 5% or 0.05")
    return ratio

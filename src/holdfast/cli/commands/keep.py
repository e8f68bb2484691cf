"""Trying keep rules out: which points there would be."""

from __future__ import annotations

from datetime import datetime, tzinfo
from itertools import groupby
from typing import Annotated, Any

import typer

from holdfast.cli import exit_codes
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import note, print_diagnostics, print_json, print_table, say
from holdfast.cli.reach import master_client
from holdfast.core.errors import UsageError

_MOST_TIMES = 6


def register(app: typer.Typer) -> None:
    app.command()(keep)


def keep(
    rules: Annotated[str, typer.Argument(help="As in the document, like '{daily: 7, monthly: 12}'; '{}' keeps everything.")],
    every: Annotated[str, typer.Option("--every", help="How often a point is taken, like 1h.")] = "",
    at: Annotated[list[str] | None, typer.Option("--at", help="A time of day at which one is taken, like 02:30; may be repeated.")] = None,
    zone: Annotated[str, typer.Option("--zone", help="Time zone of the times of day, and of days in the rules.")] = "UTC",
    days: Annotated[int, typer.Option("--days", min=1, max=3660, help="For how long this would have gone on.")] = 400,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which points keep rules would have left by now. Changes nothing."""
    from holdfast.compiler.edits import document_values
    from holdfast.model.retention import zone_of

    written = document_values(f"keep: {rules}\n").get("keep")
    if not isinstance(written, dict):
        raise UsageError(f"{rules!r} are no keep rules", hint="write them like '{hourly: 24, daily: 30, within: 3d}'")
    body = {"keep": written, "every": every or None, "at": at or [], "zone": zone, "span_days": days}
    answer = master_client(home).post("/keep/preview", body)
    if as_json:
        print_json(answer)
    else:
        print_diagnostics(answer["diagnostics"])
        if answer["valid"]:
            _print_calendar(answer, zone_of(zone))
    raise typer.Exit(exit_codes.OK if answer["valid"] else exit_codes.USAGE)


def _print_calendar(answer: dict[str, Any], zone: tzinfo) -> None:
    since = datetime.fromisoformat(answer["from"]).astimezone(zone)
    say(f"of {answer['taken_total']} points taken since {since:%Y-%m-%d} {answer['kept_total']} would be there now:")
    say()
    moments = [(datetime.fromisoformat(point["time"]).astimezone(zone), point["reasons"]) for point in answer["kept"]]
    rows = []
    for day, points in groupby(moments, key=lambda each: each[0].date()):
        on_day = list(points)
        times = " ".join(f"{moment:%H:%M}" for moment, _ in on_day[:_MOST_TIMES])
        more = f" and {len(on_day) - _MOST_TIMES} more" if len(on_day) > _MOST_TIMES else ""
        reasons = dict.fromkeys(reason for _, given in on_day for reason in given)
        rows.append((f"{day:%Y-%m-%d %a}", len(on_day), times + more, ", ".join(reasons)))
    print_table(("DAY", "POINTS", "AT", "KEPT BY"), rows, right=frozenset({1}))
    if answer["kept_total"] > len(moments):
        note(f"the newest {len(moments)} are shown")
    if answer["truncated"]:
        note(f"so many points are taken that only those since {since:%Y-%m-%d %H:%M} were looked at")

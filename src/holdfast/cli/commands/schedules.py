"""When things run: the calendar of what is active, and what a document would do."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import note, print_json, print_table, say
from holdfast.cli.reach import master_client
from holdfast.core.units import format_duration

_REASONS = {
    "window": "no window was open then",
    "exclusion": "an exclusion forbade it then",
    "mover": "its mover was closed then",
    "never": "it never arrives there",
}
_MOST_RUNS = 10


def register(app: typer.Typer) -> None:
    app.command()(schedules)


def schedules(
    next_runs: Annotated[int, typer.Option("--next", min=0, max=1000, help="So many runs to come.")] = 10,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the schedules of the document, and the next runs of what is active."""
    answer = master_client(home).get("/schedules", next=next_runs)
    if as_json:
        print_json(answer)
        return
    rows = [
        (
            row["name"] or "(in the operation)",
            "; ".join(row["windows"]) or "always",
            "; ".join(row["exclude"]) or "-",
            "; ".join(row["at"]) or "-",
            row["zone"],
            ", ".join(row["used_in"]) or "nothing",
        )
        for row in answer["schedules"]
    ]
    if rows:
        print_table(("SCHEDULE", "WINDOWS", "EXCLUDED", "AT", "ZONE", "USED IN"), rows)
        say()
    if answer["runs"]:
        print_table(
            ("NEXT RUN", "DATASET", "OPERATIONS"), [(_local(r["at"]), r["dataset"], ", ".join(r["operations"])) for r in answer["runs"]]
        )
    elif next_runs:
        say("nothing that is active runs by itself")


def print_simulation(found: dict[str, Any]) -> None:
    """What a document would do, as tables."""
    say(f"from {_local(found['since'])} to {_local(found['until'])}, of each dataset:")
    say()
    rows = [
        (
            f"{line['policy']}/{line['operation']}",
            line["receiver"],
            line["datasets"],
            line["runs"],
            line["points"],
            line["kept"],
            _local(line["oldest"]) if line["oldest"] else "-",
        )
        for line in found["lines"]
    ]
    print_table(("OPERATION", "RECEIVER", "DATASETS", "RUNS", "POINTS", "KEPT", "OLDEST"), rows, right=frozenset({2, 3, 4, 5}))
    if found["upcoming"]:
        say()
        runs = [(_local(run["at"]), _whose(run), ", ".join(run["operations"]), _jitter(run)) for run in found["upcoming"][:_MOST_RUNS]]
        print_table(("RUN", "DATASET", "OPERATIONS", ""), runs)
    for each in found["unmet"]:
        every, longest = format_duration(each["every_s"]), format_duration(each["longest_s"])
        times = "once" if each["times"] == 1 else f"{each['times']} times"
        span = f"{longest} from {_local(each['begin'])} to {_local(each['end'])}"
        what = f"{each['policy']}/{each['operation']} at {each['receiver']}"
        note(f"{what} cannot keep its RPO of {every}: {span}, {_REASONS[each['reason']]} ({times} in all)")
    if found["truncated"]:
        note("something runs so often that it was cut short")


def _whose(run: dict[str, Any]) -> str:
    return str(run["dataset"]) if run["datasets"] == 1 else f"{run['dataset']} and {run['datasets'] - 1} more"


def _jitter(run: dict[str, Any]) -> str:
    return f"up to {format_duration(run['jitter_s'])} later" if run["jitter_s"] else ""


def _local(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %a %H:%M}"

"""Reports that the Master makes and sends by itself."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from holdfast.cli import exit_codes
from holdfast.cli.client import path_of
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import local_time, note, one_line, print_json, print_table, say
from holdfast.cli.reach import master_client
from holdfast.cli.sections import new_group
from holdfast.core.units import format_duration, parse_duration_s

reports_app = new_group("Reports that are sent by themselves.")
Name = Annotated[str, typer.Argument(help="How it is called.")]


@reports_app.command("ls")
def ls(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Which report goes when and where, and how the last one did."""
    found = master_client(home).get("/report-schedules")["schedules"]
    if as_json:
        print_json(found)
        return
    if found:
        print_table(("NAME", "REPORT", "WHEN", "TO", "NEXT", "LAST SENT"), [_cells(each) for each in found])
    else:
        note("no report is sent by itself; `holdfast reports schedule` makes one")
    for each in found:
        if each["failing_since"]:
            note(one_line(f"{each['schedule']['name']} fails since {local_time(each['failing_since'])}: {each['error']}"))


@reports_app.command("schedule")
def schedule(
    name: Name,
    kind: Annotated[Literal["rpo", "coverage", "capacity", "transfers", "drills"], typer.Argument(help="Which report.")],
    at: Annotated[list[str] | None, typer.Option("--at", help="When, such as 'mon 07:00' or 'day 1 06:00'; may be repeated.")] = None,
    zone: Annotated[str, typer.Option(help="Time zone of these.")] = "UTC",
    schedule: Annotated[str, typer.Option(help="In place of both: a schedule of the document.")] = "",
    since: Annotated[str, typer.Option(help="How far back it reaches.")] = "30d",
    format: Annotated[Literal["html", "csv", "json"], typer.Option(help="What is attached or written.")] = "html",
    to: Annotated[list[str] | None, typer.Option("--to", help="A channel of notifications; may be repeated.")] = None,
    folder: Annotated[bool, typer.Option("--folder", help="Write it into the Master's home, too.")] = False,
    enable: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Whether it is made at its times. Without it, as it was; a new one is.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a report at times, or change when and where one goes."""
    client = master_client(home)
    if enable is None:
        known = (each["schedule"] for each in client.get("/report-schedules")["schedules"])
        enable = next((each["enabled"] for each in known if each["name"] == name), True)
    wanted = {"kind": kind, "at": at or [], "zone": zone, "schedule": schedule, "since_s": parse_duration_s(since), "format": format}
    answer = client.put(path_of("report-schedules", name), {**wanted, "to": to or [], "folder": folder, "enabled": enable})
    made = next(each for each in answer["schedules"] if each["schedule"]["name"] == name)
    print_json(made) if as_json else say(f"report {name} is {_next_of(made, 'made next ')}")


@reports_app.command("send")
def send(name: Name, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Make one now and send it to all who get it. Exit code 3 when it did not get through everywhere."""
    made = master_client(home).post(path_of("report-schedules", name, "send"))
    if as_json:
        print_json(made)
    elif made["failing_since"]:
        note(one_line(made["error"]))
    else:
        say(one_line(f"report {name} is sent" + (f"; it is in {made['file']}" if made["schedule"]["folder"] else "")))
    raise typer.Exit(exit_codes.WARNINGS if made["failing_since"] else exit_codes.OK)


@reports_app.command("remove")
def remove(name: Name, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Send it no more. What was written stays."""
    answer = master_client(home).delete(path_of("report-schedules", name))
    print_json(answer) if as_json else say(f"report {name} is not sent any more")


def _cells(each: dict[str, Any]) -> tuple[str, ...]:
    told = each["schedule"]
    when = told["schedule"] or f"{', '.join(told['at'])} {told['zone']}"
    where = [*told["to"], *(["its folder"] if told["folder"] else [])]
    what = f"{told['kind']} of {format_duration(told['since_s'])} as {told['format']}"
    sent = local_time(each["sent_at"]) if each["sent_at"] else "-"
    return one_line(told["name"]), what, one_line(when), one_line(", ".join(where)), _next_of(each), sent


def _next_of(each: dict[str, Any], before: str = "") -> str:
    if not each["schedule"]["enabled"]:
        return "disabled"
    return before + (local_time(each["next_at"]) if each["next_at"] else "never")

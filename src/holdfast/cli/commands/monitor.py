"""Looking at how things go: a flow on its drawing, and the strip of the last days."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from holdfast.cli import exit_codes
from holdfast.cli.client import path_of
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import age, local_time, note, one_line, print_json, print_table, say
from holdfast.cli.reach import master_client
from holdfast.cli.waits import wait_words
from holdfast.core.clock import SystemClock, now
from holdfast.core.units import format_duration, format_size

_MARKS = {"ok": "=", "warning": "w", "failed": "F", "overdue": "O", "gap": "-", "none": "."}
_GOOD = ("ok", "running", "warning", "off")


def register(app: typer.Typer) -> None:
    app.command()(monitor)


def monitor(
    flow: Annotated[str, typer.Argument(help="An active flow.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """How the movers of an active flow do. Exit 3 when one failed, is overdue or not known."""
    answer = master_client(home).get(path_of("flows", flow, "monitor"))
    states = [part["state"] for part in (*answer["movers"], *answer["vertices"])]
    code = exit_codes.OK if all(state in _GOOD for state in states) else exit_codes.WARNINGS
    if as_json:
        print_json(answer)
        raise typer.Exit(code)
    if answer["state"] == "draft":
        note(f"flow {flow} is not active; `holdfast activate {flow}` puts it into force")
        return
    moment = now(SystemClock())
    rows = [
        (f"{m['source']} -> {m['target']}", _state(m), _last_good(m, moment), _lag(m["lag_s"]), _backlog(m, moment), _rate(m), _next(m))
        for m in answer["movers"]
    ]
    print_table(("MOVER", "STATE", "LAST GOOD", "LAG", "BACKLOG", "RATE", "NEXT RUN"), rows)
    for mover in answer["movers"]:
        if (held := mover.get("bottleneck")) and held["place"] != "none":
            note(f"{mover['source']} -> {mover['target']}: {held['message']} [{held['place']}]")
        for wait in mover["waiting"]:
            of = f" ({wait['datasets']} datasets)" if wait["datasets"] > 1 else ""
            note(f"{mover['source']} -> {mover['target']}: {wait_words(wait)}{of}")
        if error := mover["error"]:
            note(f"{mover['source']} -> {mover['target']}: {error['message']} [{error['code']}]")
    for vertex in answer["vertices"]:
        for found in vertex["findings"]:
            if found["finding"]["severity"] == "error":
                note(f"{vertex['name']}: {found['node']}: {found['finding']['message']} [{found['finding']['code']}]")
    for silent in answer["unreachable"]:
        note(f"{silent['node']} does not answer: {silent['error']['message']}")
    raise typer.Exit(code)


def _last_good(mover: dict[str, Any], moment: datetime) -> str:
    """Of a node that gives no answer it is not known whether something arrived."""
    return "-" if mover["state"] == "unknown" and mover["last_at"] is None else age(mover["last_at"], moment)


def print_strip(answer: dict[str, Any]) -> None:
    """One line for each dataset, one character for each day, today at the right."""
    width = max((len(one_line(row["dataset"])) for row in answer["datasets"]), default=0)
    for row in answer["datasets"]:
        say(f"{one_line(row['dataset']):<{width}}  {''.join(_MARKS[day['state']] for day in row['days'])}")
    if answer["datasets"]:
        days = answer["datasets"][0]["days"]
        say()
        say(f"{days[0]['date']} to {days[-1]['date']} ({answer['zone']}): " + ", ".join(f"{mark} {word}" for word, mark in _MARKS.items()))
    else:
        say("Nothing is protected yet.")


def _state(mover: dict[str, Any]) -> str:
    if not mover["closed_until"]:
        return str(mover["state"])
    words = "waits for its window" if mover["waits"] else "closed"
    return f"{mover['state']}, {words} until {local_time(mover['closed_until'])}"


def _lag(lag_s: float | None) -> str:
    return "-" if lag_s is None else "none" if lag_s == 0 else format_duration(float(int(lag_s)))


def _backlog(mover: dict[str, Any], moment: datetime) -> str:
    parts = [f"{mover['backlog_changes']} changes"] if mover["backlog_changes"] else []
    parts += [f"{mover['backlog_runs']} runs"] if mover["backlog_runs"] else []
    about = "about " if mover["backlog_estimated"] else ""
    parts += [about + format_size(mover["backlog_bytes"])] if mover["backlog_bytes"] else []
    parts += [f"the oldest {age(mover['backlog_since'], moment)}"] if parts and mover["backlog_since"] else []
    return ", ".join(parts) or "-"


def _rate(mover: dict[str, Any]) -> str:
    return f"{format_size(int(mover['rate_bytes_s']))}/s" if mover["rate_bytes_s"] else "-"


def _next(mover: dict[str, Any]) -> str:
    return local_time(mover["next_at"]) if mover["next_at"] else "-"

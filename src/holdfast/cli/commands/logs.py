"""The log: choose, acknowledge, take elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.cli.client import ApiClient
from holdfast.cli.local_times import in_local_time
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import local_time, note, one_line, print_json, say
from holdfast.cli.reach import master_client
from holdfast.core.errors import UsageError

_PAGE = 1_000


def register(app: typer.Typer) -> None:
    app.command()(logs)
    app.command()(acknowledge)


def logs(
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")] = 50,
    node: Annotated[str, typer.Option(help="Only of this machine.")] = "",
    severity: Annotated[str, typer.Option(help="info, warning or error, and worse.")] = "",
    code: Annotated[str, typer.Option(help="Only of this code.")] = "",
    flow: Annotated[str, typer.Option(help="Only about datasets of this active flow.")] = "",
    dataset: Annotated[str, typer.Option(help="Only about this dataset.")] = "",
    job: Annotated[str, typer.Option(help="Only what names this job.")] = "",
    tag: Annotated[str, typer.Option(help="Only of machines, and about datasets, that bear this tag.")] = "",
    text: Annotated[str, typer.Option(help="Only what has this in it.")] = "",
    session: Annotated[
        str,
        typer.Option(help="Only of this life of an agent or the Master, or what its id begins with; see `--code session-began`."),
    ] = "",
    since: Annotated[str, typer.Option(help="A time, or an age such as 7d.")] = "",
    until: Annotated[str, typer.Option(help="A time, or an age such as 1d.")] = "",
    acknowledged: Annotated[
        bool | None, typer.Option("--acknowledged/--open", help="Only lines that somebody has acknowledged, or nobody.")
    ] = None,
    before: Annotated[int, typer.Option(min=0, help="Only lines with lower numbers: the next page.")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write all that is chosen to this file, a JSON value a line.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """The newest lines of the log, oldest first; `*` marks what somebody has acknowledged."""
    client = master_client(home)
    chosen: dict[str, Any] = {
        "node": node,
        "severity": severity,
        "code": code,
        "flow": flow,
        "dataset": dataset,
        "job": job,
        "tag": tag,
        "text": text,
        "session": session.lower(),
        "since": since,
        "until": until,
        "acknowledged": None if acknowledged is None else str(acknowledged).lower(),
    }
    if output is not None:
        count = _write(output, _all(client, chosen, before))
        print_json({"file": str(output), "lines": count}) if as_json else say(f"{count} lines are in {output}")
        return
    answer = client.get("/logs", limit=limit, before=before or None, **chosen)
    lines = list(reversed(answer["events"]))
    if as_json:
        print_json(lines)
        return
    for line in lines:
        say(one_line(in_local_time(_line_text(line))))
        if line["comment"]:
            say(one_line(f"{'':>9}{line['acknowledged_by']}: {line['comment']}"))
    if answer["next"] is not None:
        note(f"there are more: `--before {answer['next']}`")


def _line_text(line: dict[str, Any]) -> str:
    """Where a session begins it goes across, so that one sees what belongs together."""
    where = line.get("node_name") or line["node"][:8] or "Master"
    number = f"{line['number']:>7}{'*' if line['acknowledged_at'] else ' '} {local_time(line['time'])}"
    if line["code"] == "session-began":
        return f"{number}  ---- {where}: {line['message']} ----"
    return f"{number}  {line['severity']:<7}  {where}  {line['message']} [{line['code']}]"


def acknowledge(
    lines: Annotated[list[int], typer.Argument(help="Numbers, as `holdfast logs` shows them.")],
    comment: Annotated[str, typer.Option("--comment", "-m", help="Why it is no trouble, or what was done.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that lines of the log were seen: `status` does not count them any more."""
    answer = master_client(home).post("/logs/acknowledge", {"numbers": lines, "comment": comment})
    print_json(answer) if as_json else say(f"{answer['acknowledged']} lines are acknowledged")


def _all(client: ApiClient, chosen: dict[str, Any], before: int) -> Iterator[dict[str, Any]]:
    following: int | None = before
    while following is not None:
        answer = client.get("/logs", limit=_PAGE, before=following or None, **chosen)
        yield from answer["events"]
        following = answer["next"]


def _write(output: Path, lines: Iterator[dict[str, Any]]) -> int:
    import json

    count = 0
    try:
        with output.open("x", encoding="utf-8") as file:
            for line in lines:
                file.write(json.dumps(line) + "\n")
                count += 1
    except FileExistsError:
        raise UsageError(f"{output} is there already", hint="name another file") from None
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}") from None
    return count

"""Why a version is still there, until when, and where its copies are."""

from __future__ import annotations

import os
from typing import Annotated, Any
from urllib.parse import quote

import typer

from holdfast.cli.commands.look import DatasetOption, RepositoryOption, exit_for_unreachable
from holdfast.cli.datasets import refuse_unknown_dataset
from holdfast.cli.home import resolve_home
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import local_time, note, one_line, print_json, print_table, say
from holdfast.cli.reach import ask_agent, plain, through_master_or_agent
from holdfast.core.clock import SystemClock, now
from holdfast.core.errors import UnknownName, UsageError
from holdfast.core.units import format_duration, format_size, format_utc, parse_time

_MOST_SHOWN = 20


def register(app: typer.Typer) -> None:
    app.command()(explain)


def explain(
    path: Annotated[str, typer.Argument(help="An absolute path, as on the source.")],
    dataset: DatasetOption = "",
    repository: RepositoryOption = "",
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="The version that was the newest then: ISO 8601 or '2h ago'.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Why a version of a path is kept: by which points, which rule keeps each of them and until when, and where there are copies."""
    from holdfast.model.explanations import AskExplain

    if not path.startswith("/"):
        raise UsageError(f"{path} is not an absolute path", hint="paths are as on the source; `holdfast find NAME` looks for them")
    moment = parse_time(at, now(SystemClock()), None) if at else None
    raw = os.fsencode(path).rstrip(b"/")
    answer: dict[str, Any] = through_master_or_agent(
        resolve_home(home),
        lambda client: client.get(
            "/explain", path=quote(raw, safe="/"), dataset=dataset, repository=repository, at=format_utc(moment) if moment else None
        ),
        lambda place: plain(ask_agent(place, AskExplain(path=raw, dataset=dataset, repository=repository, at=moment), 120)),
    )
    if not answer["rows"] and not answer.get("unreachable") and not answer.get("mirrors"):
        if dataset:
            refuse_unknown_dataset(resolve_home(home), dataset)
        raise UnknownName(f"no point holds {path}{f' at {at}' if at else ''}", hint="`holdfast find NAME` looks for it over all time")
    if as_json:
        print_json(answer)
    else:
        for row in answer["rows"]:
            _print_row(row)
        for mirror in answer.get("mirrors") or ():
            say(one_line(f"mirror: {mirror['path']} on {mirror['node']}{_stand_of(mirror)}"))
    exit_for_unreachable(answer)


def _stand_of(mirror: dict[str, Any]) -> str:
    if not mirror["online"]:
        return " (offline)"
    if not mirror.get("stands_at"):
        return ", at no state now"
    return f", as of {local_time(mirror['stands_at'])}: restore --from {mirror['name']}"


def _print_row(row: dict[str, Any]) -> None:
    size = f", {format_size(row['size_bytes'])}" if row["kind"] == "file" else ""
    state = "the newest version" if row["current"] else "not in the newest point"
    say(one_line(f"{row['path']} of {row['dataset']} in {row['repository']}: {row['kind']}{size}, {state}"))
    _print_moments(row)
    keepers = row["keepers"]
    cells = [
        (
            k["point"][:8],
            k["operation"],
            local_time(k["time"]),
            ", ".join(k["reasons"]) or "nothing: the next run lets it go",
            _until(k),
            _end(k),
        )
        for k in keepers[:_MOST_SHOWN]
    ]
    if cells:
        print_table(("POINT", "OPERATION", "TIME", "KEPT BY", "KEPT UNTIL", ""), cells)
    elif row.get("moments"):
        say("no point holds it: it was between two")
    if len(keepers) > _MOST_SHOWN:
        note(f"... and {len(keepers) - _MOST_SHOWN} older points; --json shows all")
    if lately := {k["operation"]: k["every_s"] for k in keepers if k.get("every_s")}:
        runs = ", ".join(f"{operation} every {format_duration(every_s)}" for operation, every_s in lately.items())
        say(one_line(f"kept until: if runs go on as lately ({runs}); if none comes any more, nothing goes"))
    say()


def _print_moments(row: dict[str, Any]) -> None:
    moments = row.get("moments")
    if not moments:
        return
    until = local_time(moments["until"]) if moments.get("until") else "now"
    kept = f"by {moments['operation']}" if moments["operation"] else "though no rules in force name it"
    goes = f" until {local_time(moments['goes_at'])}" if moments.get("goes_at") else ""
    address = f"{row['dataset']}@{moments['address'].rpartition('@')[2]}"
    say(one_line(f"every state from {local_time(moments['since'])} to {until} has it, kept {kept}{goes}: {address}"))


def _until(keeper: dict[str, Any]) -> str:
    if "no-rules" in keeper["reasons"]:
        return "for ever"
    if not keeper.get("every_s"):
        return "too early to say"
    return local_time(keeper["goes_at"]) if keeper.get("goes_at") else "for ever"


def _end(keeper: dict[str, Any]) -> str:
    parts = [f"locked until {local_time(keeper['locked_until'])}"] if keeper.get("locked_until") else []
    parts += [f"expires {local_time(keeper['expires_at'])}"] if keeper.get("expires_at") else []
    return ", ".join(parts)

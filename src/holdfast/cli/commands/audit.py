"""The audit log: list it, take it elsewhere, and see whether anybody changed it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.cli import exit_codes
from holdfast.cli.client import ApiClient
from holdfast.cli.home import resolve_home
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import local_time, note, one_line, print_json, print_table, say
from holdfast.cli.reach import master_client
from holdfast.cli.sections import new_group
from holdfast.core.errors import UsageError

audit_app = new_group("Who asked for what, and whether the log of it was changed.")
_PAGE = 1_000


@audit_app.command("ls")
def ls(
    user: Annotated[str, typer.Option(help="Only what this user asked.")] = "",
    activity: Annotated[str, typer.Option(help="Only calls of this name, such as `activate` or `restore`.")] = "",
    since: Annotated[str, typer.Option(help="A time, or an age such as 7d.")] = "",
    until: Annotated[str, typer.Option(help="A time, or an age such as 1d.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """What was asked, newest first. What was asked and has no end was cut off: how it ended is unknown."""
    answer = master_client(home).get("/audit", user=user, activity=activity, since=since, until=until, limit=limit)
    records = answer["records"]
    if as_json:
        print_json(records)
    elif records:
        print_table(("RECORD", "TIME", "USER", "WHAT", "ASKED OF", "END"), [_cells(record) for record in records])
        if answer["more"]:
            note("there are more: `--limit`, `--until`")
    else:
        note("no records")


@audit_app.command()
def export(
    output: Annotated[Path, typer.Option("--output", "-o", help="The file; it must not be there yet.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write all records to a file, a line each, as they were hashed: `audit verify FILE` needs nothing else."""
    client = master_client(home)
    written = 0
    try:
        with output.open("x", encoding="utf-8") as file:
            for line in _lines(client):
                file.write(_json_line(line))
                written += 1
    except FileExistsError:
        raise UsageError(f"{output} is there already", hint="name another file") from None
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}") from None
    if as_json:
        print_json({"file": str(output), "records": written})
    else:
        say(f"{written} records are in {output}")


@audit_app.command()
def anchors(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """What the node on this machine keeps of the Master's log: give it to `audit verify FILE --anchors`."""
    from holdfast.core.units import format_utc
    from holdfast.node.membership.audit_anchors import read_anchors

    found, problem = read_anchors(resolve_home(home))
    if problem:
        note(f"what is kept here cannot be read whole: {problem}")
    if as_json:
        print_json([{"number": each.number, "digest": each.digest, "at": format_utc(each.at)} for each in found])
    elif found:
        print_table(("RECORD", "TOLD", "DIGEST"), [(str(each.number), local_time(format_utc(each.at)), each.digest) for each in found])
    else:
        note("this machine's node keeps none yet")


@audit_app.command()
def verify(
    file: Annotated[Path | None, typer.Argument(help="An export; without it the Master's records and connected nodes.")] = None,
    anchors: Annotated[
        list[Path] | None,
        typer.Option("--anchors", help="What `holdfast audit anchors --json` wrote; more than one may be given."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Whether a record was edited, taken out or put in, or the end cut off. Exit 1 when one was."""
    if file is None and anchors:
        raise UsageError("`--anchors` goes with the file of an export", hint="the Master asks the connected nodes itself")
    answer = master_client(home).get("/audit/verification") if file is None else _verified(file, tuple(anchors or ()))
    if as_json:
        print_json(answer)
    else:
        for finding in answer["findings"]:
            say(one_line(f"{finding['code']}: record {finding['number']}: {finding['message']}"))
        witnesses = ", ".join(f"{name} ({count})" for name, count in answer["witnesses"].items()) or "none"
        say(one_line(f"{answer['records']} records, {len(answer['findings'])} findings; witnesses: {witnesses}"))
        if not answer["witnesses"]:
            note("without a witness a chain that was rewritten as a whole, or lacks its end, looks right")
    if answer["findings"]:
        raise typer.Exit(exit_codes.FAILED)


def _lines(client: ApiClient) -> Iterator[dict[str, Any]]:
    after: int | None = 0
    while after is not None:
        answer = client.get("/audit/lines", after=after, limit=_PAGE)
        yield from answer["lines"]
        after = answer["next"]


def _json_line(line: dict[str, Any]) -> str:
    import json

    return json.dumps(line) + "\n"


def _verified(file: Path, anchor_files: tuple[Path, ...]) -> dict[str, Any]:
    import msgspec

    from holdfast.model.audit import Anchor, decode_line, verify_chain
    from holdfast.model.decoding import UNREADABLE

    try:
        stored = [decode_line(line) for line in file.read_bytes().splitlines()]
        kept = {path.name: tuple(msgspec.json.decode(path.read_bytes(), type=list[Anchor])) for path in anchor_files}
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from None
    except UNREADABLE as error:
        raise UsageError(f"these are no anchors: {error}", hint="`holdfast audit anchors --json` on a node writes them") from None
    findings = [msgspec.to_builtins(finding) for finding in verify_chain(stored, kept)]
    return {"records": len(stored), "findings": findings, "witnesses": {name: len(each) for name, each in kept.items()}}


def _cells(record: dict[str, Any]) -> tuple[str, ...]:
    what = record["activity"] if record["phase"] != "ended" else f"{record['activity']} ({record['of'] or 'at the door'})"
    end = {"asked": "", "looked": "", "ended": record["error"] or "done"}[record["phase"]]
    return str(record["number"]), local_time(record["at"]), record["user"] or "-", what, one_line(record["target"]), end

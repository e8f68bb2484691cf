"""Approvals: which acts need a second person, and what waits for one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from holdfast.cli import exit_codes
from holdfast.cli.client import path_of
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import local_time, note, one_line, print_json, print_table, say
from holdfast.cli.reach import master_client
from holdfast.cli.sections import new_group
from holdfast.core.errors import UsageError

approvals_app = new_group("What waits for a second person, and what has to.")
IdArgument = Annotated[str, typer.Argument(help="The request's id, or its beginning.")]


@approvals_app.command("ls")
def ls(
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 100,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Requests for approval, newest first: your own, and those that you could approve."""
    found = master_client(home).get("/approvals", limit=limit)["approvals"]
    if as_json:
        print_json(found)
    elif found:
        print_table(("ID", "STATE", "ACT", "ASKED BY", "TIME", "CALL"), [_cells(each) for each in found])
    else:
        note("nothing waits for approval")


@approvals_app.command()
def show(approval: IdArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """One request: what exactly is asked, by whom, and what came of it."""
    _tell(master_client(home).get(path_of("approvals", approval)), as_json)


@approvals_app.command()
def approve(approval: IdArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Let it be done, now and once, as it was asked. Exit 1 when it was tried and failed."""
    answer = master_client(home, timeout_s=600).post(path_of("approvals", approval, "approve"))
    _tell(answer, as_json)
    if answer["state"] != "done":
        raise typer.Exit(exit_codes.FAILED)


@approvals_app.command()
def refuse(
    approval: IdArgument,
    comment: Annotated[str, typer.Option(help="Why, for who asked.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """It will not be done. Your own request you withdraw so."""
    _tell(master_client(home).post(path_of("approvals", approval, "refuse"), {"comment": comment}), as_json)


@approvals_app.command()
def rules(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Which acts can need a second person, and which do."""
    _tell_rules(master_client(home).get("/approvals/rules"), as_json)


@approvals_app.command()
def require(
    acts: Annotated[list[str] | None, typer.Argument(help="Acts that need a second person from now on (`approvals rules`).")] = None,
    none: Annotated[bool, typer.Option("--none", help="No act needs one any more.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which acts need a second person: these, and no others. While any does, so does changing this."""
    if bool(acts) == none:
        raise UsageError("name the acts, or say `--none`", hint="`holdfast approvals rules` lists them")
    _tell_rules(master_client(home).put("/approvals/rules", {"acts": list(acts or ())}), as_json)


def _cells(approval: dict[str, Any]) -> tuple[str, ...]:
    first = (approval["id"][:8], approval["state"], approval["act"], approval["asked_by"])
    return *first, local_time(approval["asked_at"]), one_line(approval["path"])


def _tell_rules(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    rows = [(each["act"], "needs a second person" if each["required"] else "-", each["meaning"]) for each in answer["acts"]]
    print_table(("ACT", "NOW", "WHAT IT IS"), rows)


def _tell(approval: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(approval)
        return
    facts = [
        ("request", approval["id"]),
        ("state", approval["state"]),
        ("act", approval["act"]),
        ("call", f"{approval['method']} {approval['path']}{'?' if approval['query'] else ''}{approval['query']}"),
        ("with", approval["arguments"]),
        ("asked", f"by {approval['asked_by']}, {local_time(approval['asked_at'])}"),
        ("ends", local_time(approval["expires_at"])),
    ]
    if approval["decided_by"]:
        facts.append(("decided", f"by {approval['decided_by']}, {local_time(approval['decided_at'])} {approval['comment']}"))
    if approval["status"] is not None:
        facts.append(("answer", f"{approval['status']} {approval['outcome']}"))
    for name, value in facts:
        say(one_line(f"{name + ':':10}{value}"))

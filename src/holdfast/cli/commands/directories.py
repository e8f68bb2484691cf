"""Directories by which people sign in."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from holdfast.cli.client import path_of
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import note, one_line, print_json, print_table, say
from holdfast.cli.reach import master_client
from holdfast.cli.sections import new_group
from holdfast.core.units import format_duration

directory_app = new_group("Directories by which people sign in: OpenID and LDAP.")


@directory_app.command("ls")
def list_directories(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Which there are, and what their groups bring. They are in the Master's config.json."""
    known = master_client(home).get("/directories")["directories"]
    if as_json:
        print_json(known)
        return
    if not known:
        note("people sign in by local accounts alone; docs/directories.md says how to add a directory")
        return
    rows = [(one["name"], one["kind"], one_line(one["place"]), format_duration(one["vouch_s"]), _mapped(one)) for one in known]
    print_table(("DIRECTORY", "KIND", "AT", "VOUCHES FOR", "GROUPS BRING"), rows)


@directory_app.command("test")
def check_directory(
    name: Annotated[str, typer.Argument(metavar="DIRECTORY")],
    user: Annotated[str, typer.Argument(metavar="[USER]", help="Look this user up, in an LDAP directory.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try whether a directory answers and fits its configuration. Signs nobody in. Exit code 1 when something is wrong."""
    checks = master_client(home).post(path_of("directories", name, "check"), {"user": user})["checks"]
    if as_json:
        print_json(checks)
    else:
        for each in checks:
            say(f"{'wrong' if each['problem'] else 'ok   '}  {each['name']}: {one_line(each['problem'] or each['told'])}")
            if each["problem"]:
                note(f"       {each['hint']}")
    if any(each["problem"] for each in checks):
        raise typer.Exit(1)


def _mapped(directory: dict[str, Any]) -> str:
    return one_line(", ".join(f"{row['group']} = {row['role']} on {row['on']}" for row in directory["roles"])) or "-"

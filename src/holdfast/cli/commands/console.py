"""Getting into the console."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import local_time, note, print_json, say
from holdfast.cli.reach import master_client


def register(app: typer.Typer) -> None:
    app.command()(console)


def console(
    open_it: Annotated[bool, typer.Option("--open", help="Open it in this machine's browser, too.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a link that signs a browser in to the console: once, within 10 minutes."""

    link = master_client(home).post("/session/links")
    if as_json:
        print_json(link)
    else:
        say(link["url"])
        note(f"signs you in once, until {local_time(link['expires_at'])}; your browser does not know the environment's own certificate yet")
    if open_it:
        _open(link["url"])


def _open(url: str) -> None:
    import webbrowser

    if not sys.stdout.isatty() or not webbrowser.open(url):
        note("there is no browser to open here; open the link yourself")

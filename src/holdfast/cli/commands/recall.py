"""Bringing archived files back into the places of their stubs."""

from __future__ import annotations

import os
from typing import Annotated, Any
from urllib.parse import quote

import typer

from holdfast.cli.client import ApiClient, path_of
from holdfast.cli.commands.recover import tell, waited
from holdfast.cli.home import load_session, resolve_home
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.reach import ask_agent
from holdfast.cli.waiting import wait_for_local_jobs
from holdfast.core.errors import ProtocolError, UsageError


def register(app: typer.Typer) -> None:
    app.command()(recall)


def recall(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Stubs of archived files, or with --recursive folders.")],
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="All below the folders that are named.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    node: Annotated[str, typer.Option("--node", help="Their machine, asked through the Master (default: this one, without).")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put archived files back into the places of their stubs. Waits until it is done; may be broken off and done again."""
    place = resolve_home(home)
    if node:
        if relative := next((path for path in paths if not path.startswith("/")), None):
            raise UsageError(f"{relative} is not an absolute path", hint="paths are as on that machine")
        client = ApiClient(load_session(place))
        body = {"paths": [quote(os.fsencode(path), safe="/") for path in paths], "recursive": recursive, "dry_run": dry_run}
        jobs: list[dict[str, Any]] = waited(client, client.post(path_of("nodes", node, "recall"), body))
    else:
        from holdfast.model.questions import JobsStarted
        from holdfast.model.recalling import AskRecall

        named = tuple(os.path.abspath(os.fsencode(path)) for path in paths)
        answer = ask_agent(place, AskRecall(paths=named, recursive=recursive, dry_run=dry_run))
        if not isinstance(answer, JobsStarted):
            raise ProtocolError(f"unexpected answer: {type(answer).__name__}")
        jobs = wait_for_local_jobs(place, tuple(answer.jobs))
    tell(jobs, "recall", dry_run=dry_run, as_json=as_json)

"""Archived files: what there is and until when, what would be archived now, legal holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from holdfast.cli import exit_codes
from holdfast.cli.client import ApiClient
from holdfast.cli.commands.look import RepositoryOption, exit_for_unreachable
from holdfast.cli.home import resolve_home
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import local_time, note, one_line, print_json, print_table, say
from holdfast.cli.reach import ask_agent, plain, through_master_or_agent
from holdfast.cli.sections import new_group
from holdfast.core.units import format_duration, format_size

archive_app = new_group("Archived files, what would be archived, legal holds.")
DatasetArgument = Annotated[str, typer.Argument(help="Like files1/documents.")]
SomeDataset = Annotated[str, typer.Argument(help="Only this one, like files1/documents.")]
PathOption = Annotated[str, typer.Option("--path", help="Only this path of the source, and what is below it.")]
NameArgument = Annotated[str, typer.Argument(help="What the hold is called, like `case 7`.")]


@archive_app.command()
def ls(
    dataset: SomeDataset = "",
    path: PathOption = "/",
    repository: RepositoryOption = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="So many versions at most.")] = 1_000,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """The archived versions of a dataset's files, oldest first; without a dataset those of which something is archived."""
    answer = _found(resolve_home(home), dataset, path, repository, limit)
    if as_json:
        print_json(answer)
    elif not dataset:
        _print_datasets(answer["datasets"])
    else:
        cells = [
            (
                local_time(row["archived_at"]),
                format_size(row["size_bytes"]),
                local_time(row["until"]) if row.get("until") else "for ever",
                row["repository"],
                ", ".join(row.get("holds") or ()),
                one_line(row["path"]),
            )
            for row in answer.get("files", ())
        ]
        print_table(("ARCHIVED", "SIZE", "UNTIL", "REPOSITORY", "HELD BY", "PATH"), cells)
        if answer.get("more"):
            note("there are more: --limit, --path")
    exit_for_unreachable(answer)


@archive_app.command()
def report(dataset: SomeDataset = "", repository: RepositoryOption = "", home: HomeOption = None, as_json: JsonOption = False) -> None:
    """What is archived of each dataset, why, and until when; and the legal holds on it."""
    answer = _found(resolve_home(home), dataset, "/", repository, 1)
    rows = answer["datasets"]
    if as_json:
        print_json({"datasets": rows, "unreachable": answer.get("unreachable", [])})
    else:
        _print_datasets(rows)
        for row in rows:
            for hold in row.get("holds") or ():
                since, place = local_time(hold["since"]), f"{row['dataset']} in {row['repository']}"
                say(one_line(f"held by {hold['name']} since {since}: {hold['path']} of {place}"))
    exit_for_unreachable(answer)


@archive_app.command()
def plan(
    dataset: SomeDataset = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="So many names at most.")] = 20,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """What the archive operations in force would take now. Does nothing. Exit 3 when a node gave no answer."""

    def here(place: Path) -> dict[str, Any]:
        from holdfast.model.archive_questions import AskArchivePlan

        return plain(ask_agent(place, AskArchivePlan(dataset=dataset, limit=limit)))

    answer: dict[str, Any] = through_master_or_agent(
        resolve_home(home), lambda client: client.get("/archive/plan", dataset=dataset, limit=limit), here
    )
    plans = answer.get("plans", [])
    if as_json:
        print_json(plans)
    elif not plans:
        note("no archive operation is in force")
    else:
        cells = [
            (row["dataset"], row["operation"], row["why"], row["leave"], row["files"], format_size(row["size_bytes"])) for row in plans
        ]
        print_table(("DATASET", "OPERATION", "TAKES", "LEAVES", "FILES", "SIZE"), cells)
        for row in plans:
            for file in row.get("first") or ():
                say(one_line(f"  {local_time(file['modified_at'])}  {format_size(file['size_bytes']):>10}  {file['path']}"))
    for node in answer.get("silent") or ():
        note(f"{node} does not answer")
    if answer.get("silent"):
        raise typer.Exit(exit_codes.WARNINGS)


@archive_app.command()
def hold(
    dataset: DatasetArgument,
    name: NameArgument,
    path: PathOption = "/",
    repository: RepositoryOption = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """A legal hold: nothing that is archived at or below the path, now or later, expires until it is released."""
    _change(resolve_home(home), {"dataset": dataset, "name": name, "path": path, "repository": repository}, as_json=as_json)


@archive_app.command()
def release(
    dataset: DatasetArgument, name: NameArgument, repository: RepositoryOption = "", home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """End a legal hold; what is over goes at the next opportunity."""
    _change(resolve_home(home), {"dataset": dataset, "name": name, "repository": repository}, as_json=as_json)


def _found(place: Path, dataset: str, path: str, repository: str, limit: int) -> dict[str, Any]:
    def by_master(client: ApiClient) -> dict[str, Any]:
        answer: dict[str, Any] = client.get("/archive", dataset=dataset, path=quote(os.fsencode(path)), repository=repository, limit=limit)
        return answer

    def here(place: Path) -> dict[str, Any]:
        from holdfast.model.archive_questions import AskArchive

        answer = plain(ask_agent(place, AskArchive(dataset=dataset, path=os.fsencode(path), repository=repository, limit=limit)))
        return {"datasets": [], "files": [], **answer}

    return through_master_or_agent(place, by_master, here)


def _change(place: Path, body: dict[str, str], *, as_json: bool) -> None:
    is_release = "path" not in body

    def by_master(client: ApiClient) -> dict[str, Any]:
        sent = body if is_release else {**body, "path": quote(os.fsencode(body["path"]))}
        answer: dict[str, Any] = client.post("/archive/release" if is_release else "/archive/hold", sent)
        return answer

    def here(place: Path) -> dict[str, Any]:
        from holdfast.model.archive_questions import AskArchiveHold

        given = {key: value for key, value in body.items() if key != "path"}
        ask = AskArchiveHold(**given, path=os.fsencode(body.get("path", "/")), release=is_release)
        return {"datasets": [], **plain(ask_agent(place, ask))}

    answer = through_master_or_agent(place, by_master, here)
    if as_json:
        print_json(answer["datasets"])
    else:
        for row in answer["datasets"]:
            names = ", ".join(hold["name"] for hold in row.get("holds") or ()) or "nothing"
            say(one_line(f"{row['dataset']} in {row['repository']} is held by {names}"))
    exit_for_unreachable(answer)


def _print_datasets(rows: list[dict[str, Any]]) -> None:
    if not rows:
        note("nothing is archived")
        return
    cells = [
        (
            row["dataset"],
            row["repository"],
            row["files"],
            format_size(row["size_bytes"]),
            row.get("why") or "-",
            format_duration(row["keep_s"]) if row.get("keep_s") else "for ever",
            ", ".join(hold["name"] for hold in row.get("holds") or ()),
        )
        for row in rows
    ]
    print_table(("DATASET", "REPOSITORY", "VERSIONS", "SIZE", "TAKES", "KEPT FOR", "HELD BY"), cells)

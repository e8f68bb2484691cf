"""Mirrors as copies to restore from: where each stands."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from holdfast.cli.datasets import refuse_unknown_dataset
from holdfast.cli.home import resolve_home
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import local_time, note, print_json, print_table
from holdfast.cli.reach import ask_agent, plain, through_master_or_agent
from holdfast.core.units import format_size


def register(app: typer.Typer) -> None:
    app.command()(mirrors)


def mirrors(
    dataset: Annotated[str, typer.Option("--dataset", help="Only mirrors of this dataset.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which state each mirror is equal to; `restore --from NAME` reads it."""
    from holdfast.model.mirrors import AskMirrors

    answer: dict[str, Any] = through_master_or_agent(
        resolve_home(home),
        lambda client: client.get("/mirrors", dataset=dataset),
        lambda place: plain(ask_agent(place, AskMirrors(dataset=dataset), 60)),
    )
    rows = answer.get("mirrors") or []
    if dataset and not rows:
        refuse_unknown_dataset(resolve_home(home), dataset)
    if as_json:
        print_json({"mirrors": rows})
    elif not rows:
        note("there is none; a flow with a `mirror` vertex makes one")
    else:
        print_table(("DATASET", "MIRROR", "STANDS AT", "FILES", "SIZE"), [_cells(row) for row in rows])


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    # An agent speaks of its own mirrors, which it need not name by their node. Any of its folders names a mirror of several.
    name = ", ".join((row.get("name") or f":{row['targets'][0][1]}", *(folder for _, folder in row["targets"][1:])))
    stand = row.get("stand")
    if stand is None:
        return row["dataset"], name, "at no state now" if row.get("online", True) else "nobody knows: the machine is away", "", ""
    return row["dataset"], name, local_time(stand["captured_at"]), f"{stand['files']:,}", format_size(stand["size_bytes"])

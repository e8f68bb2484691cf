"""Reports on a terminal, and as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from holdfast.cli.client import path_of
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import local_time, note, one_line, print_json, print_table, say
from holdfast.cli.reach import master_client
from holdfast.core.errors import UsageError

if TYPE_CHECKING:
    from holdfast.model.reports import Cell, Unit


def register(app: typer.Typer) -> None:
    app.command()(report)


def report(
    kind: Annotated[Literal["rpo", "coverage", "capacity", "transfers", "drills"], typer.Argument(help="Which report.")],
    since: Annotated[str, typer.Option(help="A time, or an age.")] = "30d",
    format: Annotated[Literal["text", "html", "csv", "json"], typer.Option(help="text for the terminal; html prints.")] = "text",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file to write it to; it must not be there yet.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """RPOs met, what is in no flow, capacity with a forecast, transfers, drills."""
    import msgspec

    from holdfast.model.reports import EnvironmentReport, as_csv, as_html

    answer = master_client(home).get(path_of("reports", kind), since=since)
    made = msgspec.convert(answer, EnvironmentReport)
    if as_json or (format == "json" and output is None):
        print_json(answer)
    elif format == "json":
        _write(msgspec.json.format(msgspec.json.encode(answer)).decode() + "\n", output)
    elif format != "text":
        _write(as_html(made) if format == "html" else as_csv(made), output)
    elif output is not None:
        raise UsageError("a report of text goes to the terminal", hint="choose --format html, csv or json for a file")
    else:
        say(one_line(made.summary))
        for table in made.tables:
            say()
            say(one_line(table.title))
            units = [column.unit for column in table.columns]
            rows = [tuple(one_line(_cell(cell, unit)) for cell, unit in zip(row, units, strict=True)) for row in table.rows]
            if rows:
                print_table(tuple(column.name.upper() for column in table.columns), rows)
            else:
                say("none")
            if table.note:
                note(table.note)


def _cell(cell: Cell, unit: Unit) -> str:
    from holdfast.model.reports import cell_text

    return local_time(cell) if unit == "time" and isinstance(cell, str) else cell_text(cell, unit)


def _write(content: str, output: Path | None) -> None:
    if output is None:
        typer.echo(content, nl=False)
        return
    try:
        with output.open("x", encoding="utf-8", newline="") as file:
            file.write(content)
    except FileExistsError:
        raise UsageError(f"{output} is there already", hint="name another file") from None
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}") from None
    note(f"the report is in {output}")

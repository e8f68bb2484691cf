"""Reports: what they say as tables, and how they are written. Pure."""

from __future__ import annotations

import csv
import html
import io
from datetime import datetime
from typing import Literal

import msgspec

from holdfast.core.units import format_duration, format_size, format_utc

Kind = Literal["rpo", "coverage", "capacity", "transfers", "drills"]
Unit = Literal["text", "count", "bytes", "rate", "duration", "ratio", "time"]
Cell = str | int | float | None


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """`bytes`, `rate` (bytes a second), `duration` (seconds) and `ratio` (0 to 1) are numbers; `time` is a moment, as
    a text in UTC."""

    name: str
    unit: Unit = "text"


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Each row has a cell for each column; null = not known."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


class EnvironmentReport(msgspec.Struct, frozen=True, kw_only=True):
    """`summary` is one sentence. What is told is of `since` to `until`."""

    kind: Kind
    title: str
    environment: str
    since: datetime
    until: datetime
    summary: str
    tables: tuple[Table, ...]


def cell_text(cell: Cell, unit: Unit) -> str:
    """As people read it."""
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return cell
    return {
        "bytes": lambda: ("-" if cell < 0 else "") + format_size(abs(cell)),
        "rate": lambda: f"{format_size(cell)}/s",
        "duration": lambda: format_duration(float(round(cell))),
        "ratio": lambda: f"{100 * cell:.2f} %",
    }.get(unit, lambda: f"{cell:g}")()


def as_csv(report: EnvironmentReport) -> str:
    """RFC 4180, one table after the other, an empty line between; numbers as they are, times in UTC.

    What a spreadsheet would take for a formula begins with an apostrophe: names come from other machines."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for number, table in enumerate(report.tables):
        if number:
            writer.writerow(())
        writer.writerow((table.title,))
        writer.writerow(column.name for column in table.columns)
        writer.writerows([_plain(cell) for cell in row] for row in table.rows)
    return out.getvalue()


def as_html(report: EnvironmentReport) -> str:
    """One page that needs nothing else, and prints."""
    parts = [
        f"<h1>{_safe(report.title)}</h1>",
        f"<p>{_safe(report.environment)}, {format_utc(report.since)} to {format_utc(report.until)}</p>",
    ]
    parts.append(f"<p><strong>{_safe(report.summary)}</strong></p>")
    parts += [_html_table(table) for table in report.tables]
    title = f"<title>{_safe(report.title)}, {_safe(report.environment)}</title>"
    head = f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{title}<style>{_STYLE}</style></head>'
    return f"{head}<body>{''.join(parts)}</body></html>\n"


_STYLE = (
    "body{font:14px/1.5 system-ui,sans-serif;margin:2rem;color:#1a1d21;background:#fff}table{border-collapse:collapse;margin:.5rem 0 2rem}"
    "th,td{padding:.25rem .75rem;border-bottom:1px solid #b8bec6;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}thead{display:table-header-group}tr{break-inside:avoid}"
    "@page{margin:15mm}@media print{body{margin:0}}"
)


def _html_table(table: Table) -> str:
    def place(column: Column) -> str:
        return "" if column.unit in ("text", "time") else ' class="n"'

    head = "".join(f'<th scope="col"{place(column)}>{_safe(column.name)}</th>' for column in table.columns)

    def cells(row: tuple[Cell, ...]) -> str:
        pairs = zip(table.columns, row, strict=True)
        return "".join(f"<td{place(column)}>{_safe(cell_text(cell, column.unit))}</td>" for column, cell in pairs)

    rows = "".join(f"<tr>{cells(row)}</tr>" for row in table.rows)
    body = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if table.rows else "<p>None.</p>"
    return f"<h2>{_safe(table.title)}</h2>{f'<p>{_safe(table.note)}</p>' if table.note else ''}{body}"


def _safe(text: str) -> str:
    return html.escape("".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text))


def _plain(cell: Cell) -> str | float:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
    return cell

"""Loading an export into empty records, of either database: the tables as they stood when it was written, then brought up to date."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from sqlalchemy import Connection, MetaData, Table, delete, func, insert, select, text

from holdfast.core.errors import Conflict, Refused
from holdfast.master.records.database import Database
from holdfast.master.records.forms import forms
from holdfast.master.safety.export_format import AUTHORITY, ExportReader, Head
from holdfast.master.safety.sealing import ExportKey

_BATCH_ROWS = 500


def check_schema(head: Head) -> None:
    """Raises `Refused` when the tables are those of a newer version."""
    if head.schema not in forms():
        raise Refused(
            f"this export is of Holdfast {head.version}, whose records ({head.schema}) are newer than this one knows",
            hint="install that version here, then restore",
        )


def fill_records(reader: ExportReader, key: ExportKey, database: Database, *, again: bool) -> dict[str, bytes]:
    """Load everything in one transaction; returns the authority's files by name. The export has been checked to its end when this returns.

    `again`: an earlier attempt at the same place was cut off, and what it left is removed. Raises `Conflict` when the records are
    somebody's, `ExportDamaged`, `Refused`, and as transactions do.
    """
    check_schema(reader.head)
    if again:
        database.downgrade("base")
    elif database.form():
        raise Conflict("there are records of a Master in this database already", hint="name an empty one with --database")
    database.upgrade(reader.head.schema)
    authority = database.load(lambda connection: _load(connection, reader, key))
    database.migrate()
    return authority


def _load(connection: Connection, reader: ExportReader, key: ExportKey) -> dict[str, bytes]:
    known = MetaData()
    known.reflect(connection)
    for table in reversed(known.sorted_tables):
        # Migrations put first rows into some tables; those of the export take their place.
        if table.name in reader.head.columns:
            connection.execute(delete(table))
    authority: dict[str, bytes] = {}
    for name, rows in reader.tables(key):
        if name == AUTHORITY:
            authority = {str(file): content for file, content in rows}
        elif name not in known.tables:
            raise Refused(f"the export holds a table {name!r} that no version knows", hint="install the version that wrote it")
        else:
            _fill(connection, known.tables[name], reader.head.columns[name], rows)
    return authority


def _fill(connection: Connection, table: Table, columns: tuple[str, ...], rows: Iterator[list[Any]]) -> None:
    while batch := [dict(zip(columns, row, strict=True)) for row in islice(rows, _BATCH_ROWS)]:
        connection.execute(insert(table), batch)
    counted = table.autoincrement_column
    if counted is not None and connection.dialect.name == "postgresql":
        # What counts keys up there knows nothing of rows that came with theirs.
        highest = connection.execute(select(func.max(counted))).scalar()
        if highest is not None and counted.server_default is not None:
            sequence = text("SELECT setval(pg_get_serial_sequence(:table, :column), :highest)")
            connection.execute(sequence, {"table": table.name, "column": counted.name, "highest": highest})

"""Writing an export: the records at one moment and the authority, into one file that is replaced whole.

Tables are taken as the database has them, not as this version knows them, so that a Master about to migrate can export what it finds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, Table, func, select

from holdfast import __version__
from holdfast.core.clock import Clock, now
from holdfast.core.entropy import Entropy
from holdfast.core.errors import NoSpace, StoreError, is_no_space
from holdfast.core.private_files import make_private_folder, sync_folder
from holdfast.master.config import MasterConfig
from holdfast.master.records.engines import reading
from holdfast.master.records.forms import FORM_TABLE, form_of, forms
from holdfast.master.safety.export_format import AUTHORITY, FORMAT, MARK, ExportReader, ExportWriter, Head
from holdfast.master.safety.sealing import ExportKey, Sealer, load_export_key

FOLDER = "export"
NAME = "master.export"
_BATCH_ROWS = 1_000
_LEFT_S = 3600.0
"""What is being written is younger."""


@dataclass(frozen=True, kw_only=True)
class ExportDone:
    """An export that was written and read back, every byte of it checked."""

    path: Path
    made_at: datetime
    proven_at: datetime
    rows: int
    size_bytes: int
    kits: int


def write_export(config: MasterConfig, *, clock: Clock, entropy: Entropy, name: str = NAME) -> ExportDone:
    """Write `HOME/master/export/NAME` anew and prove it. A crash at any moment leaves the one before or the new one.

    Raises `NoSpace`, `StoreError` where the disk refuses, `ExportDamaged` where it did not keep what was written, and as the records do.
    """
    folder = make_private_folder(config.home / FOLDER)
    key = load_export_key(config.home, entropy)
    # A name of its own: the Master's backup and a command may write one at the same time, and the last to end is the newest.
    path, fresh = folder / name, folder / f".{name}.{entropy.token_bytes(8).hex()}.new"
    try:
        _forget_what_a_crash_left(folder, clock)
        rows, made_at = _write_fresh(fresh, config, key, clock, entropy)
        check_export(fresh, key)
        fresh.replace(path)
        sync_folder(folder)
        size_bytes = path.stat().st_size
    except OSError as error:
        kind = NoSpace if is_no_space(error) else StoreError
        raise kind(f"the export of the Master's records was not written: {error}", hint=f"the one before it is still in {folder}") from None
    finally:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
    return ExportDone(path=path, made_at=made_at, proven_at=now(clock), rows=rows, size_bytes=size_bytes, kits=len(key.kits))


def _forget_what_a_crash_left(folder: Path, clock: Clock) -> None:
    for left in folder.glob(".*.new"):
        with suppress(FileNotFoundError):
            if now(clock).timestamp() - left.stat().st_mtime > _LEFT_S:
                left.unlink()


def export_before_upgrade(config: MasterConfig, form: str, *, clock: Clock, entropy: Entropy) -> Path | None:
    """Where records are about to be brought from this form to the newest: an export of them as they are, the way back. None where nothing
    is to be done, or only a newer version could do it. Raises as `write_export`."""
    if form not in forms()[:-1]:
        return None
    return write_export(config, clock=clock, entropy=entropy, name=f"before-upgrade-from-{form}.export").path


def check_export(path: Path, key: ExportKey) -> Head:
    """Read all of it. Raises `ExportDamaged`."""
    with path.open("rb") as file:
        reader = ExportReader(file)
        for _, rows in reader.tables(key):
            for _ in rows:
                pass
        return reader.head


def _write_fresh(fresh: Path, config: MasterConfig, key: ExportKey, clock: Clock, entropy: Entropy) -> tuple[int, datetime]:
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb", buffering=1 << 20) as file, reading(config.url) as connection:
        tables = _tables(connection)
        head = _head(connection, tables, config, key, now(clock))
        writer = ExportWriter(file, head, key, Sealer(key, entropy))
        writer.table(AUTHORITY, _authority(config))
        for table in tables:
            writer.table(str(table.name), _rows(connection, table))
        writer.finish()
        file.flush()
        os.fsync(file.fileno())
        return writer.rows, head.made_at


def _tables(connection: Connection) -> list[Table]:
    found = MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != FORM_TABLE]


def _head(connection: Connection, tables: list[Table], config: MasterConfig, key: ExportKey, at: datetime) -> Head:
    by_name = {table.name: table for table in tables}
    identity, name = connection.execute(select(by_name["environment"].c.id, by_name["environment"].c.name)).one()
    columns = {str(table.name): tuple(str(column.name) for column in table.columns) for table in tables}
    return Head(
        holdfast=MARK,
        format=FORMAT,
        schema=form_of(connection),
        version=__version__,
        environment=identity,
        name=name,
        made_at=at,
        epoch=_highest(connection, by_name.get("restorations"), "epoch"),
        audit_number=_highest(connection, by_name.get("audit"), "number"),
        api_port=config.api_port,
        hub_port=config.hub_port,
        names=config.names,
        columns={AUTHORITY: ("name", "content"), **columns},
        kits=key.kits,
    )


def _highest(connection: Connection, table: Table | None, column: str) -> int:
    if table is None:
        return 0
    return int(connection.execute(select(func.max(table.c[column]))).scalar() or 0)


def _rows(connection: Connection, table: Table) -> Iterator[Any]:
    ordered = select(table).order_by(*table.primary_key.columns)
    yield from connection.execution_options(yield_per=_BATCH_ROWS).execute(ordered)


def _authority(config: MasterConfig) -> Iterator[tuple[str, bytes]]:
    for path in sorted(config.authority_folder.iterdir()):
        if not path.name.startswith("."):
            yield path.name, path.read_bytes()

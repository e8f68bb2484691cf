"""Alembic's entry: the connection is handed in by `Database.migrate`; there is no offline mode."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from holdfast.master.records.restorations import RestorationRow


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=RestorationRow.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


_run(context.config.attributes["connection"])

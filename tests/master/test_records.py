"""The records: migrations give exactly the tables, transactions roll back, times keep their zone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from holdfast.core.errors import UnknownName
from holdfast.core.ids import EnvironmentId
from holdfast.master.records import access, documents
from holdfast.master.records.access import JoinToken
from holdfast.master.records.database import Database, sqlite_url
from holdfast.master.records.documents import Environment
from holdfast.master.records.tables import Table
from holdfast.model.document import Revision

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def _database(tmp_path: Path) -> Database:
    database = Database(sqlite_url(tmp_path / "records.db"))
    database.migrate()
    return database


def test_migrations_make_exactly_the_tables(tmp_path: Path) -> None:
    database = _database(tmp_path)
    database.migrate()
    database.close()
    engine = create_engine(sqlite_url(tmp_path / "records.db"))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    engine.dispose()


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    database = _database(tmp_path)

    def write_and_fail(session: Session) -> None:
        documents.found(session, Environment(EnvironmentId("a" * 32), "x"), MOMENT)
        session.flush()
        raise UnknownName("no")

    with pytest.raises(UnknownName):
        asyncio.run(database.run(write_and_fail))
    assert database.run_now(documents.environment) is None
    database.close()


def test_times_come_back_aware_and_whole(tmp_path: Path) -> None:
    database = _database(tmp_path)
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=5)))
    token = JoinToken(hash="h", name="n", replace=False, created_at=elsewhere, expires_at=MOMENT)
    database.run_now(lambda s: access.add_join_token(s, token))
    kept = database.run_now(lambda s: access.join_token(s, "h"))
    assert kept is not None
    assert kept.created_at == kept.expires_at == MOMENT
    assert kept.created_at.tzinfo is UTC
    database.close()


def test_revisions_are_kept_byte_for_byte(tmp_path: Path) -> None:
    database = _database(tmp_path)
    text = "a: 1\r\n# ü\t\n\n"
    for number in (1, 2):
        revision = Revision(number=number, text=text * number, created_at=MOMENT, author="me")
        database.run_now(lambda s, r=revision: documents.add_revision(s, r))  # type: ignore[misc]
    newest = database.run_now(documents.newest_revision)
    assert newest is not None
    assert newest.text == text * 2
    assert database.run_now(lambda s: documents.revision(s, 1)).text == text
    with pytest.raises(UnknownName):
        database.run_now(lambda s: documents.revision(s, 9))
    database.close()

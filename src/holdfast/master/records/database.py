"""The database: one engine, and transactions run off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session

from holdfast.core.private_files import touch_private

T = TypeVar("T")
MIGRATIONS = Path(__file__).parent / "migrations"


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


class Database:
    """Transactions on the Master's records.

    `run` takes a function of one `Session`; what it does is one transaction, committed when it returns and rolled back when it
    raises. It runs on a thread of its own, one at a time: SQLite has one writer anyway, and a function that reads and then writes
    needs no further lock.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="records")

    def migrate(self) -> None:
        """Bring the tables to the newest form. Safe to call again; called by `init_master` and at every start."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self._engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    async def run(self, work: Callable[[Session], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.run_now, work)

    def run_now(self, work: Callable[[Session], T]) -> T:
        """As `run`, on the calling thread: for start-up and tests."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            return work(session)

    def close(self) -> None:
        self._thread.shutdown(wait=True)
        self._engine.dispose()


def _engine(url: str) -> Engine:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        if engine.url.database:
            touch_private(engine.url.database)
        event.listen(engine, "connect", _sqlite_settings)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _sqlite_settings(connection: Any, _record: object) -> None:
    """WAL, and transactions begun by SQLAlchemy's `begin` event instead of the driver: the driver's own begin late and upgrade badly."""
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")

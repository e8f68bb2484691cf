"""Connections to the records: SQLite in the Master's home, or a PostgreSQL server.

The Master's records have one writer. With SQLite its folder's lock sees to that; with PostgreSQL an advisory lock that the one pooled
connection holds for as long as it lives: a second Master, on another machine perhaps, is refused, and a lost connection loses the lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, NoSuchModuleError, OperationalError

from holdfast.core.errors import Conflict, HoldfastError, NoSpace, NotReachable, UsageError
from holdfast.core.local_database import FULL_CODES
from holdfast.core.private_files import touch_private

DRIVERS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_S = 60
_ADVISORY_LOCK = 0x486F6C6466617374
"""A number that other programs of the same server do not use by chance: "Holdfast"."""
_DISK_FULL = "53100"
_PASSING = ("08", "28", "3D", "40", "53", "55", "57")
"""Classes of SQLSTATE that say something of the server, not of the statement: away, no such login or database, a deadlock, out of
connections or memory, in use, shut down or timed out."""


def parsed_url(text: str) -> URL:
    """The URL of a database, with the driver we use. Raises `UsageError` for what is none, and for other databases."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # What was given may hold a password, so it is not repeated.
        raise UsageError("this is no URL of a database", hint="write postgresql://USER@HOST/DATABASE") from None
    driver = DRIVERS.get(url.drivername)
    if driver is None:
        raise UsageError(
            f"records cannot be kept in {url.drivername!r}", hint="use SQLite (say nothing) or postgresql://USER@HOST/DATABASE"
        )
    return url.set(drivername=driver)


def make_engine(text: str, *, exclusive: bool) -> Engine:
    """`exclusive`: for the Master itself; on PostgreSQL connecting then raises `Conflict` while another Master has the lock."""
    url = parsed_url(text)
    return _sqlite(url) if url.drivername == "sqlite" else _postgresql(url, exclusive)


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url)
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


def _postgresql(url: URL, exclusive: bool) -> Engine:
    try:
        engine = create_engine(
            url,
            # One connection, as there is one writer; it is tried before each use, so that a server that was restarted costs no request.
            pool_size=1,
            max_overflow=0,
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": CONNECT_TIMEOUT_S,
                "application_name": "holdfast-master",
                "options": f"-c statement_timeout={STATEMENT_TIMEOUT_S}s -c lock_timeout=30s -c synchronous_commit=on -c timezone=UTC",
                "keepalives_idle": 10,
                "keepalives_interval": 5,
                "keepalives_count": 3,
                "tcp_user_timeout": 25_000,
            },
        )
    except (ImportError, NoSuchModuleError):
        raise UsageError("the driver for PostgreSQL is not installed", hint="pip install 'holdfast[postgresql]'") from None
    if exclusive:
        event.listen(engine, "connect", _be_the_only_master)
    return engine


@contextmanager
def reading(text: str) -> Iterator[Connection]:
    """The records as they are at one moment, beside a Master that goes on writing. Raises as transactions do."""
    url = parsed_url(text)
    if url.drivername == "sqlite":
        engine = create_engine(url)
        event.listen(engine, "connect", _sqlite_settings)
        # Deferred: the first look takes the state that it sees to the end, and no writer waits.
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    else:
        engine = _postgresql(url, exclusive=False).execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    try:
        with typed_errors(), engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _be_the_only_master(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        (is_ours,) = cursor.execute("SELECT pg_try_advisory_lock(%s)", (_ADVISORY_LOCK,)).fetchone()
    connection.commit()
    if not is_ours:
        connection.close()
        raise Conflict("another Master uses these records", hint="stop it first; two Masters would contradict each other")


@contextmanager
def typed_errors() -> Iterator[None]:
    """What the database says, as errors of ours. A fault in a statement stays what it is."""
    try:
        yield
    except DBAPIError as error:
        found = _ours(error)
        if found is None:
            raise
        raise found from error


def _ours(error: DBAPIError) -> HoldfastError | None:
    said = str(error.orig).strip().splitlines()
    reason = said[0] if said else type(error.orig).__name__
    state = getattr(error.orig, "sqlstate", None)
    if state == _DISK_FULL or getattr(error.orig, "sqlite_errorcode", 0) in FULL_CODES:
        return NoSpace("there is no room left for the Master's records", hint="make room; what was to be written is not")
    if isinstance(error, DataError):
        return UsageError("there is a value in it that no record can hold", hint=f"the database says: {reason}")
    is_of_server = error.connection_invalidated or (state or "")[:2] in _PASSING
    if is_of_server or (state is None and isinstance(error, OperationalError) and type(error.orig).__module__.startswith("psycopg")):
        return NotReachable(
            f"the Master's records cannot be reached: {reason}",
            hint="see whether the database runs; look whether the last change was made before you repeat it",
        )
    return None

"""Opening `state.db`, and moving a damaged one aside."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from holdfast.capture.accounts import Accounts
from holdfast.capture.rows import ACCOUNTS_SCHEMA, COLUMNS, NONSENSE, SCHEMA, SCHEMA_VERSION, TYPES, decode_entry
from holdfast.core import local_database
from holdfast.core.entropy import Entropy
from holdfast.core.errors import NoSpace, SourceError, is_no_space
from holdfast.core.ids import new_id
from holdfast.core.local_database import DatabaseErrors, fits
from holdfast.core.private_files import sync_folder
from holdfast.model.change import Commit
from holdfast.model.entry import walk_key
from holdfast.model.jobs import Finding, Severity

_MOST_RUNS = 1 << 62


def state_errors(path: Path) -> DatabaseErrors:
    """What SQLite raises of the state, as an error of our tree."""
    return DatabaseErrors(path, "the capture state", kind=SourceError)


def disk_error(path: Path, error: OSError) -> NoSpace | SourceError:
    """`NoSpace` when the disk is full, `SourceError` otherwise."""
    if is_no_space(error):
        return NoSpace(f"the disk of {path} is full", hint="make room there; the next run goes on by itself")
    return SourceError(f"{path} cannot be written: {error.strerror}", hint="see whether its disk is there, sound and writable")


def open_database(path: Path, entropy: Entropy) -> sqlite3.Connection:
    fresh = not path.exists()
    database = local_database.open_database(path, synchronous="NORMAL", page_size=8192, wal_autocheckpoint=4000, cache_size=-16_000)
    try:
        if database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            # All at once: one without its facts counts as damaged.
            database.executescript(f"BEGIN IMMEDIATE; {SCHEMA}; PRAGMA user_version = {SCHEMA_VERSION};")
            database.executemany("INSERT INTO meta VALUES (?, ?)", [("epoch", new_id(entropy)), ("run", 0), ("synced", 0)])
            database.execute("COMMIT")
        _check(database, path)
        database.executescript(ACCOUNTS_SCHEMA)
        Accounts(database).ensure()
        if database.execute("PRAGMA user_version").fetchone()[0] < SCHEMA_VERSION:
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        if fresh:
            path.chmod(0o600)
            sync_folder(path.parent)
    except BaseException:
        database.close()
        raise
    return database


def _check(database: sqlite3.Connection, path: Path) -> None:
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise SourceError(f"{path} was made by a newer Holdfast (version {version})", hint="install that version, or move the file away")
    facts = dict(database.execute("SELECT name, typeof(value) FROM meta"))
    if version < 1 or facts != {"epoch": "text", "run": "integer", "synced": "integer"}:
        raise sqlite3.DatabaseError("facts are missing")
    # Also reads them: text that is none is found here.
    known = dict(database.execute("SELECT name, value FROM meta"))
    if not 0 <= known["run"] < _MOST_RUNS:
        raise sqlite3.DatabaseError("facts make no sense")
    try:
        database.execute(f"SELECT {COLUMNS} FROM rows LIMIT 1").fetchone()
    except sqlite3.OperationalError as error:
        # SQLite calls a missing table an operational error; to us it is damage.
        raise sqlite3.DatabaseError(str(error)) from error


def moved_aside(path: Path, aside: Path, why: str) -> Finding:
    return Finding(
        code="state-damaged",
        severity=Severity.WARNING,
        message=f"the capture state was damaged ({why}) and was moved to {aside.name}; a fresh one was made",
        path=str(path),
        hint="nothing to do: it is rebuilt from the receivers' listings. Look at the disk if this comes again",
    )


def is_sound(path: Path) -> bool:
    """Whether every row is of its columns' types and holds what it must; reads the whole. May raise where it is not."""
    with closing(open_reader(path)) as database:
        if not fits(database, TYPES):
            return False
        if any(database.execute(f"SELECT 1 FROM {table} WHERE {where} LIMIT 1").fetchone() for table, where in NONSENSE.items()):
            return False
        for (finished,) in database.execute("SELECT finished FROM datasets WHERE finished NOT NULL"):
            msgspec.msgpack.decode(finished, type=Commit)
        return all(walk_key(decode_entry(record).path) == key for key, record in database.execute("SELECT key, record FROM rows"))


def open_reader(path: Path) -> sqlite3.Connection:
    """A read-only connection of one's own."""
    quoted = str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return sqlite3.connect(f"file:{quoted}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)

"""SQLite as we open it: a write-ahead log, the asked level of synchronising, and that of one commit raised."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.core.errors import NoSpace, StoreError
from holdfast.core.local_database import DatabaseErrors, carry_over, open_database, written_through
from holdfast.testing.faulty_disk import FaultyDisk, full_from, no_faults


def level(database: sqlite3.Connection) -> int:
    """1 = NORMAL, 2 = FULL (sqlite.org/pragma.html#pragma_synchronous)."""
    return int(database.execute("PRAGMA synchronous").fetchone()[0])


def test_settings_hold(tmp_path: Path) -> None:
    with closing(open_database(tmp_path / "a.db", synchronous="FULL", page_size=8192, cache_size=-1000)) as database:
        facts = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "page_size", "cache_size")]
        assert facts == ["wal", 8192, -1000]
        assert level(database) == 2


def test_one_commit_is_written_through(tmp_path: Path) -> None:
    with closing(open_database(tmp_path / "a.db", synchronous="NORMAL")) as database:
        database.execute("CREATE TABLE t (x)")
        with written_through(database):
            assert level(database) == 2
            database.execute("INSERT INTO t VALUES (1)")
        assert level(database) == 1
        with pytest.raises(sqlite3.OperationalError), written_through(database):
            database.execute("INSERT INTO missing VALUES (1)")
        assert level(database) == 1


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        open_database(tmp_path / "a.db", synchronous="NORMAL")


def test_errors_of_the_disk_become_ours_and_faults_of_ours_do_not(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="the book cannot be used") as told, DatabaseErrors(tmp_path / "a.db", "the book", damaged="hint"):
        open_database(tmp_path / "a.db", synchronous="NORMAL")
    assert told.value.hint == "hint"
    with closing(open_database(tmp_path / "b.db", synchronous="NORMAL")) as database:
        database.execute("PRAGMA max_page_count = 3")
        database.execute("CREATE TABLE t (x)")
        with pytest.raises(NoSpace), DatabaseErrors(tmp_path / "b.db", "the book"):
            database.execute("INSERT INTO t VALUES (zeroblob(100000))")
        with pytest.raises(sqlite3.ProgrammingError), DatabaseErrors(tmp_path / "b.db", "the book"):
            database.execute("SELECT ?")


def test_a_quota_that_is_used_up_is_a_full_disk_and_a_broken_one_is_not(tmp_path: Path) -> None:
    """SQLite says the same of both."""
    path = tmp_path / "a.db"
    with FaultyDisk(tmp_path) as disk, closing(open_database(path, synchronous="NORMAL", schema="CREATE TABLE t (x)")) as database:
        disk.plan = full_from(1, errno.EDQUOT)
        with pytest.raises(NoSpace), DatabaseErrors(path, "the book"):
            database.execute("INSERT INTO t VALUES (1)")
        disk.plan = lambda step: OSError(errno.EIO, "planned") if step.path.endswith("-wal") else None
        with pytest.raises(StoreError, match="the book cannot be used"), DatabaseErrors(path, "the book"):
            database.execute("INSERT INTO t VALUES (2)")
        disk.plan = no_faults
        with DatabaseErrors(path, "the book"):
            database.execute("INSERT INTO t VALUES (3)")


def test_a_log_is_carried_over_beside_who_writes_it(tmp_path: Path) -> None:
    log = tmp_path / "a.db-wal"
    with closing(open_database(tmp_path / "a.db", synchronous="NORMAL", wal_autocheckpoint=0)) as database:
        database.execute("CREATE TABLE t (x)")
        database.execute("INSERT INTO t VALUES (zeroblob(100000))")
        before_bytes = log.stat().st_size
        database.execute("BEGIN IMMEDIATE")
        carry_over(tmp_path / "a.db")
        database.execute("COMMIT")
        assert (tmp_path / "a.db").stat().st_size > 100_000
        # What is written next begins the log anew.
        database.execute("INSERT INTO t VALUES (1)")
        assert log.stat().st_size == before_bytes
        assert database.execute("SELECT count(*) FROM t").fetchone() == (2,)


def test_what_is_no_database_has_no_log_to_carry_over(tmp_path: Path) -> None:
    carry_over(tmp_path / "missing.db")
    assert not (tmp_path / "missing.db").exists()
    (tmp_path / "a.db").write_bytes(b"no database at all" * 100)
    carry_over(tmp_path / "a.db")
    assert (tmp_path / "a.db").read_bytes() == b"no database at all" * 100

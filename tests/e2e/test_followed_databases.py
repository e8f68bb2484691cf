"""A SQLite database that is followed: what a program commits to the log is in the mirror and in the repository, whole, while it goes on."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.followed import document, is_following
from tests.e2e.world import World, eventually, world_in

pytestmark = pytest.mark.e2e


@pytest.fixture
def office(tmp_path: Path) -> Iterator[World]:
    (tmp_path / "data").mkdir()
    with closing(sqlite3.connect(tmp_path / "data" / "app.db", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE t (number INTEGER, noise BLOB)")
    with world_in(tmp_path, "files1", "vault") as world:
        text = document(tmp_path, {"cdp": "{within: 24h}"}).replace("/data]}", "/data], application: sqlite}")
        assert "application: sqlite" in text
        world.apply(text, "office")
        eventually(lambda: is_following(world), "the first scan is done and it is followed")
        yield world


def held(path: Path) -> int:
    """The newest number in a copy that stands for itself; -1 while there is none."""
    if not path.exists():
        return -1
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return int(database.execute("SELECT ifnull(max(number), 0) FROM t").fetchone()[0])


def test_what_is_committed_to_the_log_is_delivered_while_the_database_stays_open(office: World) -> None:
    source, copy = office.folder / "data" / "app.db", office.folder / "mirror" / "app.db"
    with closing(sqlite3.connect(source, isolation_level=None)) as program:
        for number in range(1, 4):
            main = source.stat().st_mtime_ns
            program.execute("INSERT INTO t VALUES (?, randomblob(2000))", (number,))
            assert source.stat().st_mtime_ns == main, "only the log has changed"
            eventually(lambda wanted=number: held(copy) == wanted, "the mirror has what was committed", 30)
        assert [each.name for each in copy.parent.iterdir()] == ["app.db"]
        dataset = "files1/documents"
        office.run("restore", "--dataset", dataset, "--at", "0s ago", "--to", str(office.folder / "back"), "--node", "files1")
        restored = office.folder / "back" / str(source).lstrip("/")
        assert held(restored) == 3
        assert os.listdir(restored.parent) == ["app.db"]
    office.restic("main", "vault", "check", "--no-lock", "--read-data")

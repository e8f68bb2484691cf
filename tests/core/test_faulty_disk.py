"""Small files and databases on a disk that fails at every step: what returned is kept, and nothing is half."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path

import pytest

from holdfast.core.local_database import open_database, written_through
from holdfast.core.private_files import write_private
from holdfast.testing.faulty_disk import Fault, FaultyDisk, PowerCut, Step, bursts, once, trials

OLD, NEW = b"old" * 1_000, b"new" * 2_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "watched").mkdir()
    return tmp_path / "watched"


def steps_of_a_file(folder: Path) -> list[Step]:
    write_private(folder / "f", OLD)
    with FaultyDisk(folder) as disk:
        write_private(folder / "f", NEW)
    return disk.steps


def test_a_private_file_is_old_or_new_at_every_step(folder: Path) -> None:
    steps = steps_of_a_file(folder)
    assert [step.verb for step in steps] == ["create", "dress", "write", "sync", "rename", "sync-folder"]
    for number, fault in trials(steps, every=True):
        write_private(folder / "f", OLD)
        returned = False
        with FaultyDisk.with_fault(folder, number, fault) as disk, suppress(OSError, PowerCut):
            write_private(folder / "f", NEW)
            returned = True
        assert disk.fired
        assert not returned
        assert (folder / "f").read_bytes() in (OLD, NEW)
        assert stat.S_IMODE((folder / "f").stat().st_mode) == 0o600
        if fault in (Fault.HICCUP, Fault.FULL):
            assert [path.name for path in folder.iterdir()] == ["f"]
        write_private(folder / "f", NEW)
        assert (folder / "f").read_bytes() == NEW


def test_a_private_file_that_returned_outlives_the_power(folder: Path) -> None:
    for seed in (None, *range(10)):
        write_private(folder / "f", OLD)
        with FaultyDisk(folder, forgets=True) as disk:
            write_private(folder / "f", NEW)
        disk.lose(seed)
        assert (folder / "f").read_bytes() == NEW


def test_what_was_not_synced_is_really_lost(folder: Path) -> None:
    """The disk of these tests would notice a sync that is missing."""
    seen = set()
    for seed in (None, *range(30)):
        write_private(folder / "f", OLD)
        with FaultyDisk(folder, once(4, 0), forgets=True) as disk, suppress(OSError):
            write_private(folder / "f", NEW)
        disk.lose(seed)
        seen.add((folder / "f").read_bytes())
        (folder / "f").unlink()
    assert seen == {OLD}


def fill(path: Path, kept: list[int], synchronous: str) -> None:
    """Rows one by one; those that are promised are in `kept`."""
    with closing(open_database(path, synchronous="FULL" if synchronous == "FULL" else "NORMAL")) as database:
        database.execute("CREATE TABLE IF NOT EXISTS rows (n INTEGER PRIMARY KEY, filler BLOB)")
        for number in range(4):
            if synchronous == "NORMAL" and number == 2:
                with written_through(database):
                    database.execute("INSERT INTO rows VALUES (?, ?)", (number, bytes(6_000)))
                kept += [0, 1, 2]
            else:
                database.execute("INSERT INTO rows VALUES (?, ?)", (number, bytes(6_000)))
            if synchronous in ("FULL", "hasty"):
                kept.append(number)


@pytest.mark.parametrize("synchronous", ["NORMAL", "FULL"])
def test_a_database_keeps_what_it_promised_at_every_step(folder: Path, synchronous: str) -> None:
    with FaultyDisk(folder) as disk:
        fill(folder / "x.db", [], synchronous)
    assert {"create", "write", "sync", "grow", "remove"} <= {step.verb for step in disk.steps}
    some = set(bursts(disk.steps))
    for number, fault in trials([step for step in disk.steps if step.number in some], every=True):
        for path in folder.iterdir():
            path.unlink()
        kept: list[int] = []
        with FaultyDisk.with_fault(folder, number, fault) as disk, suppress(OSError, sqlite3.Error, PowerCut):
            fill(folder / "x.db", kept, synchronous)
        assert disk.fired
        with closing(open_database(folder / "x.db", synchronous="FULL")) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            found = []
            with suppress(sqlite3.OperationalError):
                found = [number for (number,) in database.execute("SELECT n FROM rows ORDER BY n")]
            assert found == list(range(len(found)))
            assert set(kept) <= set(found), (number, fault)
            assert database.execute("CREATE TABLE IF NOT EXISTS rows (n INTEGER PRIMARY KEY, filler BLOB)")


def test_a_sync_that_is_left_out_is_noticed(folder: Path) -> None:
    """As above with promises that are not true: some fault must break them, else the faults are none."""
    with FaultyDisk(folder) as disk:
        fill(folder / "x.db", [], "NORMAL")
    broken = 0
    for step in disk.steps:
        for path in folder.iterdir():
            path.unlink()
        kept: list[int] = []
        with FaultyDisk.with_fault(folder, step.number, Fault.LOST), suppress(OSError, sqlite3.Error, PowerCut):
            fill(folder / "x.db", kept, "hasty")
        with closing(open_database(folder / "x.db", synchronous="FULL")) as database:
            found = []
            with suppress(sqlite3.OperationalError):
                found = [number for (number,) in database.execute("SELECT n FROM rows")]
        broken += not set(kept) <= set(found)
    assert broken > 5

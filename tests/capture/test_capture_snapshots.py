"""A capture that reads from a snapshot: what it finds looks as it would in its place, and is of one moment."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from holdfast.capture.ports import CaptureRequest
from holdfast.host.snapshots import FOLDER, take_snapshots
from holdfast.testing.small_disk import snapshot_disk


@pytest.fixture
def machine(tmp_path: Path, machine_class) -> Iterator:
    with snapshot_disk(tmp_path / "disk"):
        made = machine_class(tmp_path / "disk")
        yield made
        made.state.close()


@contextmanager
def frozen(machine, *roots: Path) -> Iterator:
    """All runs inside look at the snapshot."""
    taken = take_snapshots(
        [os.fsencode(root) for root in roots or (machine.source,)], b"owner", clock=machine.clock, may_write=lambda _: None
    )
    assert not taken.findings
    run = machine.capture.run

    def looking(request: CaptureRequest):
        return run(CaptureRequest(request.datasets, request.bases, request.accept, sight=taken.sight))

    machine.capture.run = looking
    try:
        yield
    finally:
        machine.capture.run = run
        assert taken.close() == ()


def grow(source: Path) -> None:
    (source / "folder").mkdir()
    for number in range(20):
        (source / "folder" / f"file{number}").write_bytes(os.urandom(1000 * number))
    (source / "large").write_bytes(os.urandom(12 << 20))
    os.link(source / "folder" / "file3", source / "linked")
    os.symlink("folder", source / "symlink")
    os.mkfifo(source / "fifo")
    os.setxattr(source / "large", "user.name", b"value")
    with (source / "sparse").open("wb") as file:
        file.seek(30 << 20)
        file.write(b"end")


def test_in_a_snapshot_all_looks_as_it_does_in_its_place(machine):
    grow(machine.source)
    docs = machine.dataset()
    with frozen(machine):
        assert machine.run(docs).read_until is None
        assert machine.below(docs) == machine.facts()
    in_snapshot = dict(docs.tree)
    # Nothing that a run in the place could see has changed, and the other way round.
    result = machine.run(docs)
    assert machine.puts(docs) == 0
    assert result.counters.read_bytes == 0
    assert result.read_until is not None
    assert result.read_until >= result.captured_at
    with frozen(machine):
        machine.run(docs)
    assert machine.puts(docs) == 0
    assert {entry.device for path, entry in in_snapshot.items() if path.startswith(machine.root)} == {machine.source.stat().st_dev}


def test_what_changes_after_the_snapshot_is_of_the_next_run(machine):
    grow(machine.source)
    docs = machine.dataset()
    before = machine.facts()
    with frozen(machine):
        (machine.source / "large").write_bytes(b"small now")
        (machine.source / "new").write_bytes(b"later")
        (machine.source / "folder" / "file5").unlink()
        os.rename(machine.source / "folder", machine.source / "moved")
        machine.run(docs)
    assert machine.below(docs) == before
    with frozen(machine):
        machine.run(docs)
    assert machine.below(docs) == machine.facts()


def test_the_folder_of_snapshots_is_no_part_of_the_source(machine, tmp_path):
    """The root of the subvolume is captured as a whole, home and all."""
    disk = tmp_path / "disk"
    grow(machine.source)
    docs = machine.dataset("docs", disk, exclude=("/home",))
    with frozen(machine, disk):
        machine.run(docs)
    machine.run(docs)
    held = {path for path in docs.tree if path.startswith(os.fsencode(disk))}
    assert (disk / os.fsdecode(FOLDER)).is_dir()
    assert not [path for path in held if FOLDER in path]
    assert os.fsencode(machine.source / "large") in held
    with frozen(machine, disk):
        machine.run(docs)
    # The state lies there too, and is left out; nothing else changes from run to run.
    assert [path for path in docs.puts if path.startswith(os.fsencode(disk))] == []


@pytest.mark.parametrize("stay", [True, False])
def test_a_nested_subvolume_is_as_a_run_in_the_place_would_have_it(machine, stay):
    inner = machine.source / "inner"
    subprocess.run(["btrfs", "-q", "subvolume", "create", str(inner)], check=True)
    (inner / "file").write_bytes(b"below")
    docs, other = machine.dataset("docs", one_file_system=stay), machine.dataset("other", one_file_system=stay)
    machine.run(docs)
    with frozen(machine):
        machine.run(docs)
        assert machine.puts(docs) == 0
        machine.run(other)
    assert machine.below(other) == machine.below(docs)
    assert (os.fsencode(inner / "file") in other.tree) is not stay


def test_a_database_in_a_snapshot_is_consistent(machine, tmp_path):
    path = machine.source / "app.db"
    docs = machine.dataset(application="sqlite", consistent="snapshot")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE t (number INTEGER)")
        writer.execute("INSERT INTO t VALUES (1)")
        with frozen(machine):
            writer.execute("INSERT INTO t VALUES (2)")
            machine.run(docs)
        assert machine.result.findings == ()
        restored = tmp_path / "restored.db"
        restored.write_bytes(docs.content(os.fsencode(path)))
        with closing(sqlite3.connect(restored)) as database:
            assert database.execute("SELECT number FROM t").fetchall() == [(1,)]
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        with frozen(machine):
            machine.run(docs)
            assert machine.puts(docs) == 1
        with frozen(machine):
            machine.run(docs)
            assert machine.puts(docs) == 0

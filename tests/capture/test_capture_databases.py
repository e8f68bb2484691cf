"""SQLite databases under their writers: what is captured is what somebody has committed, and nothing of it is read twice."""

from __future__ import annotations

import os
import random
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from holdfast.capture.ports import CaptureRequest, Place

ROWS = 200
# Two tables that every transaction changes alike: whoever sees one of them ahead has seen no committed state.
_WRITER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
print("ready", flush=True)
number = 0
while True:
    number += 1
    database.execute("BEGIN IMMEDIATE")
    for table in ("left", "right"):
        database.execute(f"UPDATE {table} SET number = ?, noise = randomblob(300) WHERE id = ?", (number, number % %d))
        database.execute(f"INSERT INTO {table} (number, noise) VALUES (?, randomblob(50))", (number,))
    database.execute("COMMIT")
""".replace("%d", str(ROWS))


def make(path: Path, mode: str, rows: int = ROWS) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute(f"PRAGMA journal_mode = {mode}")
    for table in ("left", "right"):
        database.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, number INTEGER, noise BLOB)")
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        database.execute(f"{numbers} INSERT INTO {table} SELECT i, 0, randomblob(300) FROM n", (rows,))
    return database


@contextmanager
def hammered(path: Path) -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            writer.kill()


def proven(content: bytes, folder: Path) -> int:
    """The number of the newest transaction in it, once it is known to be a whole and committed state."""
    path = folder / "restored.db"
    path.write_bytes(content)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        left, right = (database.execute(f"SELECT count(*), max(number) FROM {table}").fetchone() for table in ("left", "right"))
    assert left == right
    for each in folder.glob("restored.db*"):
        each.unlink()
    return int(left[1])


def names(machine, docs) -> list[str]:
    return sorted(os.fsdecode(os.path.basename(path)) for path in docs.tree if path.startswith(machine.root + b"/"))


def codes(machine) -> list[str]:
    return [finding.code for finding in machine.result.findings]


@pytest.mark.parametrize("mode", ["WAL", "DELETE", "PERSIST"])
def test_what_is_captured_under_a_writer_is_a_committed_state(machine, tmp_path, mode):
    path = machine.source / "app.db"
    make(path, mode).close()
    docs = machine.dataset(application="sqlite")
    seen = []
    with hammered(path):
        for _ in range(3):
            machine.run(docs)
            assert codes(machine) == []
            seen.append(proven(docs.content(os.fsencode(path)), tmp_path))
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]
    assert names(machine, docs) == ["app.db"]
    assert not list(machine.home.glob("state.db-databases*"))


def test_a_change_in_the_log_alone_is_a_change_of_the_database(machine, tmp_path):
    path = machine.source / "app.db"
    docs = machine.dataset(application="sqlite")
    with closing(make(path, "WAL")) as writer:
        machine.run(docs)
        before, row = path.stat(), docs.tree[os.fsencode(path)]
        writer.execute("UPDATE left SET number = 7")
        writer.execute("UPDATE right SET number = 7")
        assert path.stat().st_mtime_ns == before.st_mtime_ns
        machine.run(docs)
        assert machine.puts(docs) == 1
        assert proven(docs.content(os.fsencode(path)), tmp_path) == 7
        assert docs.tree[os.fsencode(path)].mtime_ns > row.mtime_ns
        assert names(machine, docs) == ["app.db"]


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_a_database_that_nobody_writes_to_is_not_read_again(machine, mode):
    docs = machine.dataset(application="sqlite")
    with closing(make(machine.source / "app.db", mode)) as writer:
        assert machine.run(docs).counters.read_bytes > 4096
        result = machine.run(docs)
        # The first bytes of what has something beside it.
        assert result.counters.read_bytes <= 100
        assert machine.puts(docs) == 0
        assert writer.execute("SELECT count(*) FROM left").fetchone() == (ROWS,)
    assert machine.run(docs).counters.read_bytes <= (machine.source / "app.db").stat().st_size + 100


def test_nothing_is_left_beside_a_database_at_rest(machine, tmp_path):
    path = machine.source / "app.db"
    make(path, "WAL").close()
    docs = machine.dataset(application="sqlite")
    machine.run(docs)
    assert [each.name for each in machine.source.iterdir()] == ["app.db"]
    assert docs.content(os.fsencode(path)) == path.read_bytes()


def test_a_log_without_an_index_and_a_hot_journal_are_brought_in(machine, tmp_path):
    """What a machine leaves that lost its power: SQLite brings the copies in order, and the source stays as it is."""
    wal, journal = machine.source / "wal.db", machine.source / "journal.db"
    with closing(make(tmp_path / "live.db", "WAL")) as live:
        live.execute("UPDATE left SET number = 3")
        live.execute("UPDATE right SET number = 3")
        for ending in ("", "-wal"):
            Path(f"{wal}{ending}").write_bytes(Path(f"{tmp_path}/live.db{ending}").read_bytes())
    with closing(make(tmp_path / "torn.db", "DELETE")) as torn:
        torn.execute("PRAGMA cache_size = 2")
        torn.execute("BEGIN")
        torn.execute("UPDATE left SET number = 9, noise = randomblob(3000)")
        for ending in ("", "-journal"):
            Path(f"{journal}{ending}").write_bytes(Path(f"{tmp_path}/torn.db{ending}").read_bytes())
    before = {each.name: each.read_bytes() for each in machine.source.iterdir()}
    docs = machine.dataset(application="sqlite")
    machine.run(docs)
    assert codes(machine) == []
    assert proven(docs.content(os.fsencode(wal)), tmp_path) == 3
    assert proven(docs.content(os.fsencode(journal)), tmp_path) == 0
    assert names(machine, docs) == ["journal.db", "wal.db"]
    assert {each.name: each.read_bytes() for each in machine.source.iterdir()} == before


def super_journal(name: bytes) -> bytes:
    """What a journal bears at its end of the super-journal of this name."""
    return b"\0\0\0\1" + name + struct.pack(">II", len(name), sum(name)) + bytes.fromhex("d9d505f920a163d7")


@pytest.mark.parametrize("place", ["beside", "named", "gone"])
def test_a_transaction_over_several_databases_is_whole_or_not_there(machine, tmp_path, place):
    """SQLite looks for the super-journal where the program had it, which may have been a container; the copy does not depend on that."""
    path, elsewhere = machine.source / "app.db", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with closing(make(tmp_path / "torn.db", "DELETE")) as torn:
        torn.execute("PRAGMA cache_size = 2")
        torn.execute("BEGIN")
        torn.execute("UPDATE left SET number = 9, noise = randomblob(3000)")
        torn.execute("UPDATE right SET number = 9, noise = randomblob(3000)")
        name = os.fsencode(elsewhere / "app.db-mj0A1B2C3D")
        Path(f"{path}-journal").write_bytes((tmp_path / "torn.db-journal").read_bytes() + super_journal(name))
        if place == "gone":
            torn.execute("COMMIT")
        path.write_bytes((tmp_path / "torn.db").read_bytes())
    if place != "gone":
        ((machine.source if place == "beside" else elsewhere) / "app.db-mj0A1B2C3D").write_bytes(b"names of journals")
    before = {each.name: each.read_bytes() for each in machine.source.iterdir()}
    docs = machine.dataset(application="sqlite")
    machine.run(docs)
    assert codes(machine) == []
    assert proven(docs.content(os.fsencode(path)), tmp_path) == (9 if place == "gone" else 0)
    assert {each.name: each.read_bytes() for each in machine.source.iterdir()} == before


@pytest.mark.parametrize("other", ["a.db", "z.db"])
def test_a_database_with_a_log_is_another_than_its_other_names(machine, tmp_path, other):
    """As in a copy that was made by hard links: what is in the log is of the one name, whichever is come to first."""
    path = machine.source / "m.db"
    docs = machine.dataset(application="sqlite")
    make(path, "WAL").close()
    os.link(path, machine.source / other)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        for number in (7, 8):
            for table in ("left", "right"):
                writer.execute(f"UPDATE {table} SET number = {number}")
            machine.run(docs)
            assert codes(machine) == []
            assert names(machine, docs) == sorted([other, "m.db"])
            assert proven(docs.content(os.fsencode(path)), tmp_path) == number
            assert proven(docs.content(os.fsencode(machine.source / other)), tmp_path) == 0
            assert docs.tree[os.fsencode(path)].links == 1
    machine.run(docs)
    assert {proven(docs.content(os.fsencode(machine.source / name)), tmp_path) for name in (other, "m.db")} == {8}
    assert docs.tree[os.fsencode(path)].links == 2
    machine.run(docs)
    assert machine.puts(docs) == 0


def test_only_changed_blocks_travel(machine, tmp_path):
    path = machine.source / "app.db"
    docs = machine.dataset(application="sqlite")
    with closing(make(path, "WAL", rows=40_000)) as writer:
        size = path.stat().st_size + Path(f"{path}-wal").stat().st_size
        assert size > 20 << 20
        machine.run(docs)
        sent = docs.received_bytes
        for table in ("left", "right"):
            writer.execute(f"UPDATE {table} SET number = 5 WHERE id = 20000")
        result = machine.run(docs)
        assert docs.received_bytes - sent <= 2 << 20
        assert result.counters.read_bytes <= size
        assert proven(docs.content(os.fsencode(path)), tmp_path) == 5


def test_a_damaged_database_is_kept_as_its_files_are(machine):
    path = machine.source / "app.db"
    make(path, "DELETE").close()
    content = bytearray(path.read_bytes())
    content[16:18] = b"\x00\x07"
    path.write_bytes(content)
    Path(f"{path}-journal").write_bytes(b"whatever this is")
    docs = machine.dataset(application="sqlite")
    machine.run(docs)
    assert codes(machine) == ["database-damaged"]
    assert docs.content(os.fsencode(path)) == content
    assert names(machine, docs) == ["app.db", "app.db-journal"]
    machine.run(docs)
    assert codes(machine) == []
    assert machine.puts(docs) == 0


def test_an_encrypted_database_is_said_to_be_none_and_its_files_are_kept(machine):
    for name, content in {"app.db": random.Random(1).randbytes(8192), "app.db-wal": b"log", "app.db-shm": b"index"}.items():
        (machine.source / name).write_bytes(content)
    docs = machine.dataset(application="sqlite")
    machine.run(docs)
    assert codes(machine) == ["database-foreign"]
    assert machine.below(docs) == machine.facts()


def test_a_database_that_is_held_for_good_is_kept_as_it_is_and_its_log_goes_once_it_is_not(machine, tmp_path):
    path = machine.source / "app.db"
    docs = machine.dataset(application="sqlite")
    holder = make(path, "DELETE")
    holder.execute("PRAGMA cache_size = 2")
    holder.execute("BEGIN EXCLUSIVE")
    holder.execute("UPDATE left SET number = 1, noise = randomblob(3000)")
    machine.clock.ahead_ns = 0
    with closing(holder):
        machine.run(docs)
        # Its files stood still, so they could be copied, and the copy was brought in order.
        assert codes(machine) == []
        assert proven(docs.content(os.fsencode(path)), tmp_path) == 0
        assert names(machine, docs) == ["app.db"]


def test_no_room_for_a_copy_is_said_and_tried_again(machine, monkeypatch, tmp_path):
    path = machine.source / "app.db"
    docs = machine.dataset(application="sqlite")
    with closing(make(path, "WAL")) as writer:
        writer.execute("UPDATE left SET number = 2")
        writer.execute("UPDATE right SET number = 2")
        with monkeypatch.context() as patched:
            patched.setattr("holdfast.host.disk.free_bytes", lambda _: 100)
            machine.run(docs)
        assert codes(machine) == ["database-not-copied"]
        assert names(machine, docs) == ["app.db", "app.db-wal"]
        machine.run(docs)
        assert codes(machine) == []
        assert names(machine, docs) == ["app.db"]
        assert proven(docs.content(os.fsencode(path)), tmp_path) == 2


def test_a_policy_that_becomes_one_of_databases_takes_them_anew(machine, tmp_path):
    path = machine.source / "app.db"
    docs = machine.dataset()
    with closing(make(path, "WAL")) as writer:
        machine.run(docs)
        assert names(machine, docs) == ["app.db", "app.db-shm", "app.db-wal"]
        machine.dataset(application="sqlite")
        writer.execute("UPDATE left SET number = 4")
        writer.execute("UPDATE right SET number = 4")
        machine.run(docs)
        assert names(machine, docs) == ["app.db"]
        assert proven(docs.content(os.fsencode(path)), tmp_path) == 4


def test_a_new_receiver_gets_what_was_captured_before(machine, tmp_path):
    path = machine.source / "app.db"
    docs = machine.dataset(application="sqlite")
    with closing(make(path, "WAL", rows=20_000)) as writer:
        writer.execute("UPDATE left SET number = 6")
        writer.execute("UPDATE right SET number = 6")
        machine.run(docs)
        late = machine.dataset(application="sqlite")
        machine.run(docs, late)
        assert proven(late.content(os.fsencode(path)), tmp_path) == 6


def test_a_look_at_the_log_is_one_at_the_database(machine, tmp_path):
    path = machine.source / "app.db"
    docs = machine.dataset(application="sqlite")
    with closing(make(path, "WAL")) as writer:
        machine.run(docs)
        writer.execute("UPDATE left SET number = 8")
        writer.execute("UPDATE right SET number = 8")
        machine.run(docs, places=(Place(os.fsencode(f"{path}-wal")),))
        assert proven(docs.content(os.fsencode(path)), tmp_path) == 8
        machine.run(docs, places=(Place(os.fsencode(f"{path}-shm")), Place(os.fsencode(path))))
        assert machine.puts(docs) == 0
        assert names(machine, docs) == ["app.db"]


def test_a_home_that_cannot_be_written_keeps_the_files_as_they_are(machine):
    path = machine.source / "app.db"
    docs = machine.dataset(application="sqlite")
    with closing(make(path, "WAL")):
        # A file where the folder of the copies would be.
        (machine.home / "state.db-databases").write_bytes(b"")
        machine.run(docs)
        assert codes(machine) == ["database-not-copied"]
        assert names(machine, docs) == ["app.db", "app.db-wal"]


@pytest.mark.parametrize("rows", [ROWS, 8_000])
@pytest.mark.parametrize("is_new", [False, True])
def test_what_is_written_to_while_a_batch_is_under_way_is_in_it(machine, tmp_path, rows, is_new):
    """What is followed was captured before the batch: it is copied for that anew while it is looked at, not only when it is asked for. A
    receiver that may have it already gets what there was, unless that is another by then."""
    path = machine.source / "app.db"
    docs, live = machine.dataset(application="sqlite"), machine.dataset(application="sqlite")
    with closing(make(path, "WAL", rows)) as writer:

        def write(number: int) -> None:
            for table in ("left", "right"):
                writer.execute(f"UPDATE {table} SET number = {number} WHERE id = {ROWS}")

        write(5)
        machine.run(live, *(() if is_new else (docs,)))
        write(6)
        machine.run(live, places=(Place(os.fsencode(path)),))
        rule = machine.rules[docs.dataset]
        with closing(machine.capture.compare((rule,))) as compared:
            compared.walk()
            if is_new:
                write(7)
            run = machine.capture.run(CaptureRequest((rule,), {docs.dataset: docs.seq}), compared=compared)
            docs.begin(docs.seq)
            for round_ in run:
                write(8)
                docs.take(round_)
            docs.commit(run.run)
    assert not docs.withdrawn
    assert proven(docs.content(os.fsencode(path)), tmp_path) == (7 if is_new else 6)

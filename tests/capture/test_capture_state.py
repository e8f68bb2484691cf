"""The capture state: slots, runs, cursors, tombstones, damage, and rebuilding from a receiver."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.capture.rows import Row, row_of, signed
from holdfast.capture.state import MAX_DATASETS, CaptureState
from holdfast.core.clock import utc
from holdfast.core.entropy import SystemEntropy
from holdfast.core.errors import Conflict, SourceError
from holdfast.core.ids import DatasetId, Epoch
from holdfast.model.change import Commit, Cursor
from holdfast.model.entry import Entry, Kind, walk_key

DATASET = DatasetId("d" * 32)


def _open(path):
    return CaptureState.open(path, entropy=SystemEntropy())


def _commit(state, seq):
    return Commit(dataset=DATASET, epoch=state.epoch, seq=seq, captured_at=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def state(tmp_path):
    opened = _open(tmp_path / "state.db")
    yield opened
    opened.close()


def test_it_is_private_and_comes_back(tmp_path):
    path = tmp_path / "state.db"
    first = _open(path)
    epoch, run = first.epoch, first.next_run()
    first.finish(_commit(first, run))
    first.close()
    assert path.stat().st_mode & 0o777 == 0o600
    again = _open(path)
    assert (again.epoch, again.run, again.findings) == (epoch, 1, ())
    assert again.newest_commit(DATASET) == _commit(again, 1)
    assert not again.is_new(DATASET)
    again.close()


def test_slots_run_out_with_a_clear_error(state):
    for number in range(MAX_DATASETS):
        assert state.ensure_slot(DatasetId(f"{number:032x}")) == number
    with pytest.raises(SourceError, match="62 datasets"):
        state.ensure_slot(DatasetId("f" * 32))
    state.forget(DatasetId(f"{5:032x}"))
    assert state.ensure_slot(DatasetId("f" * 32)) == 5


@pytest.mark.parametrize("damage", ["garbage", "truncated", "tables"])
def test_a_damaged_database_is_moved_aside(tmp_path, damage):
    path = tmp_path / "state.db"
    before = _open(path)
    epoch = before.epoch
    before.close()
    if damage == "garbage":
        path.write_bytes(b"no database at all" * 1000)
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    else:
        import sqlite3

        with sqlite3.connect(path) as database:
            database.execute("DROP TABLE rows")
        database.close()
    after = _open(path)
    assert after.epoch != epoch
    assert [finding.code for finding in after.findings] == ["state-damaged"]
    assert (tmp_path / "state.db.corrupt-1").exists()
    after.close()


def test_damage_found_in_a_run_makes_room_for_a_fresh_state(machine):
    for number in range(3000):
        (machine.source / f"file-with-a-longer-name-{number}").write_bytes(b"")
    docs = machine.dataset()
    machine.run(docs)
    machine.state.close()
    path = machine.home / "state.db"
    content = bytearray(path.read_bytes())
    content[90 * 8192 : -8192] = os.urandom(len(content) - 91 * 8192)
    path.write_bytes(content)
    machine.open()
    with pytest.raises(SourceError, match="damaged"):
        machine.run(docs)
    machine.open()
    docs.seq = None
    machine.run(docs)
    assert machine.below(docs) == machine.facts()


def test_base_for(state):
    assert state.base_for(DATASET, None) is None
    state.ensure_slot(DATASET)
    run = state.next_run()
    assert state.base_for(DATASET, Cursor(state.epoch, run)) == run
    assert state.base_for(DATASET, Cursor(Epoch("0" * 32), run)) is None
    assert state.base_for(DATASET, Cursor(state.epoch, run + 1)) is None
    assert state.is_behind(Cursor(state.epoch, run + 1))
    state.next_run()
    state.drop_tombstones(DATASET, run + 1)
    assert state.base_for(DATASET, Cursor(state.epoch, run)) is None
    epoch = state.epoch
    assert state.renew_epoch() != epoch
    assert state.base_for(DATASET, Cursor(epoch, run + 1)) is None


def test_tombstones_go_when_all_have_passed(machine):
    (machine.source / "a").write_bytes(b"a")
    (machine.source / "b").write_bytes(b"b")
    docs, late = machine.dataset(), machine.dataset()
    machine.run(docs, late)
    (machine.source / "a").unlink()
    machine.run(docs)
    key = walk_key(machine.root + b"/a")
    machine.state.drop_tombstones(docs.dataset, late.seq)
    assert machine.state.row(key).departed
    machine.run(late)
    machine.state.drop_tombstones(docs.dataset, late.seq)
    assert machine.state.row(key) is None


def test_captured_at_only_rises(machine):
    docs = machine.dataset()
    machine.run(docs)
    future = utc(machine.clock.now_ns()) + timedelta(hours=23)
    machine.state.finish(Commit(dataset=docs.dataset, epoch=machine.state.epoch, seq=1, captured_at=future))
    assert not machine.run(docs).findings
    assert machine.last.captured_at > future
    machine.run(docs, scan=False)
    assert machine.last.captured_at == future


def test_a_clock_that_was_far_ahead_is_left_behind_and_one_that_was_lost_is_not_believed(machine):
    """All that follows a point of 2100 would bear its time: of runs of one moment keep rules leave one."""
    docs, mail = machine.dataset("docs"), machine.dataset("mail")
    machine.run(docs, mail)
    future, soon = datetime(2100, 1, 1, tzinfo=UTC), utc(machine.clock.now_ns()) + timedelta(hours=1)
    machine.state.finish(Commit(dataset=docs.dataset, epoch=machine.state.epoch, seq=1, captured_at=future))
    machine.state.finish(Commit(dataset=mail.dataset, epoch=machine.state.epoch, seq=1, captured_at=soon))
    result = machine.run(docs, mail)
    assert [finding.code for finding in result.findings] == ["clock-set-back"]
    assert [result.totals[each.dataset].warnings for each in (docs, mail)] == [1, 0]
    assert soon < machine.last.captured_at < soon + timedelta(seconds=1)
    machine.clock.ahead_ns = -40 * 365 * 86_400 * 10**9
    assert not machine.run(docs, mail).findings
    assert machine.last.captured_at > soon


def test_a_wiped_state_resynchronises_without_content(machine):
    (machine.source / "folder").mkdir()
    for number in range(10):
        (machine.source / "folder" / f"f{number}").write_bytes(os.urandom(100))
    (machine.source / "big").write_bytes(os.urandom(10 << 20))
    docs = machine.dataset()
    machine.run(docs)
    machine.run(docs)
    cursor = Cursor(machine.state.epoch, docs.seq)
    machine.state.close()
    (machine.home / "state.db").unlink()
    machine.open()
    assert machine.state.epoch != cursor.epoch
    assert machine.state.is_new(docs.dataset)
    machine.state.rebuild(machine.rules[docs.dataset], iter(docs.tree.values()))
    assert machine.state.epoch != cursor.epoch
    docs.seq = machine.state.base_for(docs.dataset, cursor)
    assert docs.seq is None
    (machine.source / "folder/f0").unlink()
    (machine.source / "new").write_bytes(b"new")
    result = machine.run(docs)
    assert result.counters.read_bytes == 3
    assert machine.last.reader.opened == 1
    assert machine.below(docs) == machine.facts()


def test_rebuild_beside_other_datasets_keeps_the_epoch(machine):
    (machine.source / "a").write_bytes(b"a")
    other, docs = machine.dataset("other"), machine.dataset("docs")
    machine.run(docs)
    cursor = Cursor(machine.state.epoch, docs.seq)
    machine.state.close()
    (machine.home / "state.db").unlink()
    machine.open()
    machine.run(other)
    epoch = machine.state.epoch
    machine.state.rebuild(machine.rules[docs.dataset], iter(docs.tree.values()))
    assert machine.state.epoch == epoch
    docs.seq = machine.state.base_for(docs.dataset, cursor)
    assert docs.seq is None
    assert machine.run(docs).counters.read_bytes == 0
    assert machine.below(docs) == machine.facts()


def test_rebuild_only_what_is_new(machine):
    docs = machine.dataset()
    machine.run(docs)
    with pytest.raises(Conflict):
        machine.state.rebuild(machine.rules[docs.dataset], [])


def test_a_failed_rebuild_leaves_nothing(machine):
    docs = machine.dataset()

    def listing():
        yield Entry(path=b"/", kind=Kind.DIRECTORY, mode=0o755)
        raise OSError("the receiver went away")

    with pytest.raises(OSError, match="went away"):
        machine.state.rebuild(machine.rules[docs.dataset], listing())
    assert machine.state.is_new(docs.dataset)
    assert machine.state.run == 0


entries = st.builds(
    Entry,
    path=st.just(b"/a/\xff"),
    kind=st.sampled_from(Kind),
    mode=st.integers(0, 0o7777),
    inode=st.integers(0, 2**64 - 1),
    device=st.integers(0, 2**64 - 1),
    size_bytes=st.integers(0, 2**62),
    mtime_ns=st.integers(-(2**62), 2**62),
    link_target=st.binary(max_size=8),
)


@given(entry=entries)
def test_rows_keep_entries_whole(entry):
    row = row_of(entry, members=1, run=1)
    assert row.entry() == entry
    assert -(2**63) <= row.inode < 2**63
    assert row.key == b"\x00a\x00\xff"


def test_signed():
    assert signed(5) == 5
    assert signed(2**64 - 1) == -1


def test_writing_a_row_nobody_needs_drops_it(state):
    row = row_of(Entry(path=b"/a", kind=Kind.FILE, mode=0o644), members=1, run=1)
    state.write_rows([row])
    assert state.row(row.key) == row
    state.write_rows([Row(row.key, 0, 0, 0, 2, 0, 8, 0, 0, 0, 0, b"")])
    assert state.row(row.key) is None

"""Totals and lists of changed keys: true after anything, made anew where they are missing, and never longer than they are worth."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.capture import accounts
from holdfast.capture.rows import SCHEMA, SUSPECT, Row, row_of
from holdfast.capture.state import CaptureState
from holdfast.core.entropy import SystemEntropy
from holdfast.core.ids import DatasetId
from holdfast.model.document import Classification
from holdfast.model.entry import Entry, Kind, walk_key
from holdfast.model.rules import DatasetRule
from tests.capture.accounts_check import check_accounts
from tests.capture.conftest import SCRATCH

DATASETS = tuple(DatasetId(f"{number:032x}") for number in range(3))
NUMBERS = st.integers(0, 11)
WRITES = st.lists(st.tuples(NUMBERS, st.integers(0, 7), st.integers(0, 7), st.integers(0, 5), st.booleans()), max_size=8)
ACTS = st.one_of(
    st.tuples(st.just("write"), WRITES),
    st.tuples(st.just("write"), WRITES),
    st.tuples(st.just("run"), st.none()),
    st.tuples(st.just("run"), st.none()),
    st.tuples(st.just("forget"), st.integers(0, 2)),
    st.tuples(st.just("passed"), st.tuples(st.integers(0, 2), st.integers(0, 3))),
    st.tuples(st.just("rebuild"), st.integers(0, 2)),
    st.tuples(st.just("reopen"), st.none()),
    st.tuples(st.just("older"), st.none()),
)


def _entry(number: int, size: int = 0, kind: Kind = Kind.FILE) -> Entry:
    return Entry(path=b"/srv/%d" % number, kind=kind, mode=0o644, size_bytes=size if kind is Kind.FILE else 0, inode=number)


def _rows(state: CaptureState, writes: list[tuple[int, int, int, int, bool]]) -> list[Row]:
    """As a run writes them: what only was looked at again keeps its number."""
    rows = []
    known = {slot for slot in range(3) if state.slot(DATASETS[slot]) == slot}
    mask = sum(1 << slot for slot in known)
    for number, members, departed, size, looked in writes:
        members, departed = members & mask, departed & mask & ~members
        row = state.row(walk_key(b"/srv/%d" % number))
        if looked and row is not None:
            rows.append(row_of(row.entry(), members=row.members, run=row.run, flags=SUSPECT))
            rows[-1] = Row(*[*_values(rows[-1])[:2], row.departed, row.strayed, *_values(rows[-1])[4:]])
        else:
            made = row_of(_entry(number, size, Kind.DIRECTORY if size == 5 else Kind.FILE), members=members, run=state.run)
            rows.append(Row(*[*_values(made)[:2], departed, 0, *_values(made)[4:]]))
    return rows


def _values(row: Row) -> list[object]:
    return [getattr(row, name) for name in Row.__struct_fields__]


def _rule(number: int) -> DatasetRule:
    classification = Classification(paths=("/srv",))
    return DatasetRule(id=DATASETS[number], label="x", policy="x", classification=classification, operations=())


def _make_older(path: Path) -> None:
    """As version 1 left it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for index in ("tombstones", "flagged", "rows_by_inode"):
            database.execute(f"DROP INDEX IF EXISTS {index}")
        for table in ("totals", "runs", "changed"):
            database.execute(f"DROP TABLE {table}")
        database.execute("PRAGMA user_version = 1")


def _act(state: CaptureState, act: str, value: object) -> CaptureState:
    if act == "write":
        state.write_rows(_rows(state, value))  # type: ignore[arg-type]
    elif act == "run":
        state.next_run()
    elif act == "forget":
        state.forget(DATASETS[int(value)])  # type: ignore[call-overload]
    elif act == "passed":
        number, ago = value  # type: ignore[misc]
        state.drop_tombstones(DATASETS[number], max(state.run - ago, 0))
    elif act == "rebuild" and state.is_new(DATASETS[int(value)]):  # type: ignore[call-overload]
        state.rebuild(_rule(int(value)), [_entry(number, number) for number in (1, 2, 2, 3)])  # type: ignore[call-overload]
    elif act in ("reopen", "older"):
        state.close()
        if act == "older":
            _make_older(state.path)
        return CaptureState.open(state.path, entropy=SystemEntropy())
    return state


def _check(state: CaptureState) -> None:
    check_accounts(state.path)
    with closing(sqlite3.connect(state.path)) as database:
        rows = database.execute("SELECT key, members, departed, run, kind, size FROM rows").fetchall()
        horizons = dict(database.execute("SELECT slot, horizon FROM datasets"))
    for number, dataset in enumerate(DATASETS):
        bit = 1 << (state.slot(dataset) or 0)
        if state.slot(dataset) is None:
            assert state.is_new(dataset)
            continue
        assert state.count_members(bit) == sum(bool(row[1] & bit) for row in rows)
        assert state.is_new(dataset) == (not any((row[1] | row[2]) & bit for row in rows)), number
        for base in (-1, *range(horizons[bit.bit_length() - 1], state.run + 1)):
            lacking = [row[0] for row in sorted(rows) if (row[1] | row[2]) & bit and base < row[3] <= state.run]
            assert [row.key for row in state.lacking.rows({bit: base}, state.run + 1)] == lacking
            size = sum(row[5] for row in rows if row[1] & bit and row[4] == 8 and base < row[3] <= state.run)
            assert state.lacking.size_bytes((base, state.run + 1), bit) == size


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(acts=st.lists(ACTS, max_size=30))
def test_they_are_true_after_anything(acts: list[tuple[str, object]]) -> None:
    small = mock.patch.multiple(accounts, MOST_LISTED=4, MOST_LOOKED_UP=8, MOST_RUNS=3, MOST_KEYS=9, _TIDY_EVERY=2, _KEYS_PER_STATEMENT=2)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder, small:
        state = CaptureState.open(Path(folder) / "state.db", entropy=SystemEntropy())
        try:
            for dataset in DATASETS:
                state.ensure_slot(dataset)
            state.next_run()
            for act, value in acts:
                state = _act(state, act, value)
            _check(state)
        finally:
            state.close()


def test_a_state_of_version_1_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(f"{SCHEMA} PRAGMA user_version = 1;")
        database.executemany("INSERT INTO meta VALUES (?, ?)", [("epoch", "e" * 32), ("run", 7), ("synced", 3)])
        database.execute("INSERT INTO datasets (slot, id, horizon) VALUES (0, ?, 1)", (DATASETS[0],))
        rows = [row_of(_entry(number, 10), members=1, run=5 if number else 7) for number in range(3)]
        database.executemany(f"INSERT INTO rows VALUES ({','.join('?' * 12)})", [_values(row) for row in rows])
        database.commit()
    for _ in range(2):
        state = CaptureState.open(path, entropy=SystemEntropy())
        assert (state.epoch, state.run, state.findings) == ("e" * 32, 7, ())
        assert state.totals(1) == {1: (3, 30)}
        assert not state.is_new(DATASETS[0])
        assert [row.key for row in state.lacking.rows({1: 5}, 8)] == [walk_key(b"/srv/0")]
        check_accounts(path)
        state.close()


@pytest.mark.parametrize("lost", ["DELETE FROM totals", "DROP TABLE totals", "UPDATE totals SET files = -9"])
def test_totals_that_are_lost_are_counted_anew(tmp_path: Path, lost: str) -> None:
    state = CaptureState.open(tmp_path / "state.db", entropy=SystemEntropy())
    slot = state.ensure_slot(DATASETS[0])
    state.next_run()
    state.write_rows([row_of(_entry(number, 10), members=1 << slot, run=state.run) for number in range(3)])
    state.close()
    with closing(sqlite3.connect(state.path)) as database:
        database.execute(lost)
        database.commit()
    state = CaptureState.open(state.path, entropy=SystemEntropy())
    state.write_rows([row_of(_entry(5, 10), members=1 << slot, run=state.run)])
    assert state.totals(1) == {1: (4, 40)}
    state.close()

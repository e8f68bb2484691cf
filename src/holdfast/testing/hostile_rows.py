"""A database whose rows somebody, or a failing disk, has changed: any value of any row by any other that SQLite can hold."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from hypothesis import strategies as st

VALUES = st.one_of(
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.sampled_from([0, 1, -1, 1 << 62, -(1 << 62)]),
    st.floats(allow_nan=False),
    st.text(max_size=20),
    st.sampled_from(["", "{}", '{"epoch":1}', "../../etc/passwd", "put", "9" * 40]),
    st.binary(max_size=40),
    st.sampled_from([b"", b"\x00", b"\x90", b"\xdd\xff\xff\xff\xff", b"\x91" * 5_000, b"\xff\xfe", b"srv\x00..\x00x"]),
    st.none(),
)
Change = tuple[int, int, int, object]
CHANGES = st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 1 << 30), st.integers(0, 1 << 30), VALUES), min_size=1, max_size=3)


def spoil(path: Path, changes: list[Change]) -> list[str]:
    """Each change picks a table, a row and a column, by number. What was changed; what a constraint forbids was not."""
    done = []
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")]
        filled = [table for table in sorted(tables) if database.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()]
        for table_number, row_number, column_number, value in changes:
            table = filled[table_number % len(filled)]
            facts = database.execute(f"PRAGMA table_info({table})").fetchall()
            keys = [fact[1] for fact in facts if fact[5]]
            rows = database.execute(f"SELECT {','.join(keys)} FROM {table} ORDER BY 1").fetchall()
            column = facts[column_number % len(facts)][1]
            where = " AND ".join(f"{key} IS ?" for key in keys)
            row = rows[row_number % len(rows)]
            with suppress(sqlite3.IntegrityError):
                database.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (value, *row))
                done.append(f"{table}.{column} of {row!r} = {value!r}")
    return done

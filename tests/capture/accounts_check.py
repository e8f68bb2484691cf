"""Whether what a state knows of its rows without looking at them is true."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def check_accounts(path: Path) -> None:
    """The totals are those of a count, and every row is found by the run that changed it."""
    with closing(sqlite3.connect(path)) as database:
        counted = database.execute(
            "SELECT members, count(*), sum(kind = 8), sum(CASE WHEN kind = 8 THEN size ELSE 0 END) FROM rows WHERE members GROUP BY members"
        ).fetchall()
        kept = database.execute("SELECT * FROM totals WHERE entries ORDER BY members").fetchall()
        assert sorted(counted) == sorted(kept)
        # Whom nobody has to be told any more is not written down.
        horizons = dict(database.execute("SELECT 1 << slot, horizon FROM datasets"))
        for run, key, bits in database.execute("SELECT run, key, members | departed FROM rows"):
            needed = sum(bit for bit, horizon in horizons.items() if bits & bit and run > horizon)
            found = database.execute("SELECT bits, listed FROM runs WHERE run = ?", (run,)).fetchone()
            known, listed = (
                found or database.execute("SELECT bits, listed FROM runs WHERE run > ? ORDER BY run", (run,)).fetchone() or (0, -1)
            )
            assert not needed & ~known
            assert not needed or listed < 0 or database.execute("SELECT 1 FROM changed WHERE run = ? AND key = ?", (run, key)).fetchone()

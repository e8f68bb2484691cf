"""What is known of all rows together without looking at them: how many there are, and which runs changed which.

Kept in the transaction that writes the rows, so that both are always of one age. `totals` holds counts by combination of memberships.
`runs` holds for each run the datasets whose rows it changed, and `changed` the keys, unless there were too many to list: then whoever
lacks that run looks at all rows. What every receiver has passed is dropped; what gets old is joined into one entry without a list.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from holdfast.capture.rows import FILE_CODE, Row
from holdfast.core.local_database import insert_many

# More keys of one run, or of all runs somebody lacks, are not worth a list: one look at all rows costs about as much.
MOST_LISTED = 4_096
MOST_LOOKED_UP = 50_000
# As many runs, and keys of all runs, are remembered one by one.
MOST_RUNS = 4_096
MOST_KEYS = 200_000
_TIDY_EVERY = 256
_KEYS_PER_STATEMENT = 500

_COUNT = f"members, count(*), sum(kind = {FILE_CODE}), sum(CASE WHEN kind = {FILE_CODE} THEN size ELSE 0 END) FROM rows"
_ADD = (
    "INSERT INTO totals VALUES (?, ?, ?, ?) ON CONFLICT (members) DO UPDATE SET"
    " entries = entries + excluded.entries, files = files + excluded.files, size = size + excluded.size"
)


class Accounts:
    """Of one database; every method is called inside a transaction of its owner where it writes."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        # A run that still writes is not joined with others: what it changes from now on must be found under its own number.
        self.oldest_open: int | None = None

    def ensure(self) -> None:
        """Count anew where nothing is counted: the database is of an older Holdfast, or somebody dropped the tables."""
        if self._holds("totals") or not self._holds("rows"):
            return
        self._database.execute("BEGIN IMMEDIATE")
        self.recount()
        bits_by_run: dict[int, int] = {}
        for run, bits in self._database.execute("SELECT DISTINCT run, members | departed FROM rows"):
            bits_by_run[run] = bits_by_run.get(run, 0) | bits
        self._database.execute("DELETE FROM runs")
        self._database.execute("DELETE FROM changed")
        insert_many(self._database, "runs", [(run, bits, -1) for run, bits in bits_by_run.items()])
        self._database.execute("COMMIT")

    def recount(self) -> None:
        self._database.execute("DELETE FROM totals")
        self._database.execute(f"INSERT INTO totals SELECT {_COUNT} WHERE members GROUP BY members")

    def before_write(self, rows: Sequence[Row], run: int) -> None:
        """These rows, each key once, are about to take the place of what is there; `run` is the run that writes them."""
        if not rows:
            return
        keys = [row.key for row in rows]
        deltas: dict[int, list[int]] = {}
        # A first run meets nothing and asks once per batch.
        if self._database.execute("SELECT 1 FROM rows WHERE key BETWEEN ? AND ? LIMIT 1", (min(keys), max(keys))).fetchone():
            for some in _some(keys):
                where = f"WHERE members AND key IN ({','.join('?' * len(some))}) GROUP BY members"
                for members, entries, files, size in self._database.execute(f"SELECT {_COUNT} {where}", some):
                    _count(deltas, members, (-entries, -files, -size))
        for row in rows:
            if row.members:
                counted = deltas.get(row.members)
                if counted is None:
                    counted = deltas[row.members] = [0, 0, 0]
                counted[0] += 1
                if row.kind == FILE_CODE:
                    counted[1] += 1
                    counted[2] += row.size
        changed = [(members, *delta) for members, delta in deltas.items() if any(delta)]
        self._database.executemany(_ADD, changed)
        self._note(rows, run)

    def after_write(self) -> None:
        """Counts that cannot be are counted anew: somebody else has changed the rows."""
        if self._database.execute("SELECT 1 FROM totals WHERE entries < 0 OR files < 0 OR size < 0 LIMIT 1").fetchone():
            self.recount()

    def forget(self, bit: int) -> None:
        """The dataset's rows are about to leave, tombstones and all."""
        deltas: dict[int, list[int]] = {}
        for members, entries, files, size in self._database.execute("SELECT members, entries, files, size FROM totals").fetchall():
            _count(deltas, members & ~bit, (entries, files, size))
        self._database.execute("DELETE FROM totals")
        insert_many(self._database, "totals", [(members, *delta) for members, delta in deltas.items() if members])
        self.drop_runs(bit, None)

    def drop_runs(self, bit: int, passed: int | None) -> None:
        """Nobody needs to be told what runs up to `passed` (None = all) changed of the dataset."""
        where = "bits & ?1" if passed is None else "bits & ?1 AND run <= ?2"
        values = (bit,) if passed is None else (bit, passed)
        self._database.execute(f"UPDATE runs SET bits = bits & ~?1 WHERE {where}", values)
        self._drop("bits = 0")

    def totals(self, mask: int) -> dict[int, tuple[int, int]]:
        """By combination of `mask`'s slots: how many files, and their bytes."""
        query = "SELECT members & ?1, sum(files), sum(size) FROM totals WHERE members & ?1 GROUP BY members & ?1"
        return {int(members): (int(files), int(size)) for members, files, size in self._database.execute(query, (mask,)) if files}

    def count_members(self, bit: int) -> int:
        return int(self._database.execute("SELECT ifnull(sum(entries), 0) FROM totals WHERE members & ?", (bit,)).fetchone()[0])

    def has_changed(self, mask: int, after: int) -> bool:
        """Whether a run behind `after` changed a row that concerns one of these datasets."""
        return self._database.execute("SELECT 1 FROM runs WHERE run > ? AND bits & ? LIMIT 1", (after, mask)).fetchone() is not None

    def changed_keys(self, runs: tuple[int, int], mask: int) -> list[bytes] | None:
        """Keys, in walk order, of all rows that concern `mask` and were changed after runs[0] and before runs[1], and perhaps of others;
        None where they are not listed."""
        where, values = "WHERE runs.run > ? AND runs.run < ? AND bits & ?", (*runs, mask)
        least, listed = self._database.execute(f"SELECT min(listed), sum(listed) FROM runs {where}", values).fetchone()
        if least is None:
            return []
        if least < 0 or listed > MOST_LOOKED_UP:
            return None
        found = self._database.execute(f"SELECT DISTINCT key FROM runs JOIN changed USING (run) {where}", values).fetchall()
        return sorted(key for (key,) in found)

    def _note(self, rows: Iterable[Row], run: int) -> None:
        """Only what bears the number of the run was changed; the others were looked at and found as they were."""
        bits = 0
        for row in rows:
            if row.run == run:
                bits |= row.members | row.departed
        if not bits:
            return
        known = self._database.execute("SELECT bits, listed FROM runs WHERE run = ?", (run,)).fetchone()
        before, listed = (0, 0) if known is None else known
        if known is None and run % _TIDY_EVERY == 0:
            self._tidy()
        if listed >= 0:
            keys = [(run, row.key) for row in rows if row.run == run and (row.members or row.departed)]
            listed += len(keys)
            if listed > MOST_LISTED:
                self._database.execute("DELETE FROM changed WHERE run = ?", (run,))
                listed = -1
            else:
                insert_many(self._database, "changed", keys)
        if (before | bits, listed) != known:
            self._database.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", (run, before | bits, listed))

    def _tidy(self) -> None:
        """Join the oldest runs into one entry, so that a receiver that stays away costs no more than a look at all rows."""
        keys = 0
        for number, (run, listed) in enumerate(self._database.execute("SELECT run, listed FROM runs ORDER BY run DESC").fetchall()):
            keys += max(listed, 0)
            if (number >= MOST_RUNS or keys > MOST_KEYS) and (self.oldest_open is None or run < self.oldest_open):
                bits = 0
                for (some,) in self._database.execute("SELECT bits FROM runs WHERE run <= ?", (run,)):
                    bits |= some
                self._drop("run <= ?", run)
                self._database.execute("INSERT INTO runs VALUES (?, ?, -1)", (run, bits))
                return

    def _drop(self, where: str, *values: int) -> None:
        self._database.execute(f"DELETE FROM changed WHERE run IN (SELECT run FROM runs WHERE {where})", values)
        self._database.execute(f"DELETE FROM runs WHERE {where}", values)

    def _holds(self, table: str) -> bool:
        return self._database.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None


def _count(deltas: dict[int, list[int]], members: int, by: tuple[int, int, int]) -> None:
    counted = deltas.setdefault(members, [0, 0, 0])
    for place, number in enumerate(by):
        counted[place] += number


def _some(keys: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
    return (keys[start : start + _KEYS_PER_STATEMENT] for start in range(0, len(keys), _KEYS_PER_STATEMENT))

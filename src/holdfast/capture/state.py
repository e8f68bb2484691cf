"""The capture state of a node: `state.db`, what was captured of every path and which receivers still have to hear of it.

Durability. All is written to one log, in order: the run number before anything that bears it, the rows, and the commits in `finish`, which
writes the log through; only then may a receiver hear of the commit. (A run of everything has written its rows through before its iteration
ends.) A power cut in a run thus loses rows of that run only, and perhaps its number, which nobody has committed then; the next run finds
and sends those changes again.

Epoch. A random id made with the database, and never taken from a receiver: another one may stand further in that epoch, and runs made
anew under its numbers would pass for those it has seen. Cursors of another epoch say nothing here.

Horizon. Per dataset the seq below which removals are no longer known (tombstones were dropped, or the rows were rebuilt from a listing).
A receiver below it needs a full commit; `base_for` decides.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from holdfast.capture.accounts import Accounts
from holdfast.capture.archivable import Archivable
from holdfast.capture.database import disk_error, is_sound, moved_aside, open_database, open_reader, state_errors
from holdfast.capture.lacking import Lacking
from holdfast.capture.rows import COLUMNS, INODE_INDEX, MAX_DATASETS, RESTLESS, SUSPECT, WITHDRAWN, Row, row_of, signed
from holdfast.core.entropy import Entropy
from holdfast.core.errors import Conflict, SourceError
from holdfast.core.ids import DatasetId, Epoch, new_id
from holdfast.core.local_database import insert_many, is_damage, move_aside, written_through
from holdfast.model.change import Amount, Commit, Cursor
from holdfast.model.entry import Entry, path_of, walk_key
from holdfast.model.jobs import Finding
from holdfast.model.rules import DatasetRule

_REBUILD_BATCH = 2_000


class CaptureState:
    """Safe to use from several threads; each dataset is in one capture run at a time (`running`), and so are datasets that share paths:
    their rows are the same. Close it when done."""

    def __init__(self, path: Path, database: sqlite3.Connection, entropy: Entropy, findings: tuple[Finding, ...]) -> None:
        self.path = path
        self.findings = findings
        self._database = database
        self._accounts = Accounts(database)
        self._entropy = entropy
        self._lock = threading.RLock()
        self.lacking = Lacking(database, self._lock, self._accounts)
        self.archivable = Archivable(database, self._lock)
        self._running: list[tuple[int, int]] = []
        self._epoch = Epoch(str(self._meta("epoch")))
        self._run = int(self._meta("run"))

    @classmethod
    def open(cls, path: Path, *, entropy: Entropy) -> CaptureState:
        """Open or create. A damaged database is moved aside as `NAME.corrupt-N` and a fresh one with a new epoch takes its place;
        `findings` then says so. Raises `NoSpace`, or `SourceError` when the folder cannot be written.
        """
        findings: tuple[Finding, ...] = ()
        with state_errors(path):
            try:
                database = open_database(path, entropy)
            except OSError as error:
                raise disk_error(path, error) from error
            except Exception as error:
                if not is_damage(error, lambda: False):
                    raise
                findings = (moved_aside(path, move_aside(path), str(error)),)
                database = open_database(path, entropy)
        return cls(path, database, entropy, findings)

    @property
    def epoch(self) -> Epoch:
        return self._epoch

    @property
    def run(self) -> int:
        """The number of the newest run, finished or not."""
        return self._run

    def close(self) -> None:
        with self._lock:
            self._database.close()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """For whoever uses it: raises `NoSpace` or `SourceError` where SQLite raises its own.

        A database that turned out damaged in use is moved aside. This object is of no use after; `open` makes a fresh one.
        """
        with state_errors(self.path):
            try:
                yield
            except Exception as error:
                if not is_damage(error, lambda: is_sound(self.path)):
                    raise
                self.close()
                with suppress(OSError):
                    move_aside(self.path)
                hint = "run again: a fresh state is made and rebuilt from the receivers"
                raise SourceError(f"the capture state {self.path} is damaged: {error}", hint=hint) from error

    # Datasets

    def slot(self, dataset: DatasetId) -> int | None:
        with self._lock:
            found = self._database.execute("SELECT slot FROM datasets WHERE id = ?", (dataset,)).fetchone()
            return None if found is None else int(found[0])

    def ensure_slot(self, dataset: DatasetId) -> int:
        """The dataset's bit number, given out at first use. Raises `SourceError` when all are taken."""
        with self._lock:
            known = self.slot(dataset)
            if known is not None:
                return known
            taken = {int(slot) for (slot,) in self._database.execute("SELECT slot FROM datasets")}
            free = next((slot for slot in range(MAX_DATASETS) if slot not in taken), None)
            if free is None:
                raise SourceError(
                    f"this node already captures {MAX_DATASETS} datasets, the most there can be",
                    hint="join policies that share sources, or remove a policy from this node",
                )
            # Of runs before its first nothing is known, whatever cursor a receiver kept from an earlier life of the dataset.
            self._database.execute("INSERT INTO datasets (slot, id, horizon) VALUES (?, ?, ?)", (free, dataset, self._run + 1))
            return free

    def forget(self, dataset: DatasetId) -> None:
        """Drop all that is known of a dataset that this node no longer captures; its slot becomes free."""
        with self._lock:
            slot = self.slot(dataset)
            if slot is None:
                return
            bit = 1 << slot
            with self._writing():
                self._accounts.forget(bit)
                self._database.execute(
                    "UPDATE rows SET members = members & ~?1, departed = departed & ~?1, strayed = strayed & ~?1"
                    " WHERE (members | departed) & ?1",
                    (bit,),
                )
                self._database.execute("DELETE FROM rows WHERE members = 0 AND departed = 0")
                self._database.execute("DELETE FROM roots WHERE slot = ?", (slot,))
                self._database.execute("DELETE FROM datasets WHERE slot = ?", (slot,))

    def is_new(self, dataset: DatasetId) -> bool:
        """Whether nothing is known of the dataset: never captured, or the state was lost."""
        with self._lock:
            slot = self.slot(dataset)
            if slot is None:
                return True
            if self._accounts.count_members(1 << slot) or self.newest_commit(dataset) is not None:
                return False
            query = "SELECT 1 FROM rows INDEXED BY tombstones WHERE departed != 0 AND departed & ? LIMIT 1"
            return self._database.execute(query, (1 << slot,)).fetchone() is None

    def finish(self, *commits: Commit) -> None:
        """Remember the newest commit of each dataset, durably, and with it all that was written before. Call when the receivers have been
        served, and before any of them hears of the commit; once for all datasets of a run: it is one wait for the disk."""
        with self._lock:
            for commit in commits:
                slot = self.ensure_slot(commit.dataset)
                self._database.execute("UPDATE datasets SET finished = ? WHERE slot = ?", (msgspec.msgpack.encode(commit), slot))
            self.make_durable()

    def newest_commit(self, dataset: DatasetId) -> Commit | None:
        with self._lock:
            found = self._database.execute("SELECT finished FROM datasets WHERE id = ?", (dataset,)).fetchone()
        return None if found is None or found[0] is None else msgspec.msgpack.decode(found[0], type=Commit)

    def has_changed_since(self, commit: Commit) -> bool:
        """Whether the rows of the dataset hold more than its newest commit: a later run changed them and did not come to its end, or was
        of another dataset that shares paths."""
        with self._lock:
            slot = self.slot(commit.dataset)
            return slot is not None and self._accounts.has_changed(1 << slot, commit.seq)

    def base_for(self, dataset: DatasetId, cursor: Cursor | None) -> int | None:
        """The seq a receiver's commit may build on, None when it needs a full one: it has nothing, is of another epoch, is below the
        horizon, or is ahead of this state (then call `renew_epoch` first: this state is an old copy).
        """
        if cursor is None or cursor.epoch != self._epoch or cursor.seq > self._run:
            return None
        with self._lock:
            found = self._database.execute("SELECT horizon FROM datasets WHERE id = ?", (dataset,)).fetchone()
        return None if found is None or cursor.seq < int(found[0]) else cursor.seq

    @property
    def given_seq(self) -> int:
        """The last number that was given to a run."""
        return self._run

    def is_behind(self, cursor: Cursor | None) -> bool:
        """Whether a receiver has seen runs this state knows nothing of: the state was put back from an old copy."""
        return cursor is not None and cursor.epoch == self._epoch and cursor.seq > self._run

    def renew_epoch(self) -> Epoch:
        """A new epoch, durably: every receiver gets a full commit next, which sends no content that it has."""
        with self._lock:
            self._set_meta("epoch", new_id(self._entropy))
            self.make_durable()
            self._epoch = Epoch(str(self._meta("epoch")))
            return self._epoch

    def drop_tombstones(self, dataset: DatasetId, passed_seq: int) -> None:
        """Forget removals that every receiver has passed. A receiver below `passed_seq` that comes back later gets a full commit."""
        with self._lock:
            slot = self.slot(dataset)
            if slot is None:
                return
            bit = 1 << slot
            values = (bit, passed_seq)
            with self._writing():
                self.lacking.calm(slot, passed_seq)
                self._database.execute("UPDATE datasets SET horizon = max(horizon, ?) WHERE slot = ?", (passed_seq, slot))
                passed = "departed != 0 AND run <= ?2 AND departed & ?1"
                self._database.execute(f"DELETE FROM rows INDEXED BY tombstones WHERE {passed} AND departed = ?1 AND members = 0", values)
                self._database.execute(
                    f"UPDATE rows INDEXED BY tombstones SET departed = departed & ~?1, strayed = strayed & ~?1 WHERE {passed}", values
                )
                self._accounts.drop_runs(bit, passed_seq)

    def rebuild(self, rule: DatasetRule, entries: Iterable[Entry]) -> None:
        """Fill the rows of a dataset from a receiver's listing (walk order or not, parents of the roots included or not).

        The listing carries size, mtime, ctime and inode, so that files unchanged since need not even be opened. Every receiver then gets
        a full commit, of which no content travels that it has. Raises `Conflict` unless `is_new`; on any error the dataset is as new as
        before.
        """
        with self._lock:
            if not self.is_new(rule.id):
                raise Conflict(f"the state already knows {rule.label}", hint="rebuild only a dataset whose state was lost")
            seq = self._run + 1
            slot = self.ensure_slot(rule.id)
            with self._writing():
                self._fill(rule, 1 << slot, seq, entries)
                self._database.execute("UPDATE datasets SET horizon = ? WHERE slot = ?", (seq, slot))
                self._set_meta("run", seq)
            self.make_durable()
            self._run = seq

    def _fill(self, rule: DatasetRule, bit: int, seq: int, entries: Iterable[Entry]) -> None:
        roots = {os.fsencode(path) for path in rule.classification.paths}
        slot = bit.bit_length() - 1
        batch: list[Row] = []
        for entry in entries:
            row = row_of(entry, members=bit, run=seq, flags=SUSPECT if entry.unstable else 0)
            known = self.row(row.key)
            if known is not None:
                # Another dataset captured it already and knows better; this one only joins.
                row = msgspec.structs.replace(
                    known, members=known.members | bit, departed=known.departed & ~bit, strayed=known.strayed & ~bit, run=seq
                )
            batch.append(row)
            if entry.path in roots and entry.inode and entry.device:
                self.set_root(slot, entry.path, (entry.device, entry.inode, row.kind))
            if len(batch) >= _REBUILD_BATCH:
                self._put(batch, seq)
                batch.clear()
        self._put(batch, seq)

    # Runs, for `scan`

    def next_run(self) -> int:
        """The next run's number. It is never given again once anything that bears it is known to anybody: see `finish`."""
        with self._lock:
            self._set_meta("run", self._run + 1)
            self._run += 1
            return self._run

    @contextmanager
    def running(self, run: int, bits: int) -> Iterator[None]:
        """A run of these datasets is made. Raises `Conflict` when one of them is in another. That no path belongs to two runs
        that go on at once is for the callers to see to."""
        with self._lock:
            if run > self._run or any(bits & others for _, others in self._running):
                raise Conflict("another capture runs on this state", hint="wait for it to end; a dataset is captured by one run at a time")
            self._running.append((run, bits))
            self._accounts.oldest_open = min(number for number, _ in self._running)
        try:
            yield
        finally:
            with self._lock:
                self._running.remove((run, bits))
                self._accounts.oldest_open = min((number for number, _ in self._running), default=None)

    def roots(self, slot: int) -> dict[bytes, tuple[int, int, int]]:
        """Recorded (device, inode, kind) of the dataset's roots, signed as SQLite keeps them."""
        with self._lock:
            found = self._database.execute("SELECT path, device, inode, kind FROM roots WHERE slot = ?", (slot,)).fetchall()
        return {path: (device, inode, kind) for path, device, inode, kind in found}

    def set_root(self, slot: int, path: bytes, identity: tuple[int, int, int]) -> None:
        device, inode, kind = identity
        with self._lock:
            self._database.execute("INSERT OR REPLACE INTO roots VALUES (?, ?, ?, ?, ?)", (slot, path, signed(device), signed(inode), kind))

    def drop_root(self, slot: int, path: bytes) -> None:
        with self._lock:
            self._database.execute("DELETE FROM roots WHERE slot = ? AND path = ?", (slot, path))

    def reader(self) -> sqlite3.Connection:
        """A connection of one's own for streaming reads; close it."""
        return open_reader(self.path)

    def row(self, key: bytes) -> Row | None:
        with self._lock:
            found = self._database.execute(f"SELECT {COLUMNS} FROM rows WHERE key = ?", (key,)).fetchone()
        return None if found is None else Row(*found)

    def write_rows(self, rows: Sequence[Row], run: int | None = None) -> None:
        """Put rows and drop those that no dataset needs any more; one transaction. `run`: the one that writes them; None = the newest."""
        with self._lock, self._writing():
            self._put(rows, run)

    def mark_withdrawn(self, path: bytes) -> None:
        """A receiver could not be given this version: the next run reads and sends the path again."""
        with self._lock:
            self._database.execute("UPDATE rows SET flags = flags | ? WHERE key = ?", (WITHDRAWN | RESTLESS, walk_key(path)))

    def paths_of_inode(self, inode: int) -> tuple[bytes, ...]:
        """All recorded names of this inode number, of whatever file system. The first call on a database makes an index, which takes about
        a second per million rows; the next ones cost nothing."""
        with self._lock:
            self._database.execute(INODE_INDEX)
            query = "SELECT key FROM rows INDEXED BY rows_by_inode WHERE inode = ? AND members ORDER BY key"
            found = self._database.execute(query, (signed(inode),)).fetchall()
        return tuple(path_of(key) for (key,) in found)

    def totals(self, mask: int) -> dict[int, tuple[int, int]]:
        """By combination of `mask`'s slots: how many files, and their bytes."""
        with self._lock:
            return self._accounts.totals(mask)

    def changed_in(self, dataset: DatasetId, run: int) -> Amount:
        """What the run changed of the dataset, as long as no later one has changed it again. Of a run that changed so much that it is not
        listed, the first among them, it is all that the dataset holds."""
        with self._lock:
            slot = self.slot(dataset)
            listed = self._database.execute("SELECT listed FROM runs WHERE run = ?", (run,)).fetchone()
            if slot is None or listed is None:
                return Amount()
            bit = 1 << slot
            if listed[0] < 0:
                return Amount(self._accounts.count_members(bit), sum(size for _, size in self._accounts.totals(bit).values()))
            query = "SELECT COUNT(*) FROM changed JOIN rows USING (key) WHERE changed.run = ? AND rows.run = ? AND (members | departed) & ?"
            (changes,) = self._database.execute(query, (run, run, bit)).fetchone()
            return Amount(changes, self.lacking.size_bytes((run - 1, run + 1), bit))

    def count_members(self, bit: int) -> int:
        """How many paths belong to the dataset."""
        with self._lock:
            return self._accounts.count_members(bit)

    def make_durable(self) -> None:
        """All written so far survives a power cut."""
        with self._lock, written_through(self._database):
            self._database.execute("UPDATE meta SET value = value + 1 WHERE name = 'synced'")

    def _put(self, rows: Sequence[Row], run: int | None = None) -> None:
        """Within a transaction."""
        if len({row.key for row in rows}) < len(rows):
            rows = list({row.key: row for row in rows}.values())
        self._accounts.before_write(rows, self._run if run is None else run)
        self._insert([row for row in rows if row.members or row.departed])
        if gone := [(row.key,) for row in rows if not (row.members or row.departed)]:
            self._database.executemany("DELETE FROM rows WHERE key = ?", gone)
        self._accounts.after_write()

    def _insert(self, rows: Sequence[Row]) -> None:
        insert_many(self._database, "rows", [msgspec.structs.astuple(row) for row in rows])

    def _meta(self, name: str) -> str | int:
        found: tuple[str | int] = self._database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return found[0]

    def _set_meta(self, name: str, value: str | int) -> None:
        self._database.execute("UPDATE meta SET value = ? WHERE name = ?", (value, name))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

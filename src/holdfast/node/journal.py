"""The agent's durable records: jobs, reports the Master has not acknowledged, and what schedules and status are judged from.

SQLite at `HOME/node.db`, WAL with full synchronisation: what returned is on disk. Used by the event loop's thread alone; each call is one
short transaction. Bounded: of ended jobs the newest 10,000 stay (longer while the Master has not got them), of waiting events 50,000, of
events the Master has 5,000, for a Master that comes back from a backup.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from holdfast.core.clock import Clock, utc
from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import DatasetId, JobId, NodeId
from holdfast.core.local_database import open_or_replace
from holdfast.core.log_session import LogSession
from holdfast.model.change import Amount
from holdfast.model.decoding import UNREADABLE
from holdfast.model.jobs import ENDED, Event, Job
from holdfast.model.log_sessions import began_event
from holdfast.node.worker_messages import RunCascade, RunDatasets, RunDrill, RunMaintenance, RunRecall, RunRestore, RunUndo
from holdfast.wire.hub_messages import Report

_logger = logging.getLogger(__name__)
KEPT_JOBS = 10_000
KEPT_EVENTS = 50_000
KEPT_TOLD_EVENTS = 5_000
MOST_REPORT_BYTES = 16 * 1024 * 1024
"""Of the records in a report, as they are kept. Short numbers take more in a message, but it stays below the hub's 64 MiB even so."""
_SHORT = 2_000

T = TypeVar("T")
Request = RunDatasets | RunCascade | RunRestore | RunUndo | RunRecall | RunDrill | RunMaintenance

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, created_ns INTEGER NOT NULL, ended INTEGER NOT NULL, body BLOB NOT NULL, request BLOB);
CREATE INDEX IF NOT EXISTS jobs_by_age ON jobs (ended, created_ns);
CREATE TABLE IF NOT EXISTS outbox (number INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT UNIQUE, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS told_events (number INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS protection (
    dataset TEXT NOT NULL, operation TEXT NOT NULL, action TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (dataset, operation, action)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS care (repository TEXT NOT NULL, kind TEXT NOT NULL, at_ns INTEGER NOT NULL,
    PRIMARY KEY (repository, kind)) WITHOUT ROWID;
"""


class ProtectionRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One (dataset, operation, action).

    `attempted_ns`: start of the last run that was to mark it. `captured_ns`: capture time of the last acknowledged commit. `since_ns`:
    when it came into the rules. `missed`: runs since then that this action did not take. `capture_failed`: `error` is of a run that had
    nothing to send, `error_since_ns` when errors of its kind began. `newest_ns`: the newest capture that there is for it,
    `behind`: finished runs it has not acknowledged, the first of them captured at `behind_since_ns`. `owed`: what these
    runs changed, each for itself; None = not known of all.
    """

    dataset: DatasetId
    operation: str
    action: str
    since_ns: int
    attempted_ns: int | None = None
    captured_ns: int | None = None
    missed: int = 0
    error: ErrorFacts | None = None
    capture_failed: bool = False
    newest_ns: int | None = None
    behind: int = 0
    behind_since_ns: int | None = None
    error_since_ns: int | None = None
    owed: Amount | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        return self.dataset, self.operation, self.action


class Unfinished(msgspec.Struct, frozen=True):
    """A job that had not ended when the journal was opened, and what its worker was to be told (None = not readable any more)."""

    job: Job
    request: Request | None


class Journal:
    """Raises `sqlite3.Error` when the disk fails: the agent then stops, because it could not keep its word.

    A damaged file is moved aside as NAME.corrupt-N when it is opened, and a record that cannot be read is left out; both are logged.
    """

    def __init__(self, path: Path, *, clock: Clock, session: LogSession | None = None) -> None:
        self._clock, self._session = clock, session
        # Report numbers must rise even when this file was lost and made anew: a fresh one begins at the clock's milliseconds.
        first = (
            f"INSERT INTO sqlite_sequence (name, seq) SELECT 'outbox', {clock.now_ns() // 1_000_000} "
            "WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'outbox');"
        )
        self._db, replaced = open_or_replace(path, synchronous="FULL", schema=_SCHEMA + first)
        if replaced is not None:
            # A node without a past goes on protecting; one that cannot start does not.
            facts = {"facts": {"path": str(path), "aside": replaced.aside.name, "error": replaced.error}}
            _logger.error("the journal was damaged and a fresh one was made: reports that waited are lost", extra=facts)

    def close(self) -> None:
        self._db.close()

    def record_job(self, job: Job, request: Request | None = None) -> None:
        """Keep the job as it stands and put it in the outbox, where a newer state takes the place of one not yet acknowledged."""
        body, ended = msgspec.json.encode(job), job.state in ENDED
        created_ns = int(job.created_at.timestamp() * 1_000_000_000)
        with self._transaction():
            self._db.execute(
                "INSERT INTO jobs VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET ended = excluded.ended, body = excluded.body, "
                "request = CASE WHEN excluded.ended THEN NULL ELSE coalesce(excluded.request, request) END",
                (job.id, created_ns, ended, body, None if request is None or ended else msgspec.json.encode(request)),
            )
            self._db.execute("DELETE FROM outbox WHERE job = ?", (job.id,))
            self._db.execute("INSERT INTO outbox (job, body) VALUES (?, ?)", (job.id, body))

    def mark_session(self, node: NodeId) -> None:
        """The line with which the session begins, before all others of it."""
        if self._session is not None:
            self.record_event(began_event(self._session, node))

    def record_event(self, event: Event) -> None:
        """A line for which the disk has no room is let go: that a disk is full must not end the agent, which says so in its status."""
        try:
            self._put_event(event)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise

    def _put_event(self, event: Event) -> None:
        if self._session is not None:
            event = msgspec.structs.replace(event, session=self._session.id)
        with self._transaction():
            row = self._db.execute("INSERT INTO outbox (job, body) VALUES (NULL, ?)", (msgspec.json.encode(event),))
            self._db.execute("DELETE FROM outbox WHERE job IS NULL AND number <= ?", ((row.lastrowid or 0) - KEPT_EVENTS,))

    def next_report(self, after: int = 0, limit: int = 100) -> Report | None:
        """The oldest rows above `after` as one report bearing the highest number among them; None = nothing waits. Of rows that hold much
        fewer go at once, and one that is too large by itself goes without what makes it so: the hub takes no message above its limit."""
        rows: list[tuple[int, str | None, bytes]] = []
        room_bytes = MOST_REPORT_BYTES
        query = "SELECT number, job, body FROM outbox WHERE number > ? ORDER BY number LIMIT ?"
        for number, job, body in self._db.execute(query, (after, limit)):
            room_bytes -= _size_bytes(body)
            if rows and room_bytes < 0:
                break
            rows.append((number, job, body))
        if not rows:
            return None
        if _size_bytes(rows[0][2]) > MOST_REPORT_BYTES:
            number, job, body = rows[0]
            rows = [(number, job, _shortened(Event if job is None else Job, body))]
        return Report(
            number=rows[-1][0],
            jobs=tuple(_readable(Job, [body for _, job, body in rows if job is not None])),
            events=tuple(_readable(Event, [body for _, job, body in rows if job is None])),
        )

    def acknowledge(self, number: int) -> None:
        """All up to `number` are in the Master's records."""
        with self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO told_events SELECT number, body FROM outbox WHERE job IS NULL AND number <= ?", (number,)
            )
            self._db.execute(
                "DELETE FROM told_events WHERE number < (SELECT number FROM told_events ORDER BY number DESC LIMIT 1 OFFSET ?)",
                (KEPT_TOLD_EVENTS - 1,),
            )
            self._db.execute("DELETE FROM outbox WHERE number <= ?", (number,))
            self._db.execute(
                "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE ended ORDER BY created_ns DESC LIMIT -1 OFFSET ?) "
                "AND id NOT IN (SELECT job FROM outbox WHERE job IS NOT NULL)",
                (KEPT_JOBS,),
            )

    def tell_again(self, since_ns: int) -> int:
        """Put what happened since then into the outbox once more; returns how many jobs and events that is."""
        since = utc(since_ns)
        known = self._db.execute("SELECT number, body FROM told_events ORDER BY number").fetchall()
        events = [(number, body) for number, body in known for event in _readable(Event, [body]) if event.time >= since]
        jobs = [
            (job.id, body)
            for (body,) in self._db.execute("SELECT body FROM jobs ORDER BY created_ns, rowid").fetchall()
            for job in _readable(Job, [body])
            if job.ended_at is None or job.ended_at >= since
        ]
        with self._transaction():
            for identity, body in jobs:
                self._db.execute("DELETE FROM outbox WHERE job = ?", (identity,))
                self._db.execute("INSERT INTO outbox (job, body) VALUES (?, ?)", (identity, body))
            for number, body in events:
                self._db.execute("INSERT INTO outbox (job, body) VALUES (NULL, ?)", (body,))
                self._db.execute("DELETE FROM told_events WHERE number = ?", (number,))
        return len(jobs) + len(events)

    def reports_waiting(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM outbox").fetchone()[0])

    def job(self, job_id: JobId) -> Job | None:
        row = self._db.execute("SELECT body FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return None if row is None else next(_readable(Job, [row[0]]), None)

    def newest_jobs(self, limit: int) -> tuple[Job, ...]:
        """Newest first."""
        rows = self._db.execute("SELECT body FROM jobs ORDER BY created_ns DESC, rowid DESC LIMIT ?", (limit,))
        return tuple(_readable(Job, [body for (body,) in rows]))

    def unfinished(self) -> tuple[Unfinished, ...]:
        """Oldest first."""
        rows = self._db.execute("SELECT body, request FROM jobs WHERE NOT ended ORDER BY created_ns, rowid")
        return tuple(Unfinished(job, _decode_request(request)) for body, request in rows.fetchall() for job in _readable(Job, [body]))

    def protections(self) -> tuple[ProtectionRow, ...]:
        return tuple(_readable(ProtectionRow, [body for (body,) in self._db.execute("SELECT body FROM protection")]))

    def care(self) -> dict[tuple[str, str], int]:
        """When each kind of housekeeping was last done to a repository, or first thought of."""
        rows = self._db.execute("SELECT repository, kind, at_ns FROM care WHERE typeof(at_ns) = 'integer'")
        return {(repository, kind): at_ns for repository, kind, at_ns in rows}

    def put_care(self, repository: str, kind: str, at_ns: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO care VALUES (?, ?, ?)", (repository, kind, at_ns))

    def put_protections(self, rows: Iterable[ProtectionRow], removed: Sequence[tuple[str, str, str]] = ()) -> None:
        with self._transaction():
            self._db.executemany("DELETE FROM protection WHERE dataset = ? AND operation = ? AND action = ?", removed)
            self._db.executemany(
                "INSERT OR REPLACE INTO protection VALUES (?, ?, ?, ?)", [(*row.key, msgspec.json.encode(row)) for row in rows]
            )

    def _transaction(self) -> _Transaction:
        return _Transaction(self._db)


def _decode_request(body: bytes | None) -> Request | None:
    try:
        return None if body is None else msgspec.json.decode(body, type=Request)
    except (TypeError, *UNREADABLE):
        return None


def _readable(kind: type[T], bodies: Iterable[bytes]) -> Iterator[T]:
    """What can be read of them. One that cannot must not keep the agent from starting, nor the other reports from the Master."""
    for body in bodies:
        try:
            yield msgspec.json.decode(body, type=kind)
        except (TypeError, *UNREADABLE) as error:
            _logger.warning("a record of the journal cannot be read", extra={"facts": {"kind": kind.__name__, "error": str(error)}})


def _size_bytes(body: object) -> int:
    """A row of a damaged file may hold anything."""
    return len(body) if isinstance(body, bytes | str) else 0


def _shortened(kind: type[Job] | type[Event], body: bytes) -> bytes:
    """What it is, of whom, when and how it ended stays; the node itself still has all of a job."""
    for record in _readable(kind, [body]):
        if isinstance(record, Event):
            record = msgspec.structs.replace(record, message=_beginning(record.message), facts={})
        else:
            error = record.error
            if error is not None:
                error = ErrorFacts(error.code, _beginning(error.message), _beginning(error.hint), error.retryable)
            record = msgspec.structs.replace(record, error=error, tasks=(), findings=(), report=None, datasets=(), wait=None)
        return msgspec.json.encode(record)
    return b""


def _beginning(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[:_SHORT]} ..."


class _Transaction:
    """BEGIN IMMEDIATE ... COMMIT; rolls back on an exception, also where the commit itself has no room."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
        finally:
            # After some errors SQLite has rolled back by itself.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

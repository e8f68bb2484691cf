"""The agent's durable records: jobs, reports the Master has not acknowledged, and what schedules and status are judged from.

SQLite at `HOME/node.db`, WAL with full synchronisation: what returned is on disk. Used by the event loop's thread alone; each call is one
short transaction. Bounded: of ended jobs the newest 10,000 stay (longer while the Master has not got them), of waiting events 50,000, of
events the Master has 5,000, for a Master that comes back from a backup.

While the disk is full, what there is to write is kept in memory, the newest state of each thing, and written in one transaction when there
is room again. Of lines of the log the first 1,000 are kept; how many were let go is said.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from holdfast.core.clock import Clock, utc
from holdfast.core.errors import ErrorFacts, NoSpace
from holdfast.core.ids import DatasetId, JobId, NodeId
from holdfast.core.local_database import is_full, open_or_replace
from holdfast.core.log_session import LogSession
from holdfast.model.change import Amount
from holdfast.model.decoding import UNREADABLE
from holdfast.model.jobs import ENDED, Event, Job, Severity
from holdfast.model.log_sessions import began_event
from holdfast.node.records.journal_records import readable, shortened, size_bytes
from holdfast.node.workers.messages import RunCascade, RunDatasets, RunDrill, RunMaintenance, RunRecall, RunRestore, RunUndo
from holdfast.wire.hub_messages import Report

_logger = logging.getLogger(__name__)
KEPT_JOBS = 10_000
KEPT_EVENTS = 50_000
KEPT_TOLD_EVENTS = 5_000
KEPT_UNWRITTEN_EVENTS = 1_000
MOST_REPORT_BYTES = 16 * 1024 * 1024
"""Of the records in a report, as they are kept. Short numbers take more in a message, but it stays below the hub's 64 MiB even so."""
_AGAIN_S = 1.0
"""As long a full disk is left alone."""

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


@dataclass
class _Unwritten:
    """What is not on disk yet, the newest of each thing. `protections`: None = removed. `acknowledged`: up to which number the Master has
    reports. `let_go`: so many lines of the log had no place."""

    jobs: dict[JobId, tuple[Job, Request | None]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    protections: dict[tuple[str, str, str], ProtectionRow | None] = field(default_factory=dict)
    care: dict[tuple[str, str], int] = field(default_factory=dict)
    acknowledged: int = 0
    let_go: int = 0

    def __bool__(self) -> bool:
        return bool(self.jobs or self.events or self.protections or self.care or self.acknowledged)

    def put_job(self, job: Job, request: Request | None) -> None:
        _, known = self.jobs.pop(job.id, (job, None))
        self.jobs[job.id] = job, request or known

    def put_event(self, event: Event) -> None:
        if len(self.events) < KEPT_UNWRITTEN_EVENTS:
            self.events.append(event)
        else:
            self.let_go += 1


class Journal:
    """Raises `sqlite3.Error` when the disk fails: the agent then stops, because it could not keep its word. That it is full is no failure.

    A damaged file is moved aside as NAME.corrupt-N when it is opened, and a record that cannot be read is left out; both are logged.
    """

    def __init__(self, path: Path, *, clock: Clock, session: LogSession | None = None) -> None:
        self._path, self._clock, self._session = path, clock, session
        self._unwritten = _Unwritten()
        self._again_s: float | None = None
        # Report numbers must rise even when this file was lost and made anew: a fresh one begins at the clock's milliseconds.
        first = (
            f"INSERT INTO sqlite_sequence (name, seq) SELECT 'outbox', {clock.now_ns() // 1_000_000} "
            "WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'outbox');"
        )
        try:
            self._db, replaced = open_or_replace(path, synchronous="FULL", schema=_SCHEMA + first)
        except sqlite3.OperationalError as error:
            if is_full(error, str(path)):
                raise self._no_space() from error
            raise
        if replaced is not None:
            # A node without a past goes on protecting; one that cannot start does not.
            facts = {"facts": {"path": str(path), "aside": replaced.aside.name, "error": replaced.error}}
            _logger.error("the journal was damaged and a fresh one was made: reports that waited are lost", extra=facts)

    def close(self) -> None:
        try:
            if not self.catch_up(at_once=True):
                facts = {"jobs": len(self._unwritten.jobs), "events": len(self._unwritten.events)}
                _logger.error("the disk is still full: what was kept in memory is lost", extra={"facts": facts})
        finally:
            self._db.close()

    @property
    def is_behind(self) -> bool:
        """Whether the disk was full, and there is something that is not on it."""
        return bool(self._unwritten)

    def catch_up(self, *, at_once: bool = False) -> bool:
        """Write what is kept in memory, unless that was tried a moment ago; whether all is on disk."""
        if not self._unwritten:
            return True
        now_s = self._clock.monotonic_s()
        if self._again_s is not None and now_s < self._again_s and not at_once:
            return False
        try:
            with self._transaction():
                self._write(self._unwritten)
        except sqlite3.OperationalError as error:
            if not is_full(error, str(self._path)):
                raise
            self._again_s = now_s + _AGAIN_S
            return False
        self._unwritten, self._again_s = _Unwritten(), None
        return True

    def record_job(self, job: Job, request: Request | None = None) -> None:
        """Keep the job as it stands and put it in the outbox, where a newer state takes the place of one not yet acknowledged."""
        self._unwritten.put_job(job, request)
        self.catch_up()

    def record_asked(self, job: Job, request: Request) -> None:
        """As `record_job`, for what somebody is told is queued: on disk when this returns. Raises `NoSpace`, and then it is as before."""
        before = self._unwritten.jobs.get(job.id)
        self._unwritten.put_job(job, request)
        if self.catch_up(at_once=True):
            return
        del self._unwritten.jobs[job.id]
        if before is not None:
            self._unwritten.jobs[job.id] = before
        raise self._no_space()

    def mark_session(self, node: NodeId) -> None:
        """The line with which the session begins, before all others of it."""
        if self._session is not None:
            self.record_event(began_event(self._session, node))

    def record_event(self, event: Event) -> None:
        if self._session is not None:
            event = msgspec.structs.replace(event, session=self._session.id)
        self._unwritten.put_event(event)
        self.catch_up()

    def next_report(self, after: int = 0, limit: int = 100) -> Report | None:
        """The oldest rows above `after` as one report bearing the highest number among them; None = nothing waits. Of rows that hold much
        fewer go at once, and one that is too large by itself goes without what makes it so: the hub takes no message above its limit."""
        rows: list[tuple[int, str | None, bytes]] = []
        room_bytes = MOST_REPORT_BYTES
        query = "SELECT number, job, body FROM outbox WHERE number > ? ORDER BY number LIMIT ?"
        for number, job, body in self._db.execute(query, (max(after, self._unwritten.acknowledged), limit)):
            room_bytes -= size_bytes(body)
            if rows and room_bytes < 0:
                break
            rows.append((number, job, body))
        if not rows:
            return None
        if size_bytes(rows[0][2]) > MOST_REPORT_BYTES:
            number, job, body = rows[0]
            rows = [(number, job, shortened(Event if job is None else Job, body))]
        return Report(
            number=rows[-1][0],
            jobs=tuple(readable(Job, [body for _, job, body in rows if job is not None])),
            events=tuple(readable(Event, [body for _, job, body in rows if job is None])),
        )

    def acknowledge(self, number: int) -> None:
        """All up to `number` are in the Master's records."""
        self._unwritten.acknowledged = max(self._unwritten.acknowledged, number)
        self.catch_up()

    def tell_again(self, since_ns: int) -> int:
        """Put what happened since then into the outbox once more; returns how many jobs and events that is. Raises `NoSpace`."""
        if not self.catch_up(at_once=True):
            raise self._no_space()
        since = utc(since_ns)
        known = self._db.execute("SELECT number, body FROM told_events ORDER BY number").fetchall()
        events = [(number, body) for number, body in known for event in readable(Event, [body]) if event.time >= since]
        jobs = [
            (job.id, body)
            for (body,) in self._db.execute("SELECT body FROM jobs ORDER BY created_ns, rowid").fetchall()
            for job in readable(Job, [body])
            if job.ended_at is None or job.ended_at >= since
        ]
        try:
            with self._transaction():
                for identity, body in jobs:
                    self._put_outbox(identity, body)
                for number, body in events:
                    self._db.execute("INSERT INTO outbox (job, body) VALUES (NULL, ?)", (body,))
                    self._db.execute("DELETE FROM told_events WHERE number = ?", (number,))
        except sqlite3.OperationalError as error:
            if is_full(error, str(self._path)):
                raise self._no_space() from error
            raise
        return len(jobs) + len(events)

    def reports_waiting(self) -> int:
        (on_disk,) = self._db.execute("SELECT count(*) FROM outbox WHERE number > ?", (self._unwritten.acknowledged,)).fetchone()
        return int(on_disk) + len(self._unwritten.jobs) + len(self._unwritten.events)

    def job(self, job_id: JobId) -> Job | None:
        if job_id in self._unwritten.jobs:
            return self._unwritten.jobs[job_id][0]
        row = self._db.execute("SELECT body FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return None if row is None else next(readable(Job, [row[0]]), None)

    def newest_jobs(self, limit: int) -> tuple[Job, ...]:
        """Newest first."""
        rows = self._db.execute("SELECT body FROM jobs ORDER BY created_ns DESC, rowid DESC LIMIT ?", (limit,))
        known = {job.id: job for job in readable(Job, [body for (body,) in rows])}
        if not self._unwritten.jobs:
            return tuple(known.values())
        known.update((job.id, job) for job, _ in self._unwritten.jobs.values())
        return tuple(sorted(known.values(), key=lambda job: job.created_at, reverse=True)[:limit])

    def unfinished(self) -> tuple[Unfinished, ...]:
        """Oldest first."""
        rows = self._db.execute("SELECT body, request FROM jobs WHERE NOT ended ORDER BY created_ns, rowid")
        return tuple(Unfinished(job, _decode_request(request)) for body, request in rows.fetchall() for job in readable(Job, [body]))

    def protections(self) -> tuple[ProtectionRow, ...]:
        return tuple(readable(ProtectionRow, [body for (body,) in self._db.execute("SELECT body FROM protection")]))

    def care(self) -> dict[tuple[str, str], int]:
        """When each kind of housekeeping was last done to a repository, or first thought of."""
        rows = self._db.execute("SELECT repository, kind, at_ns FROM care WHERE typeof(at_ns) = 'integer'")
        return {(repository, kind): at_ns for repository, kind, at_ns in rows}

    def put_care(self, repository: str, kind: str, at_ns: int) -> None:
        self._unwritten.care[repository, kind] = at_ns
        self.catch_up()

    def put_protections(self, rows: Iterable[ProtectionRow], removed: Sequence[tuple[str, str, str]] = ()) -> None:
        self._unwritten.protections.update(dict.fromkeys(removed))
        self._unwritten.protections.update((row.key, row) for row in rows)
        self.catch_up()

    def _write(self, what: _Unwritten) -> None:
        if what.acknowledged:
            self._write_acknowledged(what.acknowledged)
        for job, request in what.jobs.values():
            self._write_job(job, request)
        for event in (*what.events, *_said_of(what)):
            row = self._db.execute("INSERT INTO outbox (job, body) VALUES (NULL, ?)", (msgspec.json.encode(event),))
            self._db.execute("DELETE FROM outbox WHERE job IS NULL AND number <= ?", ((row.lastrowid or 0) - KEPT_EVENTS,))
        removed = [key for key, row in what.protections.items() if row is None]
        self._db.executemany("DELETE FROM protection WHERE dataset = ? AND operation = ? AND action = ?", removed)
        self._db.executemany(
            "INSERT OR REPLACE INTO protection VALUES (?, ?, ?, ?)",
            [(*row.key, msgspec.json.encode(row)) for row in what.protections.values() if row is not None],
        )
        self._db.executemany("INSERT OR REPLACE INTO care VALUES (?, ?, ?)", [(*key, at_ns) for key, at_ns in what.care.items()])

    def _write_job(self, job: Job, request: Request | None) -> None:
        body, ended = msgspec.json.encode(job), job.state in ENDED
        created_ns = int(job.created_at.timestamp() * 1_000_000_000)
        self._db.execute(
            "INSERT INTO jobs VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET ended = excluded.ended, body = excluded.body, "
            "request = CASE WHEN excluded.ended THEN NULL ELSE coalesce(excluded.request, request) END",
            (job.id, created_ns, ended, body, None if request is None or ended else msgspec.json.encode(request)),
        )
        self._put_outbox(job.id, body)

    def _put_outbox(self, job_id: str, body: bytes) -> None:
        self._db.execute("DELETE FROM outbox WHERE job = ?", (job_id,))
        self._db.execute("INSERT INTO outbox (job, body) VALUES (?, ?)", (job_id, body))

    def _write_acknowledged(self, number: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO told_events SELECT number, body FROM outbox WHERE job IS NULL AND number <= ?", (number,))
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

    def _no_space(self) -> NoSpace:
        return NoSpace(f"the disk of {self._path} is full", hint="make room on the file system of the node's home, then ask again")

    def _transaction(self) -> _Transaction:
        return _Transaction(self._db)


def _said_of(what: _Unwritten) -> Iterator[Event]:
    if what.let_go:
        last = what.events[-1]
        text = f"{what.let_go:,} lines of the log were let go: the disk of the node's home was full"
        yield Event(code="lines-let-go", severity=Severity.WARNING, message=text, node=last.node, time=last.time, session=last.session)


def _decode_request(body: bytes | None) -> Request | None:
    try:
        return None if body is None else msgspec.json.decode(body, type=Request)
    except (TypeError, *UNREADABLE):
        return None


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

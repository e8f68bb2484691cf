"""The records: migrations give exactly the tables, transactions roll back, times keep their zone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

from holdfast.core.errors import Refused, UnknownName
from holdfast.core.ids import EnvironmentId, JobId, NodeId
from holdfast.master.records import access, daily, documents, happenings, reported
from holdfast.master.records.access import JoinToken
from holdfast.master.records.database import Database, sqlite_url
from holdfast.master.records.documents import Environment
from holdfast.master.records.forms import MIGRATIONS, forms
from holdfast.master.records.tables import JobSubjectRow, Table
from holdfast.model.document import Revision
from holdfast.model.jobs import Event, Job, Severity, State
from holdfast.model.sight import SEES_ALL

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def _database(tmp_path: Path) -> Database:
    database = Database(sqlite_url(tmp_path / "records.db"))
    database.migrate()
    return database


def test_migrations_make_exactly_the_tables(tmp_path: Path) -> None:
    database = _database(tmp_path)
    database.migrate()
    database.close()
    engine = create_engine(sqlite_url(tmp_path / "records.db"))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    engine.dispose()


def test_the_forms_are_those_of_the_migrations_and_one_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    assert list(forms()) == [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]
    database = Database(sqlite_url(tmp_path / "records.db"))
    assert database.form() == ""
    database.migrate()
    assert database.form() == forms()[-1]
    database.load(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(Refused, match="newer Holdfast"):
        database.migrate()
    database.close()


def test_jobs_and_events_of_before_are_found_by_what_they_are_about(tmp_path: Path) -> None:
    """Records of a Master that knew neither subjects nor codes: its history stays in the lists, and no day with a gap looks well."""
    engine = create_engine(sqlite_url(tmp_path / "records.db"))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    put_job = text(
        "INSERT INTO jobs (id, node, rule, state, created_at, \"trigger\", record) VALUES (:id, 'n', :rule, 'succeeded', :at, '', :job)"
    )
    put_event = text("INSERT INTO events (node, time, digest, record) VALUES ('n', :at, 'd', :event)")
    rules = {"1": "a/x", "2": "a/x, b/y", "3": "a/x -> dr", "4": "7 datasets"}
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        at = MOMENT.replace(tzinfo=None).isoformat(" ")
        for identity, rule in rules.items():
            job = Job(
                id=JobId(identity), node=NodeId("n"), kind="run", rule=rule, state=State.SUCCEEDED, created_at=MOMENT, cause="schedule"
            )
            connection.execute(put_job, {"id": identity, "rule": rule, "at": at, "job": msgspec.json.encode(job)})
        gap = Event(code="points-missed", severity=Severity.WARNING, message="m", node=NodeId("n"), time=MOMENT)
        connection.execute(put_event, {"at": at, "event": msgspec.json.encode(gap)})
    engine.dispose()
    database = _database(tmp_path)

    def about(subject: str) -> list[str]:
        choice = happenings.JobChoice(flow="f", flow_subjects=frozenset({subject}))
        return [job.id for job in database.run_now(lambda s: happenings.jobs(s, limit=9, choice=choice))]

    assert (about("a/x"), about("b/y"), about("7 datasets")) == (["1", "2", "3"], ["2"], ["4"])
    assert database.run_now(lambda s: daily.events_of_code(s, "points-missed", MOMENT)) == (gap,)
    assert len(database.run_now(lambda s: daily.job_counts(s, ["a/x"], (MOMENT, MOMENT + timedelta(days=1))))) == 1
    database.close()


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    database = _database(tmp_path)

    def write_and_fail(session: Session) -> None:
        documents.found(session, Environment(EnvironmentId("a" * 32), "x"), MOMENT)
        session.flush()
        raise UnknownName("no")

    with pytest.raises(UnknownName):
        asyncio.run(database.run(write_and_fail))
    assert database.run_now(documents.environment) is None
    database.close()


def test_times_come_back_aware_and_whole(tmp_path: Path) -> None:
    database = _database(tmp_path)
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=5)))
    token = JoinToken(hash="h", name="n", replace=False, created_at=elsewhere, expires_at=MOMENT)
    database.run_now(lambda s: access.add_join_token(s, token))
    kept = database.run_now(lambda s: access.join_token(s, "h"))
    assert kept is not None
    assert kept.created_at == kept.expires_at == MOMENT
    assert kept.created_at.tzinfo is UTC
    database.close()


def test_revisions_are_kept_byte_for_byte(tmp_path: Path) -> None:
    database = _database(tmp_path)
    body = "a: 1\r\n# ü\t\n\n"
    for number in (1, 2):
        revision = Revision(number=number, text=body * number, created_at=MOMENT, author="me")
        database.run_now(lambda s, r=revision: documents.add_revision(s, r))  # type: ignore[misc]
    newest = database.run_now(documents.newest_revision)
    assert newest is not None
    assert newest.text == body * 2
    assert database.run_now(lambda s: documents.revision(s, 1)).text == body
    with pytest.raises(UnknownName):
        database.run_now(lambda s: documents.revision(s, 9))
    database.close()


@pytest.mark.parametrize(
    ("reported", "answered", "then"),
    [
        (None, State.QUEUED, State.QUEUED),
        (State.QUEUED, State.RUNNING, State.RUNNING),
        (State.RUNNING, State.QUEUED, State.RUNNING),
        (State.PAUSED, State.RUNNING, State.RUNNING),
        (State.SUCCEEDED, State.RUNNING, State.SUCCEEDED),
        (State.UNKNOWN, State.QUEUED, State.QUEUED),
    ],
)
def test_an_answer_never_takes_a_job_back(tmp_path: Path, reported: State | None, answered: State, then: State) -> None:
    """A node's answer and its reports come in any order."""
    node = NodeId("a" * 32)

    def job(state: State) -> Job:
        return Job(
            id=JobId("b" * 32), node=node, kind="run", rule="files1/documents", state=state, created_at=MOMENT, tags=("linux", "prod")
        )

    database = _database(tmp_path)
    if reported is not None:
        database.run_now(lambda s: happenings.record_jobs(s, node, (job(reported),)))
    database.run_now(lambda s: happenings.record_answered_jobs(s, node, (job(answered),)))
    database.run_now(lambda s: happenings.record_answered_jobs(s, NodeId("c" * 32), (job(State.FAILED),)))
    assert database.run_now(lambda s: happenings.job_by_prefix(s, "b", SEES_ALL)).state is then
    for tag, found in (("prod", 1), ("pro", 0)):
        assert len(database.run_now(lambda s, tag=tag: happenings.jobs(s, limit=9, choice=happenings.JobChoice(tag=tag)))) == found  # type: ignore[misc]
    database.close()


def test_reports_of_many_are_taken_in_their_order(tmp_path: Path) -> None:
    """One job twice in a batch, one that ended before, one of another node, a line that comes again."""
    ours, others = NodeId("a" * 32), NodeId("c" * 32)

    def job(identity: str, state: State, *, rule: str = "files1/documents") -> Job:
        return Job(id=JobId(identity * 32), node=others, kind="run", rule=rule, state=state, created_at=MOMENT, tags=("linux",))

    line = Event(code="run-noted", severity=Severity.INFO, message="it is noted", node=others, time=MOMENT)
    told = [
        (ours, job("1", State.RUNNING)),
        (ours, job("1", State.SUCCEEDED)),
        (ours, job("2", State.RUNNING)),
        (others, job("3", State.QUEUED)),
        (others, job("2", State.FAILED)),
        (ours, job("1", State.RUNNING)),
    ]
    database = _database(tmp_path)
    for again in (told[:3], told):
        database.run_now(lambda s, again=again: reported.record_jobs(s, again))  # type: ignore[misc]
        database.run_now(lambda s: reported.record_events(s, ((ours, line), (others, line), (ours, line))))
    found = {job.id[0]: (job.node, job.state) for job in database.run_now(lambda s: happenings.jobs(s, limit=9))}
    assert found == {"1": (ours, State.SUCCEEDED), "2": (ours, State.RUNNING), "3": (others, State.QUEUED)}
    states = {row.job[0]: row.state for row in database.run_now(lambda s: s.scalars(select(JobSubjectRow)).all())}
    assert states == {"1": "succeeded", "2": "running", "3": "queued"}
    events = database.run_now(lambda s: happenings.events_after(s, 0, 9))
    assert [(number, event.node) for number, event in events] == [(1, ours), (2, others)]
    database.close()

"""The agent's journal and the store of rules: what is on disk, and what is believed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings

from holdfast.core.errors import ErrorFacts, NoSpace, StaleRules
from holdfast.core.ids import JobId, NodeId
from holdfast.core.log_session import Ending, LogSession
from holdfast.model.jobs import Event, Job, Severity, State
from holdfast.model.rules import Rules
from holdfast.node.membership.rule_store import RuleStore, save_signing_key
from holdfast.node.records import journal as journal_module
from holdfast.node.records.journal import Journal, ProtectionRow
from holdfast.node.workers.messages import RunCascade
from holdfast.testing.faulty_disk import FaultyDisk, full_from, no_faults
from holdfast.testing.hostile_rows import CHANGES, Change, spoil
from holdfast.testing.node_rules import DOCUMENTS, ENVIRONMENT, FILES1, VAULT, operation, sign, source_rules
from holdfast.testing.virtual_clock import VirtualClock
from holdfast.wire.authority import Authority
from holdfast.wire.codec import encode
from tests.scratch import SCRATCH

START = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)


def job(number: int, state: State = State.QUEUED) -> Job:
    return Job(
        id=JobId(f"{number:032x}"), node=FILES1, kind="run", rule="files1/x", state=state, created_at=START + timedelta(seconds=number)
    )


def event(text: str) -> Event:
    return Event(code="test", severity=Severity.INFO, message=text, node=FILES1, time=START)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "node.db", clock=VirtualClock(START))) as journal:
        yield journal


def test_lines_wait_for_room_on_the_disk_and_how_many_had_none_in_memory_is_said(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "KEPT_UNWRITTEN_EVENTS", 2)
    long = "x" * 1_000_000
    journal._db.execute("PRAGMA max_page_count = 1")  # never below what is in use
    for text in (long, "a", "b", "c"):
        journal.record_event(event(text))
    assert (journal.is_behind, journal.next_report(), journal.reports_waiting()) == (True, None, 2)
    journal._db.execute("PRAGMA max_page_count = 1000000")
    assert journal.catch_up(at_once=True)
    journal.record_event(event("later"))
    report = journal.next_report()
    assert report is not None
    assert [each.message for each in report.events if each.code == "test"] == [long, "a", "later"]
    assert [each.message for each in report.events if each.code == "lines-let-go"] == [
        "2 lines of the log were let go: the disk of the node's home was full"
    ]


def test_what_the_master_has_is_not_told_again_while_there_is_no_room_to_note_it(tmp_path: Path) -> None:
    with FaultyDisk(tmp_path) as disk, closing(Journal(tmp_path / "node.db", clock=VirtualClock(START))) as journal:
        journal.record_event(event("a"))
        journal.record_event(event("b"))
        first = journal.next_report(limit=1)
        assert first is not None
        disk.plan = full_from(0)
        journal.acknowledge(first.number)
        second = journal.next_report()
        assert second is not None
        assert ([each.message for each in second.events], journal.reports_waiting()) == (["b"], 1)
        with pytest.raises(NoSpace):
            journal.tell_again(0)
        disk.plan = no_faults
        assert journal.tell_again(0) == 1


def test_reports_wait_until_acknowledged_over_a_restart(tmp_path: Path, journal: Journal) -> None:
    journal.record_job(job(1))
    journal.record_event(event("a"))
    first = journal.next_report()
    assert first is not None
    journal.close()
    with closing(Journal(tmp_path / "node.db", clock=VirtualClock(START))) as again:
        assert again.next_report() == first
        assert (first.jobs, first.events) == ((job(1),), (event("a"),))
        again.acknowledge(first.number)
        assert again.next_report() is None
        again.record_event(event("b"))
        second = again.next_report()
        assert second is not None
        assert second.number > first.number


def test_a_report_stays_below_what_the_hub_takes_whatever_its_rows_hold(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "MOST_REPORT_BYTES", 10_000)
    broken = msgspec.structs.replace(job(1, State.FAILED), error=ErrorFacts("x", "y" * 20_000), datasets=("z" * 20_000,))
    journal.record_event(event("a" * 20_000))
    journal.record_job(broken)
    for text in "bcd":
        journal.record_event(event(text * 4_000))
    told: list[tuple[list[str], list[str]]] = []
    while (report := journal.next_report()) is not None:
        assert len(encode(report)) < 10_000
        told.append(([each.id for each in report.jobs], [each.message[0] for each in report.events]))
        journal.acknowledge(report.number)
    assert told == [([], ["a"]), ([broken.id], []), ([], ["b", "c"]), ([], ["d"])]
    assert journal.job(broken.id) == broken


def test_events_are_of_the_session_that_wrote_them(tmp_path: Path) -> None:
    session = LogSession(id="5" * 32, began_ns=0, version="1.1", boot="b", before=Ending.KILLED, before_id="4" * 32, before_version="1.0")
    with closing(Journal(tmp_path / "node.db", clock=VirtualClock(START), session=session)) as journal:
        journal.mark_session(FILES1)
        journal.record_event(event("a"))
        report = journal.next_report()
    assert report is not None
    marker, line = report.events
    assert (marker.code, marker.severity, marker.facts["before"]) == ("session-began", Severity.WARNING, "killed")
    assert "version 1.1; the one before, of version 1.0, did not end in order" in marker.message
    assert (marker.session, line.session) == (session.id, session.id)


def test_a_newer_state_replaces_one_not_yet_acknowledged(journal: Journal) -> None:
    journal.record_job(job(1))
    before = journal.next_report()
    journal.record_job(job(1, State.RUNNING))
    assert journal.reports_waiting() == 1
    after = journal.next_report()
    assert before is not None
    assert after is not None
    assert after.number > before.number
    journal.acknowledge(before.number)
    assert journal.next_report() == after


def test_reports_are_cut_and_in_order(journal: Journal) -> None:
    for number in range(5):
        journal.record_event(event(str(number)))
    first = journal.next_report(limit=3)
    assert first is not None
    assert [e.message for e in first.events] == ["0", "1", "2"]
    rest = journal.next_report(after=first.number)
    assert rest is not None
    assert [e.message for e in rest.events] == ["3", "4"]


def test_numbers_rise_even_when_the_file_was_lost(tmp_path: Path) -> None:
    clock = VirtualClock(START)
    numbers = []
    for name in ("a.db", "b.db"):
        journal = Journal(tmp_path / name, clock=clock)
        journal.record_event(event(name))
        report = journal.next_report()
        assert report is not None
        numbers.append(report.number)
        journal.close()
        clock.advance(60)
    assert numbers[1] > numbers[0]


def test_ended_jobs_are_bounded_once_acknowledged(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "KEPT_JOBS", 3)
    for number in range(6):
        journal.record_job(job(number, State.SUCCEEDED))
    journal.record_job(job(9))
    assert len(journal.newest_jobs(100)) == 7
    report = journal.next_report()
    assert report is not None
    journal.acknowledge(report.number)
    assert [int(kept.id, 16) for kept in journal.newest_jobs(100)] == [9, 5, 4, 3]


def test_waiting_events_are_bounded(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "KEPT_EVENTS", 3)
    for number in range(10):
        journal.record_event(event(str(number)))
    report = journal.next_report()
    assert report is not None
    assert [e.message for e in report.events] == ["7", "8", "9"]


def test_unfinished_jobs_keep_their_request_until_they_end(journal: Journal) -> None:
    request = RunCascade(job=job(1), cascade="c")
    journal.record_job(job(1), request)
    journal.record_job(job(1, State.RUNNING))
    assert [(u.job.state, u.request) for u in journal.unfinished()] == [(State.RUNNING, request)]
    journal.record_job(job(1, State.FAILED))
    assert journal.unfinished() == ()


def test_protection_rows_come_back(journal: Journal) -> None:
    row = ProtectionRow(dataset=DOCUMENTS, operation="backup", action="a", since_ns=1, error=ErrorFacts("x", "y", context={"a": "b"}))
    journal.put_protections([row])
    assert journal.protections() == (row,)
    journal.put_protections([], [row.key])
    assert journal.protections() == ()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create(clock=VirtualClock(START))


def rule_store(home: Path, authority: Authority, node: NodeId = FILES1) -> RuleStore:
    save_signing_key(home, authority.signing_public)
    return RuleStore(home, environment=ENVIRONMENT, node=node)


def test_rules_survive_a_restart(tmp_path: Path, authority: Authority) -> None:
    store = rule_store(tmp_path, authority)
    assert (store.current, store.generation) == (None, 0)
    signed = sign(source_rules(3), authority)
    store.put(signed)
    again = rule_store(tmp_path, authority)
    assert again.current == source_rules(3)
    assert again.is_current(signed)


@pytest.mark.parametrize("generation", [1, 2])
def test_an_old_generation_is_refused(tmp_path: Path, authority: Authority, generation: int) -> None:
    store = rule_store(tmp_path, authority)
    store.put(sign(source_rules(2), authority))
    with pytest.raises(StaleRules, match="not above 2"):
        store.put(sign(source_rules(generation, every_s=5), authority))


def test_rules_of_others_are_refused(tmp_path: Path, authority: Authority) -> None:
    with pytest.raises(StaleRules, match="not signed"):
        rule_store(tmp_path, authority).verify(sign(source_rules(), Authority.create(clock=VirtualClock(START))))
    with pytest.raises(StaleRules, match="another node"):
        rule_store(tmp_path, authority, VAULT).verify(sign(source_rules(), authority))
    signed = sign(source_rules(), authority)
    with pytest.raises(StaleRules, match="not signed"):
        rule_store(tmp_path, authority).verify(msgspec.structs.replace(signed, body=signed.body.replace(b"3600", b"3601")))


def test_rules_that_cannot_be_followed_are_refused(tmp_path: Path, authority: Authority) -> None:
    with pytest.raises(StaleRules, match="not a window"):
        rule_store(tmp_path, authority).verify(sign(source_rules(extra=(operation("x", windows=("noon",)),)), authority))


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def test_a_damaged_file_falls_back_to_the_rules_before(tmp_path: Path, authority: Authority) -> None:
    store = rule_store(tmp_path, authority)
    for generation in (1, 2):
        store.put(sign(source_rules(generation), authority))
    damage(tmp_path / "rules" / "current.json")
    again = rule_store(tmp_path, authority)
    assert again.generation == 1
    assert again.fallback is not None
    assert again.fallback.code == "rules-damaged"
    again.put(sign(source_rules(2), authority))
    assert again.fallback is None
    damage(tmp_path / "rules" / "current.json")
    assert rule_store(tmp_path, authority).generation == 1


def test_what_became_of_the_file_keeps_no_new_rules_away(tmp_path: Path, authority: Authority) -> None:
    store = rule_store(tmp_path, authority)
    store.put(sign(source_rules(1), authority))
    (tmp_path / "rules" / "current.json").unlink()
    store.put(sign(source_rules(2), authority))
    damage(tmp_path / "rules" / "current.json")
    assert rule_store(tmp_path, authority).generation == 1


def test_the_signature_is_checked_on_disk_too(tmp_path: Path, authority: Authority) -> None:
    rule_store(tmp_path, authority).put(sign(source_rules(1), authority))
    path = tmp_path / "rules" / "current.json"
    forged: Rules = source_rules(9)
    path.write_bytes(msgspec.json.encode(sign(forged, Authority.create(clock=VirtualClock(START)))))
    store = rule_store(tmp_path, authority)
    assert store.current is None
    assert store.fallback is not None


@settings(max_examples=60, derandomize=True, deadline=None)
@given(CHANGES)
def test_a_journal_whose_rows_make_no_sense_lets_the_agent_start_and_report(changes: list[Change]) -> None:
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        path = Path(folder) / "node.db"
        with closing(Journal(path, clock=VirtualClock(START))) as journal:
            journal.record_job(job(1), RunCascade(job=job(1), cascade="c"))
            journal.record_event(event("a"))
            journal.put_protections((ProtectionRow(dataset=DOCUMENTS, operation="backup", action="a", since_ns=1),))
        spoil(path, changes)
        with closing(Journal(path, clock=VirtualClock(START))) as journal:
            journal.unfinished(), journal.newest_jobs(5), journal.protections(), journal.job(job(1).id)
            journal.record_job(job(2))
            report = journal.next_report()
            assert report is not None
            assert job(2) in report.jobs
            journal.acknowledge(report.number)
            assert journal.next_report() is None


def test_a_damaged_journal_is_moved_aside(tmp_path: Path) -> None:
    (tmp_path / "node.db").write_bytes(b"no database" * 1_000)
    with closing(Journal(tmp_path / "node.db", clock=VirtualClock(START))) as journal:
        journal.record_job(job(1))
        assert journal.job(job(1).id) == job(1)
    assert (tmp_path / "node.db.corrupt-1").exists()

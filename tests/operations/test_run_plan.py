"""The pure decisions of a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from holdfast.capture.ports import CaptureResult
from holdfast.core.clock import ns_of
from holdfast.core.errors import ErrorFacts, WindowClosed
from holdfast.core.ids import ActionId, DatasetId, JobId, NodeId
from holdfast.model.document import Classification
from holdfast.model.gaps import Gap, GapReason
from holdfast.model.jobs import Counters, Finding, Job, Severity, State, Task
from holdfast.model.rules import DatasetRule, Delivery, OperationRule
from holdfast.operations.run_plan import LATE, LONG_SCAN, concerned, gaps_for, joined, lowest_base, marks_for, state_of


class Counting:
    """Entropy that tells its draws apart."""

    def __init__(self) -> None:
        self.drawn = 0

    def token_bytes(self, size: int) -> bytes:
        self.drawn += 1
        return self.drawn.to_bytes(size, "big")


RULE = DatasetRule(
    id=DatasetId("d" * 32),
    label="files1/documents",
    policy="documents",
    classification=Classification(paths=("/srv",)),
    operations=(
        OperationRule(name="backup", kind="backup"),
        OperationRule(name="nightly", kind="backup"),
        OperationRule(name="replicate", kind="replicate"),
    ),
)


def delivery(*operations: str, pairs: tuple[tuple[ActionId, tuple[str, ...]], ...] = ()) -> Delivery:
    return Delivery(
        id="one",
        dataset=RULE.id,
        label=RULE.label,
        receiver=NodeId("n" * 32),
        receiver_name="vault",
        actions=(ActionId("a"), ActionId("b")),
        operations=operations,
        action_operations=pairs,
    )


@pytest.mark.parametrize(("bases", "expected"), [([], None), ([3], 3), ([3, 2, 7], 2), ([3, None], None), ([0, 4], 0)])
def test_one_stream_starts_where_the_furthest_behind_stands(bases: list[int | None], expected: int | None) -> None:
    assert lowest_base(bases) == expected


def test_marks_are_for_due_carried_operations_that_make_points() -> None:
    entropy = Counting()
    marks = marks_for(RULE, ["nightly", "replicate", "backup"], [delivery("backup"), delivery("replicate", "nightly")], entropy)
    assert [(mark.operation, mark.kind) for mark in marks] == [("backup", "backup"), ("nightly", "backup")]
    assert marks[0].point != marks[1].point
    assert marks_for(RULE, ["nightly"], [delivery("backup")], entropy) == ()


def test_an_action_answers_for_its_own_operations() -> None:
    both = delivery("backup", "replicate", pairs=((ActionId("a"), ("backup",)), (ActionId("b"), ("replicate",))))
    assert concerned(both, ActionId("a"), ["backup", "replicate"]) == ("backup",)
    assert concerned(both, ActionId("b"), ["backup"]) == ()
    assert concerned(delivery("backup", "replicate"), ActionId("a"), ["replicate"]) == ("replicate",)


def test_the_state_of_a_job_is_its_worst() -> None:
    good, bad = Task(name="capture", state=State.SUCCEEDED), Task(name="store", state=State.FAILED)
    note = Finding(code="socket", severity=Severity.INFO, message="skipped")
    doubt = Finding(code="unreadable", severity=Severity.WARNING, message="not read")
    assert state_of([good], [note]) is State.SUCCEEDED
    assert state_of([good], [note, doubt]) is State.WARNINGS
    assert state_of([good, bad], [doubt]) is State.FAILED


def test_a_job_of_several_runs_is_one_capture_and_all_its_deliveries() -> None:
    job = Job(id=JobId("j"), node=NodeId("n"), kind="run", rule="two", state=State.RUNNING, created_at=datetime(2026, 1, 1, tzinfo=UTC))
    read = [Task(name="capture", state=State.SUCCEEDED, counters=Counters(files=n, read_bytes=n * 10), duration_s=1.0) for n in (2, 3)]
    stored = Task(name="store main", state=State.SUCCEEDED, receiver="vault")
    one, two = (msgspec.structs.replace(job, tasks=(task, stored), state=State.SUCCEEDED) for task in read)
    both = joined(job, [one, two])
    assert (both.state, [task.name for task in both.tasks]) == (State.SUCCEEDED, ["capture", "store main", "store main"])
    assert (both.tasks[0].counters.files, both.tasks[0].counters.read_bytes, both.tasks[0].duration_s) == (5, 50, 2.0)
    gone = ErrorFacts("source-vanished", "gone", "mount it")
    failed = msgspec.structs.replace(job, tasks=(Task(name="capture files1/b", state=State.FAILED, error=gone),), error=gone)
    assert (joined(job, [one, failed]).state, joined(job, [one, failed]).error) == (State.FAILED, gone)
    closed = msgspec.structs.replace(job, error=WindowClosed("closed").facts())
    assert joined(job, [one, closed]).state is State.SUCCEEDED
    assert joined(job, [closed, closed]).state is State.WARNINGS


def test_nanoseconds_of_a_moment_are_exact() -> None:
    assert ns_of(datetime(2026, 11, 22, 1, 2, 3, 456_789, tzinfo=UTC)) == 1_795_309_323_456_789_000


BEGAN = datetime(2026, 11, 27, 21, tzinfo=UTC)
FOLLOWED = msgspec.structs.replace(RULE, operations=(OperationRule(name="cdp", kind="cdp"),))


def captured(read_until: datetime | None) -> CaptureResult:
    return CaptureResult(1, BEGAN, {}, Counters(), (), 0, read_until=read_until)


def gap(since: datetime, until: datetime, reason: GapReason) -> Gap:
    return Gap(path=b"/srv", since=since, until=until, reason=reason)


def test_a_long_look_at_all_is_a_gap_where_moments_are_kept() -> None:
    """The commit is shown for moments from its beginning on, with what was read at its end."""
    ended = BEGAN + LONG_SCAN
    assert gaps_for(FOLLOWED, None, captured(ended)) == (gap(BEGAN, ended, GapReason.SCAN),)
    assert gaps_for(RULE, None, captured(ended)) == ()
    assert gaps_for(FOLLOWED, None, captured(ended - timedelta(microseconds=1))) == ()
    assert gaps_for(FOLLOWED, None, captured(None)) == ()


def test_of_small_runs_only_one_that_heals_a_gap_looks_at_all() -> None:
    ended, healed = BEGAN + LONG_SCAN, gap(BEGAN - LONG_SCAN, BEGAN, GapReason.OVERFLOW)
    assert gaps_for(FOLLOWED, (), captured(ended)) == ()
    assert gaps_for(FOLLOWED, (healed,), captured(ended)) == (healed, gap(BEGAN, ended, GapReason.SCAN))
    assert gaps_for(FOLLOWED, (healed,), captured(BEGAN)) == (healed,)


def test_a_late_look_is_a_gap_where_moments_are_kept() -> None:
    due = BEGAN - LATE
    assert gaps_for(FOLLOWED, (), captured(BEGAN), due) == (gap(due, BEGAN, GapReason.LATE),)
    assert gaps_for(FOLLOWED, (), captured(BEGAN), due + timedelta(microseconds=1)) == ()
    assert gaps_for(RULE, (), captured(BEGAN), due) == ()

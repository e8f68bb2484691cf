"""What is foreseen of runs is what the scheduler makes: the real one on a virtual clock, whose jobs end at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.clock import now
from holdfast.core.ids import DatasetId
from holdfast.model.courses import CourseStart, runs_of
from holdfast.model.jobs import State, Task
from holdfast.model.rate_table import RateLine, RateTable
from holdfast.model.rules import OperationRule, Rules
from holdfast.model.schedule import share_of
from holdfast.node.planning.protections import SETTLE_S
from holdfast.node.planning.scheduler import Scheduler
from holdfast.node.records.job_book import JobBook, Role
from holdfast.node.records.journal import Journal
from holdfast.node.workers.messages import RunDatasets, ToWorker
from holdfast.testing.node_rules import DOCUMENTS, FILES1, MIRROR, STORE, dataset, delivery, operation, source_rules
from holdfast.testing.virtual_clock import SeededEntropy, VirtualClock

DAYS = 5


def rules_of(*operations: OperationRule, windows: tuple[str, ...] = (), mode: str = "batch") -> Rules:
    """One dataset, sent to a store and, where the mover is open, to a mirror."""
    stored = tuple(each.name for each in operations if each.kind != "replicate")
    mirrored = tuple(each.name for each in operations if each.kind == "replicate")
    to_store = delivery(DOCUMENTS, (STORE, stored))
    to_mirror = msgspec.structs.replace(delivery(DOCUMENTS, (MIRROR, mirrored), receiver_name="dr"), mode=mode)
    if windows:
        table = RateTable(lines=tuple(RateLine(window=text) for text in windows), otherwise_bytes_s=0)
        to_store = msgspec.structs.replace(to_store, windows=(table,))
    deliveries = (to_store, to_mirror) if mirrored else (to_store,)
    return msgspec.structs.replace(source_rules(), datasets=(dataset(DOCUMENTS, "files1/documents", *operations),), deliveries=deliveries)


def scheduled(rules: Rules, start: datetime, folder: Path) -> list[tuple[datetime, tuple[str, ...]]]:
    """The runs that the scheduler makes when each ends as it begins."""
    clock = VirtualClock(start)
    journal = Journal(folder / "node.db", clock=clock)
    sent: list[RunDatasets] = []

    def send(_role: Role, message: ToWorker) -> bool:
        assert isinstance(message, RunDatasets)
        sent.append(message)
        return True

    scheduler = Scheduler(
        JobBook(journal, FILES1, clock=clock, entropy=SeededEntropy("courses")), journal, send, lambda: 1 << 40, clock=clock
    )
    scheduler.set_rules(rules)
    found: list[tuple[datetime, tuple[str, ...]]] = []
    end = start + timedelta(days=DAYS)
    while now(clock) < end:
        scheduler.tick()
        while sent:
            request = sent.pop()
            found.append((now(clock), request.operations[DOCUMENTS]))
            tasks = (Task(name="capture", state=State.SUCCEEDED),)
            scheduler.job_news(msgspec.structs.replace(request.job, state=State.RUNNING))
            scheduler.job_news(msgspec.structs.replace(request.job, state=State.SUCCEEDED, tasks=tasks, ended_at=now(clock)))
            scheduler.tick()
        wake = scheduler.next_wake()
        if wake is None:
            break
        clock.advance(max(0.000_001, (wake - now(clock)).total_seconds()))
    journal.close()
    return found


def foreseen(rules: Rules, start: datetime) -> list[tuple[datetime, tuple[str, ...]]]:
    found = []
    for run in runs_of(rules, rules.datasets[0], CourseStart(since=start, share=share_of(DOCUMENTS), settle_s=SETTLE_S)):
        if run.at >= start + timedelta(days=DAYS):
            break
        found.append((run.at, run.operations))
    return found


def same(one: list[tuple[datetime, tuple[str, ...]]], other: list[tuple[datetime, tuple[str, ...]]]) -> None:
    """The virtual clock of the scheduler counts whole microseconds, so a step may be one late."""
    assert [names for _, names in one] == [names for _, names in other]
    assert all(abs(a - b) < timedelta(milliseconds=10) for (a, _), (b, _) in zip(one, other, strict=True))


WINDOW = st.sampled_from(("22:00-06:00", "mon-fri 20:00-06:00", "sat,sun", "first,last sat 01:00-05:00", "day last", "01:30-02:15"))
TIMES = st.sampled_from(("02:30", "mon-fri 12:30", "day last 23:30", "last sun 02:15", "day 1,25 00:00"))
RULES = st.fixed_dictionaries(
    {
        "every_s": st.sampled_from((None, 5400.0, 14_400.0, 86_400.0)),
        "windows": st.lists(WINDOW, max_size=2).map(tuple),
        "exclude": st.lists(WINDOW, max_size=1).map(tuple),
        "at": st.lists(TIMES, max_size=2).map(tuple),
        "zone": st.sampled_from(("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")),
        "missed": st.sampled_from(("once", "skip")),
        "jitter_s": st.sampled_from((0.0, 600.0, 7200.0)),
    }
)
STARTS = st.sampled_from(
    (
        datetime(2026, 3, 1, 9, 7, tzinfo=UTC),
        datetime(2026, 3, 24, 12, 0, tzinfo=UTC),
        datetime(2026, 9, 28, 5, 30, tzinfo=UTC),
        datetime(2026, 10, 22, 23, 59, tzinfo=UTC),
    )
)


@settings(max_examples=8, deadline=None)
@given(
    first=RULES, second=RULES, start=STARTS, closed=st.lists(WINDOW, max_size=2).map(tuple), mode=st.sampled_from(("batch", "continuous"))
)
def test_the_scheduler_makes_the_runs_that_are_foreseen(
    first: dict[str, object], second: dict[str, object], start: datetime, closed: tuple[str, ...], mode: str
) -> None:
    operations = (operation(**first), operation("monthly", "backup", **second), operation("replicate", "replicate"))
    rules = rules_of(*operations, windows=closed, mode=mode)
    with TemporaryDirectory() as folder:
        same(scheduled(rules, start, Path(folder)), foreseen(rules, start))


def test_an_operation_after_another_and_one_without_times_come_along(tmp_path: Path) -> None:
    rules = rules_of(operation(every_s=7200.0), operation("late", "backup", after="backup"), operation("replicate", "replicate"))
    start = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
    found = foreseen(rules, start)
    assert {names for _, names in found} == {("backup", "late", "replicate")}
    same(scheduled(rules, start, tmp_path), found)


@pytest.mark.parametrize("last", [None, datetime(2026, 11, 26, 11, 30, tzinfo=UTC)])
def test_a_course_goes_on_from_the_last_run(last: datetime | None) -> None:
    rules = rules_of(operation(every_s=3600.0))
    start = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
    begun = {} if last is None else {"backup": last}
    first = next(runs_of(rules, rules.datasets[0], CourseStart(since=start, last=begun)))
    assert first.at == (start if last is None else last + timedelta(hours=1))


def test_shares_are_spread() -> None:
    shares = sorted(share_of(DatasetId(f"{number:032x}")) for number in range(1_000))
    assert all(abs(share - number / 1_000) < 0.06 for number, share in enumerate(shares))

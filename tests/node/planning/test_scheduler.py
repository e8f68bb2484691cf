"""The scheduler: what runs when, joined, queued, retried and remembered. Virtual time, a real journal, no workers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from holdfast.core.clock import now
from holdfast.core.errors import ErrorFacts, NoSpace, UnknownName
from holdfast.core.ids import RepositoryId
from holdfast.model.jobs import Counters, Job, Progress, State, Task
from holdfast.model.maintenance import Prune
from holdfast.model.node_status import Protection
from holdfast.model.questions import AskTrigger
from holdfast.model.rules import Rules
from holdfast.model.waits import WaitReason
from holdfast.node.planning.scheduler import Scheduler
from holdfast.node.records.job_book import JobBook, Role
from holdfast.node.records.journal import Journal
from holdfast.node.workers.messages import Acknowledged, CancelJob, PointsMade, RunCascade, RunDatasets, RunMaintenance, ToWorker
from holdfast.testing.faulty_disk import FaultyDisk, full_from, no_faults
from holdfast.testing.node_rules import DOCUMENTS, FILES1, MAIL, MIRROR, STORE, operation, source_rules, store_rules
from holdfast.testing.virtual_clock import SeededEntropy, VirtualClock

START = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
AWAY = ErrorFacts("not-reachable", "vault does not answer", "", True)


@dataclass
class World:
    """A scheduler with its journal, and workers that only remember what they were sent."""

    path: Path
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(START))
    up: bool = True
    free: int = 1 << 40
    sent: list[ToWorker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        self.journal = Journal(self.path / "node.db", clock=self.clock)
        self.book = JobBook(self.journal, FILES1, clock=self.clock, entropy=SeededEntropy(str(self.clock.now_ns())))
        self.scheduler = Scheduler(self.book, self.journal, self.send, lambda: self.free, clock=self.clock)

    def restart(self) -> None:
        self.journal.close()
        self.open()

    def send(self, role: Role, message: ToWorker) -> bool:
        if self.up:
            self.sent.append(message)
        return self.up

    def begin(self, rules: Rules) -> None:
        self.scheduler.recover()
        self.scheduler.set_rules(rules)
        self.pass_time(2)

    def pass_time(self, seconds: float) -> None:
        """Moment by moment, as the agent does it."""
        end = now(self.clock) + timedelta(seconds=seconds)
        self.scheduler.tick()
        while (wake := self.scheduler.next_wake()) is not None and wake <= end:
            self.clock.advance(max(0.001, (wake - now(self.clock)).total_seconds()))
            self.scheduler.tick()
        self.clock.advance((end - now(self.clock)).total_seconds())

    def runs(self) -> list[RunDatasets]:
        return [message for message in self.sent if isinstance(message, RunDatasets)]

    def cascades(self) -> list[RunCascade]:
        return [message for message in self.sent if isinstance(message, RunCascade)]

    def finish(self, request: RunDatasets | RunCascade, error: ErrorFacts | None = None, *, captured: bool = True) -> None:
        """The worker's news of one job from start to end."""
        self.scheduler.job_news(msgspec.structs.replace(request.job, state=State.RUNNING))
        if captured and isinstance(request, RunDatasets):
            for dataset in request.datasets:
                for action, names in ((STORE, {"backup"}), (MIRROR, {"replicate"})):
                    operations = tuple(name for name in request.operations[dataset] if name in names)
                    self.acknowledge(dataset, action, operations, error if action == STORE else None)
        self.scheduler.job_news(self.ended(request.job, error, captured))
        self.scheduler.tick()

    def acknowledge(self, dataset: object, action: str, operations: tuple[str, ...], error: ErrorFacts | None) -> None:
        news = Acknowledged(
            dataset=dataset,  # type: ignore[arg-type]
            delivery="x",
            action=action,
            operations=operations,
            captured_at_ns=self.clock.now_ns(),
            error=error,
        )
        self.scheduler.acknowledged(news)

    def ended(self, job: Job, error: ErrorFacts | None, captured: bool) -> Job:
        tasks = (Task(name="capture", state=State.SUCCEEDED),) if captured else ()
        if captured:
            tasks += (Task(name="store", state=State.FAILED if error else State.SUCCEEDED, error=error, receiver="vault"),)
        state = State.FAILED if error else State.SUCCEEDED
        return msgspec.structs.replace(job, state=state, tasks=tasks, ended_at=now(self.clock), error=error)

    def protection(self, operation: str = "backup", label: str = "files1/documents") -> Protection:
        return next(p for p in self.scheduler.protections() if p.operation == operation and p.dataset == label)

    def kinds(self) -> list[tuple[str, State]]:
        return [(job.kind, job.state) for job in self.book.newest(100)]


def test_all_due_datasets_go_into_one_job_and_unscheduled_operations_ride(world: World) -> None:
    world.begin(source_rules())
    (run,) = world.runs()
    assert run.operations == {DOCUMENTS: ("backup", "replicate"), MAIL: ("backup",)}
    assert (run.job.kind, run.job.rule, run.job.cause) == ("run", "files1/documents, files1/mail", "schedule")


def test_the_next_run_is_due_an_rpo_after_the_last_began(world: World) -> None:
    world.begin(source_rules())
    world.finish(world.runs()[0])
    riding = world.protection("replicate")
    assert (riding.due_at, riding.overdue) == (world.protection().due_at, False), "what has no schedule rides with that run"
    world.pass_time(3590)
    assert len(world.runs()) == 1
    world.pass_time(10)
    assert len(world.runs()) == 2


def test_the_next_wake_is_computed_not_polled(world: World) -> None:
    world.begin(source_rules())
    began = now(world.clock)
    world.finish(world.runs()[0])
    assert world.scheduler.next_wake() == began + timedelta(seconds=3600)


def test_a_run_that_takes_longer_than_the_rpo_leaves_one_waiting(world: World) -> None:
    world.begin(source_rules(every_s=60))
    world.pass_time(600)
    assert len(world.runs()) == 1
    assert len(world.book.queued) == 1
    world.finish(world.runs()[0])
    assert len(world.runs()) == 2


def test_an_identical_waiting_trigger_is_joined_another_is_not(world: World) -> None:
    world.begin(source_rules())
    ask = AskTrigger(trigger="t1", datasets=(DOCUMENTS,))
    first = world.scheduler.trigger(ask)
    assert world.scheduler.trigger(msgspec.structs.replace(ask, trigger="t2")) == first
    assert world.scheduler.trigger(msgspec.structs.replace(ask, accept=True)) != first
    world.finish(world.runs()[0])
    assert [run.accept for run in world.runs()] == [False, False]


def test_who_wants_the_first_run_is_served_by_that_of_the_schedule(world: World) -> None:
    """Also where it has ended a moment ago; who asks for a run without that gets one that begins now, and so does who comes later."""
    world.begin(source_rules())
    (run,) = world.runs()
    ask = AskTrigger(trigger="t", datasets=(DOCUMENTS,), first=True)
    assert world.scheduler.trigger(ask) == (run.job.id,)
    world.finish(run)
    assert world.scheduler.trigger(ask) == (run.job.id,)
    plain = world.scheduler.trigger(msgspec.structs.replace(ask, first=False))
    assert plain != (run.job.id,)
    world.pass_time(1)
    world.finish(world.runs()[-1])
    world.pass_time(100)
    assert world.scheduler.trigger(ask) not in (plain, (run.job.id,))
    assert len(world.book.queued) == 1


def test_a_trigger_of_nothing_here_says_so(world: World) -> None:
    world.begin(source_rules())
    with pytest.raises(UnknownName):
        world.scheduler.trigger(AskTrigger(trigger="t", datasets=(DOCUMENTS,), operations=("archive",)))


def test_a_receiver_that_was_away_is_caught_up_without_a_capture(world: World) -> None:
    world.begin(source_rules())
    world.finish(world.runs()[0], AWAY)
    assert world.protection().state is State.FAILED
    assert world.protection("replicate").state is State.SUCCEEDED  # the mirror has it, whatever became of the store
    world.pass_time(2)
    catch_up = world.runs()[1]
    assert catch_up.catch_up
    assert set(catch_up.datasets) == {DOCUMENTS, MAIL}
    for dataset in catch_up.datasets:
        world.acknowledge(dataset, STORE, ("backup",), None)
    world.scheduler.job_news(world.ended(catch_up.job, None, True))
    assert world.protection().error is None
    assert world.protection().state is State.SUCCEEDED
    world.pass_time(600)
    assert len(world.runs()) == 2


def test_retries_back_off_and_leave_no_records_while_they_fail_the_same_way(world: World) -> None:
    world.begin(source_rules(every_s=10**6))
    world.finish(world.runs()[0])
    world.scheduler.retry(world.runs()[0].job.id)
    world.scheduler.tick()
    world.finish(world.runs()[1], AWAY)
    moments = []
    for _ in range(7):
        before = len(world.runs())
        began = now(world.clock)
        while len(world.runs()) == before:
            world.pass_time(1)
        moments.append(round((now(world.clock) - began).total_seconds()))
        world.finish(world.runs()[-1], AWAY)
    assert [0.8 * wanted - 1 <= found <= wanted + 1 for found, wanted in zip(moments, (2, 5, 15, 60, 300, 300, 300), strict=True)] == [
        True
    ] * 7
    assert world.kinds() == [("run", State.FAILED), ("run", State.SUCCEEDED)]
    world.pass_time(300)
    world.finish(world.runs()[-1], ErrorFacts("no-space", "full", "", True))
    assert world.kinds() == [("catch-up", State.FAILED), ("run", State.FAILED), ("run", State.SUCCEEDED)]


def test_a_catch_up_ends_the_troubles_of_operations_it_does_not_mark(world: World) -> None:
    rules = source_rules(every_s=10**6, extra=(operation("weekly", every_s=10**6),))
    both = tuple(msgspec.structs.replace(d, action_operations=((STORE, ("backup", "weekly")),)) for d in rules.deliveries)
    world.begin(msgspec.structs.replace(rules, deliveries=both))
    world.acknowledge(DOCUMENTS, STORE, ("backup", "weekly"), AWAY)
    world.finish(world.runs()[0], AWAY)
    world.pass_time(2)
    world.acknowledge(DOCUMENTS, STORE, ("backup",), None)
    world.acknowledge(MAIL, STORE, ("backup",), None)
    world.scheduler.job_news(world.ended(world.runs()[1].job, None, True))
    weekly = world.protection("weekly")
    assert (weekly.error, weekly.last_at) == (None, None)
    assert weekly.missed > 0
    world.pass_time(1000)
    assert len(world.runs()) == 2


def test_an_operation_whose_capture_failed_is_not_forgotten_for_another(world: World) -> None:
    rules = source_rules(every_s=10**6, extra=(operation("weekly", every_s=10**6),))
    both = (msgspec.structs.replace(rules.deliveries[0], action_operations=((STORE, ("backup", "weekly")),)),)
    world.begin(msgspec.structs.replace(rules, deliveries=both))
    world.finish(world.runs()[0], ErrorFacts("worker-died", "killed", "", True), captured=False)
    world.scheduler.trigger(AskTrigger(trigger="t", datasets=(DOCUMENTS,), operations=("backup",)))
    world.scheduler.tick()
    world.finish(world.runs()[1])
    world.pass_time(10)
    assert world.runs()[2].operations == {DOCUMENTS: ("weekly",)}


def test_a_quiet_attempt_that_moves_data_is_recorded(world: World) -> None:
    world.begin(source_rules(every_s=10**6))
    world.finish(world.runs()[0], AWAY)
    world.pass_time(2)
    moved = (Task(name="store", state=State.FAILED, error=AWAY, receiver="vault", counters=Counters(sent_bytes=1)),)
    world.scheduler.job_news(msgspec.structs.replace(world.ended(world.runs()[1].job, AWAY, False), tasks=moved))
    assert [kind for kind, _ in world.kinds()] == ["catch-up", "run"]


def test_attempts_at_a_mirror_that_takes_its_time_leave_no_records_until_it_has_taken_something(world: World) -> None:
    busy = ErrorFacts("receiver-busy", "it has not taken yet what it was sent 3 s ago", "", True)
    waits = (Task(name="mirror copy", state=State.PAUSED, error=busy, receiver="dr"),)

    def next_attempt() -> RunDatasets:
        before = len(world.runs())
        while len(world.runs()) == before:
            world.pass_time(1)
        assert world.runs()[-1].catch_up
        return world.runs()[-1]

    world.begin(source_rules(every_s=10**6))
    for turn in range(2):
        run = world.runs()[-1]
        world.acknowledge(DOCUMENTS, MIRROR, ("replicate",), busy)
        # What a run has captured is no failure; an attempt that captures nothing has nothing else to say.
        captured = world.ended(run.job, None, True)
        world.scheduler.job_news(msgspec.structs.replace(captured, tasks=(*captured.tasks, *waits)))
        for _ in range(3):
            world.scheduler.job_news(msgspec.structs.replace(next_attempt().job, state=State.WARNINGS, tasks=waits, error=busy))
        assert world.kinds() == [("run", State.SUCCEEDED)] * (turn + 1)
        world.scheduler.retry(run.job.id)
        world.scheduler.tick()
    world.finish(world.runs()[-1])
    assert world.kinds() == [("run", State.SUCCEEDED)] * 3


def test_a_failure_that_does_not_heal_is_not_retried(world: World) -> None:
    world.begin(source_rules())
    world.finish(world.runs()[0], ErrorFacts("source-vanished", "gone"), captured=False)
    world.pass_time(1800)
    assert len(world.runs()) == 1
    status = world.protection()
    assert (status.state, status.error and status.error.code, status.missed) == (State.FAILED, "source-vanished", 1)


def test_a_capture_that_may_heal_is_made_again(world: World) -> None:
    world.begin(source_rules())
    world.finish(world.runs()[0], ErrorFacts("worker-died", "killed", "", True), captured=False)
    world.pass_time(2)
    again = world.runs()[1]
    assert not again.catch_up
    assert again.operations == world.runs()[0].operations


def test_points_start_the_cascades_that_wait_for_them(world: World) -> None:
    world.begin(store_rules())
    world.finish(world.cascades()[0])
    assert world.kinds() == []  # the first look found nothing to do
    made = PointsMade(repository="main", dataset=DOCUMENTS, operations=("backup",))
    world.scheduler.points_made(msgspec.structs.replace(made, operations=("archive",)))
    world.scheduler.points_made(made)
    world.scheduler.tick()
    assert len(world.cascades()) == 2
    world.scheduler.points_made(made)
    world.scheduler.points_made(made)
    world.scheduler.tick()
    assert (len(world.cascades()), len(world.book.queued)) == (2, 1)
    world.finish(world.cascades()[1])
    assert len(world.cascades()) == 3


def test_a_failed_cascade_is_retried(world: World) -> None:
    world.begin(store_rules())
    world.finish(world.cascades()[0], AWAY)
    world.pass_time(6)
    assert len(world.cascades()) == 2


def test_a_triggered_cascade_joins_a_quiet_one_and_is_recorded(world: World) -> None:
    world.up = False
    world.begin(store_rules())
    assert world.book.newest(10)[0].cause == "retry"
    (job,) = world.scheduler.trigger(AskTrigger(trigger="t", cascades=("cascade-1",)))
    assert world.journal.job(job) is not None


def test_a_triggered_run_joins_a_quiet_one_and_is_recorded(world: World) -> None:
    world.begin(source_rules())
    world.finish(world.runs()[0], AWAY, captured=False)
    world.up = False
    world.pass_time(6)
    (quiet,) = world.book.queued
    assert (quiet.job.cause, world.journal.job(quiet.job.id)) == ("retry", None)
    (job,) = world.scheduler.trigger(AskTrigger(trigger="t", datasets=(DOCUMENTS, MAIL)))
    assert job == quiet.job.id
    assert world.journal.job(job) is not None


def test_low_disk_stops_captures_but_not_cascades_and_is_told_once(world: World) -> None:
    world.free = 100 << 20
    world.begin(source_rules())
    world.pass_time(300)
    assert world.runs() == []
    assert [finding.code for finding in world.scheduler.findings] == ["low-disk"]
    report = world.journal.next_report()
    assert report is not None
    assert [event.code for event in report.events] == ["low-disk"]
    world.free = 1 << 40
    world.pass_time(3)
    assert len(world.runs()) == 1
    assert world.scheduler.findings == ()


def test_a_full_disk_loses_no_news_and_nothing_is_begun_of_which_there_is_no_record(tmp_path: Path) -> None:
    with FaultyDisk(tmp_path) as disk:
        world = World(tmp_path)
        world.begin(source_rules())
        (run,) = world.runs()
        disk.plan = full_from(0)
        world.finish(run)
        job = world.book.find(run.job.id)
        assert job is not None
        assert (job.state, world.protection().state) == (State.SUCCEEDED, State.SUCCEEDED)
        with pytest.raises(NoSpace):
            world.scheduler.trigger(AskTrigger(trigger="", datasets=(DOCUMENTS,)))
        prune = RunMaintenance(job=world.book.new_job("prune", "main", "trigger"), repository=RepositoryId("main"), task=Prune())
        world.scheduler.queue(prune)
        world.clock.advance(3_700)
        world.pass_time(4)
        assert world.sent == [run, prune]
        assert [live.job.wait and live.job.wait.reason for live in world.book.queued] == [WaitReason.LOW_DISK]
        assert [finding.code for finding in world.scheduler.findings] == ["low-disk"]
        disk.plan = no_faults
        world.pass_time(3)
        assert (len(world.runs()), world.scheduler.findings) == (2, ())
        world.restart()
        assert world.journal.job(run.job.id) == job
        assert {row.captured_ns is not None for row in world.journal.protections() if row.dataset == DOCUMENTS} == {True}
        world.journal.close()


def test_work_waits_for_a_worker(world: World) -> None:
    world.up = False
    world.begin(source_rules())
    assert world.sent == []
    world.up = True
    world.scheduler.tick()
    assert len(world.runs()) == 1


def test_a_dead_worker_fails_its_jobs(world: World) -> None:
    world.begin(source_rules())
    world.scheduler.worker_died("source", ErrorFacts("worker-died", "killed", "", True))
    job = world.journal.job(world.runs()[0].job.id)
    assert job is not None
    assert (job.state, job.error and job.error.code) == (State.FAILED, "worker-died")


def test_cancel_ends_a_waiting_job_and_asks_for_a_running_one(world: World) -> None:
    world.begin(source_rules())
    (waiting,) = world.scheduler.trigger(AskTrigger(trigger="t", datasets=(MAIL,)))
    world.scheduler.cancel(waiting)
    job = world.journal.job(waiting)
    assert job is not None
    assert job.state is State.CANCELLED
    world.scheduler.cancel(world.runs()[0].job.id)
    assert isinstance(world.sent[-1], CancelJob)


def test_a_restart_takes_up_waiting_jobs_and_fails_running_ones(world: World) -> None:
    world.begin(source_rules())
    running = world.runs()[0].job.id
    world.scheduler.job_news(msgspec.structs.replace(world.runs()[0].job, state=State.RUNNING))
    (waiting,) = world.scheduler.trigger(AskTrigger(trigger="t", datasets=(MAIL,), accept=True))
    world.journal.close()
    world.sent.clear()
    world.restart()
    world.begin(source_rules())
    failed = world.journal.job(running)
    assert failed is not None
    assert (failed.state, failed.error and failed.error.code) == (State.FAILED, "worker-died")
    assert world.runs()[0].job.id == waiting
    assert world.runs()[0].accept
    world.finish(world.runs()[0])
    world.pass_time(10)
    assert DOCUMENTS in world.runs()[-1].datasets


def test_a_restart_goes_on_catching_up(world: World) -> None:
    world.begin(source_rules())
    world.finish(world.runs()[0], AWAY)
    world.journal.close()
    world.sent.clear()
    world.restart()
    world.begin(source_rules())
    assert [run.catch_up for run in world.runs()] == [True]


def test_a_new_receiver_is_served_at_once_and_a_gone_one_forgotten(world: World) -> None:
    world.begin(source_rules())
    world.finish(world.runs()[0])
    rules = source_rules(generation=2)
    mirror_only = msgspec.structs.replace(rules, deliveries=rules.deliveries[:1])
    world.scheduler.set_rules(mirror_only)
    assert {p.dataset for p in world.scheduler.protections()} == {"files1/documents"}
    world.scheduler.set_rules(rules)
    world.pass_time(2)
    assert world.runs()[-1].datasets == (MAIL,)


def test_overdue_has_a_grace_and_counts_acknowledgements_not_attempts(world: World) -> None:
    world.begin(source_rules())
    world.finish(world.runs()[0])
    for _ in range(2):
        world.pass_time(3600)
        if world.runs()[-1].job.state is State.QUEUED:
            world.finish(world.runs()[-1], ErrorFacts("source-vanished", "gone"), captured=False)
    assert world.protection().overdue
    world.scheduler.trigger(AskTrigger(trigger="t", datasets=(DOCUMENTS,)))
    world.scheduler.tick()
    world.finish(world.runs()[-1])
    assert not world.protection().overdue


def test_operations_after_another_come_with_it(world: World) -> None:
    world.begin(source_rules(extra=(operation("archive", "archive", after="backup"),)))
    assert world.runs()[0].operations[DOCUMENTS] == ("backup", "replicate")  # archive is carried by no delivery


def test_a_clock_set_back_does_not_stop_protection(world: World) -> None:
    world.begin(source_rules())
    world.finish(world.runs()[0])
    world.clock.set_wall(START - timedelta(days=30))
    world.pass_time(1)
    assert len(world.runs()) == 2
    world.finish(world.runs()[-1])
    assert world.protection().last_at == now(world.clock)
    for _ in range(3):
        world.pass_time(3600)
        world.finish(world.runs()[-1], ErrorFacts("source-vanished", "gone"), captured=False)
    assert world.protection().overdue


def test_a_clock_set_back_does_not_stop_what_never_ran_nor_what_is_tried_again(world: World) -> None:
    """Rules that came while the clock was days ahead, and a receiver that went away then."""
    world.clock.set_wall(START + timedelta(days=30))
    world.scheduler.recover()
    world.scheduler.set_rules(source_rules())
    world.clock.set_wall(START)
    world.pass_time(2)
    (run,) = world.runs()
    world.clock.set_wall(START + timedelta(minutes=50))
    world.finish(run, AWAY)
    world.clock.set_wall(START)
    world.pass_time(2)
    assert [run.catch_up for run in world.runs()] == [False, True]


def test_what_was_killed_and_is_at_work_again_is_no_failure_unless_it_dies_of_it(world: World) -> None:
    died = ErrorFacts("worker-died", "killed", "", True)
    world.begin(source_rules())
    world.finish(world.runs()[0], died, captured=False)
    assert world.protection().state is State.FAILED
    for attempt in (1, 2):
        world.pass_time(10)
        again = world.runs()[attempt]
        # Only tried, it is as it was.
        assert world.protection().error is not None
        world.scheduler.job_news(msgspec.structs.replace(again.job, state=State.RUNNING))
        world.book.note_progress(Progress(job=again.job.id, phase="send", done_bytes=1))
        status = world.protection()
        assert status.state is State.RUNNING
        assert (status.error is None) == (attempt == 1)
        world.finish(again, died, captured=False)
        assert world.protection().state is State.FAILED

"""Lanes of jobs: order, ends, cancelling, stopping."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.errors import NoSpace, NotReachable
from holdfast.core.ids import JobId, NodeId
from holdfast.model.jobs import ENDED, Job, State
from holdfast.node.workers.jobs import JobLanes, LinkNews
from holdfast.node.workers.messages import FromWorker, JobNews
from holdfast.operations.running import Cancellation


class Told:
    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self._changed = threading.Condition()

    def __call__(self, message: FromWorker) -> None:
        assert isinstance(message, JobNews)
        with self._changed:
            self.jobs.append(message.job)
            self._changed.notify_all()

    def end_of(self, job: Job) -> Job:
        def found() -> list[Job]:
            return [told for told in self.jobs if told.id == job.id and told.state in ENDED]

        with self._changed:
            assert self._changed.wait_for(lambda: bool(found()), 90)
            return found()[0]


def new_job(letter: str) -> Job:
    return Job(
        id=JobId(letter * 32), node=NodeId("n" * 32), kind="run", rule="x", state=State.QUEUED, created_at=datetime(2026, 1, 1, tzinfo=UTC)
    )


def lanes() -> tuple[JobLanes, Told]:
    told = Told()
    return JobLanes(LinkNews(told), SystemClock()), told


def succeed(job: Job, cancellation: Cancellation) -> Job:
    return msgspec.structs.replace(job, state=State.SUCCEEDED)


def test_jobs_of_a_lane_run_one_after_another_and_tell_start_and_end() -> None:
    jobs, told = lanes()
    first, second = new_job("a"), new_job("b")
    jobs.start("run", first, succeed)
    jobs.start("run", second, succeed)
    assert told.end_of(second).ended_at is not None
    assert [(job.id[0], job.state) for job in told.jobs] == [
        ("a", State.RUNNING),
        ("a", State.SUCCEEDED),
        ("b", State.RUNNING),
        ("b", State.SUCCEEDED),
    ]
    jobs.stop()


def test_an_error_ends_the_job_and_not_the_lane() -> None:
    jobs, told = lanes()
    bad, foreign, good = new_job("a"), new_job("b"), new_job("c")

    def full(job: Job, cancellation: Cancellation) -> Job:
        raise NoSpace("full", hint="make room")

    def fault(job: Job, cancellation: Cancellation) -> Job:
        raise ZeroDivisionError("a fault")

    jobs.start("run", bad, full)
    jobs.start("run", foreign, fault)
    jobs.start("run", good, succeed)
    assert told.end_of(good).state is State.SUCCEEDED
    for job, code in ((bad, "no-space"), (foreign, "internal")):
        ended = told.end_of(job)
        assert ended.state is State.FAILED
        assert ended.error is not None
        assert ended.error.code == code
    jobs.stop()


def test_only_an_error_that_nobody_foresaw_is_logged_with_where_it_was(caplog: pytest.LogCaptureFixture) -> None:
    def end_by(error: Exception) -> Callable[[Job, Cancellation], Job]:
        def fail(job: Job, cancellation: Cancellation) -> Job:
            raise error

        return fail

    jobs, told = lanes()
    away, broken = new_job("a"), new_job("b")
    jobs.start("run", away, end_by(NotReachable("the receiver ended the session")))
    jobs.start("run", broken, end_by(ValueError("a fault of ours")))
    told.end_of(broken)
    jobs.stop()
    first, second = caplog.records
    facts = {"job": away.id, "rule": "x", "error": "the receiver ended the session", "code": "not-reachable"}
    assert (first.levelname, first.exc_info, first.__dict__["facts"]) == ("WARNING", None, facts)
    assert second.levelname == "ERROR"
    assert second.exc_info


def test_cancelling_ends_what_runs_and_what_waits() -> None:
    jobs, told = lanes()
    running, waiting = new_job("a"), new_job("b")
    begun = threading.Event()

    def block(job: Job, cancellation: Cancellation) -> Job:
        begun.set()
        cancellation.wait(60)
        cancellation.check()
        return job

    jobs.start("run", running, block)
    jobs.start("run", waiting, succeed)
    assert begun.wait(60)
    jobs.cancel(waiting.id)
    jobs.cancel(running.id)
    assert told.end_of(running).state is State.CANCELLED
    assert told.end_of(waiting).state is State.CANCELLED
    jobs.stop()


def test_stopping_cancels_and_takes_nothing_more() -> None:
    jobs, told = lanes()
    running = new_job("a")
    begun, woken = threading.Event(), threading.Event()

    def block(job: Job, cancellation: Cancellation) -> Job:
        cancellation.on_cancel(woken.set)
        begun.set()
        assert woken.wait(60)
        cancellation.check()
        return job

    jobs.start("run", running, block)
    assert begun.wait(60)
    jobs.stop()
    assert told.end_of(running).state is State.CANCELLED
    jobs.start("run", new_job("b"), succeed)
    assert {job.id[0] for job in told.jobs} == {"a"}


def test_questions_are_answered_beside_jobs() -> None:
    jobs, _ = lanes()
    answered = threading.Event()
    jobs.ask(answered.set)
    assert answered.wait(60)
    jobs.stop()
    jobs.ask(answered.clear)
    assert answered.is_set()

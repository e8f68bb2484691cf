"""What failed is tried again: by itself, at a time that is told and never quite the same, or now by hand; or not at all."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from holdfast.core.clock import now
from holdfast.core.errors import Conflict, UnknownName, UsageError
from holdfast.core.ids import JobId
from holdfast.model.jobs import State
from holdfast.model.maintenance import Check
from holdfast.node.planning.retries import BACK_OFF_S, MOST_CAPTURES, Retries, Retry
from holdfast.node.workers.messages import RunMaintenance
from holdfast.testing.node_rules import DOCUMENTS, MAIL, source_rules, store_rules
from holdfast.testing.virtual_clock import SeededEntropy
from tests.node.planning.test_scheduler import AWAY, World


def test_the_next_try_is_told_and_can_be_called_off(world: World) -> None:
    world.begin(source_rules(every_s=10**6))
    world.finish(world.runs()[0], AWAY)
    told = world.protection()
    assert told.retry_at is not None
    assert timedelta(0) < told.retry_at - now(world.clock) <= timedelta(seconds=BACK_OFF_S[0])
    assert (told.retries, world.protection("replicate").retry_at) == (0, None)
    world.pass_time(2)
    attempt = world.runs()[1]
    world.finish(attempt, AWAY)
    assert world.protection().retries == 1
    world.scheduler.cancel(world.runs()[0].job.id)
    assert world.protection().retry_at is None
    world.pass_time(5_000)
    assert len(world.runs()) == 2


def test_a_failed_job_is_run_again_by_hand(world: World) -> None:
    world.begin(source_rules(every_s=10**6))
    first = world.runs()[0]
    with pytest.raises(Conflict):
        world.scheduler.retry(first.job.id)
    world.finish(first, AWAY)
    (again,) = world.scheduler.retry(first.job.id)
    world.scheduler.tick()
    run = world.runs()[1]
    assert (run.job.id, run.job.cause, set(run.datasets), run.catch_up) == (again, "trigger", {DOCUMENTS, MAIL}, False)
    world.finish(run)
    assert (world.protection().error, world.protection().retry_at) == (None, None)
    with pytest.raises(UnknownName):
        world.scheduler.retry(JobId("0" * 32))
    check = world.book.new_job("check", "main", "trigger")
    world.scheduler.queue(RunMaintenance(job=check, repository="r", task=Check()))
    world.scheduler.job_news(msgspec.structs.replace(check, state=State.FAILED))
    with pytest.raises(UsageError, match="check"):
        world.scheduler.retry(check.id)
    world.scheduler.set_rules(msgspec.structs.replace(source_rules(), datasets=(), deliveries=()))
    with pytest.raises(UnknownName):
        world.scheduler.retry(first.job.id)


def test_a_cascade_that_is_drawn_no_more_when_it_fails_is_not_tried_again(world: World) -> None:
    """The node's agent ended with a traceback when its time had come."""
    world.begin(store_rules())
    world.scheduler.set_rules(msgspec.structs.replace(store_rules(2), cascades=()))
    world.finish(world.cascades()[0], AWAY)
    world.pass_time(5_000)
    assert len(world.cascades()) == 1


@pytest.mark.parametrize("captured", [True, False])
def test_a_dataset_that_is_drawn_no_more_when_its_run_fails_is_not_tried_again(world: World, captured: bool) -> None:
    world.begin(source_rules(every_s=10**6))
    world.scheduler.set_rules(msgspec.structs.replace(source_rules(2), datasets=(), deliveries=()))
    world.finish(world.runs()[0], AWAY, captured=captured)
    world.pass_time(5_000)
    assert len(world.runs()) == 1


def waits(seed: str) -> list[float]:
    retries, found, now_ns = Retries(SeededEntropy(seed)), [], 10**18
    for attempt in range(len(BACK_OFF_S) + 2):
        retries.failed(Retry(subject="d", kind="catch-up"), now_ns, was_attempt=attempt > 0)
        next_ns = retries.next_ns(set())
        assert next_ns is not None
        found.append((next_ns - now_ns) / 1e9)
        now_ns = next_ns
    return found


def test_waits_grow_to_a_bound_and_differ_between_machines_but_not_between_runs() -> None:
    one, other = waits("one"), waits("other")
    bounds = [*BACK_OFF_S, BACK_OFF_S[-1], BACK_OFF_S[-1]]
    for found in (one, other):
        assert all(0.8 * most <= wait <= most for wait, most in zip(found, bounds, strict=True))
    assert one == waits("one") != other


def test_a_capture_is_given_up_at_last_and_who_is_away_is_not() -> None:
    retries = Retries(SeededEntropy("x"))
    for attempt in range(MOST_CAPTURES + 1):
        assert retries.knows("captured") is (attempt > 0)
        for subject, kind in (("captured", "capture"), ("away", "catch-up")):
            retries.failed(Retry(subject=subject, kind=kind), attempt, was_attempt=attempt > 0)  # type: ignore[arg-type]
    assert (retries.knows("captured"), retries.knows("away")) == (False, True)


@pytest.mark.parametrize("was_attempt", [True, False])
def test_who_waited_long_for_a_place_does_not_give_up_at_the_next_other_trouble(was_attempt: bool) -> None:
    retries, waiting = Retries(SeededEntropy("x")), Retry(subject="d", kind="capture", for_a_place=True)
    for attempt in range(MOST_CAPTURES + 5):
        retries.failed(waiting, attempt, was_attempt=attempt > 0)
    retries.failed(Retry(subject="d", kind="capture"), 10**9, was_attempt=was_attempt)
    retries.failed(Retry(subject="d", kind="capture"), 10**9, was_attempt=True)
    assert retries.entries()["d"].attempts == 1


def test_what_a_killed_worker_was_at_is_tried_again_soon() -> None:
    """However long its receiver was away before, and when it is killed again a few times."""
    retries, died = Retries(SeededEntropy("x")), Retry(subject="d", kind="capture", failure=frozenset({("", "worker-died")}))
    for attempt in range(6):
        retries.failed(Retry(subject="d", kind="catch-up", failure=frozenset({("", "not-reachable")})), 0, was_attempt=attempt > 0)
    for kill in range(6):
        retries.failed(died, 0, was_attempt=kill > 0)
        assert retries.entries()["d"].next_ns <= 15 * 10**9
    for _ in range(3):
        retries.failed(died, 0, was_attempt=True)
    assert retries.entries()["d"].next_ns > 60 * 10**9


def test_a_first_run_does_not_wait_long_for_a_receiver_that_is_about_to_start(world: World) -> None:
    """One that has once been there is away for another reason."""
    world.begin(source_rules(every_s=10**6))
    world.finish(world.runs()[0], AWAY, captured=False)
    for attempt in range(1, 5):
        world.pass_time(2)
        world.finish(world.runs()[attempt], AWAY, captured=False)
    world.pass_time(5)
    world.finish(world.runs()[5])
    assert world.protection().state is State.SUCCEEDED


def test_what_was_never_there_is_waited_for_longer_in_the_end() -> None:
    retries = Retries(SeededEntropy("x"))
    for attempt in range(11):
        retries.failed(Retry(subject="d", kind="catch-up", is_first=True), 0, was_attempt=attempt > 0)
    assert retries.entries()["d"].next_ns > 200 * 10**9

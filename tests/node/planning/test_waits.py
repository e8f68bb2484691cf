"""Why what is promised here stands still: one reason, since when, until when, for what."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from holdfast.core.clock import now, utc
from holdfast.core.errors import ErrorFacts, ReceiverBusy, RepositoryPaused
from holdfast.core.units import format_utc
from holdfast.model.jobs import State
from holdfast.model.questions import AskTrigger
from holdfast.model.waits import Wait, WaitReason
from holdfast.node.workers.messages import PointsMade
from holdfast.testing.node_rules import DOCUMENTS, MAIL, operation, source_rules, store_rules
from tests.node.planning.test_scheduler import AWAY, World
from tests.node.planning.test_windows_of_movers import OPENS, with_windows


def test_a_receiver_is_away_since_the_first_attempt_that_failed_so(world: World) -> None:
    world.begin(source_rules())
    world.finish(world.runs()[0], AWAY)
    since = now(world.clock)
    world.pass_time(3)
    world.finish(world.runs()[1], AWAY)
    assert world.protection().wait == Wait(reason=WaitReason.RECEIVER, what="vault", since=since)
    world.restart()
    assert world.scheduler.protections() == ()
    world.begin(source_rules())
    told = world.protection().wait
    assert told is not None
    assert told.since == since
    world.finish(world.runs()[-1])
    assert world.protection().wait is None


def test_a_receiver_that_takes_its_time_is_waited_for_and_has_not_failed(world: World) -> None:
    world.begin(source_rules())
    world.finish(world.runs()[0])
    world.finish(world.runs()[-1], ReceiverBusy("it has not taken yet what it was sent 4 s ago").facts())
    told = world.protection()
    assert (told.error, told.state) == (None, State.SUCCEEDED)
    assert told.wait is not None
    assert (told.wait.reason, told.wait.what) == (WaitReason.RECEIVER, "vault")


def test_a_paused_repository_says_until_when(world: World) -> None:
    world.begin(source_rules())
    until = now(world.clock) + timedelta(hours=1)
    paused = RepositoryPaused("main is paused", repository="main", until=format_utc(until)).facts()
    world.finish(world.runs()[0], paused)
    wait = world.protection().wait
    assert wait is not None
    assert (wait.reason, wait.what, wait.until) == (WaitReason.PAUSED, "main", until)


def test_what_is_wrong_and_no_wait_is_told_as_an_error_alone(world: World) -> None:
    world.begin(source_rules())
    world.finish(world.runs()[0], ErrorFacts("no-space", "full", "", True))
    assert world.protection().wait is None


def test_a_job_waits_for_the_one_that_it_shares_a_dataset_with(world: World) -> None:
    world.begin(source_rules())
    (run,) = world.runs()
    world.scheduler.job_news(msgspec.structs.replace(run.job, state=State.RUNNING))
    world.scheduler.trigger(AskTrigger(trigger="t", datasets=(MAIL,)))
    world.scheduler.tick()
    # The one that runs is what its dataset is doing.
    waits = {p.dataset: p.wait for p in world.scheduler.protections() if p.operation == "backup"}
    assert waits["files1/mail"] == Wait(reason=WaitReason.JOB, what=run.job.rule, job=run.job.id)
    assert waits["files1/documents"] is None


def test_what_no_room_holds_up_is_told(world: World) -> None:
    world.free = 100 << 20
    world.begin(source_rules())
    assert world.protection().wait == Wait(reason=WaitReason.LOW_DISK)


def test_a_closed_window_says_until_when(world: World) -> None:
    world.begin(with_windows(source_rules()))
    assert world.protection().wait == Wait(reason=WaitReason.WINDOW, until=OPENS)


def test_a_cascade_waits_for_a_first_point_then_for_nothing_then_for_who_is_to_call(world: World) -> None:
    rules = store_rules()
    called = tuple(msgspec.structs.replace(each, delivery=msgspec.structs.replace(each.delivery, dial="to")) for each in rules.cascades)
    world.begin(msgspec.structs.replace(rules, cascades=called))
    world.finish(world.cascades()[0])
    assert world.protection().wait == Wait(reason=WaitReason.UPSTREAM, what="documents/backup")
    made = PointsMade(repository="main", dataset=DOCUMENTS, operations=("backup",), captured_at_ns=world.clock.now_ns())
    world.scheduler.points_made(made)
    world.scheduler.tick()
    assert world.protection().wait is None
    cascade = world.cascades()[1]
    world.acknowledge(DOCUMENTS, cascade_action(world), ("backup",), AWAY)
    world.scheduler.job_news(world.ended(cascade.job, AWAY, captured=True))
    told = world.protection().wait
    assert told == Wait(reason=WaitReason.NOT_CALLED, what="dr", since=utc(world.clock.now_ns()))


def cascade_action(world: World) -> str:
    return str(world.protection().action_id)


def test_an_operation_waits_for_the_one_that_it_comes_after(world: World) -> None:
    rules = source_rules()
    later = tuple(
        msgspec.structs.replace(
            each,
            operations=tuple(
                operation(op.name, kind=op.kind, after="documents/backup") if op.name == "replicate" else op for op in each.operations
            ),
        )
        for each in rules.datasets
    )
    world.begin(msgspec.structs.replace(rules, datasets=later))
    world.scheduler.cancel(world.runs()[0].job.id)
    world.scheduler.job_news(msgspec.structs.replace(world.runs()[0].job, state=State.CANCELLED))
    assert world.protection("replicate").wait == Wait(reason=WaitReason.UPSTREAM, what="documents/backup")

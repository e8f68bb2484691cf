"""Windows of movers in the scheduler: what is due waits for one to open, and is not late because of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from holdfast.core.clock import now, utc
from holdfast.core.errors import ErrorFacts
from holdfast.core.units import format_utc
from holdfast.delivery.limit import closed_until
from holdfast.model.jobs import State
from holdfast.model.questions import AskTrigger
from holdfast.model.rate_table import RateLine, RateTable
from holdfast.model.rules import Delivery, Rules
from holdfast.node.workers.messages import PointsMade
from holdfast.testing.node_rules import DOCUMENTS, MIRROR, STORE, operation, source_rules, store_rules
from tests.node.planning.test_scheduler import AWAY, START, World

EVENINGS = (RateTable(lines=(RateLine(window="18:00-22:00"),)),)
OPENS = datetime(2026, 11, 18, 18, tzinfo=UTC)


def with_windows(rules: Rules, fits: Callable[[Delivery], bool] = lambda _: True) -> Rules:
    deliveries = tuple(msgspec.structs.replace(each, windows=EVENINGS) if fits(each) else each for each in rules.deliveries)
    cascades = tuple(
        msgspec.structs.replace(each, delivery=msgspec.structs.replace(each.delivery, windows=EVENINGS)) for each in rules.cascades
    )
    return msgspec.structs.replace(rules, deliveries=deliveries, cascades=cascades)


def apart(rules: Rules) -> Rules:
    """The store and the mirror of documents are on two machines; the mirror's mover has a window."""
    store, mirror = (
        msgspec.structs.replace(
            rules.deliveries[0], id=f"to-{name}", actions=(action,), operations=names, action_operations=((action, names),)
        )
        for name, action, names in (("store", STORE, ("backup",)), ("mirror", MIRROR, ("replicate",)))
    )
    return msgspec.structs.replace(rules, deliveries=(store, msgspec.structs.replace(mirror, windows=EVENINGS)))


def shut(world: World) -> ErrorFacts:
    return closed_until(OPENS if now(world.clock) < OPENS else OPENS + timedelta(days=1)).facts()


def test_a_run_waits_until_the_first_of_its_movers_opens(world: World) -> None:
    world.begin(with_windows(source_rules()))
    assert world.runs() == []
    told = world.protection()
    assert (told.closed_until, told.waits, told.due_at, told.overdue, told.error) == (OPENS, True, OPENS, False, None)
    world.pass_time(5 * 3600)
    assert world.runs() == []
    assert not world.protection().overdue
    world.pass_time(3600)
    (run,) = world.runs()
    assert set(run.datasets) == set(run.operations)
    world.finish(run)
    told = world.protection()
    assert (told.closed_until, told.waits, told.due_at) == (None, False, OPENS + timedelta(hours=1))
    for _ in range(12):
        world.pass_time(3600)
        if world.runs()[-1] is not run:
            run = world.runs()[-1]
            world.finish(run)
    # At 18, 19, 20 and 21 o'clock; at 22 it is closed.
    assert len(world.runs()) == 4
    assert (world.protection().waits, world.protection().overdue) == (True, False)


def test_what_was_due_while_it_was_open_is_late(world: World) -> None:
    world.begin(with_windows(source_rules()))
    world.pass_time(7 * 3600)
    assert [world.protection().overdue, world.protection().waits] == [True, False]


def test_a_person_does_not_wait(world: World) -> None:
    world.begin(with_windows(source_rules()))
    world.scheduler.trigger(AskTrigger(trigger="t", datasets=(DOCUMENTS,)))
    world.scheduler.tick()
    assert [run.job.cause for run in world.runs()] == ["trigger"]


def test_a_mover_that_is_closed_is_served_when_it_opens_and_nothing_is_wrong(world: World) -> None:
    world.begin(apart(source_rules()))
    for _ in range(3):
        run = world.runs()[-1]
        world.scheduler.job_news(msgspec.structs.replace(run.job, state=State.RUNNING))
        world.acknowledge(DOCUMENTS, STORE, ("backup",), None)
        world.acknowledge(DOCUMENTS, MIRROR, ("replicate",), shut(world))
        world.scheduler.job_news(world.ended(run.job, None, captured=True))
        world.pass_time(3600)
    told = world.protection("replicate")
    assert (told.waits, told.closed_until, told.behind_runs, told.missed, told.error) == (True, OPENS, 3, 0, None)
    assert not any(run.catch_up for run in world.runs())
    world.pass_time((OPENS - now(world.clock)).total_seconds() - 1)
    while not any(run.catch_up for run in world.runs()):
        world.finish(world.runs()[-1], captured=False)
        world.pass_time(1)
    catch_up = next(run for run in world.runs() if run.catch_up)
    assert now(world.clock) - OPENS < timedelta(seconds=10)
    assert set(catch_up.datasets) == {DOCUMENTS}


def test_a_run_whose_window_closed_is_made_when_it_opens(world: World) -> None:
    world.begin(with_windows(source_rules()))
    world.pass_time((OPENS - now(world.clock)).total_seconds() + 3 * 3600 + 1)
    world.pass_time(3600)
    run = world.runs()[-1]
    error = closed_until(OPENS + timedelta(days=1)).facts()
    paused = msgspec.structs.replace(world.ended(run.job, None, captured=False), state=State.WARNINGS, error=error)
    world.scheduler.job_news(msgspec.structs.replace(run.job, state=State.RUNNING))
    world.scheduler.job_news(paused)
    count = len(world.runs())
    told = world.protection()
    assert (told.waits, told.error, told.missed, told.closed_until) == (True, None, 0, OPENS + timedelta(days=1))
    world.pass_time(18 * 3600)
    assert len(world.runs()) == count
    world.pass_time(2 * 3600 + 5)
    assert len(world.runs()) > count


def test_a_cascade_waits_in_the_queue(world: World) -> None:
    world.begin(with_windows(store_rules()))
    # The first look, at what is here already.
    world.scheduler.points_made(
        PointsMade(repository="main", dataset=DOCUMENTS, operations=("backup",), captured_at_ns=world.clock.now_ns())
    )
    world.scheduler.tick()
    assert world.cascades() == []
    told = next(iter(world.scheduler.protections()))
    assert (told.waits, told.closed_until, told.state, told.behind_runs) == (True, OPENS, State.UNKNOWN, 1)
    world.pass_time((OPENS - now(world.clock)).total_seconds())
    assert len(world.cascades()) == 1


def test_new_rules_are_looked_at_anew(world: World) -> None:
    world.begin(apart(source_rules()))
    run = world.runs()[-1]
    world.scheduler.job_news(msgspec.structs.replace(run.job, state=State.RUNNING))
    world.acknowledge(DOCUMENTS, STORE, ("backup",), None)
    world.acknowledge(DOCUMENTS, MIRROR, ("replicate",), shut(world))
    world.scheduler.job_news(world.ended(run.job, None, captured=True))
    world.pass_time(60)
    world.scheduler.set_rules(msgspec.structs.replace(source_rules(2), deliveries=tuple(
        msgspec.structs.replace(each, windows=()) for each in apart(source_rules()).deliveries
    )))  # fmt: skip
    world.pass_time(10)
    assert world.runs()[-1].catch_up
    world.acknowledge(DOCUMENTS, MIRROR, ("replicate",), None)
    assert not world.protection("replicate").waits


def test_who_is_away_is_away_though_the_other_is_closed(world: World) -> None:
    world.begin(apart(source_rules()))
    run = world.runs()[-1]
    world.scheduler.job_news(msgspec.structs.replace(run.job, state=State.RUNNING))
    world.acknowledge(DOCUMENTS, STORE, ("backup",), AWAY)
    world.acknowledge(DOCUMENTS, MIRROR, ("replicate",), shut(world))
    world.scheduler.job_news(world.ended(run.job, AWAY, captured=True))
    assert world.protection().error == AWAY
    world.pass_time(5)
    assert world.runs()[-1].catch_up


def test_a_relay_that_is_closed_further_on_is_waited_for(world: World) -> None:
    world.begin(source_rules(extra=(operation("x", every_s=None),)))
    run = world.runs()[-1]
    world.scheduler.job_news(msgspec.structs.replace(run.job, state=State.RUNNING))
    error = ErrorFacts("window-closed", "closed", "", True, {"until": format_utc(utc(world.clock.now_ns() + 600 * 10**9))})
    world.acknowledge(DOCUMENTS, STORE, ("backup",), error)
    world.scheduler.job_news(world.ended(run.job, None, captured=True))
    assert world.protection().waits
    world.pass_time(500)
    assert not world.runs()[-1].catch_up
    world.pass_time(120)
    assert world.runs()[-1].catch_up
    assert now(world.clock) < START + timedelta(hours=1)

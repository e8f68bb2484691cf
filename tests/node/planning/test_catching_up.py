"""What is behind stays on the list until it is not: also when there is nothing to catch up to, and when somebody cancels another run."""

from __future__ import annotations

import msgspec

from holdfast.core.errors import ErrorFacts
from holdfast.model.jobs import State
from holdfast.model.questions import AskTrigger
from holdfast.operations.run_lanes import CAPTURE_NEEDED
from holdfast.testing.node_rules import DOCUMENTS, MAIL, STORE, source_rules
from tests.node.planning.test_scheduler import AWAY, World


def test_where_there_is_nothing_to_catch_up_to_a_capture_is_made(world: World) -> None:
    world.begin(source_rules(every_s=10**6))
    world.finish(world.runs()[0], AWAY)
    world.pass_time(2)
    catch_up = world.runs()[1]
    assert catch_up.catch_up
    world.acknowledge(DOCUMENTS, STORE, (), CAPTURE_NEEDED)
    world.acknowledge(MAIL, STORE, ("backup",), None)
    world.scheduler.job_news(world.ended(catch_up.job, CAPTURE_NEEDED, False))
    assert (world.protection().state, world.protection().missed) == (State.FAILED, 1)
    world.pass_time(10)
    capture = world.runs()[2]
    assert not capture.catch_up
    assert capture.datasets == (DOCUMENTS,)
    assert "backup" in capture.operations[DOCUMENTS]
    world.finish(capture)
    assert (world.protection().error, world.protection().missed) == (None, 0)
    world.pass_time(1000)
    assert len(world.runs()) == 3


def test_a_run_that_is_cancelled_does_not_forget_who_is_behind(world: World) -> None:
    world.begin(source_rules(every_s=10**6))
    world.finish(world.runs()[0], AWAY)
    world.scheduler.trigger(AskTrigger(trigger="t", datasets=(DOCUMENTS, MAIL)))
    world.scheduler.tick()
    ended = world.ended(world.runs()[1].job, ErrorFacts("cancelled", "by hand"), False)
    world.scheduler.job_news(msgspec.structs.replace(ended, state=State.CANCELLED))
    world.pass_time(10)
    assert world.runs()[2].catch_up
    assert set(world.runs()[2].datasets) == {DOCUMENTS, MAIL}

"""The thread that sends what is in a spool: when it calls, and when it leaves the line to others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.errors import NotReachable
from holdfast.core.ids import ActionId, NodeId
from holdfast.operations.following.session_pool import SessionPool
from holdfast.operations.spooling.keeper import CATCHING_UP, Keeper
from holdfast.operations.spooling.sending import Sender, SendTools
from holdfast.testing.waiting import wait_for
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import ActionState
from tests.delivery.spool.spooled_source import Spooling
from tests.operations.spooling.test_standing import RULE, STORE, at, delivery


class Line:
    """A receiver that is away; counts who calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.called = threading.Event()

    def __call__(self, receiver: NodeId) -> Channel:
        self.calls += 1
        self.called.set()
        raise NotReachable(f"{receiver} is away")


@pytest.fixture
def scene(tmp_path: Path) -> Spooling:
    found = Spooling(tmp_path)
    found.first([("put", b"/data/a", (b"first",))])
    found.align()
    found.edit([("put", b"/data/a", (b"second",))])
    return found


@pytest.fixture
def keeper(scene: Spooling) -> Keeper:
    return Keeper(RULE, delivery("continuous", store="days"), (STORE,), False, scene.spool, SystemClock())


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def sender(keeper: Keeper, line: Line) -> Iterator[Sender]:
    clock = SystemClock()
    tools = SendTools(clock=clock, pool=SessionPool(clock), dial=line, generation=1, told=lambda _: None, missed=lambda _: None)
    found = Sender(keeper, tools)
    yield found
    found.close()


def test_it_calls_when_something_is_kept_and_says_why_that_does_not_help(
    scene: Spooling, keeper: Keeper, sender: Sender, line: Line
) -> None:
    assert keeper.waiting is None
    assert scene.keep()
    assert line.called.wait(60)
    wait_for(lambda: keeper.error is not None)
    assert keeper.waiting is not None
    assert keeper.waiting.code == "not-reachable"
    told = keeper.told()
    assert told is not None
    assert (told.receiver, told.runs, told.error) == ("vault", 1, keeper.error)


def test_it_leaves_the_line_to_a_run_that_goes_to_the_receiver_itself(scene: Spooling, keeper: Keeper, sender: Sender, line: Line) -> None:
    scene.spool.tee(on=True)
    assert scene.keep()
    assert keeper.waiting == CATCHING_UP
    scene.spool.align(scene.spool.cursor, scene.spool.cursor)
    scene.spool.tee(on=False)
    sender.close()
    assert line.calls == 0


def test_what_two_actions_say_is_of_the_one_behind(keeper: Keeper) -> None:
    assert keeper.heard({STORE: ActionState(action=STORE, cursor=at(1))}).cursor == at(1)
    assert keeper.heard({ActionId("other"): ActionState(action=ActionId("other"))}).error is not None

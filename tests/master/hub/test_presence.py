"""A node that is connected and answers nothing is shown as silent, and as online as soon as it says something."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from holdfast.core.errors import NotReachable
from holdfast.core.ids import NodeId
from holdfast.master.hub import presence
from holdfast.master.hub.sessions import PATIENCE_LOOKS, QUIET_LOOKS, Session
from holdfast.model.audit import AskAnchors
from holdfast.model.node_status import NodeStatus
from holdfast.model.questions import AskStatus
from holdfast.testing.simulated_node import SimulatedNode
from holdfast.wire.hub_messages import HubMessage
from tests.master.masters import ONE_TO_TWO, Running, with_master


async def _until_asked(running: Running, node: SimulatedNode) -> None:
    """Looks until the hub has asked the node for a sign of life."""
    for _ in range(QUIET_LOOKS + 1):
        await running.master.hub.look()
    await node.until(lambda: AskAnchors() in node.asked)


async def _fall_silent(running: Running, node: SimulatedNode) -> None:
    node.stands_still = True
    await _until_asked(running, node)
    for _ in range(PATIENCE_LOOKS):
        await running.master.hub.look()


async def _until_online(running: Running, node: NodeId) -> None:
    while True:
        seen = running.master.base.news.count
        if node in running.master.hub.online():
            return
        assert await running.master.base.news.wait(seen, 10) or node in running.master.hub.online()


@with_master
async def test_a_node_that_answers_nothing_is_silent_until_it_answers(running: Running) -> None:
    await running.connect("files1", "vault")
    node, other = running.nodes["files1"], running.nodes["vault"]
    await _fall_silent(running, node)
    await _until_online(running, other.identity.node)
    views = {view["name"]: view for view in (await running.get("/nodes"))["nodes"]}
    assert (views["files1"]["state"], views["vault"]["state"]) == ("silent", "online")
    ago = datetime.now(UTC) - datetime.fromisoformat(views["files1"]["last_seen"])
    assert 25 < ago.total_seconds() < 60, "it is told when it last said something"
    await node.wake()
    await _until_online(running, node.identity.node)
    assert {view["state"] for view in (await running.get("/nodes"))["nodes"]} == {"online"}


@with_master
async def test_a_silent_node_is_named_in_the_status_at_once_and_gets_its_rules_when_it_wakes(running: Running) -> None:
    await running.connect("files1", "vault", "dr")
    await running.apply(ONE_TO_TWO)
    node = running.nodes["files1"]
    await _fall_silent(running, node)
    with pytest.raises(NotReachable, match="connected and answers nothing"):
        await running.master.hub.ask(node.identity.node, AskStatus())
    assert AskStatus() not in node.asked
    assert running.master.hub.sessions == 3, "it is connected all the same"
    await node.wake()
    await _until_online(running, node.identity.node)
    node.answer = lambda question: NodeStatus(node="files1", generation=0)
    assert (await running.master.hub.ask_for(node.identity.node, AskStatus(), NodeStatus)).node == "files1"


@with_master
async def test_a_node_that_is_slow_to_answer_does_not_flap(running: Running) -> None:
    await running.connect("files1")
    node = running.nodes["files1"]
    for _ in range(3):
        node.stands_still = True
        node.asked.clear()
        await _until_asked(running, node)
        for _ in range(PATIENCE_LOOKS - 1):
            await running.master.hub.look()
        assert node.identity.node in running.master.hub.online()
        await node.wake()
        await node.report(1)
        await node.until(lambda: node.received == 1)
        node.received = 0


class _Stream:
    """Nobody is there."""

    key_id = ""

    def __init__(self, name: str) -> None:
        self.peer = NodeId(name)

    async def send(self, message: HubMessage) -> None: ...

    async def receive(self) -> HubMessage | None:
        return None

    async def close(self) -> None: ...


def test_of_very_many_those_that_were_quiet_longest_are_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "MOST_ASKED", 2)
    sessions = [Session(_Stream(name)) for name in ("first", "second", "third")]
    presence.look(sessions[1:])
    for _ in range(QUIET_LOOKS + 1):
        found = presence.look(sessions)
    assert [session.node for session in found.to_ask] == ["second", "third"]
    for session in found.to_ask:
        session.signs.asked()
    for _ in range(PATIENCE_LOOKS):
        found = presence.look(sessions)
    assert [session.node for session in found.fell_silent] == ["second", "third"]
    assert [session.node for session in found.to_ask] == ["first"]

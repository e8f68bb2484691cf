"""What the nodes say of themselves, asked for together and remembered: for views that are looked at again and again."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable

import msgspec

from holdfast.core.clock import Clock
from holdfast.core.errors import ErrorFacts, HoldfastError, NotReachable
from holdfast.core.ids import NodeId
from holdfast.master.hub import Hub
from holdfast.model.questions import AskStatus, NodeStatus

STATUS_TIMEOUT_S = 5.0
FRESH_S = 1.0
PATIENCE_S = 0.6
STALE_S = 30.0
MOST_AT_ONCE = 500
ASKED_S = 100
"""Nodes asked a second where very many are looked at: of two thousand an answer may be 20 s old."""
Told = NodeStatus | ErrorFacts


class _Answer(msgspec.Struct, frozen=True):
    told: Told
    at_s: float


class Looks:
    """Status of nodes. Many who look at once ask each node once."""

    def __init__(self, hub: Hub, clock: Clock) -> None:
        self._hub = hub
        self._clock = clock
        self._known: dict[NodeId, NodeStatus] = {}
        self._answers: dict[NodeId, _Answer] = {}
        self._asking: dict[NodeId, asyncio.Task[Told]] = {}

    def last_known(self, node: NodeId) -> NodeStatus | None:
        """What it said when it last answered, however long ago."""
        return self._known.get(node)

    async def ask(self, nodes: Iterable[NodeId]) -> dict[NodeId, Told]:
        """What they say now, in their order; the error of one that is away or does not answer in `STATUS_TIMEOUT_S`."""
        wanted = list(nodes)
        answers = await asyncio.gather(*(self._ask(node) for node in wanted))
        return dict(zip(wanted, answers, strict=True))

    async def look(self, nodes: Iterable[NodeId]) -> dict[NodeId, Told]:
        """As `ask`; where more than `MOST_AT_ONCE` are looked at, as `glance`."""
        wanted = list(nodes)
        return await (self.ask(wanted) if len(wanted) <= MOST_AT_ONCE else self.glance(wanted))

    async def glance(self, nodes: Iterable[NodeId]) -> dict[NodeId, Told]:
        """As `ask`, within `PATIENCE_S`: an answer may be `FRESH_S` old; `STALE_S` where the node is slow, or where so many are looked at
        that only `ASKED_S` are asked a second, those with the oldest answers. A node that told of a job or event since is asked again."""
        wanted = list(nodes)
        online = self._hub.online()
        fresh_s = max(FRESH_S, min(len(wanted) / ASKED_S, STALE_S))
        old = sorted((node for node in wanted if not self._is_fresh(node, node in online, fresh_s)), key=self._answered_at_s)
        bearable_s = self._clock.monotonic_s() - STALE_S
        tasks = {node: self._start(node) for n, node in enumerate(old) if n < MOST_AT_ONCE or self._answered_at_s(node) < bearable_s}
        if tasks:
            await asyncio.wait(tasks.values(), timeout=PATIENCE_S)
        return {node: self._best(node, tasks.get(node)) for node in wanted}

    async def close(self) -> None:
        """Nobody looks any more."""
        tasks = tuple(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _answered_at_s(self, node: NodeId) -> float:
        answer = self._answers.get(node)
        return -math.inf if answer is None else answer.at_s

    def _is_fresh(self, node: NodeId, is_online: bool, fresh_s: float) -> bool:
        """One that went away, or came back, since it was asked is asked again."""
        answer = self._answers.get(node)
        if answer is None:
            return False
        age_s = self._clock.monotonic_s() - answer.at_s
        if age_s > (FRESH_S if self._hub.reported_s(node) > answer.at_s else fresh_s):
            return False
        return isinstance(answer.told, NodeStatus) == is_online

    def _start(self, node: NodeId) -> asyncio.Task[Told]:
        task = self._asking.get(node)
        if task is None:
            task = self._asking[node] = asyncio.create_task(self._ask(node))
            task.add_done_callback(lambda _: self._asking.pop(node, None))
        return task

    def _best(self, node: NodeId, task: asyncio.Task[Told] | None) -> Told:
        """The answer that came; else one that is not too old; else that there is none yet."""
        answer = self._answers.get(node)
        if answer is not None and (task is None or task.done() or self._clock.monotonic_s() - answer.at_s <= STALE_S):
            return answer.told
        return NotReachable("the node has not answered yet", hint="it is busy or slow; look again in a moment").facts()

    async def _ask(self, node: NodeId) -> Told:
        told: Told
        try:
            told = self._known[node] = await self._hub.ask_for(node, AskStatus(), NodeStatus, STATUS_TIMEOUT_S)
        except HoldfastError as error:
            told = error.facts()
        self._answers[node] = _Answer(told, self._clock.monotonic_s())
        return told

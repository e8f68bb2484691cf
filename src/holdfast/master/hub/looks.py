"""What the nodes say of themselves, asked for together and remembered: for views that are looked at again and again."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from holdfast.core.clock import Clock
from holdfast.core.errors import ErrorFacts, HoldfastError, NotReachable
from holdfast.core.ids import NodeId
from holdfast.master.hub.hub import Hub
from holdfast.master.hub.past_runs import PastRuns
from holdfast.model.node_status import NodeStatus
from holdfast.model.questions import AskStatus

STATUS_TIMEOUT_S = 5.0
FRESH_S = 1.0
PATIENCE_S = 0.6
STALE_S = 30.0
MOST_AT_ONCE = 500
ASKED_S = 100
"""Nodes asked a second where very many are looked at: of two thousand an answer may be 20 s old."""
ASKERS = 8
"""So many of very many are asked at a time: to ask hundreds at once keeps everybody else waiting."""
Told = NodeStatus | ErrorFacts
_NOT_YET = NotReachable("the node has not answered yet", hint="it is busy or slow; look again in a moment").facts()


class _Answer(msgspec.Struct, frozen=True):
    told: Told
    at_s: float


class Looks:
    """Status of nodes. Many who look at once ask each node once."""

    def __init__(self, hub: Hub, past: PastRuns, clock: Clock) -> None:
        self._hub = hub
        self._past = past
        self._clock = clock
        self._known: dict[NodeId, NodeStatus] = {}
        self._answers: dict[NodeId, _Answer] = {}
        self._asking: dict[NodeId, asyncio.Task[Told]] = {}
        self._queued: dict[NodeId, asyncio.Future[None]] = {}
        self._turns: deque[NodeId] = deque()
        self._askers: set[asyncio.Task[None]] = set()
        self._crowd_until_s = -math.inf
        self._is_closed = False
        hub.on_report = self._reported

    def last_known(self, node: NodeId) -> NodeStatus | None:
        """What it said when it last answered, however long ago."""
        return self._known.get(node)

    async def ask(self, nodes: Iterable[NodeId]) -> dict[NodeId, Told]:
        """What they say now, in their order; the error of one that is away or does not answer in `STATUS_TIMEOUT_S`."""
        wanted = list(nodes)
        answers = await asyncio.gather(*(self._ask(node) for node in wanted))
        return dict(zip(wanted, answers, strict=True))

    async def look(self, nodes: Iterable[NodeId]) -> dict[NodeId, Told]:
        """As `ask`; where more than `MOST_AT_ONCE` are looked at, as `glance`, but for patience with those that have not answered in
        `STALE_S`."""
        wanted = list(nodes)
        return await (self.ask(wanted) if len(wanted) <= MOST_AT_ONCE else self._look_at_crowd(wanted, STATUS_TIMEOUT_S))

    async def glance(self, nodes: Iterable[NodeId]) -> dict[NodeId, Told]:
        """As `ask`, within `PATIENCE_S`: an answer may be `FRESH_S` old, and `STALE_S` where the node is slow. Where more than
        `MOST_AT_ONCE` are looked at only `ASKED_S` are asked a second, those with the oldest answers, and nobody waits for them who has an
        answer that is not older than `STALE_S`. A node that told of a job or event since is asked again, in a crowd as soon as it tells."""
        wanted = list(nodes)
        if len(wanted) > MOST_AT_ONCE:
            return await self._look_at_crowd(wanted, PATIENCE_S)
        tasks = {node: self._start(node) for node in self._old(wanted, FRESH_S)}
        if tasks:
            await asyncio.wait(tasks.values(), timeout=PATIENCE_S)
        return self._best(wanted, tasks)

    async def _look_at_crowd(self, wanted: list[NodeId], patience_s: float) -> dict[NodeId, Told]:
        now_s = self._clock.monotonic_s()
        self._crowd_until_s = now_s + STALE_S
        old = self._old(wanted, min(len(wanted) / ASKED_S, STALE_S))
        online = self._hub.online()
        # Of one that is away this is known at once.
        if away := [self._start(node) for node in old if node not in online]:
            await asyncio.wait(away)
        asked = {node: self._enqueue(node) for node in old if node in online}
        missed = [done for node, done in asked.items() if self._answered_at_s(node) < now_s - STALE_S]
        if missed:
            await asyncio.wait(missed, timeout=patience_s)
        return self._best(wanted, asked)

    async def close(self) -> None:
        """Nobody looks any more."""
        self._is_closed = True
        tasks = (*self._asking.values(), *self._askers)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _reported(self, node: NodeId) -> None:
        """It told of a job or an event: whoever hears of that next is to find here what became of it."""
        now_s = self._clock.monotonic_s()
        if now_s < self._crowd_until_s:
            self._enqueue(node, max(0.0, FRESH_S - (now_s - self._answered_at_s(node))))

    def _enqueue(self, node: NodeId, delay_s: float = 0.0) -> asyncio.Future[None]:
        """Done as soon as it was asked, not before `delay_s`; each is in the queue once."""
        waiting = self._queued.get(node)
        if waiting is None:
            loop = asyncio.get_running_loop()
            waiting = self._queued[node] = loop.create_future()
            if delay_s > 0:
                loop.call_later(delay_s, self._take_turn, node)
            else:
                self._take_turn(node)
        return waiting

    def _take_turn(self, node: NodeId) -> None:
        self._turns.append(node)
        if len(self._askers) < ASKERS and not self._is_closed:
            asker = asyncio.create_task(self._ask_in_turn())
            self._askers.add(asker)
            asker.add_done_callback(self._askers.discard)

    async def _ask_in_turn(self) -> None:
        while self._turns:
            node = self._turns.popleft()
            await asyncio.wait((self._start(node),))
            self._queued.pop(node).set_result(None)

    def _old(self, nodes: Iterable[NodeId], fresh_s: float) -> list[NodeId]:
        """Those that are to be asked, the oldest answers first."""
        online, now_s = self._hub.online(), self._clock.monotonic_s()
        return sorted((node for node in nodes if not self._is_fresh(node, node in online, fresh_s, now_s)), key=self._answered_at_s)

    def _answered_at_s(self, node: NodeId) -> float:
        answer = self._answers.get(node)
        return -math.inf if answer is None else answer.at_s

    def _is_fresh(self, node: NodeId, is_online: bool, fresh_s: float, now_s: float) -> bool:
        """One that went away, or came back, since it was asked is asked again."""
        answer = self._answers.get(node)
        if answer is None:
            return False
        age_s = now_s - answer.at_s
        if age_s > fresh_s or (age_s > FRESH_S and self._hub.reported_s(node) > answer.at_s):
            return False
        return isinstance(answer.told, NodeStatus) == is_online

    def _start(self, node: NodeId) -> asyncio.Task[Told]:
        task = self._asking.get(node)
        if task is None:
            task = self._asking[node] = asyncio.create_task(self._ask(node))
            task.add_done_callback(lambda _: self._asking.pop(node, None))
        return task

    def _best(self, nodes: Iterable[NodeId], waited_for: Mapping[NodeId, asyncio.Future[Any]]) -> dict[NodeId, Told]:
        """Of each the answer that came; else one that is not too old; else that there is none yet. `waited_for`: those that were asked; for
        the others there was nothing to wait for."""
        oldest_s = self._clock.monotonic_s() - STALE_S
        found: dict[NodeId, Told] = {}
        for node in nodes:
            answer, asked = self._answers.get(node), waited_for.get(node)
            is_good = answer is not None and (asked is None or answer.at_s >= oldest_s or asked.done())
            found[node] = answer.told if answer is not None and is_good else _NOT_YET
        return found

    async def _ask(self, node: NodeId) -> Told:
        told: Told
        try:
            told = await self._past.filled(node, await self._hub.ask_for(node, AskStatus(), NodeStatus, STATUS_TIMEOUT_S))
            # Who says the same again is worked out only once (`node_parts`).
            known = self._known.get(node)
            told = self._known[node] = known if known == told and known is not None else told
        except HoldfastError as error:
            told = error.facts()
        self._answers[node] = _Answer(told, self._clock.monotonic_s())
        return told

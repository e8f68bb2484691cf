"""One connected node: pushes, questions and what it tells, over one stream."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import Any, Protocol

from holdfast.core.errors import HoldfastError, NotReachable, ProtocolError
from holdfast.core.ids import JobId, NodeId
from holdfast.core.signs_of_life import SignsOfLife
from holdfast.model.audit import AskAnchors
from holdfast.model.jobs import Progress
from holdfast.model.questions import Answer, Failed, Question
from holdfast.model.rules import SignedRules
from holdfast.wire.hub_messages import (
    OLDEST_PROTOCOL,
    Answered,
    Asked,
    Confirmed,
    Farewell,
    FromMaster,
    HubMessage,
    Progressed,
    Push,
    Unread,
)
from holdfast.wire.skew import check_known

QUIET_LOOKS, PATIENCE_LOOKS = 3, 3
"""Looks of `presence`: a node is silent 30 to 40 s after it last said something. One that is busy answers in far less."""
_NOBODYS = 0
"""The number of a question whose answer nobody waits for."""


class NodeStream(Protocol):
    """The Master's end of one hub session (`wire.hub.HubStream`). `peer` and `key_id` come from the certificate the node showed.

    Any task may send, one receives. `receive` gives None when the node went away in order or this end was closed; both raise
    `NotReachable` on a broken stream, `ProtocolError` on bytes that are no message.
    """

    peer: NodeId
    key_id: str

    async def send(self, message: HubMessage) -> None: ...

    async def receive(self) -> HubMessage | None: ...

    async def close(self) -> None: ...


class Session:
    """What the Master can do with a node while it is connected. `host`: the address it dials from."""

    def __init__(self, stream: NodeStream, host: str = "") -> None:
        self.host = host
        self.node = stream.peer
        self.key_id = stream.key_id
        self.progress: dict[JobId, Progress] = {}
        self.protocol = OLDEST_PROTOCOL
        self.reported_s = -math.inf
        self.signs = SignsOfLife(QUIET_LOOKS, PATIENCE_LOOKS)
        self._stream = stream
        self._number = 0
        self._answers: dict[int, asyncio.Future[Answer]] = {}
        self._pushes: dict[int, asyncio.Future[Confirmed]] = {}

    async def send(self, message: FromMaster) -> None:
        await self._stream.send(message)

    async def receive(self) -> HubMessage | None:
        return await self._stream.receive()

    async def prod(self) -> None:
        """Ask for a sign of life, with a question that the node's agent answers by itself. Nobody waits for what it says."""
        self.signs.asked()
        # That the session ends is told to whoever listens to it.
        with contextlib.suppress(HoldfastError):
            await self.send(Asked(number=_NOBODYS, question=AskAnchors()))

    async def ask(self, question: Question, timeout_s: float) -> Answer:
        """Raises `NotReachable` when the node goes away or does not answer in time, `Refused` when it is too old for the question."""
        check_known(type(question).__name__, self.protocol)
        self._number += 1
        number = self._number
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            await self.send(Asked(number=number, question=question))
            return await asyncio.wait_for(answer, timeout_s)
        except TimeoutError:
            raise NotReachable(f"the node did not answer within {timeout_s:g} s", node=self.node) from None
        finally:
            self._answers.pop(number, None)

    async def push(self, generation: int, rules: SignedRules, timeout_s: float) -> Confirmed:
        """Send rules and wait for the answer. A push of the same generation that is on its way is not sent twice."""
        await self.offer(generation, rules)
        try:
            return await asyncio.wait_for(asyncio.shield(self._pushes[generation]), timeout_s)
        except TimeoutError:
            raise NotReachable(f"the node did not confirm its rules within {timeout_s:g} s", node=self.node) from None

    async def offer(self, generation: int, rules: SignedRules) -> None:
        """As `push`, without waiting for the answer."""
        if generation not in self._pushes:
            self._pushes[generation] = asyncio.get_running_loop().create_future()
            await self.send(Push(rules=rules))

    def take(self, message: Answered | Confirmed | Progressed | Unread) -> None:
        """What the node said belongs to a question or push of ours; one that nobody waits for any more is dropped."""
        match message:
            case Answered(number=number, answer=answer):
                _settle(self._answers.get(number), answer)
            case Unread(number=number, what=what):
                error = ProtocolError(
                    f"the node answered {what}, which this Master does not know", hint="upgrade the Master first, then its nodes"
                )
                _settle(self._answers.get(number), Failed(error=error.facts()))
            case Confirmed(generation=generation):
                _settle(self._pushes.get(generation), message)
            case Progressed(progress=progress):
                self.progress.update({item.job: item for item in progress})

    async def dismiss(self, error: HoldfastError) -> None:
        """End the session on purpose. The node may be gone already."""
        try:
            async with asyncio.timeout(2):
                await self.send(Farewell(error=error.facts()))
        except (HoldfastError, TimeoutError):
            pass
        finally:
            await self.close()

    async def close(self) -> None:
        """The stream ends, and whoever waits for this node learns that it is gone."""
        await self._stream.close()
        gone = NotReachable("the node's session ended", hint="the node connects again by itself", node=self.node)
        everybody: list[asyncio.Future[Any]] = [*self._answers.values(), *self._pushes.values()]
        for waiting in everybody:
            if not waiting.done():
                waiting.set_exception(gone)
                waiting.exception()  # Looked at: a push nobody waits for is no fault to be logged at collection.


def _settle(waiting: asyncio.Future[Any] | None, result: Answer | Confirmed) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(result)

"""One connected node: pushes, questions and what it tells, over one stream."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from holdfast.core.errors import HoldfastError, NotReachable
from holdfast.core.ids import JobId, NodeId
from holdfast.model.jobs import Progress
from holdfast.model.questions import Answer, Question
from holdfast.model.rules import SignedRules
from holdfast.wire.hub_messages import Answered, Asked, Confirmed, Farewell, FromMaster, FromNode, Progressed, Push


class NodeStream(Protocol):
    """The Master's end of one hub session. `peer` and `key_id` come from the certificate the node showed.

    `receive` returns None when the node went away. Both raise `NotReachable` on a broken stream, `ProtocolError` on bytes that
    are no message of a node. Sends must not overlap: `Session` sees to it.
    """

    @property
    def peer(self) -> NodeId: ...

    @property
    def key_id(self) -> str: ...

    async def send(self, message: FromMaster) -> None: ...

    async def receive(self) -> FromNode | None: ...


class Session:
    """What the Master can do with a node while it is connected."""

    def __init__(self, stream: NodeStream) -> None:
        self.node = stream.peer
        self.key_id = stream.key_id
        self.progress: dict[JobId, Progress] = {}
        self.ended = asyncio.Event()
        self._stream = stream
        self._sending = asyncio.Lock()
        self._number = 0
        self._answers: dict[int, asyncio.Future[Answer]] = {}
        self._pushes: dict[int, asyncio.Future[Confirmed]] = {}

    async def send(self, message: FromMaster) -> None:
        async with self._sending:
            await self._stream.send(message)

    async def receive(self) -> FromNode | None:
        return await self._stream.receive()

    async def receive_or_end(self) -> FromNode | None:
        """The next message; None when the node left, or this session was ended from here."""
        receiving = asyncio.ensure_future(self._stream.receive())
        ending = asyncio.ensure_future(self.ended.wait())
        try:
            await asyncio.wait((receiving, ending), return_when=asyncio.FIRST_COMPLETED)
            return receiving.result() if receiving.done() else None
        finally:
            receiving.cancel()
            ending.cancel()

    async def ask(self, question: Question, timeout_s: float) -> Answer:
        """Raises `NotReachable` when the node goes away or does not answer in time."""
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

    def take(self, message: Answered | Confirmed | Progressed) -> None:
        """What the node said belongs to a question or push of ours; one that nobody waits for any more is dropped."""
        match message:
            case Answered(number=number, answer=answer):
                _settle(self._answers.get(number), answer)
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
            self.close()

    def close(self) -> None:
        """Whoever waits for this node learns that it is gone."""
        self.ended.set()
        gone = NotReachable("the node's session ended", hint="the node connects again by itself", node=self.node)
        everybody: list[asyncio.Future[Any]] = [*self._answers.values(), *self._pushes.values()]
        for waiting in everybody:
            if not waiting.done():
                waiting.set_exception(gone)
                waiting.exception()  # Looked at: a push nobody waits for is no fault to be logged at collection.


def _settle(waiting: asyncio.Future[Any] | None, result: Answer | Confirmed) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(result)

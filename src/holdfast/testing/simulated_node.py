"""A node for tests of the Master: real certificate, real hub session, no data. It confirms or refuses rules and answers questions.

It is driven from the test's own event loop: `connect`, then the session runs as a task until `disconnect` or the Master ends it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from holdfast.core.errors import ErrorFacts, HoldfastError, NotReachable, UsageError, facts_of
from holdfast.core.ids import EnvironmentId, NodeId
from holdfast.model.audit import Anchor
from holdfast.model.jobs import Event, Job, Progress
from holdfast.model.questions import Answer, Failed, Question
from holdfast.model.rules import Rules, SignedRules, decode_rules, signed_bytes_of_rules
from holdfast.wire.authority import verify_signature
from holdfast.wire.hub import HubStream, dial_hub
from holdfast.wire.hub_messages import (
    OLDEST_PROTOCOL,
    PROTOCOL,
    Answered,
    Asked,
    Confirmed,
    Farewell,
    Hello,
    HubMessage,
    InForce,
    Progressed,
    Push,
    Received,
    Report,
    Welcome,
)
from holdfast.wire.identity import Credentials

Answerer = Callable[[Question], Answer]


@dataclass(frozen=True)
class SimulatedIdentity:
    """What a machine has after joining."""

    node: NodeId
    environment: EnvironmentId
    credentials: Credentials
    signing_key: bytes


def answer_nothing(question: Question) -> Answer:
    return Failed(error=UsageError(f"the simulated node has no answer to {type(question).__name__}").facts())


@dataclass
class SimulatedNode:
    """`refuses` is what it says to rules; empty = it takes them. `leaves_on_push`: it goes away instead of answering.
    `taken` are the rules in force, in order; `asked` is everything asked. `anchors`: what it keeps of the audit log, as it says; `told`:
    what it was told of it. `epoch`: of the Master it follows, `in_force`: its rules as they were signed.
    `stands_still`: connected, and nothing is answered until `wake`.
    `version`, `protocol` and `newest`: as in `Hello`; `spoken` is what the Master chose.
    """

    identity: SimulatedIdentity
    address: str = "127.0.0.1:1"
    generation: int = 0
    time_ns: int = 0
    answer: Answerer = answer_nothing
    refuses: tuple[ErrorFacts, ...] = ()
    leaves_on_push: bool = False
    taken: list[Rules] = field(default_factory=list)
    asked: list[Question] = field(default_factory=list)
    received: int = 0
    farewell: ErrorFacts | None = None
    anchors: tuple[Anchor, ...] = ()
    told: list[Anchor | None] = field(default_factory=list)
    epoch: int = 0
    in_force: SignedRules | None = None
    version: str = "simulated"
    protocol: int = OLDEST_PROTOCOL
    newest: int = PROTOCOL
    spoken: int = 0
    stands_still: bool = False
    _unanswered: list[Asked] = field(default_factory=list)
    _stream: HubStream | None = None
    _session: asyncio.Task[None] | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def connect(self, hub_address: str, environment: EnvironmentId | None = None, node: NodeId | None = None) -> None:
        """Dial and say hello, returning when the Master has welcomed us. Raises what its farewell says. Other ids than our own can be
        claimed, to see them refused."""
        self._stream = await dial_hub(hub_address, self.identity.credentials)
        self.farewell = None
        hello = Hello(
            environment=environment or self.identity.environment,
            node=node or self.identity.node,
            generation=self.generation,
            version=self.version,
            protocol=self.protocol,
            newest=self.newest,
            time_ns=self.time_ns,
            data_address=self.address,
            anchors=self.anchors,
            epoch=self.epoch,
        )
        await self._stream.send(hello)
        first = await self._stream.receive()
        if isinstance(first, Farewell):
            await self.disconnect()
            raise NotReachable(first.error.message, hint=first.error.hint, code=first.error.code)
        assert isinstance(first, Welcome), first
        self.told.append(first.audit)
        self.epoch, self.spoken = first.epoch, first.protocol
        if self.in_force is not None and 0 <= first.generation < self.generation:
            await self._stream.send(InForce(rules=self.in_force))
        self._session = asyncio.create_task(self._run(self._stream))

    async def disconnect(self) -> None:
        if self._stream is not None:
            await self._stream.close()
        if self._session is not None:
            await self._session
        self._stream = self._session = None

    async def report(self, number: int, jobs: tuple[Job, ...] = (), events: tuple[Event, ...] = ()) -> None:
        """Send a report; wait with `until(lambda: node.received >= number)`."""
        await self._connected().send(Report(number=number, jobs=jobs, events=events))

    async def tell_progress(self, *progress: Progress) -> None:
        await self._connected().send(Progressed(progress=progress))

    async def wake(self) -> None:
        self.stands_still = False
        unanswered, self._unanswered = self._unanswered, []
        for asked in unanswered:
            await self._connected().send(Answered(number=asked.number, answer=self._answer(asked.question)))

    async def until(self, condition: Callable[[], bool], timeout_s: float = 10) -> None:
        """Wait until something the Master sends makes this true."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def ended(self) -> None:
        """Wait until the Master has ended the session."""
        assert self._session is not None
        await asyncio.wait_for(asyncio.shield(self._session), 10)

    def _connected(self) -> HubStream:
        assert self._stream is not None, "connect first"
        return self._stream

    async def _run(self, stream: HubStream) -> None:
        try:
            while (message := await stream.receive()) is not None:
                await self._take(stream, message)
                self._changed.set()
        except HoldfastError as error:
            self.farewell = self.farewell or error.facts()
        self._changed.set()

    async def _take(self, stream: HubStream, message: HubMessage) -> None:
        match message:
            case Push() if self.leaves_on_push:
                await stream.close()
            case Push(rules=signed):
                assert verify_signature(self.identity.signing_key, signed_bytes_of_rules(signed.body), signed.signature)
                assert hashlib.sha256(signed.body).hexdigest() == signed.digest
                rules = decode_rules(signed.body)
                problems = self._problems(rules)
                if not problems:
                    self.taken.append(rules)
                    self.generation, self.in_force = rules.generation, signed
                await stream.send(Confirmed(generation=rules.generation, problems=problems))
            case Asked(number=number, question=question):
                self.asked.append(question)
                if self.stands_still:
                    self._unanswered.append(message)
                else:
                    await stream.send(Answered(number=number, answer=self._answer(question)))
            case Received(number=number, audit=audit):
                self.told.append(audit)
                self.received = number
            case Farewell(error=error):
                self.farewell = error

    def _problems(self, rules: Rules) -> tuple[ErrorFacts, ...]:
        """A generation that is not above ours is refused, as any node does; `refuses` concerns only rules that ask for something."""
        if rules.generation <= self.generation:
            return (ErrorFacts("stale-rules", f"generation {rules.generation} is not above {self.generation}"),)
        return self.refuses if rules.datasets or rules.receives or rules.repositories else ()

    def _answer(self, question: Question) -> Answer:
        try:
            return self.answer(question)
        except HoldfastError as error:
            return Failed(error=facts_of(error))

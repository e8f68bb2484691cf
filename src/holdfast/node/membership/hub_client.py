"""The node's end of the session with its Master: dialled again for ever, and never needed for anything the rules ask.

Reports go out in order and one at a time; they stay in the journal until the Master says it has them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from holdfast.core.clock import Clock
from holdfast.core.entropy import Entropy
from holdfast.core.errors import HoldfastError, NotReachable, ProtocolError, UsageError, error_from
from holdfast.core.ids import JobId
from holdfast.model.audit import Anchor
from holdfast.model.jobs import Progress
from holdfast.model.questions import Answer, Failed, Question
from holdfast.model.rules import SignedRules
from holdfast.node.config import NodeConfig
from holdfast.wire.hub import HubStream, dial_hub
from holdfast.wire.hub_messages import (
    Answered,
    Asked,
    Confirmed,
    Farewell,
    Hello,
    InForce,
    Progressed,
    Push,
    Received,
    Report,
    Unread,
    Welcome,
)
from holdfast.wire.identity import Credentials

logger = logging.getLogger(__name__)

BACK_OFF_MIN_S, BACK_OFF_MAX_S = 0.2, 15.0
_PROGRESS_INTERVAL_S = 0.25
_WELCOME_TIMEOUT_S = 20.0
_STABLE_S = 10.0
"""A session that lived this long begins the back-off anew."""


class NodeSide(Protocol):
    """What the session needs of the node. None of it raises but as said."""

    def hello(self) -> Hello: ...

    def greeted(self, welcome: Welcome) -> InForce | None:
        """What is answered to the greeting, if anything. Raises `Refused` where another Master has taken this one's place."""
        ...

    def audit_told(self, newest: Anchor | None) -> None:
        """The newest record of the Master's audit log (None = it has none)."""
        ...

    async def take_rules(self, signed: SignedRules) -> Confirmed: ...

    async def answer(self, question: Question) -> Answer: ...


class Outbox(Protocol):
    """Where reports wait (`records.journal.Journal`). Numbers rise; what is not acknowledged is given again."""

    def next_report(self) -> Report | None:
        """The oldest that waits; None = none does."""
        ...

    def acknowledge(self, number: int) -> None:
        """All up to `number` are in the Master's records."""
        ...


class HubClient:
    """`run` for ever; cancel it to stop. `wake` when the journal has news, `tell` with progress. `credentials` is asked at each dial: they
    are renewed. It may raise `NotAuthenticated`."""

    def __init__(
        self,
        credentials: Callable[[], Credentials],
        config: Callable[[], NodeConfig],
        journal: Outbox,
        side: NodeSide,
        *,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._credentials = credentials
        self._config = config
        self._journal = journal
        self._side = side
        self._clock = clock
        self._entropy = entropy
        self._news = asyncio.Event()
        self._received = asyncio.Event()
        self._received_number = 0
        self._progress: dict[JobId, Progress] = {}
        self._progressed = asyncio.Event()
        self._stream: HubStream | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        # What ended a part of the session and is no trouble of the line: the journal's disk, for example.
        self._broken: Exception | None = None
        self.connected = False

    def wake(self) -> None:
        self._news.set()

    def tell(self, progress: Progress) -> None:
        """Forwarded at most four times a second, the newest figure of each job; dropped while there is no session."""
        if self.connected:
            self._progress[progress.job] = progress
            self._progressed.set()

    async def reconnect(self) -> None:
        """Say Hello anew, because what it says has changed."""
        if self._stream is not None:
            await self._stream.close()

    async def run(self) -> None:
        """Raises what breaks the node itself, whichever part of the session meets it."""
        failures = 0
        while True:
            started_s = self._clock.monotonic_s()
            try:
                await self._session()
            except HoldfastError as error:
                logger.info("no session with the Master", extra={"facts": {"code": error.code, "reason": error.message}})
            if self._broken is not None:
                raise self._broken
            failures = 0 if self._clock.monotonic_s() - started_s > _STABLE_S else failures + 1
            await asyncio.sleep(self._pause_s(failures))

    def _pause_s(self, failures: int) -> float:
        """Doubling, and spread over half its length so that a thousand nodes do not come back in one moment."""
        pause_s = min(BACK_OFF_MAX_S, BACK_OFF_MIN_S * float(1 << min(max(failures - 1, 0), 10)))
        return pause_s * (0.5 + self._entropy.token_bytes(1)[0] / 510)

    async def _session(self) -> None:
        """One session from dial to end. Returns when the Master closed in order; raises a `HoldfastError` otherwise."""
        # Read anew each time: `node moved` may have written another address.
        config = self._config()
        stream = await dial_hub(config.hub_address, self._credentials(), config.master_name)
        self._stream = stream
        try:
            await stream.send(self._side.hello())
            await self._welcome(stream)
            self.connected = True
            self._spawn(stream, self._send_reports(stream))
            self._spawn(stream, self._send_progress(stream))
            while (message := await stream.receive()) is not None:
                await self._take(stream, message)
        finally:
            self.connected, self._stream = False, None
            self._progress.clear()
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await stream.close()

    async def _welcome(self, stream: HubStream) -> None:
        try:
            message = await asyncio.wait_for(stream.receive(), _WELCOME_TIMEOUT_S)
        except TimeoutError:
            raise NotReachable("the Master does not greet", hint="see the Master's log") from None
        if isinstance(message, Farewell):
            raise error_from(message.error)
        if not isinstance(message, Welcome):
            raise ProtocolError("the Master did not greet", hint="bring Master and node to one version")
        offset_s = (message.time_ns - self._clock.now_ns()) / 1e9
        answer = self._side.greeted(message)
        if answer is not None:
            await stream.send(answer)
        logger.info("session with the Master", extra={"facts": {"clock_offset_s": round(offset_s, 3)}})

    async def _take(self, stream: HubStream, message: object) -> None:
        match message:
            case Received(number=number, audit=audit):
                self._journal.acknowledge(number)
                self._side.audit_told(audit)
                self._received_number = max(self._received_number, number)
                self._received.set()
            case Push(rules=rules):
                await stream.send(await self._side.take_rules(rules))
            case Asked():
                self._spawn(stream, self._answer_one(stream, message))
            case Unread(kind="Asked", number=number, what=what):
                # The session goes on: of all that a newer Master asks, this node has no answer to one.
                error = UsageError(f"this node is of an older version and has no answer to {what}", hint="upgrade it")
                await stream.send(Answered(number=number, answer=Failed(error=error.facts())))
            case Farewell(error=error):
                raise error_from(error)
            case _:
                raise ProtocolError(f"the Master sent {type(message).__name__}", hint="bring Master and node to one version")

    async def _answer_one(self, stream: HubStream, asked: Asked) -> None:
        await stream.send(Answered(number=asked.number, answer=await self._side.answer(asked.question)))

    async def _send_reports(self, stream: HubStream) -> None:
        self._received_number = 0
        while True:
            self._news.clear()
            report = self._journal.next_report()
            if report is None:
                await self._news.wait()
                continue
            await stream.send(report)
            while self._received_number < report.number:
                self._received.clear()
                await self._received.wait()

    async def _send_progress(self, stream: HubStream) -> None:
        while True:
            await self._progressed.wait()
            self._progressed.clear()
            figures, self._progress = tuple(self._progress.values()), {}
            if figures:
                await stream.send(Progressed(progress=figures))
            await asyncio.sleep(_PROGRESS_INTERVAL_S)

    def _spawn(self, stream: HubStream, work: Coroutine[Any, Any, None]) -> None:
        """Part of the session: when it fails, the session ends."""

        async def guarded() -> None:
            try:
                await work
            except HoldfastError as error:
                logger.info("the session with the Master broke", extra={"facts": {"reason": error.message}})
                await stream.close()
            except Exception as error:  # noqa: BLE001 raised by `run`
                self._broken = error
                await stream.close()

        task = asyncio.get_running_loop().create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

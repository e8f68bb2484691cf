"""The agent's two workers: started, told the rules, listened to, started again when they die.

A worker gets work only while it is *ready*: it has answered `Ready` to the newest `Configure`. Workers die with the agent: the kernel
kills them when it does, and the end of their link tells them too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from pathlib import Path

from holdfast.core.clock import Clock
from holdfast.core.errors import ErrorFacts, NotReachable, ProtocolError
from holdfast.core.private_files import make_private_folder, open_to_append
from holdfast.core.signs_of_life import SignsOfLife
from holdfast.model.jobs import Finding, Severity
from holdfast.model.questions import Answer, Question
from holdfast.node.processes.start import Start, WorkerProcess, as_program
from holdfast.node.records.job_book import Role
from holdfast.node.workers.link import MAX_MESSAGE_BYTES, decode_from_worker, encode_frame
from holdfast.node.workers.messages import (
    AskForSign,
    AskWorker,
    Configure,
    FromWorker,
    Ready,
    SignOfLife,
    StopWorker,
    ToWorker,
    WorkerAnswer,
)
from holdfast.wire.framing import read_frame

logger = logging.getLogger(__name__)

RESTART_AFTER_S = (0.2, 1.0, 5.0, 15.0)
# Rules that bring a new repository take up to a second; a locked one is told at once.
_READY_S = 10.0
_STABLE_S = 60.0
"""A worker that lived this long begins the back-off anew."""
_STOP_S, _TERMINATE_S = 3.0, 1.0
LOOK_EVERY_S = 5.0
_QUIET_LOOKS, _PATIENCE_LOOKS = 3, 6
"""A worker is asked for a sign of life after 15 s without a word, and silent 30 s later: one that computes on all cores answers too."""


class Worker:
    """One worker process and its successors. `on_news` gets all but answers, `on_end` is told of each death."""

    def __init__(
        self,
        role: Role,
        home: Path,
        on_news: Callable[[Role, FromWorker], None],
        on_end: Callable[[Role, ErrorFacts], None],
        *,
        clock: Clock,
        start: Start | None = None,
    ) -> None:
        self.role = role
        self._home = home
        self._on_news = on_news
        self._on_end = on_end
        self._clock = clock
        self._start = start or as_program()
        self._configure: Configure | None = None
        self._awaited_ready = 0
        self._process: WorkerProcess | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._answers: dict[int, asyncio.Future[Answer]] = {}
        self._number = 0
        self._stopping = False
        self._signs = SignsOfLife(_QUIET_LOOKS, _PATIENCE_LOOKS)
        self.greeted = asyncio.Event()
        """Set when the worker has said its first `Ready`."""
        self._settled = asyncio.Event()

    @property
    def ready(self) -> bool:
        return self._writer is not None and self._configure is not None and self._awaited_ready == 0 and not self._stopping

    @property
    def findings(self) -> tuple[Finding, ...]:
        """That it stands still, while it does."""
        if not self._signs.is_silent:
            return ()
        hint = f"see whether the disks of this machine answer, and log/{self.role}.log; restart the node if it does not go on"
        return (Finding(code="worker-silent", severity=Severity.ERROR, message=self._silence, hint=hint),)

    @property
    def pid(self) -> int:
        return 0 if self._process is None else self._process.pid

    def configure(self, message: Configure) -> None:
        """These rules hold from now on, over restarts."""
        self._configure = message
        if self._writer is not None:
            self._write(message)
            self._awaited_ready += 1
            self._settled.clear()

    async def until_ready(self, timeout_s: float) -> bool:
        """Waits until the newest rules have been taken up; False when that does not come in time."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), timeout_s)
        return self.ready

    def send(self, message: ToWorker) -> bool:
        """False when the worker is not ready."""
        if not self.ready:
            return False
        return self._write(message)

    async def ask(self, question: Question, timeout_s: float, *, needs_rules: bool = True) -> Answer:
        """Raises `NotReachable` when the worker is not up, stands still, dies, or does not answer in time. Without `needs_rules` a node
        that has no rules yet is asked too."""
        if self._signs.is_silent:
            raise NotReachable(self._silence, hint="`holdfast status` tells what to do about it")
        self._number += 1
        number = self._number
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            if self._configure is not None:
                await self.until_ready(min(timeout_s, _READY_S))
            asked = AskWorker(number=number, question=question)
            is_bare = not needs_rules and self._configure is None and self._writer is not None and not self._stopping
            if not (self._write(asked) if is_bare else self.send(asked)):
                raise NotReachable(
                    f"the {self.role} worker of this node is not ready", hint="try again in a moment; its log tells why if not"
                )
            return await asyncio.wait_for(answer, timeout_s)
        except TimeoutError:
            raise NotReachable(
                f"the {self.role} worker did not answer within {timeout_s:g} s", hint="try again, or narrow the question"
            ) from None
        finally:
            self._answers.pop(number, None)

    async def run(self) -> None:
        """Until `stop`. Starts the worker again when it dies, slower each time."""
        failures = 0
        while True:
            started_s = self._clock.monotonic_s()
            try:
                end = f"died ({_describe(await self._live_once())})"
            except OSError as error:
                # A full disk, for example: it may be well the next time.
                end = f"could not be started ({error})"
            if self._stopping:
                return
            failures = 0 if self._clock.monotonic_s() - started_s > _STABLE_S else failures + 1
            message = f"the {self.role} worker {end}"
            logger.error(message, extra={"facts": {"worker": self.role}})
            self._on_end(self.role, ErrorFacts("worker-died", message, f"it is started again; see log/{self.role}.log", True))
            await asyncio.sleep(RESTART_AFTER_S[min(max(failures - 1, 0), len(RESTART_AFTER_S) - 1)])

    async def stop(self) -> None:
        """In order if the worker can, at most about four seconds."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        if self._writer is not None:
            self._write(StopWorker())
        for wait_s, end in ((_STOP_S, process.terminate), (_TERMINATE_S, process.kill)):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), wait_s)
                return
            with contextlib.suppress(ProcessLookupError):
                end()
        await process.wait()

    async def _live_once(self) -> int:
        """One process from start to end; its exit code."""
        ours, theirs = socket.socketpair()
        with theirs:
            log_folder = make_private_folder(self._home / "log")
            with open(open_to_append(log_folder / f"{self.role}.err"), "ab") as errors:
                process = await self._start(self.role, self._home, theirs.fileno(), errors.fileno())
        self._process = process
        ours.setblocking(False)
        reader, self._writer = await asyncio.open_connection(sock=ours, limit=1 << 20)
        # One Ready comes by itself after the start, one more after each Configure.
        self._awaited_ready = 1
        if self._configure is not None:
            self.configure(self._configure)
        watching = asyncio.get_running_loop().create_task(self._watch())
        try:
            await self._listen(reader)
        finally:
            watching.cancel()
            self._forget_link()
            with contextlib.suppress(ProcessLookupError):
                if process.returncode is None and not self._stopping:
                    process.kill()
        return await process.wait()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            while (body := await read_frame(reader, MAX_MESSAGE_BYTES)) is not None:
                self._take(decode_from_worker(body))
        except ProtocolError as error:
            logger.error("a worker speaks another language", extra={"facts": {"worker": self.role, "error": error.message}})

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self._look()

    def _look(self) -> None:
        """Only at one that is ready: what the rules ask for is opened before it hears anything else, which takes its time."""
        if not self.ready:
            self._signs.heard()
        elif self._signs.look():
            logger.error(self._silence, extra={"facts": {"worker": self.role}})
        elif self._signs.wants_asking:
            self._write(AskForSign())
            self._signs.asked()

    @property
    def _silence(self) -> str:
        return f"the {self.role} worker of this node stands still: it has not said anything for {LOOK_EVERY_S * self._signs.quiet:.0f} s"

    def _take(self, message: FromWorker) -> None:
        if self._signs.heard():
            logger.info("a worker goes on", extra={"facts": {"worker": self.role}})
        if isinstance(message, SignOfLife):
            return
        if isinstance(message, WorkerAnswer):
            waiting = self._answers.get(message.number)
            if waiting is not None and not waiting.done():
                waiting.set_result(message.answer)
            return
        if isinstance(message, Ready) and message.asked:
            self._awaited_ready = max(0, self._awaited_ready - 1)
            self.greeted.set()
            if self.ready:
                self._settled.set()
        self._on_news(self.role, message)

    def _write(self, message: ToWorker) -> bool:
        if self._writer is None or self._writer.is_closing():
            return False
        self._writer.write(encode_frame(message))
        return True

    def _forget_link(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._signs.heard()
        self.greeted.clear()
        self._settled.clear()
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(NotReachable(f"the {self.role} worker died before it answered", hint="try again in a moment"))


def _describe(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"

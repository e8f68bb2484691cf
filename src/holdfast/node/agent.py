"""The agent: puts journal, rules, scheduler, workers, local socket and hub session together, and runs until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from holdfast import __version__
from holdfast.core.clock import Clock, boot_clock, now
from holdfast.core.entropy import Entropy
from holdfast.core.errors import ErrorFacts, HoldfastError, NoSpace
from holdfast.core.log_session import LogSession, log_session
from holdfast.core.private_files import make_private_folder
from holdfast.core.single_instance import only_one
from holdfast.host.disk import free_bytes
from holdfast.model.audit import Anchor
from holdfast.model.jobs import Event, Finding, Severity
from holdfast.model.questions import Answer, Question
from holdfast.model.rules import Rules, SignedRules
from holdfast.node.answering.followed_here import FollowedHere
from holdfast.node.answering.machine import Machine
from holdfast.node.answering.router import Router
from holdfast.node.bounds.limits import Limits, check_rules, is_vault, load_limits
from holdfast.node.config import data_address, load_config, pid_path
from holdfast.node.doctor import examine
from holdfast.node.downloads.door import DownloadDoor
from holdfast.node.local.agent_socket import LocalSocket
from holdfast.node.local.metrics_listener import MetricsListener
from holdfast.node.membership.audit_anchors import AuditAnchors
from holdfast.node.membership.greeting import Greeting
from holdfast.node.membership.hub_client import HubClient
from holdfast.node.membership.renewing import keep_certificate
from holdfast.node.membership.rule_store import RuleStore, claimed_generation
from holdfast.node.planning.scheduler import Scheduler
from holdfast.node.planning.starting import Room
from holdfast.node.processes.start import Start
from holdfast.node.processes.supervisor import Worker
from holdfast.node.recalling.archives import archiving_deliveries
from holdfast.node.recalling.here import RecalledHere, let_pass
from holdfast.node.records.job_book import JobBook, Role
from holdfast.node.records.journal import Journal
from holdfast.node.workers.messages import (
    Acknowledged,
    Configure,
    EventNews,
    FollowNews,
    FromWorker,
    JobNews,
    MasterTime,
    PointsMade,
    ProgressNews,
    Ready,
    RecallNews,
    TimeDoubted,
    ToWorker,
    WorkerAnswer,
)
from holdfast.wire.hub_messages import PROTOCOL, Confirmed, Hello, InForce, Welcome
from holdfast.wire.identity import load_credentials

logger = logging.getLogger(__name__)

_WORKER_START_S = 10.0
_LONGEST_NAP_S = 30.0
"""The wall clock may be set meanwhile; nothing is planned on the promise that it is not."""
_TIME_AGAIN_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the agent needs of the world beside its home; tests give their own. `metrics`: where it gives them; empty = nowhere."""

    clock: Clock
    entropy: Entropy
    # How workers are started; None: as programs of their own.
    start: Start | None = None
    metrics: str = ""
    free_bytes: Callable[[Path], int] = free_bytes
    session: LogSession | None = None
    # Called when it has begun and each time it looks at its schedule, at least every 30 s; must not block.
    alive: Callable[[], None] = lambda: None


def run_agent(home: Path, around: Surroundings) -> None:
    """Run the node of this home until SIGTERM or SIGINT. Logging is the caller's.

    Raises `UsageError` when the machine has not joined, `Conflict` when an agent of this home runs already, or a port is taken.
    """
    with single_agent(home), log_session(home, __version__, clock=around.clock, entropy=around.entropy) as session:
        asyncio.run(Agent(home, replace(around, session=session)).run())


@contextlib.contextmanager
def single_agent(home: Path) -> Iterator[None]:
    """Holds the lock of this home's agent; `run/agent.pid` names it meanwhile."""
    load_config(home)
    lock = make_private_folder(pid_path(home).parent) / "agent.lock"
    with only_one(lock, f"an agent runs in {home} already", hint="stop it with `holdfast down`, or use another home"):
        pid_path(home).write_text(f"{os.getpid()}\n")
        try:
            yield
        finally:
            pid_path(home).unlink(missing_ok=True)


class Agent:
    """One life of the agent. All its parts run on one event loop; the workers do what blocks."""

    def __init__(self, home: Path, surroundings: Surroundings) -> None:
        self._home = home
        self._clock, self._entropy = surroundings.clock, surroundings.entropy
        self._config = load_config(home)
        self._journal = Journal(home / "node.db", clock=self._clock, session=surroundings.session)
        self._rules = RuleStore(home, environment=self._config.environment, node=self._config.node)
        self._start, self._alive = surroundings.start, surroundings.alive
        self._workers: dict[Role, Worker] = {role: self._new_worker(role) for role in _ROLES}
        self._book = JobBook(self._journal, self._config.node, clock=self._clock, entropy=self._entropy)
        self._scheduler = Scheduler(self._book, self._journal, self._send, lambda: surroundings.free_bytes(home), clock=self._clock)
        self._followed = FollowedHere(self._event, self._clock, home)
        self._recalled = RecalledHere()
        self._anchors = AuditAnchors(home, self._event)
        self._greeting = Greeting(home, self._journal, self._rules, self._anchors, self._event)
        self._door = DownloadDoor(home, self._config, self._on_download, clock=self._clock)
        machine = Machine(
            name=self._config.name,
            current_rules=lambda: self._rules.current,
            limits=self._limits,
            findings=self._findings,
            following=lambda: self._followed.now,
            download_port=self._door.answer,
            anchors=lambda: self._anchors.all,
            examine=lambda: examine(home, clock=self._clock),
        )
        self._router = Router(
            scheduler=self._scheduler,
            book=self._book,
            store=self._workers["store"],
            source=self._workers["source"],
            machine=machine,
            changed=self._poke,
        )
        self._socket = LocalSocket(home, self._router.answer_locally)
        given = surroundings.metrics
        self._metrics = MetricsListener(given, self._config.name, self._router.answer_locally) if given else None
        identity = partial(load_credentials, home / "identity")
        self._hub = HubClient(identity, partial(load_config, home), self._journal, self, clock=self._clock, entropy=self._entropy)
        self._worker_problems: dict[Role, tuple[ErrorFacts, ...]] = {}
        self._refused: tuple[ErrorFacts, ...] = ()
        self._data_port = 0
        self._master_time: MasterTime | None = None
        self._asked_time_s: float | None = None
        self._changed = asyncio.Event()
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Until `stop` or a signal. Raises what broke the agent itself, its journal for example."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        try:
            self._take_up()
            await self._socket.start()
            if self._metrics is not None:
                await self._metrics.start()
            keeping = keep_certificate(self._home, self._event, clock=self._clock)
            self._tasks += [
                loop.create_task(work) for work in (*(w.run() for w in self._workers.values()), self._door.run(), self._plan(), keeping)
            ]
            self._tasks.append(loop.create_task(self._reach_master()))
            stopping = asyncio.ensure_future(self._stop.wait())
            ended, _ = await asyncio.wait((*self._tasks, stopping), return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            for task in ended:
                task.result()
        finally:
            await self._shut_down(self._tasks)

    def stop(self) -> None:
        self._stop.set()

    async def take_rules(self, signed: SignedRules) -> Confirmed:
        """Take rules that were pushed, or say why not. Returns when the workers act on them, so that "confirmed" means in force."""
        if self._rules.is_current(signed):
            return Confirmed(generation=self._rules.generation)
        generation = 0
        try:
            generation = claimed_generation(signed)
            rules = self._rules.verify(signed)
            problems = check_rules(rules, self._limits(rules))
            if not problems:
                self._rules.put(signed)
        except HoldfastError as error:
            problems = (error.facts(),)
        self._refused = problems
        if problems:
            for problem in problems:
                self._event("rules-refused", Severity.ERROR, problem.message, reason=problem.code, generation=str(generation))
        else:
            self._event("rules-in-force", Severity.INFO, f"rules of generation {generation} are in force", generation=str(generation))
            self._apply_rules()
            for worker in self._workers.values():
                await worker.until_ready(_WORKER_START_S)
        self._poke()
        return Confirmed(generation=generation, problems=problems)

    async def answer(self, question: Question) -> Answer:
        """Answer the Master; never raises."""
        return await self._router.answer_master(question)

    def _take_up(self) -> None:
        """What an earlier life left."""
        make_private_folder(self._home)
        self._journal.mark_session(self._config.node)
        self._scheduler.recover()
        if self._rules.fallback is not None:
            self._event("rules-damaged", Severity.ERROR, self._rules.fallback.message)
        self._apply_rules()

    def _apply_rules(self) -> None:
        rules = self._rules.current
        if rules is None:
            return
        if archiving_deliveries(rules) and "recall" not in self._workers:
            self._begin_recall()
        for worker in self._workers.values():
            worker.configure(Configure(rules=rules, signing_key=self._rules.signing_key))
        self._scheduler.set_rules(rules)
        self._door.configure(rules)

    def _begin_recall(self) -> None:
        """Only where something is archived, since it is one more process. It stays to the agent's end, whatever becomes of the rules."""
        let_pass(self._home)
        worker = self._workers["recall"] = self._new_worker("recall")
        if self._tasks:
            self._tasks.append(asyncio.get_running_loop().create_task(worker.run()))

    def _new_worker(self, role: Role) -> Worker:
        return Worker(role, self._home, self._on_news, self._on_end, clock=self._clock, start=self._start)

    async def _plan(self) -> None:
        """Ticks the scheduler when something happened and when its next moment has come."""
        while True:
            self._changed.clear()
            self._alive()
            self._scheduler.tick()
            self._ask_for_rules()
            self._hub.wake()
            wake = self._scheduler.next_wake()
            nap_s = _LONGEST_NAP_S if wake is None else min(_LONGEST_NAP_S, max(0.0, (wake - now(self._clock)).total_seconds() + 0.001))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), nap_s)

    async def _reach_master(self) -> None:
        # Hello says where the data server listens; with a free port that is known only when the store worker is up.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._workers["store"].greeted.wait(), _WORKER_START_S)
        await self._hub.run()

    def _ask_for_rules(self) -> None:
        """Those for which there was no room are sent again in a new session."""
        if self._scheduler.room is Room.ENOUGH and any(problem.code == NoSpace.code for problem in self._refused):
            self._refused = ()
            asyncio.get_running_loop().create_task(self._hub.reconnect())

    async def _shut_down(self, tasks: list[asyncio.Task[None]]) -> None:
        """Within five seconds: the workers get four to end in order."""
        self._scheduler.closing = True
        await asyncio.gather(self._door.stop(), *(worker.stop() for worker in self._workers.values()))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._socket.stop()
        if self._metrics is not None:
            await self._metrics.stop()
        self._journal.close()

    def _on_news(self, role: Role, news: FromWorker) -> None:
        match news:
            case Ready(data_port=port, problems=problems):
                if role == "store" and self._master_time is not None:
                    self._send(role, self._master_time)
                self._worker_problems[role] = problems
                if role == "store" and port != self._data_port:
                    self._data_port = port
                    if self._hub.connected:
                        asyncio.get_running_loop().create_task(self._hub.reconnect())
            case JobNews(job=job):
                self._scheduler.job_news(job)
            case ProgressNews(progress=progress):
                self._book.note_progress(progress)
                self._hub.tell(progress)
                return
            case EventNews(event=event):
                self._journal.record_event(event)
            case TimeDoubted():
                self._ask_for_time()
                return
            case PointsMade():
                self._scheduler.points_made(news)
            case Acknowledged():
                self._scheduler.acknowledged(news)
            case FollowNews(following=following):
                self._followed.heard(following)
            case RecallNews():
                self._recalled.heard(news)
                return
            case WorkerAnswer():
                return
        self._poke()

    def _on_download(self, event: Event) -> None:
        self._journal.record_event(event)
        self._poke()

    def _on_end(self, role: Role, error: ErrorFacts) -> None:
        self._scheduler.worker_died(role, error)
        if role == "source":
            self._followed.lost()
        self._event("worker-died", Severity.ERROR, error.message, worker=role)
        self._poke()

    def _send(self, role: Role, message: ToWorker) -> bool:
        return self._workers[role].send(message)

    def _poke(self) -> None:
        self._changed.set()

    def _event(self, code: str, severity: Severity, message: str, **facts: str) -> None:
        self._scheduler.record_event(code, severity, message, **facts)
        logger.log(_LOG_LEVEL[severity], message, extra={"facts": {"code": code, **facts}})

    def _limits(self, rules: Rules | None = None) -> Limits:
        """Read anew each time: root may have edited them."""
        known = rules or self._rules.current
        return load_limits(self._home, [] if known is None else [repository.location for repository in known.repositories])

    def _findings(self) -> tuple[Finding, ...]:
        found = [*self._scheduler.findings]
        try:
            found += self._limits().findings
        except HoldfastError as error:
            found.append(Finding.of_error(error.code, error.facts()))
        if self._rules.fallback is not None:
            found.append(Finding.of_error("rules-damaged", self._rules.fallback))
        found += [Finding.of_error("rules-refused", problem) for problem in self._refused]
        found += [finding for worker in self._workers.values() for finding in worker.findings]
        found += [*self._followed.findings, *self._recalled.findings]
        found += [Finding.of_error("worker-problem", problem) for problems in self._worker_problems.values() for problem in problems]
        return tuple(found)

    def greeted(self, welcome: Welcome) -> InForce | None:
        answer = self._greeting.take(welcome)
        self._master_time = MasterTime(time_ns=welcome.time_ns, boottime_ns=boot_clock(self._clock).boottime_ns())
        self._send("store", self._master_time)
        return answer

    def audit_told(self, newest: Anchor | None) -> None:
        self._anchors.told(newest, at_hello=False)

    def _ask_for_time(self) -> None:
        """A new session with the Master begins with its time; one a minute will do."""
        now_s = self._clock.monotonic_s()
        if self._hub.connected and (self._asked_time_s is None or now_s - self._asked_time_s > _TIME_AGAIN_S):
            self._asked_time_s = now_s
            asyncio.get_running_loop().create_task(self._hub.reconnect())

    def hello(self) -> Hello:
        listens = self._config.data_advertised or self._config.data_listen
        return Hello(
            environment=self._config.environment,
            node=self._config.node,
            generation=self._rules.generation,
            version=__version__,
            time_ns=self._clock.now_ns(),
            data_address="" if is_vault(self._home) else data_address(listens, self._data_port),
            findings=self._findings(),
            anchors=self._anchors.all,
            epoch=self._greeting.epoch,
            name=self._config.name,
            newest=PROTOCOL,
        )


_ROLES: tuple[Role, Role] = ("source", "store")
_LOG_LEVEL = {Severity.INFO: logging.INFO, Severity.WARNING: logging.WARNING, Severity.ERROR: logging.ERROR}

"""The store worker: owns this node's repositories and mirrors, takes deliveries, answers reads, forwards cascades."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from holdfast.core.clock import Clock, now
from holdfast.core.entropy import Entropy
from holdfast.core.errors import ErrorFacts, HoldfastError, UnknownName, UsageError, facts_of
from holdfast.core.ids import NodeId, RepositoryId
from holdfast.core.private_files import make_private_folder
from holdfast.model.jobs import Event, Job, Severity
from holdfast.model.keys import KeyAnswer, KeyQuestion
from holdfast.model.maintenance import Drill
from holdfast.model.mirrors import action_of, title_of
from holdfast.model.questions import Failed
from holdfast.model.restoring import AskRestore
from holdfast.model.rules import Rules, StoreAction
from holdfast.model.searching import AskSearch
from holdfast.model.seeding import AskSeed, Seeded
from holdfast.node.bounds.limits import is_vault
from holdfast.node.config import load_config
from holdfast.node.drills.book import DrillBook
from holdfast.node.drills.here import DrillJob
from holdfast.node.drills.records import DrillTools
from holdfast.node.owned.keys import sentence_about
from holdfast.node.owned.repositories import Repositories
from holdfast.node.restoring.copies import by_own_records
from holdfast.node.restoring.job import RestoreTask
from holdfast.node.restoring.orders import OrderBook
from holdfast.node.restoring.undo import drop_unfinished
from holdfast.node.store.archive import ArchiveWatch
from holdfast.node.store.copies import copies_for, local_mirror
from holdfast.node.store.listening import Listening
from holdfast.node.store.maintenance import do_task, ended_job, event_of, event_of_met
from holdfast.node.store.parts_here import how_much_is_here
from holdfast.node.store.pulling import Pulling
from holdfast.node.store.questions import answer, find_point
from holdfast.node.store.search import SearchHere
from holdfast.node.store.seeding import SeedTools, seed
from holdfast.node.store.sessions import Sessions
from holdfast.node.watches.anomalies import AnomalyWatch
from holdfast.node.watches.doubted_time import TimeWatch
from holdfast.node.watches.room import RoomWatch
from holdfast.node.watches.sealing import SealingWatch
from holdfast.node.workers.dial import Dialler, data_socket
from holdfast.node.workers.jobs import JobLanes, LinkNews
from holdfast.node.workers.messages import (
    AskWorker,
    CancelJob,
    Configure,
    EventNews,
    FromWorker,
    MasterTime,
    PauseJob,
    Ready,
    RunCascade,
    RunDatasets,
    RunDrill,
    RunMaintenance,
    RunRecall,
    RunRestore,
    RunUndo,
    StopWorker,
    ToWorker,
    WorkerAnswer,
)
from holdfast.operations.cascade import CascadeOrder, CascadeTools, run_cascade
from holdfast.operations.restore import Findings
from holdfast.operations.running import Cancellation, Meter
from holdfast.repository.care.healing import BlobCopy
from holdfast.repository.quarantine import Met
from holdfast.wire.channel import Channel
from holdfast.wire.data_server import DataServer
from holdfast.wire.identity import load_credentials
from holdfast.wire.lines import Lines
from holdfast.wire.local import LocalServer

_STOP_S = 1.0


class StoreWorker:
    """Cascades, checks and restores run in lanes of their own, deliveries and reads in the threads of the data server."""

    def __init__(
        self, home: Path, send: Callable[[FromWorker], None], *, clock: Clock, entropy: Entropy, credentials: Path | None = None
    ) -> None:
        self._home = home
        self._send = send
        self._clock = clock
        self._entropy = entropy
        self._news = LinkNews(send)
        self._jobs = JobLanes(self._news, clock)
        self._repositories = Repositories(home, clock=clock, entropy=entropy, credentials=credentials, on_damage=self._tell_damage)
        self._drills = DrillTools(
            home=home, clock=clock, entropy=entropy, book=DrillBook(home), event=lambda event: send(EventNews(event=event))
        )
        self._orders = OrderBook(home / "orders.db", clock=clock)
        self._sessions = Sessions(home, self._repositories, self._orders, send, self._drills)
        self._configured: Configure | None = None
        self._time = TimeWatch(self._repositories, send, lambda: self._configured.rules.node if self._configured else None, clock=clock)
        self._sealing = SealingWatch(self._repositories)
        self._archives = ArchiveWatch(self._repositories, self._rules_now)
        self._anomalies = AnomalyWatch(self._repositories, self._rules_now, lambda event: send(EventNews(event=event)))
        self._rooms = RoomWatch(self._repositories, self._rules_now, lambda event: send(EventNews(event=event)), clock=clock)
        self._pulling = Pulling(self._sessions.pulled, self._line_is_down, clock=clock)
        self._listening = Listening(self._data_server, lambda: self._say_ready(asked=False))
        self._local: LocalServer | None = None
        self._start_problems: tuple[ErrorFacts, ...] = ()
        self._repository_problems: tuple[ErrorFacts, ...] = ()

    def serve(self, receive: Callable[[], ToWorker | None]) -> None:
        """Until the agent says stop or is gone."""
        self.start()
        try:
            while (message := receive()) is not None and not isinstance(message, StopWorker):
                self.handle(message)
        finally:
            self.stop()

    def start(self) -> None:
        """Listen. Until rules come, every delivery is refused."""
        config = load_config(self._home)
        self._drills.sweep()
        make_private_folder(data_socket(self._home).parent)
        try:
            self._local = LocalServer(data_socket(self._home), self._sessions.deliver, self._sessions.read_here, config.node)
            self._local.serve_lines(self._sessions.hand_on_line)
            self._local.start()
        except HoldfastError as error:
            self._start_problems = (error.facts(),)
        if not is_vault(self._home):
            self._listening.start()
        self._time.start()
        self._sealing.start()
        self._archives.start()
        self._anomalies.start()
        self._rooms.start()
        self._say_ready()

    @property
    def lines(self) -> Lines:
        """Those that other nodes have dialled to be sent something."""
        return self._sessions.lines

    def handle(self, message: ToWorker) -> None:
        match message:
            case Configure():
                self._configure(message)
            case RunCascade():
                self._jobs.start(f"cascade {message.cascade}", message.job, lambda job, stop: self._cascade(message, job, stop))
            case RunMaintenance():
                lane = f"maintenance {message.repository}"
                self._jobs.start(lane, message.job, lambda job, stop: self._maintain(message, job, stop))
            case RunRestore():
                self._jobs.start("restore", message.job, lambda job, stop: self._restore(message.ask, job, stop))
            case CancelJob():
                self._jobs.cancel(message.job, lambda: drop_unfinished(self._home, message.job))
            case PauseJob():
                self._jobs.pause(message.job)
            case MasterTime():
                self._time.hear(message)
            case AskWorker(question=AskSearch() as ask):
                self._search(message.number, ask)
            case AskWorker(question=AskSeed()):
                # For hours perhaps, so not in the place of a question.
                threading.Thread(target=self._answer, args=(message,), name="seed", daemon=True).start()
            case AskWorker():
                self._jobs.ask(lambda: self._answer(message))
            case RunDatasets() | RunUndo() | RunRecall() | RunDrill():
                self._jobs.start("run", message.job, _refuse)
            case StopWorker():
                self.stop()

    def stop(self) -> None:
        """Take nothing new, end what runs, seal nothing half done. The agent waits some three seconds."""
        local, self._local = self._local, None
        with ExitStack() as last_first:
            # Each is ended, whatever another raises on a disk that has failed: else its locks would stay.
            for end in (self._orders.close, self._repositories.close, self._sessions.close):
                last_first.callback(end)
            if local is not None:
                last_first.callback(local.stop, _STOP_S)
            last_first.callback(self._listening.stop, _STOP_S)
            last_first.callback(self._pulling.stop, _STOP_S)
            last_first.callback(self._sessions.lines.close)
            last_first.callback(self._jobs.stop, _STOP_S)
            last_first.callback(self._time.stop)
            last_first.callback(self._sealing.stop, _STOP_S)
            last_first.callback(self._archives.stop, _STOP_S)
            last_first.callback(self._anomalies.stop, _STOP_S)
            last_first.callback(self._rooms.stop, _STOP_S)

    def _configure(self, message: Configure) -> None:
        self._configured = message
        # First of all: what follows may take its time, and a revoked key must not deliver meanwhile.
        self._listening.recheck()
        self._repositories.call_datasets({receive.dataset: receive.label for receive in message.rules.receives})
        self._repository_problems = self._repositories.configure(message.rules.repositories)
        self._sessions.configure(message)
        self._pulling.configure(message.rules.pulls, Dialler(self._home, message.rules).line)
        self._say_ready()

    def _line_is_down(self, sender: NodeId, error: HoldfastError) -> None:
        rules = self._must_be_configured().rules
        name = next((peer.name for peer in rules.peers if peer.id == sender), sender)
        event = Event(
            code="line-down",
            severity=Severity.WARNING,
            message=f"{name} sends here and does not dial, and this machine cannot reach it: {error.message}",
            node=rules.node,
            time=now(self._clock),
            facts={"peer": sender, "name": name},
        )
        self._send(EventNews(event=event))

    def _say_ready(self, *, asked: bool = True) -> None:
        deaf = () if self._listening.problem is None else (self._listening.problem,)
        problems = (*self._start_problems, *deaf, *self._repository_problems)
        self._send(Ready(data_port=self._listening.port, problems=problems, asked=asked))

    def _data_server(self) -> DataServer:
        server = DataServer(
            load_config(self._home).data_listen,
            lambda: load_credentials(self._home / "identity"),
            self._sessions.deliver,
            self._sessions.read,
            revoked=self._is_revoked,
        )
        server.serve_lines(self._sessions.park)
        return server

    def _is_revoked(self, key_id: str) -> bool:
        return self._configured is not None and key_id in self._configured.rules.revoked

    def _search(self, number: int, ask: AskSearch) -> None:
        began_s = self._clock.monotonic_s()
        search = SearchHere(ask, self._repositories, lambda: self._clock.monotonic_s() - began_s)

        def turn() -> bool:
            told = search.turn()
            if told is not None:
                self._send(WorkerAnswer(number=number, answer=told))
            return told is not None

        self._jobs.search(turn)

    def _answer(self, message: AskWorker) -> None:
        rules = self._configured.rules if self._configured else None
        if isinstance(message.question, AskSeed):
            self._send(WorkerAnswer(number=message.number, answer=self._seed(message.question)))
            return
        told = answer(message.question, self._repositories, rules, self._drills.book)
        self._send(WorkerAnswer(number=message.number, answer=told))
        if isinstance(message.question, KeyQuestion) and isinstance(told, KeyAnswer) and rules is not None:
            if words := sentence_about(message.question, told):
                event = Event(code="keys-changed", severity=Severity.INFO, message=words, node=rules.node, time=now(self._clock))
                self._send(EventNews(event=event))
            if self._repositories.problems != self._repository_problems:
                # A repository whose key was restored stands in `status` as a problem no more.
                self._repository_problems = self._repositories.problems
                self._say_ready(asked=False)

    def _seed(self, ask: AskSeed) -> Seeded | Failed:
        try:
            rules = self._must_be_configured().rules
            tools = SeedTools(home=self._home, rules=rules, clock=self._clock, entropy=self._entropy, deliver=self._sessions.deliver)
            return seed(ask, self._repositories.named(ask.repository), tools)
        except (HoldfastError, OSError) as error:
            return Failed(error=facts_of(error))

    def _cascade(self, message: RunCascade, job: Job, cancellation: Cancellation) -> Job:
        rules = self._must_be_configured().rules
        cascade = next((cascade for cascade in rules.cascades if cascade.id == message.cascade), None)
        if cascade is None:
            raise UnknownName("the rules in force name no such cascade", hint="the flow was changed; trigger it again")
        stored = [action for receive in rules.receives for action in receive.actions if isinstance(action, StoreAction)]
        order = CascadeOrder(
            job=job,
            cascade=cascade,
            generation=rules.generation,
            kinds={operation.name: operation.kind for action in stored for operation in action.operations},
            adopt=message.adopt,
        )
        tools = CascadeTools(
            clock=self._clock,
            repository=self._repositories.get(cascade.repository),
            dial=Dialler(self._home, rules, lines=self._sessions.lines).deliver,
            news=self._news,
            hostname=socket.gethostname(),
        )
        return run_cascade(order, tools, cancellation)

    def _restore(self, ask: AskRestore, job: Job, cancellation: Cancellation) -> Job:
        rules = self._must_be_configured().rules
        task = RestoreTask(home=self._home, rules=rules, ask=ask, job=job, news=self._news, clock=self._clock)
        if action := action_of(ask.point):
            state, mirror = local_mirror(rules, action)
            told = Findings()
            told.add(by_own_records(title_of(state, rules.node_name)))
            with closing(mirror):
                return task.run(mirror, ask.paths, [os.fsencode(root) for root, _ in state.targets], cancellation, told)
        repository, point = find_point(self._repositories, ask.point)
        told = Findings()
        if partly := how_much_is_here(rules, repository.id, point, ask.paths):
            told.add(partly)
        with closing(repository.reader(point)) as reader:
            return task.run(reader, ask.paths, [os.fsencode(path) for path in point.paths], cancellation, told)

    def _maintain(self, message: RunMaintenance, job: Job, cancellation: Cancellation) -> Job:
        meter = Meter(job=job.id, clock=self._clock, tell=self._news.progress)
        repository = self._repositories.named(message.repository)
        copies = self._copies_of(repository.id, cancellation)
        if isinstance(message.task, Drill):
            rules = self._must_be_configured().rules
            drill = DrillJob(
                task=message.task, job=job, rules=rules, repository=repository, copies=copies, meter=meter, cancellation=cancellation
            )
            return drill.run(self._drills)
        outcome = do_task(message.task, repository, meter.watch(cancellation), copies=copies, dry_run=message.dry_run)
        event = event_of(message.task, outcome, job, now(self._clock))
        if event is not None:
            self._send(EventNews(event=event))
        return ended_job(job, outcome)

    def _copies_of(self, repository: RepositoryId, cancellation: Cancellation) -> list[BlobCopy]:
        rules = self._must_be_configured().rules
        dialler = Dialler(self._home, rules, lines=self._sessions.lines)

        def dial(owner: NodeId) -> Channel:
            channel = dialler.read(owner)
            cancellation.on_cancel(channel.close)
            return channel

        return copies_for(repository, self._repositories, rules, dial)

    def _tell_damage(self, repository: str, met: tuple[Met, ...]) -> None:
        if self._configured is not None:
            self._send(EventNews(event=event_of_met(repository, met, self._configured.rules.node, now(self._clock))))

    def _rules_now(self) -> Rules | None:
        return self._configured.rules if self._configured is not None else None

    def _must_be_configured(self) -> Configure:
        if self._configured is None:
            raise UsageError("this node has no rules yet", hint="activate a flow that names it")
        return self._configured


def _refuse(job: Job, cancellation: Cancellation) -> Job:
    raise UsageError("a store worker was given a job of the source worker", hint="this is a fault in Holdfast; the log has the details")

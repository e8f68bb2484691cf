"""The source worker: captures and sends what its agent says, and restores to this machine with an order."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec

from holdfast.capture.sample import SampleBounds, take_sample
from holdfast.capture.scan import Capture
from holdfast.capture.state import CaptureState
from holdfast.core.clock import Clock
from holdfast.core.entropy import Entropy
from holdfast.core.errors import HoldfastError, UnknownName, UsageError, facts_of
from holdfast.core.ids import DatasetId
from holdfast.host.folders import clean_folder, list_folders
from holdfast.host.hooks import hook_environment, run_hook
from holdfast.host.zone import zone_name
from holdfast.model.jobs import Job
from holdfast.model.questions import Answer, AskFolders, AskSample, Failed, Folders, Question, Sample
from holdfast.model.rules import DatasetRule
from holdfast.node.limits import Limits, load_limits
from holdfast.node.worker_dial import Dialler
from holdfast.node.worker_jobs import JobLanes, LinkNews
from holdfast.node.worker_messages import (
    AskWorker,
    CancelJob,
    Configure,
    FromWorker,
    MasterTime,
    Ready,
    RunCascade,
    RunDatasets,
    RunMaintenance,
    RunRestore,
    StopWorker,
    ToWorker,
    WorkerAnswer,
)
from holdfast.node.worker_restore import RestoreTask, restore_with_order
from holdfast.operations.run import RunOrder, RunTools, run_datasets
from holdfast.operations.running import Cancellation

logger = logging.getLogger(__name__)


class SourceWorker:
    """Runs are made one at a time, restores beside them. `send` tells the agent; any thread of this worker calls it."""

    def __init__(self, home: Path, send: Callable[[FromWorker], None], *, clock: Clock, entropy: Entropy) -> None:
        self._home = home
        self._send = send
        self._clock = clock
        self._entropy = entropy
        self._news = LinkNews(send)
        self._jobs = JobLanes(self._news, clock)
        self._configured: Configure | None = None

    def serve(self, receive: Callable[[], ToWorker | None]) -> None:
        """Until the agent says stop or is gone."""
        self._send(Ready())
        try:
            while (message := receive()) is not None and not isinstance(message, StopWorker):
                self.handle(message)
        finally:
            self.stop()

    def handle(self, message: ToWorker) -> None:
        match message:
            case Configure():
                self._configured = message
                self._send(Ready())
            case RunDatasets():
                self._jobs.start("run", message.job, lambda job, cancellation: self._run(message, job, cancellation))
            case RunRestore():
                self._jobs.start("restore", message.job, lambda job, cancellation: self._restore(message, job, cancellation))
            case CancelJob():
                self._jobs.cancel(message.job)
            case AskWorker():
                self._jobs.ask(lambda: self._send(WorkerAnswer(number=message.number, answer=self._answer(message.question))))
            case RunCascade() | RunMaintenance():
                self._jobs.start("run", message.job, _refuse)
            case MasterTime():
                pass
            case StopWorker():
                self.stop()

    def stop(self) -> None:
        self._jobs.stop()

    def _answer(self, question: Question) -> Answer:
        """Never raises."""
        try:
            if isinstance(question, AskSample):
                return self._sample(question)
            if isinstance(question, AskFolders):
                return self._folders(question)
            raise UsageError("a source worker has no answer to this", hint="ask the node's agent")
        except Exception as error:
            # The worker goes on, whatever a question did.
            if not isinstance(error, HoldfastError):
                logger.exception("a question failed", extra={"facts": {"question": type(question).__name__}})
            return Failed(error=facts_of(error))

    def _sample(self, ask: AskSample) -> Sample:
        """Also on a node without rules: what is sampled is about to become some."""
        limits = self._limits()
        for path in ask.classification.paths:
            limits.check_read(path)
        return take_sample(ask.classification, SampleBounds(rows=ask.limit), own=limits.protected, clock=self._clock)

    def _folders(self, ask: AskFolders) -> Folders:
        limits, path = self._limits(), clean_folder(ask.path)
        limits.check_read(path)
        return list_folders(path, hidden=limits.protected)

    def _limits(self) -> Limits:
        rules = self._configured.rules if self._configured else None
        return load_limits(self._home, [repository.location for repository in rules.repositories] if rules else ())

    def _run(self, message: RunDatasets, job: Job, cancellation: Cancellation) -> Job:
        configured = self._must_be_configured()
        rules = configured.rules
        known = {rule.id: rule for rule in rules.datasets}
        limits = load_limits(self._home, [repository.location for repository in rules.repositories])
        datasets = tuple(_without_ours(_known(known, dataset), limits) for dataset in message.datasets)
        for rule in datasets:
            for path in rule.classification.paths:
                limits.check_read(path)
        dialler = Dialler(self._home, rules)
        order = RunOrder(
            job=job,
            datasets=datasets,
            deliveries=rules.deliveries,
            operations=message.operations,
            generation=rules.generation,
            accept=message.accept,
            adopt=message.adopt,
            catch_up=message.catch_up,
        )
        # Opened for each run: a database that turned out damaged, or was taken away, is made anew by the next.
        with closing(CaptureState.open(self._home / "state.db", entropy=self._entropy)) as state:
            tools = RunTools(
                clock=self._clock,
                entropy=self._entropy,
                state=state,
                capture=Capture(state, clock=self._clock),
                dial=dialler.deliver,
                dial_read=dialler.read,
                hook=lambda rule, phase: self._hook(limits, rules.node_name, rule, phase),
                news=self._news,
                zone=zone_name(),
                hostname=socket.gethostname(),
            )
            return run_datasets(order, tools, cancellation)

    def _restore(self, message: RunRestore, job: Job, cancellation: Cancellation) -> Job:
        configured = self._must_be_configured()
        task = RestoreTask(home=self._home, rules=configured.rules, ask=message.ask, job=job, news=self._news, clock=self._clock)
        return restore_with_order(task, configured.signing_key, cancellation)

    def _hook(self, limits: Limits, node: str, rule: DatasetRule, phase: str) -> None:
        name = rule.hooks.before if phase == "before" else rule.hooks.after
        environment = hook_environment(dataset=rule.label, policy=rule.policy, node=node, phase=phase)
        run_hook(limits.hook(name), environment, rule.hooks.timeout_s, clock=self._clock)

    def _must_be_configured(self) -> Configure:
        if self._configured is None:
            raise UsageError("this node has no rules yet", hint="activate a flow that names it")
        return self._configured


def _without_ours(rule: DatasetRule, limits: Limits) -> DatasetRule:
    """The compiler knows the repositories in the roots, but no machine's HOME: its keys must not get into any repository."""
    ours = tuple(os.fsdecode(place) for place in limits.protected)
    return msgspec.structs.replace(rule, exclude_paths=(*rule.exclude_paths, *ours))


def _known(rules: dict[DatasetId, DatasetRule], dataset: DatasetId) -> DatasetRule:
    if dataset not in rules:
        raise UnknownName("the rules in force name no such dataset", hint="the flow was changed; trigger it again", dataset=dataset)
    return rules[dataset]


def _refuse(job: Job, cancellation: Cancellation) -> Job:
    raise HoldfastError("a source worker was given a job of the store worker", hint="this is a fault in Holdfast; the log has the details")

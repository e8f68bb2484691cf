"""The source worker: captures and sends what its agent says, and restores to this machine with an order."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from holdfast.capture.ports import CaptureResult
from holdfast.capture.sample import SampleBounds, take_sample
from holdfast.core.clock import Clock
from holdfast.core.entropy import Entropy
from holdfast.core.errors import HoldfastError, UnknownName, UsageError, facts_of
from holdfast.core.ids import DatasetId
from holdfast.host.folders import clean_folder, list_folders
from holdfast.host.hooks import hook_environment, run_hook
from holdfast.host.snapshots import Snapshots, sweep, take_snapshots
from holdfast.model.jobs import Job
from holdfast.model.questions import Answer, AskFolders, AskSample, Failed, Folders, Question, Sample
from holdfast.model.rules import DatasetRule, Rules
from holdfast.model.tail import AskTail
from holdfast.node.limits import Limits, load_limits
from holdfast.node.source_following import SourceFollowing, Surroundings, limits_of
from holdfast.node.state_holder import StateHolder
from holdfast.node.worker_jobs import JobLanes, LinkNews
from holdfast.node.worker_messages import (
    AskWorker,
    CancelJob,
    Configure,
    EventNews,
    FollowNews,
    FromWorker,
    MasterTime,
    PauseJob,
    Ready,
    RunCascade,
    RunDatasets,
    RunMaintenance,
    RunRestore,
    RunUndo,
    StopWorker,
    ToWorker,
    WorkerAnswer,
)
from holdfast.node.worker_restore import RestoreTask, restore_with_order
from holdfast.node.worker_undo import UndoExpiry, UndoTask
from holdfast.operations.run import run_datasets
from holdfast.operations.run_order import RunOrder
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
        self._expiry = UndoExpiry(home, clock=clock)
        self._holder = StateHolder(home / "state.db", entropy)
        self._following = SourceFollowing(
            Surroundings(
                home=home,
                holder=self._holder,
                news=self._news,
                tell=lambda found: send(FollowNews(following=found)),
                record=lambda event: send(EventNews(event=event)),
                clock=clock,
                entropy=entropy,
            )
        )

    def serve(self, receive: Callable[[], ToWorker | None]) -> None:
        """Until the agent says stop or is gone."""
        self._send(Ready())
        self._expiry.start()
        try:
            while (message := receive()) is not None and not isinstance(message, StopWorker):
                self.handle(message)
        finally:
            self.stop()

    def handle(self, message: ToWorker) -> None:
        match message:
            case Configure():
                if self._configured is None:
                    _remove_stale(message.rules)
                self._configured = message
                self._following.configure(message.rules)
                self._send(Ready())
            case RunDatasets():
                self._jobs.start("run", message.job, lambda job, cancellation: self._run(message, job, cancellation))
            case RunRestore():
                self._jobs.start("restore", message.job, lambda job, cancellation: self._restore(message, job, cancellation))
            case RunUndo():
                self._jobs.start("restore", message.job, lambda job, cancellation: self._undo(message, job, cancellation))
            case CancelJob():
                self._jobs.cancel(message.job)
            case PauseJob():
                self._jobs.pause(message.job)
            case AskWorker():
                self._jobs.ask(lambda: self._send(WorkerAnswer(number=message.number, answer=self._answer(message.question))))
            case RunCascade() | RunMaintenance():
                self._jobs.start("run", message.job, _refuse)
            case MasterTime():
                pass
            case StopWorker():
                self.stop()

    def stop(self) -> None:
        self._expiry.stop()
        self._jobs.stop()
        self._following.close()
        self._holder.close()

    def _answer(self, question: Question) -> Answer:
        """Never raises."""
        try:
            if isinstance(question, AskSample):
                return self._sample(question)
            if isinstance(question, AskTail):
                return self._following.tail(question)
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
        rules = self._must_be_configured().rules
        known = {rule.id: rule for rule in rules.datasets}
        limits = limits_of(self._home, rules)
        datasets = tuple(limits.without_ours(_known(known, dataset)) for dataset in message.datasets)
        for rule in datasets:
            for path in rule.classification.paths:
                limits.check_read(path)
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
        watched = frozenset() if message.catch_up else self._following.scan_begins(message.datasets)
        captured, notes = list[CaptureResult](), self._following.notes(self._news, rules)
        with self._holder.lock:
            small, work = order, None
            if not (message.catch_up or message.accept) and watched.issuperset(message.datasets):
                work = self._following.point_without_scan(datasets, message.operations)
            if work is not None:
                small = replace(order, small=self._following.small_of(datasets, work))
            try:
                with self._holder.lease() as state:
                    tools = self._following.tools(rules, state, self._news, captured.append)
                    tools = replace(
                        tools,
                        hook=lambda rule, phase: self._hook(limits, rules.node_name, rule, phase),
                        snapshots=lambda roots: self._snapshots(limits, rules, roots),
                    )
                    if work is not None:
                        tools = replace(tools, news=notes, noted=notes.steps)
                    ended = run_datasets(small, tools, cancellation)
                self._following.noted(notes)
            finally:
                if work is not None:
                    self._following.point_ended(datasets, work, captured[0] if captured else None)
        if work is None and captured:
            self._following.scan_ended(watched, set(message.datasets) - set(captured[0].refused))
        return ended

    def _restore(self, message: RunRestore, job: Job, cancellation: Cancellation) -> Job:
        configured = self._must_be_configured()
        task = RestoreTask(home=self._home, rules=configured.rules, ask=message.ask, job=job, news=self._news, clock=self._clock)
        return restore_with_order(task, configured.signing_key, cancellation)

    def _undo(self, message: RunUndo, job: Job, cancellation: Cancellation) -> Job:
        rules = self._must_be_configured().rules
        task = UndoTask(home=self._home, rules=rules, ask=message.ask, job=job, news=self._news, clock=self._clock)
        return task.run(cancellation)

    def _hook(self, limits: Limits, node: str, rule: DatasetRule, phase: str) -> None:
        name = rule.hooks.before if phase == "before" else rule.hooks.after
        environment = hook_environment(dataset=rule.label, policy=rule.policy, node=node, phase=phase)
        run_hook(limits.hook(name), environment, rule.hooks.timeout_s, clock=self._clock)

    def _snapshots(self, limits: Limits, rules: Rules, roots: Sequence[bytes]) -> Snapshots:
        return take_snapshots(roots, rules.node.encode(), clock=self._clock, may_write=limits.check_write)

    def _must_be_configured(self) -> Configure:
        if self._configured is None:
            raise UsageError("this node has no rules yet", hint="activate a flow that names it")
        return self._configured


def _remove_stale(rules: Rules) -> None:
    """Snapshots of a life that was ended in the midst of a run."""
    sweep((os.fsencode(path) for rule in rules.datasets for path in rule.classification.paths), rules.node.encode())


def _known(rules: dict[DatasetId, DatasetRule], dataset: DatasetId) -> DatasetRule:
    if dataset not in rules:
        raise UnknownName("the rules in force name no such dataset", hint="the flow was changed; trigger it again", dataset=dataset)
    return rules[dataset]


def _refuse(job: Job, cancellation: Cancellation) -> Job:
    raise HoldfastError("a source worker was given a job of the store worker", hint="this is a fault in Holdfast; the log has the details")

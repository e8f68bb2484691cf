"""The source worker: captures and sends what its agent says, and restores to this machine with an order."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from holdfast.capture.comparison import Scratch
from holdfast.capture.sample import SampleBounds, take_sample
from holdfast.core.clock import Clock
from holdfast.core.entropy import Entropy
from holdfast.core.errors import HoldfastError, UsageError, facts_of
from holdfast.host.folders import clean_folder, list_folders
from holdfast.host.snapshots import sweep
from holdfast.model.archive_questions import ArchivePlanned, AskArchivePlan
from holdfast.model.jobs import Job
from holdfast.model.questions import Answer, Failed, Question
from holdfast.model.rules import Rules
from holdfast.model.sampling import AskFolders, AskSample, Folders, Sample
from holdfast.model.tail import AskTail
from holdfast.node.bounds.limits import Limits, load_limits
from holdfast.node.drills.elsewhere import DrillElsewhere, trial_scratch
from holdfast.node.recalling.job import RecallTask
from holdfast.node.restoring.job import RestoreTask, restore_with_order
from holdfast.node.restoring.undo import UndoExpiry, UndoTask, drop_unfinished
from holdfast.node.source.archiving import Archived, plan_archives
from holdfast.node.source.following import LimitsWatch, SourceFollowing, Surroundings
from holdfast.node.source.runs import SourceRuns
from holdfast.node.source.state_holder import StateHolder
from holdfast.node.source.state_log import StateLog
from holdfast.node.workers.asides import ASIDES, Asides
from holdfast.node.workers.jobs import JobLanes, LinkNews
from holdfast.node.workers.messages import (
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
    RunDrill,
    RunMaintenance,
    RunRecall,
    RunRestore,
    RunUndo,
    StopWorker,
    ToWorker,
    WorkerAnswer,
)
from holdfast.operations.archiving.book import ArchiveBook
from holdfast.operations.drill import sweep_scratch
from holdfast.operations.recalling.recalled import Recalled
from holdfast.operations.running import Cancellation

logger = logging.getLogger(__name__)
_LOG_PATIENCE_S = 5.0


class SourceWorker:
    """Runs are made as the agent asks for them, restores one at a time beside them. `send` tells the agent; any thread of this worker
    calls it."""

    def __init__(self, home: Path, send: Callable[[FromWorker], None], *, clock: Clock, entropy: Entropy) -> None:
        self._home = home
        self._send = send
        self._clock = clock
        self._entropy = entropy
        self._news = LinkNews(send)
        self._jobs = JobLanes(self._news, clock)
        self._asides = Asides()
        self._configured: Configure | None = None
        self._expiry = UndoExpiry(home, clock=clock)
        self._holder = StateHolder(home / "state.db", entropy)
        self._state_log = StateLog(self._holder, home / "state.db")
        self.following = SourceFollowing(
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
        self._limits_watch = LimitsWatch(self.following)

    def serve(self, receive: Callable[[], ToWorker | None]) -> None:
        """Until the agent says stop or is gone."""
        with suppress(OSError):
            sweep_scratch(trial_scratch(self._home))
        for aside in ASIDES:
            Scratch(self._home / "state.db", aside.scratch).sweep()
        self._send(Ready())
        self._expiry.start()
        self._state_log.start()
        self._limits_watch.start()
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
                self.following.configure(message.rules)
                self._send(Ready())
            case RunDatasets():
                self._jobs.start(f"run {message.job.id}", message.job, lambda job, cancellation: self._run(message, job, cancellation))
            case RunRestore():
                self._jobs.start("restore", message.job, lambda job, cancellation: self._restore(message, job, cancellation))
            case RunUndo():
                self._jobs.start("restore", message.job, lambda job, cancellation: self._undo(message, job, cancellation))
            case RunRecall():
                self._jobs.start("restore", message.job, lambda job, cancellation: self._recall(message, job, cancellation))
            case RunDrill():
                self._jobs.start("drill", message.job, lambda job, cancellation: self._drill(message, job, cancellation))
            case CancelJob():
                self._jobs.cancel(message.job, lambda: drop_unfinished(self._home, message.job))
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
        self._limits_watch.stop(_LOG_PATIENCE_S)
        self._jobs.stop()
        self.following.close()
        self._state_log.stop(_LOG_PATIENCE_S)
        self._holder.close()

    def _answer(self, question: Question) -> Answer:
        """Never raises."""
        try:
            if isinstance(question, AskSample):
                return self._sample(question)
            if isinstance(question, AskTail):
                return self.following.tail(question)
            if isinstance(question, AskArchivePlan):
                return self._archive_plan(question)
            if isinstance(question, AskFolders):
                return self._folders(question)
            raise UsageError("a source worker has no answer to this", hint="ask the node's agent")
        except Exception as error:
            # The worker goes on, whatever a question did.
            if not isinstance(error, HoldfastError):
                logger.exception("a question failed", extra={"facts": {"question": type(question).__name__}})
            return Failed(error=facts_of(error))

    def _archive_plan(self, ask: AskArchivePlan) -> ArchivePlanned:
        rules = self._must_be_configured().rules
        with self._holder.lease() as state, closing(ArchiveBook(self._home)) as book, closing(Recalled(self._home)) as recalled:
            return plan_archives(ask, rules, Archived(state, book, recalled), self._clock.now_ns())

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
        with self._asides.taken(cancellation.check) as aside:
            news = self.following.news_of_jobs
            return SourceRuns(self._home, rules, self.following, self._holder, news, self._clock, aside).run(message, job, cancellation)

    def _restore(self, message: RunRestore, job: Job, cancellation: Cancellation) -> Job:
        configured = self._must_be_configured()
        task = RestoreTask(home=self._home, rules=configured.rules, ask=message.ask, job=job, news=self._news, clock=self._clock)
        return restore_with_order(task, configured.signing_key, cancellation)

    def _recall(self, message: RunRecall, job: Job, cancellation: Cancellation) -> Job:
        rules = self._must_be_configured().rules
        task = RecallTask(home=self._home, rules=rules, ask=message.ask, job=job, news=self._news, clock=self._clock)
        return task.run(cancellation)

    def _drill(self, message: RunDrill, job: Job, cancellation: Cancellation) -> Job:
        configured = self._must_be_configured()
        drill = DrillElsewhere(
            home=self._home,
            rules=configured.rules,
            ask=message.ask,
            job=job,
            news=self._news,
            clock=self._clock,
            entropy=self._entropy,
        )
        return drill.run(configured.signing_key, cancellation)

    def _undo(self, message: RunUndo, job: Job, cancellation: Cancellation) -> Job:
        rules = self._must_be_configured().rules
        task = UndoTask(home=self._home, rules=rules, ask=message.ask, job=job, news=self._news, clock=self._clock)
        return task.run(cancellation)

    def _must_be_configured(self) -> Configure:
        if self._configured is None:
            raise UsageError("this node has no rules yet", hint="activate a flow that names it")
        return self._configured


def _remove_stale(rules: Rules) -> None:
    """Snapshots of a life that was ended in the midst of a run."""
    roots = [os.fsencode(path) for rule in rules.datasets for path in rule.classification.paths]
    for aside in ASIDES:
        sweep(roots, aside.snapshot(rules.node))


def _refuse(job: Job, cancellation: Cancellation) -> Job:
    raise HoldfastError("a source worker was given a job of the store worker", hint="this is a fault in Holdfast; the log has the details")

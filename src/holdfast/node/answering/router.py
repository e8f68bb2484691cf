"""Who answers which question: the agent what it records, the store worker what repositories hold; jobs are queued with the scheduler."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

from msgspec.structs import replace

from holdfast.core.errors import Conflict, ErrorFacts, HoldfastError, NotGranted, OutsideLimits, UnknownName, facts_of
from holdfast.core.ids import JobId
from holdfast.host.folders import clean_folder, roots_as_folders
from holdfast.model.adoption import AskAdopt
from holdfast.model.anomalies import AnomalyJudged, AskJudgeAnomaly
from holdfast.model.archive_questions import ArchiveQuestion, ArchiveTold, AskArchive, AskArchiveHold, AskArchivePlan
from holdfast.model.audit import AnchorsTold, AskAnchors
from holdfast.model.differences import AskDiff
from holdfast.model.doctor import AskDoctor
from holdfast.model.downloads import AskDownloadPort
from holdfast.model.entry import display_path
from holdfast.model.explanations import AskExplain, Explanations
from holdfast.model.jobs import Finding, Severity
from holdfast.model.keys import KeyQuestion, kit_findings
from holdfast.model.listing_questions import AskFind, AskHistory, AskListing, AskPoints, Points
from holdfast.model.maintenance import kind_of
from holdfast.model.mirrors import AskMirrors, Mirrors
from holdfast.model.moments import AskMoment, AskMoments, Moments
from holdfast.model.node_status import NodeStatus
from holdfast.model.orders import check_request
from holdfast.model.pausing import AskPause, pause_findings
from holdfast.model.point_changes import AskChangePoints
from holdfast.model.questions import (
    Answer,
    AskCancel,
    AskJobs,
    AskLimits,
    AskMaintenance,
    AskRepositoryEnv,
    AskRetry,
    AskStatus,
    AskTrigger,
    Done,
    Failed,
    Jobs,
    JobsStarted,
    LimitsTold,
    Question,
)
from holdfast.model.recalling import AskRecall
from holdfast.model.repository_status import RepositoryStatus
from holdfast.model.restoring import AskOrders, AskPauseJob, AskRestore, AskResumeJob, AskUndo, OrdersTold
from holdfast.model.rules import Rules
from holdfast.model.sampling import AskFolders, AskSample
from holdfast.model.searching import AskSearch, FoundHere
from holdfast.model.seeding import AskSeed
from holdfast.model.tail import AskTail, Tailed
from holdfast.model.trials import AskDrill
from holdfast.node.answering.machine import Machine
from holdfast.node.answering.point_events import record_change, record_pause
from holdfast.node.bounds.restores import restore_bounds
from holdfast.node.bounds.vaulting import REFUSED, check_for_vault
from holdfast.node.planning.scheduler import Scheduler
from holdfast.node.processes.supervisor import Worker
from holdfast.node.records.job_book import JobBook
from holdfast.node.workers.messages import RunDrill, RunMaintenance, RunRecall, RunRestore, RunUndo

logger = logging.getLogger(__name__)

_STORE_TIMEOUT_S = {
    AskPoints: 60.0,
    AskMoment: 60.0,
    AskMoments: 60.0,
    AskMirrors: 30.0,
    AskListing: 120.0,
    AskDiff: 120.0,
    AskFind: 300.0,
    AskHistory: 120.0,
    AskSearch: 120.0,
    AskChangePoints: 300.0,
    AskExplain: 120.0,
    AskArchive: 120.0,
    AskArchiveHold: 120.0,
    AskPause: 30.0,
    AskRepositoryEnv: 30.0,
}
_STATUS_TIMEOUT_S = 4.0
"""Shorter than the Master waits for this node: that one of its workers does not answer is to be said by the node."""
_KEYS_TIMEOUT_S = 120.0
_SEED_TIMEOUT_S = 30 * 86_400.0
_SAMPLE_TIMEOUT_S = 15.0
_PLAN_TIMEOUT_S = 60.0
_FOLDERS_TIMEOUT_S = 10.0
_TAIL_TIMEOUT_S = 5.0


class Router:
    """`changed` is called after a question that gave the scheduler something to do."""

    def __init__(
        self, *, scheduler: Scheduler, book: JobBook, store: Worker, source: Worker, machine: Machine, changed: Callable[[], None]
    ) -> None:
        self._scheduler = scheduler
        self._book = book
        self._store = store
        self._source = source
        self._machine = machine
        self._changed = changed
        self._refused_last = ""

    async def answer_locally(self, question: Question) -> Answer:
        """For this machine's own user. Raises what is wrong as a `HoldfastError`."""
        return await self._answer(question, local=True)

    async def answer_master(self, question: Question) -> Answer:
        """Over the hub; never raises."""
        try:
            check_for_vault(question, self._machine.limits)
            return await self._answer(question, local=False)
        except OutsideLimits as error:
            self._note_refusal(question, error)
            return Failed(error=error.facts())
        except HoldfastError as error:
            return Failed(error=error.facts())
        except Exception as error:
            # The session goes on, whatever a question did.
            logger.exception("a question failed", extra={"facts": {"question": type(question).__name__}})
            return Failed(error=facts_of(error))

    def _note_refusal(self, question: Question, error: OutsideLimits) -> None:
        """Once for each thing that is asked again and again."""
        asked = {AskRestore: "a restore", AskDrill: "a drill", AskSample: "a sample", AskFolders: "a look at folders", **REFUSED}
        what = asked.get(type(question), "something")
        message = f"the Master asked for {what} that this machine's limits refuse: {error.message}"
        if message != self._refused_last:
            self._refused_last = message
            self._scheduler.record_event("outside-limits", Severity.WARNING, message)
            self._changed()

    async def _answer(self, question: Question, *, local: bool) -> Answer:
        if isinstance(question, KeyQuestion | AskSeed):
            return await self._secret(question, local=local)
        match question:
            case AskAdopt() if not local:
                raise NotGranted("a repository is adopted on its owner's machine", hint="run `holdfast repository adopt` on that machine")
            case AskAdopt():
                return await self._store.ask(question, _KEYS_TIMEOUT_S, needs_rules=False)
            case AskPoints() if self._machine.rules is None:
                return Points(points=())
            case AskRepositoryEnv() if not local:
                raise NotGranted("a repository's password never leaves its machine", hint="run `holdfast repository env` on that machine")
            case AskMoments() if self._machine.rules is None:
                return Moments(moments=())
            case AskMirrors() if self._machine.rules is None:
                return Mirrors()
            case AskMirrors() | AskPoints() | AskMoment() | AskMoments() | AskListing() | AskDiff() | AskFind() | AskHistory():
                return await self._store.ask(question, _STORE_TIMEOUT_S[type(question)])
            case AskSearch() if self._machine.rules is None:
                return FoundHere(parts=())
            case AskSearch() | AskRepositoryEnv():
                return await self._store.ask(question, _STORE_TIMEOUT_S[type(question)])
            case AskAnchors():
                return AnchorsTold(anchors=self._machine.anchors())
            case AskPause():
                return await self._pause(question, local=local)
            case AskJudgeAnomaly():
                return await self._judge_anomaly(question, local=local)
            case AskChangePoints():
                return await self._change_points(question, local=local)
            case AskExplain() if self._machine.rules is None:
                return Explanations(rows=())
            case AskExplain():
                return await self._store.ask(question, _STORE_TIMEOUT_S[AskExplain])
            case AskArchive() | AskArchiveHold() | AskArchivePlan():
                return await self._archive(question, local=local)
            case AskSample() | AskFolders():
                return await self._look(question)
            case AskTail():
                return await self._tail(question)
            case AskLimits() | AskDownloadPort():
                return self._limits() if isinstance(question, AskLimits) else self._machine.download_port(question)
            case AskDoctor():
                return await asyncio.to_thread(self._machine.examine)
            case AskTrigger() | AskRetry():
                return self._run(question)
            case AskMaintenance():
                return self._started(self._maintain(question))
            case AskJobs():
                return self._jobs(question)
            case AskCancel():
                self._scheduler.cancel(question.job)
                self._changed()
                return Done()
            case AskPauseJob() | AskResumeJob() | AskOrders():
                return self._hold(question)
            case AskRestore() | AskUndo() | AskRecall() | AskDrill():
                return self._started(self._give_back(question, local=local))
            case AskStatus():
                return await self._status()

    def _run(self, ask: AskTrigger | AskRetry) -> JobsStarted:
        return self._started(*(self._scheduler.trigger(ask) if isinstance(ask, AskTrigger) else self._scheduler.retry(ask.job)))

    async def _secret(self, ask: KeyQuestion | AskSeed, *, local: bool) -> Answer:
        if not local and isinstance(ask, AskSeed):
            raise NotGranted("a carried disk stands at its machine", hint="run `holdfast repository seed` on that machine")
        if not local:
            raise NotGranted("a repository's keys never leave its machine", hint="run `holdfast repository key` on that machine")
        return await self._store.ask(ask, _SEED_TIMEOUT_S if isinstance(ask, AskSeed) else _KEYS_TIMEOUT_S)

    async def _change_points(self, ask: AskChangePoints, *, local: bool) -> Answer:
        """Whatever becomes of it is in the log, refusals too."""
        answer = await self._store.ask(ask, _STORE_TIMEOUT_S[AskChangePoints])
        who = "this machine's user" if local else f"{ask.by or 'somebody'} through the Master"
        record_change(self._scheduler.record_event, ask, answer, who)
        self._changed()
        return answer

    async def _pause(self, ask: AskPause, *, local: bool) -> Answer:
        who = "this machine's user" if local else f"{ask.by or 'somebody'} through the Master"
        answer = await self._store.ask(replace(ask, by=who), _STORE_TIMEOUT_S[AskPause])
        record_pause(self._scheduler.record_event, answer, who)
        self._changed()
        return answer

    async def _judge_anomaly(self, ask: AskJudgeAnomaly, *, local: bool) -> Answer:
        who = "this machine's user" if local else f"{ask.by or 'somebody'} through the Master"
        answer = await self._store.ask(replace(ask, by=who), _STORE_TIMEOUT_S[AskPause])
        for anomaly in answer.anomalies if isinstance(answer, AnomalyJudged) else ():
            what = "was what it looked like" if ask.confirmed else "was a false alarm: nothing is held for it any more"
            text = f"{who} said: the anomaly of {anomaly.dataset} in {anomaly.repository} {what}"
            self._scheduler.record_event("anomaly-judged", Severity.INFO, text, anomaly=anomaly.id)
        self._changed()
        return answer

    async def _archive(self, question: ArchiveQuestion, *, local: bool) -> Answer:
        if isinstance(question, AskArchivePlan):
            return await self._source.ask(question, _PLAN_TIMEOUT_S)
        if isinstance(question, AskArchiveHold):
            return await self._hold_archive(question, local=local)
        return ArchiveTold() if self._machine.rules is None else await self._store.ask(question, _STORE_TIMEOUT_S[AskArchive])

    async def _hold_archive(self, ask: AskArchiveHold, *, local: bool) -> Answer:
        who = "this machine's user" if local else f"{ask.by or 'somebody'} through the Master"
        answer = await self._store.ask(ask, _STORE_TIMEOUT_S[AskArchiveHold])
        if isinstance(answer, ArchiveTold):
            what = f"released the legal hold {ask.name}" if ask.release else f"set the legal hold {ask.name}"
            text = f"{who} {what} on {display_path(ask.path) if not ask.release else 'archived files'} of {ask.dataset}"
            self._scheduler.record_event("archive-hold", Severity.INFO, text)
            self._changed()
        return answer

    async def _look(self, question: AskSample | AskFolders) -> Answer:
        return await (self._sample(question) if isinstance(question, AskSample) else self._folders(question))

    async def _sample(self, question: AskSample) -> Answer:
        """The limits are asked here too: a worker that is not up must not make a refusal look like a pause."""
        limits = self._machine.limits()
        for path in question.classification.paths:
            limits.check_read(path)
        return await self._source.ask(question, _SAMPLE_TIMEOUT_S, needs_rules=False)

    async def _folders(self, question: AskFolders) -> Answer:
        """As `_sample`. Where the limits name roots, they stand in the place of `/`."""
        limits, path = self._machine.limits(), clean_folder(question.path)
        if path == b"/" and limits.read is not None and b"/" not in limits.read:
            return roots_as_folders(limits.read)
        limits.check_read(path)
        return await self._source.ask(AskFolders(path=path), _FOLDERS_TIMEOUT_S, needs_rules=False)

    async def _tail(self, question: AskTail) -> Answer:
        answer = await self._source.ask(question, _TAIL_TIMEOUT_S)
        return replace(answer, following=self._machine.following()) if isinstance(answer, Tailed) else answer

    def _limits(self) -> LimitsTold:
        limits = self._machine.limits()
        read, write = (None if roots is None else tuple(map(display_path, roots)) for roots in (limits.read, limits.write))
        return LimitsTold(read=read, write=write, hooks=str(limits.hooks or ""))

    def _started(self, *jobs: JobId) -> JobsStarted:
        self._changed()
        return JobsStarted(started=tuple(job for job in map(self._book.find, jobs) if job is not None))

    def _give_back(self, ask: AskRestore | AskUndo | AskRecall | AskDrill, *, local: bool) -> JobId:
        match ask:
            case AskRestore():
                return self._restore(ask, local=local)
            case AskUndo():
                return self._undo(ask, local=local)
            case AskRecall():
                return self._recall(ask, local=local)
            case AskDrill():
                return self._drill(ask, local=local)

    def _restore(self, ask: AskRestore, *, local: bool) -> JobId:
        if ask.order is None and not local:
            raise NotGranted("a restore over the Master needs an order signed by it", hint="start it with `holdfast restore`")
        check_request(ask.request)
        restore_bounds(self._machine.limits(), self._machine.rules).check_target(os.fsencode(ask.request.target))
        what = f"{ask.point[:8]} -> {ask.request.target}" if ask.point else f"-> {ask.request.target}"
        job = self._book.new_job("restore", what, "local" if local else "trigger", trigger=ask.trigger)
        return self._scheduler.queue(RunRestore(job=job, ask=ask))

    def _hold(self, question: AskPauseJob | AskResumeJob | AskOrders) -> Answer:
        held = self._scheduler.held
        if isinstance(question, AskOrders):
            return OrdersTold(orders=held.orders_of(question.job))
        if isinstance(question, AskPauseJob):
            held.pause(question.job)
        else:
            held.resume(question)
        self._changed()
        return Done()

    def _undo(self, ask: AskUndo, *, local: bool) -> JobId:
        if self._book.get(ask.job) is not None:
            raise Conflict("the restore has not ended", hint="wait for its end, or cancel it first: `holdfast jobs cancel`")
        what = f"restore {ask.job[:8]}"
        job = self._book.new_job("undo", what, "local" if local else "trigger", trigger=ask.trigger)
        return self._scheduler.queue(RunUndo(job=job, ask=ask))

    def _recall(self, ask: AskRecall, *, local: bool) -> JobId:
        """No limits are asked: only a stub is replaced, by the very file that stood there."""
        first = display_path(ask.paths[0]) if ask.paths else ""
        what = first if len(ask.paths) < 2 else f"{first} and {len(ask.paths) - 1:,} more"
        job = self._book.new_job("recall", what, "local" if local else "trigger", trigger=ask.trigger)
        return self._scheduler.queue(RunRecall(job=job, ask=ask))

    def _drill(self, ask: AskDrill, *, local: bool) -> JobId:
        """Of another node's repository: read by an order, written into this node's own scratch."""
        if local:
            raise NotGranted("a drill of another node's repository needs an order", hint="start it with `holdfast drill DATASET --on NODE`")
        limits = self._machine.limits()
        limits.check_trial()
        if ask.plan.check:
            # Known before anything is read: a script that may not run here says nothing of the point.
            limits.hook(ask.plan.check)
        job = self._book.new_job("drill", ask.repository, "trigger", trigger=ask.trigger, datasets=(ask.point.dataset,))
        return self._scheduler.queue(RunDrill(job=job, ask=ask))

    def _maintain(self, ask: AskMaintenance) -> JobId:
        rules = self._machine.rules
        repository = next((r for r in (rules.repositories if rules else ()) if ask.repository in (r.id, r.name)), None)
        if repository is None:
            raise UnknownName(
                f"this node owns no repository {ask.repository!r}", hint="`holdfast status` lists repositories and their nodes"
            )
        job = self._book.new_job(kind_of(ask.task), repository.name, "trigger", trigger=ask.trigger)
        return self._scheduler.queue(RunMaintenance(job=job, repository=repository.id, task=ask.task, dry_run=ask.dry_run))

    def _jobs(self, ask: AskJobs) -> Jobs:
        if ask.jobs:
            jobs = tuple(job for job in map(self._book.find, ask.jobs) if job is not None)
        else:
            jobs = self._book.newest(max(1, min(ask.limit, 10_000)))
        asked = {job.id for job in jobs}
        return Jobs(jobs=jobs, progress=tuple(live.progress for live in self._book.live if live.progress and live.job.id in asked))

    async def _status(self) -> NodeStatus:
        rules = self._machine.rules
        repositories, found = ((), ()) if rules is None or not rules.repositories else await self._repositories(rules)
        return NodeStatus(
            node=self._machine.name,
            generation=0 if rules is None else rules.generation,
            protections=self._scheduler.protections(),
            repositories=repositories,
            findings=(
                *self._machine.findings(),
                *found,
                *pause_findings((each.name, each.pause) for each in repositories),
                *kit_findings((each.name, each.kit) for each in repositories),
            ),
            running=tuple(live.job.id for live in self._book.sent),
            reports_waiting=self._book.reports_waiting(),
            following=self._machine.following(),
        )

    async def _repositories(self, rules: Rules) -> tuple[tuple[RepositoryStatus, ...], tuple[Finding, ...]]:
        """As the store worker sees them, and what it finds; where it does not answer, what the rules name with the error."""
        try:
            answer = await self._store.ask(AskStatus(), _STATUS_TIMEOUT_S)
            if isinstance(answer, NodeStatus):
                return answer.repositories, answer.findings
            error = answer.error if isinstance(answer, Failed) else ErrorFacts("protocol", "the store worker gave no status")
        except HoldfastError as caught:
            error = caught.facts()
        return tuple(RepositoryStatus(id=r.id, name=r.name, location=r.location, error=error) for r in rules.repositories), ()

"""The source worker's follower: what it follows by the rules in force, and how its small runs are made."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import msgspec

from holdfast.capture.comparison import SMALL
from holdfast.capture.ports import CaptureResult
from holdfast.capture.scan import Capture
from holdfast.capture.state import CaptureState
from holdfast.core.clock import Clock, now
from holdfast.core.entropy import Entropy
from holdfast.core.errors import ErrorFacts, HoldfastError, OutsideLimits, WindowClosed, facts_of
from holdfast.core.ids import DatasetId, JobId, NodeId
from holdfast.delivery.overflow import OverflowRoom
from holdfast.host.disk import free_bytes
from holdfast.host.zone import zone_name
from holdfast.model.following import Following, FollowState
from holdfast.model.jobs import Event, Finding, Job, State
from holdfast.model.rules import DatasetRule, Rules
from holdfast.model.tail import AskTail, Tailed
from holdfast.node.bounds.limits import Limits, load_limits
from holdfast.node.source.small_news import NewsBeside, NewsOfRun, SmallNews
from holdfast.node.source.state_holder import StateHolder
from holdfast.node.workers.dial import Dialler
from holdfast.node.workers.periodic import Periodic
from holdfast.operations.connecting import Connector
from holdfast.operations.following.backlog import Work
from holdfast.operations.following.claims import Claims
from holdfast.operations.following.follow_tools import FollowTools, LargeFile, SmallResult
from holdfast.operations.following.follower import Follower
from holdfast.operations.following.laying_ahead import Ahead, LayingAhead
from holdfast.operations.following.plan import Followed, followed_by, needs_scan, small_of, tailed
from holdfast.operations.following.record import Record
from holdfast.operations.following.run_notes import RunNotes
from holdfast.operations.following.session_pool import SessionPool
from holdfast.operations.following.small_runs import SmallRuns, Tell
from holdfast.operations.following.tail import MOST_KEPT, Tail
from holdfast.operations.run import run_datasets
from holdfast.operations.run_order import LetGo, More, RunOrder, RunTools, SmallRun
from holdfast.operations.running import Cancellation, News
from holdfast.operations.spooling.keepers import Keepers
from holdfast.operations.spooling.sending import SendTools

logger = logging.getLogger(__name__)

LIMITS_EVERY_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Of the source worker."""

    home: Path
    holder: StateHolder
    news: News
    tell: Callable[[tuple[Following, ...]], None]
    record: Callable[[Event], None]
    clock: Clock
    entropy: Entropy


class SourceFollowing:
    """Implements `follower.Source`. The follower's threads begin with the first rules that ask for one."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._all = surroundings
        self._rules: Rules | None = None
        self._configuring = threading.Lock()
        self._is_refused = False
        self._follower: Follower | None = None
        self._small_news = SmallNews(surroundings.news, self._found, surroundings.clock)
        self.news_of_jobs = NewsBeside(surroundings.news, self._small_news)
        self._tail = Tail(surroundings.clock, surroundings.entropy)
        self.claims = Claims()
        self.pool = SessionPool(surroundings.clock)
        self._ahead = LayingAhead(surroundings.clock)
        self._small_runs = SmallRuns()
        self.keepers = Keepers(surroundings.home, surroundings.clock, surroundings.entropy)
        self._spool_bytes = 0
        self.overflow = OverflowRoom(surroundings.home, surroundings.entropy, self._overflow_bytes)

    def configure(self, rules: Rules) -> None:
        """Where the machine's limits cannot be read nothing is followed, and nothing waits to be sent, until `look_at_limits` finds that
        they can be."""
        with self._configuring:
            self._rules = rules
            self._configure()

    def look_at_limits(self) -> None:
        """To be called now and then."""
        with self._configuring:
            if self._is_refused:
                self._configure()

    def _configure(self) -> None:
        rules = self._rules
        assert rules is not None
        try:
            limits = limits_of(self._all.home, rules)
        except HoldfastError as error:
            if not self._is_refused:
                logger.warning("nothing is followed: the limits cannot be read", extra={"facts": {"error": error.message}})
            self._is_refused = True
            if self._follower is not None:
                self._follower.configure(())
            return
        self._is_refused = False
        plan = tuple(_guarded(each, limits) for each in followed_by(rules) if _may_read(each, limits))
        self._all.holder.keeps_open = bool(plan)
        self._spool_bytes = limits.spool_bytes
        self._configure_spools(rules, limits)
        if self._follower is None and plan:
            record = Record(self._all.home / "followed.json")
            tools = FollowTools(
                clock=self._all.clock,
                source=self,
                claims=self.claims,
                pool=self.pool,
                record=record,
                tell=self._tell,
                heard=self._tail.heard,
                spooled=self._with_spooled,
            )
            self._follower = Follower(tools)
        if self._follower is not None:
            self._follower.configure(plan)

    def _overflow_bytes(self) -> int:
        """As much as all spools together, and half of what is free at most."""
        try:
            return min(self._spool_bytes, self.overflow.used_bytes + free_bytes(self._all.home) // 2)
        except OSError:
            return 0

    def close(self) -> None:
        self.keepers.close()
        if self._follower is not None:
            self._follower.close()
        self._small_runs.close()
        self._ahead.close()

    def _configure_spools(self, rules: Rules, limits: Limits) -> None:
        tools = SendTools(
            clock=self._all.clock,
            pool=self.pool,
            dial=Dialler(self._all.home, rules).deliver,
            generation=rules.generation,
            told=self._small_news.beside,
            missed=lambda _: None,
            left_behind=self.left_behind,
        )
        self.keepers.configure(rules, limits.spool_bytes, tools)

    def left_behind(self, dataset: DatasetId) -> None:
        if self._follower is not None:
            self._follower.left_behind(dataset)

    def _with_spooled(self, following: Following) -> Following:
        """What waits is known and safe, and not where it should be: the dataset waits, too."""
        spooled, thinned = self.keepers.told(following.dataset_id), self.keepers.gaps(following.dataset_id)
        if thinned:
            gaps = tuple(sorted({*following.gaps, *thinned}, key=lambda gap: gap.until, reverse=True))
            following = msgspec.structs.replace(following, gaps=gaps)
        if not spooled:
            return following
        # What waits for its window is as it should be.
        errors = (each.error for each in spooled if each.error is not None and not WindowClosed.says(each.error))
        error = following.error or next(errors, None)
        is_waiting = error is not None and following.state is FollowState.FOLLOWING
        state = FollowState.WAITING if is_waiting else following.state
        return msgspec.structs.replace(following, spooled=spooled, error=error, state=state)

    def tail(self, ask: AskTail) -> Tailed:
        """Raises what `tailed` raises."""
        return self._tail.since(tailed(self._rules, ask.flow, ask.dataset), ask.after, ask.life, max(1, min(ask.limit, MOST_KEPT)))

    def _tell(self, following: tuple[Following, ...]) -> None:
        self._tail.followed(following)
        self._all.tell(following)

    # For the jobs of the worker.

    def run_small(self, order: RunOrder, tools: RunTools, cancellation: Cancellation, gone_on: LetGo | None) -> Job:
        """What it sends is told to who looks on. `gone_on`: see `RunTools.let_go`; the receivers that the run goes on for are sent what has
        changed meanwhile. Raises what `run_datasets` raises."""
        notes, late = RunNotes(tools.news, order.deliveries, self._tail.is_told), set[DatasetId]()

        def let_go(datasets: Mapping[DatasetId, ErrorFacts]) -> None:
            assert gone_on is not None
            late.update(datasets)
            self._noted(notes)
            gone_on(datasets)

        tools = replace(tools, news=notes, noted=notes.steps, let_go=None if gone_on is None else let_go)
        try:
            job = run_datasets(order, tools, cancellation)
            self._noted(notes)
            return job
        finally:
            for dataset in late:
                self.left_behind(dataset)

    def _noted(self, notes: RunNotes) -> None:
        self._tail.ended(notes)
        notes.have_told()

    def scan_begins(self, datasets: Iterable[DatasetId]) -> frozenset[DatasetId]:
        return frozenset() if self._follower is None else self._follower.scan_begins(datasets)

    def scan_ended(self, watched: Iterable[DatasetId], scanned: Iterable[DatasetId]) -> None:
        if self._follower is not None:
            self._follower.scan_ended(watched, scanned)

    def point_without_scan(self, order: RunOrder) -> Work | None:
        """The work that makes a point of what was followed; None = scan. The datasets are claimed."""
        if self._follower is None or must_scan(order):
            return None
        return self._follower.take_for_point([rule.id for rule in order.datasets])

    def follows(self, datasets: Iterable[DatasetRule]) -> bool:
        """Whether one of them is followed by the rules in force."""
        followed = {each.rule.id for each in followed_by(self._rules)} if self._rules is not None else set()
        return any(rule.id in followed for rule in datasets)

    def small_of(self, datasets: Sequence[DatasetRule], work: Work) -> SmallRun:
        known = {each.rule.id: each for each in followed_by(self._rules)} if self._rules is not None else {}
        return small_of([known[rule.id] for rule in datasets if rule.id in known], work, self.paths_of(work.inodes))

    def point_ended(self, datasets: Sequence[DatasetRule], work: Work, captured: CaptureResult | None) -> None:
        """What of it was not captured is done again by the follower; receivers that did not get it are tried again by it, too."""
        if self._follower is not None:
            self._follower.point_ended([rule.id for rule in datasets], work, captured)

    # What the follower needs: `follower.Source`.

    def is_ready(self, dataset: DatasetId) -> bool:
        with self._all.holder.lease() as state:
            return not state.is_new(dataset) and state.newest_commit(dataset) is not None

    def paths_of(self, inodes: Iterable[int]) -> tuple[bytes, ...]:
        wanted = tuple(inodes)
        if not wanted:
            return ()
        with self._all.holder.lease() as state:
            return tuple(path for inode in wanted for path in state.paths_of_inode(inode))

    def _found(self, finding: Finding) -> None:
        """A small run is in no list of jobs: what it found is told in the log."""
        if self._rules is not None:
            message = f"{finding.path}: {finding.message}" if finding.path else finding.message
            node, moment = self._rules.node, now(self._all.clock)
            self._all.record(Event(code=finding.code, severity=finding.severity, message=message, node=node, time=moment))

    def idle(self) -> None:
        self._small_news.flush()

    def lay_ahead(self, file: LargeFile, cancellation: Cancellation) -> bool:
        rules = self._rules
        if rules is None:
            return True
        mine = [each for each in rules.deliveries if each.dataset == file.followed.rule.id and each.mode == "continuous"]
        what = Ahead(file.followed.rule, tuple(each for each in mine if each.id not in file.closed), file.path, file.is_closed)
        dial, waiting = Dialler(self._all.home, rules).deliver, self.keepers.waiting
        connector = Connector(dial, rules.generation, self._all.clock, self.pool, is_hasty=lambda _: True, waiting=waiting)
        try:
            with self._all.holder.lease() as state, state.errors():
                return self._ahead.go_on(what, state, connector, cancellation)
        except (HoldfastError, OSError):
            # The run meets it again, and says so.
            return True

    def small_run(self, datasets: Sequence[Followed], small: SmallRun, cancellation: Cancellation, more: More) -> SmallResult:
        rules = self._rules
        if rules is None:
            return SmallResult(None, {})
        order = RunOrder(
            job=_no_job(rules.node, self._all.clock),
            datasets=tuple(each.rule for each in datasets),
            deliveries=rules.deliveries,
            operations={each.rule.id: each.operations for each in datasets},
            generation=rules.generation,
            small=small,
        )
        return self._small_runs.result_of(partial(self._make, rules, order, more, cancellation), cancellation)

    def _make(self, rules: Rules, order: RunOrder, more: More, cancellation: Cancellation, tell: Tell) -> SmallResult:
        """In a thread of the run's own."""
        news, captured, late = NewsOfRun(self._small_news), list[CaptureResult](), dict[DatasetId, ErrorFacts]()

        def result(error: ErrorFacts | None) -> SmallResult:
            return SmallResult(captured[0] if captured else None, {**news.failed, **late}, error)

        def gone_on(datasets: Mapping[DatasetId, ErrorFacts]) -> None:
            late.update(datasets)
            self._ahead.committed(captured)
            tell(result(None))

        try:
            with self._all.holder.lease() as state:
                tools = self.tools(rules, state, news, captured.append, scratch=SMALL)
                job = self.run_small(order, replace(tools, prepared=self._ahead.prepared, more=more), cancellation, gone_on)
            if not late:
                self._ahead.committed(captured)
        except (HoldfastError, OSError) as error:
            return result(facts_of(error))
        self._small_news.found(job.findings)
        return result(job.error)

    def tools(
        self, rules: Rules, state: CaptureState, news: News, captured: Callable[[CaptureResult], None], *, scratch: str = ""
    ) -> RunTools:
        dialler = Dialler(self._all.home, rules)
        return RunTools(
            clock=self._all.clock,
            entropy=self._all.entropy,
            state=state,
            capture=Capture(state, clock=self._all.clock, scratch=scratch),
            dial=dialler.deliver,
            dial_read=dialler.read,
            hook=_no_hook,
            news=news,
            zone=zone_name(),
            hostname=socket.gethostname(),
            pool=self.pool,
            keepers=self.keepers,
            overflow=self.overflow,
            captured=captured,
            broken_off=self._names_changed,
        )

    def _names_changed(self, inodes: frozenset[int]) -> None:
        if self._follower is not None:
            self._follower.names_changed(inodes)


class LimitsWatch(Periodic):
    """Root has mended them: nobody sends rules for that."""

    def __init__(self, following: SourceFollowing, every_s: float = LIMITS_EVERY_S) -> None:
        super().__init__("limits", every_s)
        self._following = following

    def look(self) -> None:
        self._following.look_at_limits()


def must_scan(order: RunOrder) -> bool:
    """Whether the operations ask for a look at everything, followed or not."""
    return any(needs_scan(rule, order.operations.get(rule.id, ()), order.deliveries) for rule in order.datasets)


def limits_of(home: Path, rules: Rules) -> Limits:
    """Read anew each time: root may have edited them."""
    return load_limits(home, [repository.location for repository in rules.repositories])


def _may_read(each: Followed, limits: Limits) -> bool:
    """What the machine's limits do not allow is not followed; the runs of the dataset say why."""
    try:
        for path in each.rule.classification.paths:
            limits.check_read(path)
    except OutsideLimits as error:
        logger.warning("a dataset is not followed", extra={"facts": {"dataset": each.rule.label, "error": error.message}})
        return False
    return True


def _guarded(each: Followed, limits: Limits) -> Followed:
    return replace(each, rule=limits.without_ours(each.rule))


def _no_hook(rule: DatasetRule, phase: str) -> None:
    """Small runs have none: they come several times a second."""


def _no_job(node: NodeId, clock: Clock) -> Job:
    """A small run is in nobody's list; it has only what a run fills in."""
    return Job(id=JobId(""), node=node, kind="run", rule="", state=State.RUNNING, created_at=now(clock), cause="change")

"""Runs that the scheduler asks of a source: of everything, for who is behind, and points of what was followed.

Where something is followed, datasets that share no paths are run one after the other, so that each is kept from its small runs only while
it is its turn. The look at everything is taken before that, beside the small runs (docs/decisions/0034-lanes.md), and they go on as soon as
only receivers of batches are waited for (docs/decisions/0059-claims.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from holdfast.capture.comparison import Compared
from holdfast.capture.ports import CaptureResult
from holdfast.capture.scan import Capture
from holdfast.core.clock import Clock
from holdfast.core.errors import ErrorFacts, SourceVanished, UnknownName
from holdfast.core.ids import DatasetId
from holdfast.host.hooks import hook_environment, run_hook
from holdfast.host.snapshots import Snapshots, take_snapshots
from holdfast.model.jobs import Job
from holdfast.model.rules import DatasetRule, Rules
from holdfast.node.bounds.limits import Limits
from holdfast.node.source.archiving import ArchivingHere, with_findings
from holdfast.node.source.following import SourceFollowing, limits_of, must_scan
from holdfast.node.source.state_holder import StateHolder
from holdfast.node.workers.asides import Aside
from holdfast.node.workers.messages import RunDatasets
from holdfast.operations.following.backlog import Work
from holdfast.operations.following.claims import groups_apart
from holdfast.operations.run import run_datasets
from holdfast.operations.run_order import RunOrder, RunTools
from holdfast.operations.run_plan import joined
from holdfast.operations.run_progress import RunProgress
from holdfast.operations.running import Cancellation, Meter, News


@dataclass(frozen=True)
class SourceRuns:
    """By the rules in force when the job began."""

    home: Path
    rules: Rules
    following: SourceFollowing
    holder: StateHolder
    news: News
    clock: Clock
    aside: Aside

    def run(self, message: RunDatasets, job: Job, cancellation: Cancellation) -> Job:
        """The ended job. Raises `UnknownName`, `OutsideLimits`, and what `run_datasets` raises."""
        known = {rule.id: rule for rule in self.rules.datasets}
        limits = limits_of(self.home, self.rules)
        datasets = tuple(limits.without_ours(_known(known, dataset)) for dataset in message.datasets)
        for rule in datasets:
            for path in rule.classification.paths:
                limits.check_read(path)
        groups = groups_apart(datasets) if self.following.follows(datasets) else (datasets,)
        ended = []
        for group in groups:
            order = RunOrder(
                job=job,
                datasets=group,
                deliveries=self.rules.deliveries,
                operations=message.operations,
                generation=self.rules.generation,
                accept=message.accept,
                adopt=message.adopt,
                catch_up=message.catch_up,
                is_part=len(groups) > 1,
            )
            ended.append(_SourceRun(self, order, limits, cancellation).run())
        return ended[0] if len(ended) == 1 else joined(job, ended)


class _SourceRun:
    """One group of datasets."""

    def __init__(self, runs: SourceRuns, order: RunOrder, limits: Limits, cancellation: Cancellation) -> None:
        self._runs, self._order, self._limits, self._cancellation = runs, order, limits, cancellation
        self._following = runs.following
        self._ids = tuple(rule.id for rule in order.datasets)
        self._captured: list[CaptureResult] = []
        self._has_told = False

    def run(self) -> Job:
        order, following = self._order, self._following
        watched = frozenset[DatasetId]() if order.catch_up else following.scan_begins(self._ids)
        is_watched = not (order.catch_up or order.accept) and watched.issuperset(self._ids)
        with ExitStack() as stack:
            state = stack.enter_context(self._runs.holder.lease())
            tools = following.tools(self._runs.rules, state, self._runs.news, self._captured.append, scratch=self._runs.aside.scratch)
            tools = replace(tools, hook=self._hook, snapshots=self._snapshots)
            if is_watched and self._may_compare():
                if (compared := self._compare(tools.capture)) is not None:
                    stack.callback(compared.close)
                tools = replace(tools, compared=compared)
            with following.claims.all_of(order.datasets, self._cancellation.check) as let_go:
                archiving = ArchivingHere(self._runs.home, order, self._limits)
                aside = archiving.settle(following.claims)
                work = following.point_without_scan(order) if is_watched else None
                if work is None:
                    if self._may_let_go():
                        tools = replace(tools, let_go=partial(self._let_go, watched, let_go))
                    ended = run_datasets(order, tools, self._cancellation)
                else:
                    ended = self._make_point(work, tools, let_go)
                ended = archiving.after(with_findings(ended, aside), tools, self._cancellation)
        if work is None:
            self._tell_scanned(watched)
        return ended

    def _make_point(self, work: Work, tools: RunTools, let_go: Callable[[], None]) -> Job:
        """Of what was followed, without a scan."""
        order, following, has_ended = self._order, self._following, False

        def end() -> None:
            nonlocal has_ended
            if not has_ended:
                has_ended = True
                following.point_ended(order.datasets, work, self._captured[0] if self._captured else None)

        def gone_on(_: Mapping[DatasetId, ErrorFacts]) -> None:
            end()
            let_go()

        try:
            small = replace(order, small=following.small_of(order.datasets, work))
            return following.run_small(small, tools, self._cancellation, gone_on if self._may_let_go() else None)
        finally:
            end()

    def _may_let_go(self) -> bool:
        """Whether somebody waits for the datasets, and nothing more is done to the source when it has been read."""
        rules = self._order.datasets
        busy = (rule.hooks.before or rule.hooks.after or any(each.archive is not None for each in rule.operations) for rule in rules)
        return self._following.follows(rules) and not any(busy)

    def _let_go(self, watched: frozenset[DatasetId], let_go: Callable[[], None], _: Mapping[DatasetId, ErrorFacts]) -> None:
        self._tell_scanned(watched)
        let_go()

    def _tell_scanned(self, watched: frozenset[DatasetId]) -> None:
        if self._captured and not self._has_told:
            self._has_told = True
            self._following.scan_ended(watched, set(self._ids) - set(self._captured[0].refused))

    def _may_compare(self) -> bool:
        """Whether the look at everything may be taken beside small runs: the source is read in its place and as it is, and is known."""
        if not must_scan(self._order) or not all(map(self._following.is_ready, self._ids)):
            return False
        return not any(
            rule.hooks.before or rule.hooks.after or rule.classification.consistent != "none" or rule.classification.application
            for rule in self._order.datasets
        )

    def _compare(self, capture: Capture) -> Compared | None:
        """None = the guard has something to say, which the run will say."""
        progress = RunProgress(Meter(self._order.job.id, self._runs.clock, self._runs.news.progress))
        cancellation = self._cancellation
        try:
            with self._following.claims.all_of(self._order.datasets, cancellation.check):
                compared = capture.compare(self._order.datasets, on_progress=progress.captured, cancelled=lambda: cancellation.requested)
        except SourceVanished:
            return None
        try:
            compared.walk()
        except SourceVanished:
            compared.close()
            return None
        except BaseException:
            compared.close()
            raise
        return compared

    def _hook(self, rule: DatasetRule, phase: str) -> None:
        name = rule.hooks.before if phase == "before" else rule.hooks.after
        environment = hook_environment(dataset=rule.label, policy=rule.policy, node=self._runs.rules.node_name, phase=phase)
        run_hook(self._limits.hook(name), environment, rule.hooks.timeout_s, clock=self._runs.clock)

    def _snapshots(self, roots: Sequence[bytes]) -> Snapshots:
        return take_snapshots(
            roots, self._runs.aside.snapshot(self._runs.rules.node), clock=self._runs.clock, may_write=self._limits.check_write
        )


def _known(rules: dict[DatasetId, DatasetRule], dataset: DatasetId) -> DatasetRule:
    if dataset not in rules:
        raise UnknownName("the rules in force name no such dataset", hint="the flow was changed; trigger it again", dataset=dataset)
    return rules[dataset]

"""A drill as a job of the store worker: choose the point, restore into scratch, compare, let the user's script look, record the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import msgspec

from holdfast.core.entropy import Entropy
from holdfast.core.errors import HoldfastError, HookFailed, OutsideLimits, RepositoryDamaged, UnknownName
from holdfast.model.document import DrillPlan
from holdfast.model.drills import parse_sample
from holdfast.model.jobs import Finding, Job, Severity, State
from holdfast.model.maintenance import Drill, Step
from holdfast.model.points import Point
from holdfast.model.rules import Rules
from holdfast.node.drills.records import DrillTools, record_tried
from holdfast.node.drills.verdicts import Tested, check_script, ended, tried_of, verdict
from holdfast.operations.drill import (
    Around,
    DrillOrder,
    DrillResult,
    run_drill,
    scratch_bytes,
    scratch_folder,
)
from holdfast.operations.running import Cancellation, Meter
from holdfast.repository.care.healing import BlobCopy
from holdfast.repository.repository import Repository

_ANY_POINT_IN = 4
"""Every so manyth drill by schedule tries another point than the newest."""
_SEED_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class DrillJob:
    """One drill. `copies` are where lost blobs may be had from."""

    task: Drill
    job: Job
    rules: Rules
    repository: Repository
    copies: Sequence[BlobCopy]
    meter: Meter
    cancellation: Cancellation

    def run(self, tools: DrillTools) -> Job:
        """The ended job. Raises what keeps a drill from being made at all: `RepositoryLocked`, `NoSpace`, `UnknownName`."""
        try:
            point = self.choose_point(tools.entropy)
        except UnknownName:
            if self.task.point or not self.task.any_point:
                raise
            text = "there is nothing of it in this repository yet"
            return ended(self.job, State.SUCCEEDED, (Finding(code="drill-nothing", severity=Severity.INFO, message=text),))
        plan, seed = self._plan(point), tools.entropy.token_bytes(_SEED_BYTES)
        watch = self.meter.watch(self.cancellation)
        steps: list[Step] = []
        findings: list[Finding] = []
        failure: HoldfastError | None = None
        result: DrillResult | None = None
        try:
            result = self._try(tools, point, plan, seed)
            # What a lost listing hid may be damaged, too, and shows when that is healed: the same files again, as long as something is.
            while not result.proven:
                findings += [*result.findings, *self.repository.care.examine_lost(watch)]
                healed = self.repository.care.heal(self.copies, watch)
                if not healed:
                    break
                steps += healed
                result = self._try(tools, point, plan, seed)
        except (HookFailed, OutsideLimits, RepositoryDamaged) as error:
            failure = error
        if failure is None and result is not None and not result.proven:
            failure = RepositoryDamaged(
                f"{len(result.findings)} of what was restored is not what it should be: {result.findings[0].path}",
                hint="the job's findings name the points and files; `holdfast repository check` finds what else is damaged",
            )
        record_tried(tools, self.repository, point, tried_of(self.job, result, failure), self.rules.node)
        return verdict(self.job, point, result, failure, (findings, steps))

    def _plan(self, point: Point) -> DrillPlan:
        plans = {receive.dataset: action.drill for receive, action in self.rules.stored_in(self.repository.id)}
        plan = plans.get(point.dataset_id) or DrillPlan()
        return msgspec.structs.replace(plan, sample=self.task.sample) if self.task.sample else plan

    def choose_point(self, entropy: Entropy) -> Point:
        """What is tried. Raises `UnknownName`."""
        repository, task = self.repository, self.task
        if task.point:
            return repository.point(task.point)
        newest = repository.point_at(task.dataset, None)
        draw = int.from_bytes(entropy.token_bytes(8))
        points = [point for point in repository.points(task.dataset) if not point.foreign]
        if task.any_point and points and draw % _ANY_POINT_IN == 0:
            return points[draw // _ANY_POINT_IN % len(points)]
        # What a moment proves is a fact of no point, so of two states of one commit the point is taken.
        return next((point for point in reversed(points) if (point.epoch, point.seq) == (newest.epoch, newest.seq)), newest)

    def _try(self, tools: DrillTools, point: Point, plan: DrillPlan, seed: bytes) -> DrillResult:
        with scratch_folder(tools.scratch, f"drill-{self.job.id}") as folder, closing(self.repository.reader(point)) as reader:
            order = DrillOrder(
                sample=parse_sample(plan.sample),
                seed=seed,
                folder=folder,
                free=scratch_bytes(tools.scratch),
                files=point.files,
                size_bytes=point.bytes,
            )
            around = Around(
                clock=tools.clock,
                tell=self.meter.watch(self.cancellation),
                cancelled=lambda: self.cancellation.requested,
                wait=self.cancellation.wait,
                check=check_script(tools.home, self.rules, plan, Tested(point, self.repository.name, tools.clock)) if plan.check else None,
            )
            return run_drill(reader, order, around)

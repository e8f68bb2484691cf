"""A drill as a job of the store worker: choose the point, restore into scratch, compare, let the user's script look, record the outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from holdfast.core.clock import Clock, now
from holdfast.core.entropy import Entropy
from holdfast.core.errors import HoldfastError, HookFailed, OutsideLimits, RepositoryDamaged, RepositoryLocked, StoreError, UnknownName
from holdfast.host.hooks import hook_environment, run_hook
from holdfast.model.document import DrillPlan
from holdfast.model.drills import DrillRecord, parse_sample
from holdfast.model.jobs import Event, Finding, Job, Severity, State
from holdfast.model.maintenance import Drill, Report, Step
from holdfast.model.points import Point
from holdfast.model.rules import Rules
from holdfast.node.drill_book import DrillBook
from holdfast.node.limits import load_limits
from holdfast.operations.drill import (
    Around,
    CheckScript,
    DrillOrder,
    DrillResult,
    run_drill,
    scratch_bytes,
    scratch_folder,
    sweep_scratch,
)
from holdfast.operations.run_plan import MAX_FINDINGS
from holdfast.operations.running import Cancellation, Meter
from holdfast.repository.care.healing import BlobCopy
from holdfast.repository.repository import Repository

_ANY_POINT_IN = 4
"""Every so manyth drill by schedule tries another point than the newest."""
_SEED_BYTES = 16
_OUTPUT_LINES = 20


@dataclass(frozen=True, kw_only=True)
class DrillTools:
    """What this machine gives to drills."""

    home: Path
    clock: Clock
    entropy: Entropy
    book: DrillBook
    event: Callable[[Event], None]

    @property
    def scratch(self) -> Path:
        """Inside the home, which nothing captures and nobody else may read."""
        return self.home / "scratch"

    def sweep(self) -> None:
        """To be called before the first drill: what drills that were killed left goes."""
        with suppress(OSError):
            sweep_scratch(self.scratch)


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
            return self._ended(State.SUCCEEDED, (Finding(code="drill-nothing", severity=Severity.INFO, message=text),))
        plan, seed = self._plan(point), tools.entropy.token_bytes(_SEED_BYTES)
        steps: list[Step] = []
        findings: list[Finding] = []
        failure: HoldfastError | None = None
        result: DrillResult | None = None
        try:
            result = self._try(tools, point, plan, seed)
            # What a lost listing hid may be damaged, too, and shows when that is healed: the same files again, as long as something is.
            while not result.proven:
                findings += [*result.findings, *self.repository.care.examine_lost(self._watch)]
                healed = self.repository.care.heal(self.copies, self._watch)
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
        self._record(tools, point, result, failure)
        return self._verdict(point, result, failure, findings, steps)

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
                tell=self._watch,
                cancelled=lambda: self.cancellation.requested,
                wait=self.cancellation.wait,
                check=self._check_script(tools, point, plan) if plan.check else None,
            )
            return run_drill(reader, order, around)

    def _check_script(self, tools: DrillTools, point: Point, plan: DrillPlan) -> CheckScript:
        """Raises `OutsideLimits` at once, before anything is restored."""
        limits = load_limits(tools.home, [repository.location for repository in self.rules.repositories])
        script = limits.hook(plan.check)
        policy = point.dataset.partition("/")[2]
        environment = hook_environment(dataset=point.dataset, policy=policy, node=self.rules.node_name, phase="drill")

        def check(folder: Path) -> None:
            about = {
                "HOLDFAST_FOLDER": str(folder),
                "HOLDFAST_POINT": point.id,
                "HOLDFAST_POINT_TIME": point.time.isoformat(),
                "HOLDFAST_REPOSITORY": self.repository.name,
            }
            run_hook(script, {**environment, **about}, plan.timeout_s, clock=tools.clock)

        return check

    def _watch(self, phase: str, done_files: int, done_bytes: int, total_bytes: int, /) -> None:
        self.cancellation.check()
        self.meter.report(phase, done_files, done_bytes, total_bytes)

    def _record(self, tools: DrillTools, point: Point, result: DrillResult | None, failure: HoldfastError | None) -> None:
        """On the point, where it is one, and in the book; and for people who read the log."""
        files = result.files if result is not None else 0
        at = now(tools.clock)
        if point.snapshot:
            # A point that went meanwhile, or a store that cannot be written just now: the book and the log say it all the same.
            with suppress(UnknownName, RepositoryLocked, StoreError):
                self.repository.care.prove(point, holds=failure is None, files=files)
        before = next((each for each in tools.book.records(self.repository.name) if each.dataset == point.dataset_id), None)
        record = DrillRecord(
            dataset=point.dataset_id,
            label=point.dataset,
            at=at,
            problem=failure.message if failure is not None else "",
            note=result.note if result is not None else "",
            point=point.id,
            point_at=point.time,
            files=files,
            size_bytes=result.size_bytes if result is not None else 0,
            proven_at=at if failure is None else before.proven_at if before is not None else None,
        )
        tools.book.put(self.repository.name, record)
        facts = {"job": self.job.id, "repository": self.repository.name, "dataset": point.dataset, "point": point.id}
        where = f"{point.dataset} of {point.time:%Y-%m-%d %H:%M} UTC in {self.repository.name}"
        if failure is not None:
            text = f"the drill of {where} proved nothing: {failure.message}"
            event = Event(code="drill-failed", severity=Severity.ERROR, message=text, node=self.rules.node, time=at, facts=facts)
        else:
            text = f"{where} is proven restorable: {files:,} files were restored on trial and are what they should be"
            event = Event(code="drill-proven", severity=Severity.INFO, message=text, node=self.rules.node, time=at, facts=facts)
        tools.event(event)

    def _verdict(
        self,
        point: Point,
        result: DrillResult | None,
        failure: HoldfastError | None,
        findings: Sequence[Finding],
        steps: Sequence[Step],
    ) -> Job:
        files, size_bytes = (result.files, result.size_bytes) if result is not None else (0, 0)
        tried = Step(code="files-proven", message="files restored on trial and equal", count=files, size_bytes=size_bytes)
        about = Step(code="point-tried", message=f"point of {point.dataset} of {point.time:%Y-%m-%d %H:%M} UTC", path=point.id)
        told = list(findings)
        if result is not None and result.note:
            told.append(Finding(code="drill-shrunk", severity=Severity.WARNING, message=result.note))
        if isinstance(failure, HookFailed | OutsideLimits):
            # The bytes are what was stored; whether that is any good is what the script doubts.
            hint = "look at the output, and at the point it names; mend the script or the source"
            said = tuple(failure.context.get("output", "").strip().splitlines()[-_OUTPUT_LINES:])
            told.append(
                Finding(code="check-failed", severity=Severity.ERROR, message=failure.message, path=point.id, hint=hint, affected=said)
            )
            return self._ended(State.WARNINGS, told, about, tried, *steps)
        if failure is not None:
            return msgspec.structs.replace(self._ended(State.FAILED, told, about, tried, *steps), error=failure.facts())
        return self._ended(State.WARNINGS if told else State.SUCCEEDED, told, about, tried, *steps)

    def _ended(self, state: State, findings: Sequence[Finding], *steps: Step) -> Job:
        return msgspec.structs.replace(
            self.job,
            state=state,
            findings=tuple(findings[:MAX_FINDINGS]),
            findings_total=len(findings),
            report=Report(steps=steps) if steps else None,
        )

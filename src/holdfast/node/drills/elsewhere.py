"""A drill of another node's repository, as a job of the source worker: read by an order, restore into this node's scratch, compare, let the
user's script look, and tell the owner what came of it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from holdfast.core.clock import Clock
from holdfast.core.entropy import Entropy
from holdfast.core.errors import HoldfastError, HookFailed, OutsideLimits, RepositoryDamaged
from holdfast.delivery.reading import RemoteReader
from holdfast.delivery.trials import tell_outcome
from holdfast.model.drills import parse_sample
from holdfast.model.jobs import Job
from holdfast.model.orders import RestoreOrder
from holdfast.model.rules import Rules
from holdfast.model.trials import AskDrill
from holdfast.node.drills.verdicts import Tested, Tried, check_script, tried_of, verdict
from holdfast.node.restoring.orders import open_order
from holdfast.node.workers.dial import Dialler
from holdfast.node.workers.jobs import LinkNews
from holdfast.operations.drill import Around, DrillOrder, DrillResult, run_drill, scratch_bytes, scratch_folder
from holdfast.operations.running import Cancellation, Meter
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import DrillOutcome, OpenRead

_SEED_BYTES = 16


def trial_scratch(home: Path) -> Path:
    """Inside the home, which nothing captures and nobody else may read; beside the one of the store worker, which sweeps its own."""
    return home / "trials"


@dataclass(frozen=True, kw_only=True)
class DrillElsewhere:
    home: Path
    rules: Rules
    ask: AskDrill
    job: Job
    news: LinkNews
    clock: Clock
    entropy: Entropy

    def run(self, signing_key: bytes, cancellation: Cancellation) -> Job:
        """The ended job. Raises what keeps a drill from being made at all: `NotReachable`, `NotGranted`, `NoSpace`."""
        order = open_order(self.ask.order, signing_key)
        channel = Dialler(self.home, self.rules).read(order.owner, order.owner_address)
        cancellation.on_cancel(channel.close)
        try:
            with closing(RemoteReader(channel, _opening(order, self.ask))) as reader:
                result, failure = self._try(reader, cancellation)
                self._tell(channel, tried_of(self.job, result, failure), failure)
        except HoldfastError:
            cancellation.check()
            raise
        finally:
            channel.close()
        return verdict(self.job, self.ask.point, result, failure, (result.findings if result is not None else (), ()))

    def _tell(self, channel: Channel, tried: Tried, failure: HoldfastError | None) -> None:
        outcome = DrillOutcome(job=tried.job, files=tried.files, size_bytes=tried.size_bytes, problem=tried.problem, note=tried.note)
        try:
            tell_outcome(channel, outcome)
        except HoldfastError as error:
            # An owner that ends the session for what it cannot read says more by that than by being gone.
            raise failure or error from error

    def _try(self, reader: RemoteReader, cancellation: Cancellation) -> tuple[DrillResult | None, HoldfastError | None]:
        meter = Meter(job=self.job.id, clock=self.clock, tell=self.news.progress)
        place, point, plan = trial_scratch(self.home), self.ask.point, self.ask.plan
        try:
            with scratch_folder(place, f"drill-{self.job.id}") as folder:
                order = DrillOrder(
                    sample=parse_sample(plan.sample),
                    seed=self.entropy.token_bytes(_SEED_BYTES),
                    folder=folder,
                    free=scratch_bytes(place),
                    files=point.files,
                    size_bytes=point.bytes,
                )
                tested = Tested(point, self.ask.repository, self.clock)
                around = Around(
                    clock=self.clock,
                    tell=meter.watch(cancellation),
                    cancelled=lambda: cancellation.requested,
                    wait=cancellation.wait,
                    check=check_script(self.home, self.rules, plan, tested) if plan.check else None,
                )
                result = run_drill(reader, order, around)
        except (HookFailed, OutsideLimits, RepositoryDamaged) as error:
            return None, error
        if result.proven:
            return result, None
        first = result.findings[0]
        problem = f"{len(result.findings)} of what was restored is not what it should be: {first.path}"
        hint = f"run `holdfast repository check {self.ask.repository}` and repair what it finds; then try it again"
        return result, RepositoryDamaged(problem, hint=hint)


def _opening(order: RestoreOrder, ask: AskDrill) -> OpenRead:
    return OpenRead(repository=order.repository, dataset=order.dataset, order=ask.order, point=order.point)

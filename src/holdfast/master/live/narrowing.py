"""Live events for somebody who may not see everything: each told only as far as it is theirs."""

from __future__ import annotations

from msgspec.structs import replace

from holdfast.master.documents.environment import EnvironmentView
from holdfast.master.live.deltas import (
    Delta,
    EnvironmentDelta,
    FlowsDelta,
    JobDelta,
    LogDelta,
    NodeDelta,
    PointsDelta,
    ProgressDelta,
    Snapshot,
    TriggerDelta,
    TriggerProgress,
)
from holdfast.model.sight import Sight


class Narrowing:
    """For one subscriber with one sight. Figures and triggers name jobs by their ids alone, so it remembers which are theirs: those of the
    snapshot, and those that were told since."""

    def __init__(self, sight: Sight) -> None:
        self.sight = sight
        self._jobs: set[str] = set()

    def of(self, delta: Snapshot | Delta) -> Snapshot | Delta | None:
        """None = nothing of it."""
        sight = self.sight
        match delta:
            case Snapshot():
                return self._snapshot(delta)
            case NodeDelta():
                return delta if sight.has_node(delta.node.id) else None
            case JobDelta():
                if not sight.has_job(delta.job):
                    return None
                self._jobs.add(delta.job.id)
                return delta
            case ProgressDelta():
                progress = tuple(each for each in delta.progress if each.job in self._jobs)
                return replace(delta, progress=progress) if progress else None
            case TriggerDelta():
                return delta if self._has_trigger(delta.trigger) else None
            case FlowsDelta():
                return replace(delta, flows=tuple(flow for flow in delta.flows if sight.has_flow(flow.name)))
            case EnvironmentDelta():
                return replace(delta, environment=_without_words(delta.environment))
            case PointsDelta():
                return delta if delta.job in self._jobs else None
            case LogDelta():
                events = tuple(event for event in delta.events if sight.has_node(event.node))
                return replace(delta, events=events) if events else None

    def _snapshot(self, whole: Snapshot) -> Snapshot:
        sight = self.sight
        jobs = tuple(job for job in whole.jobs if sight.has_job(job))
        self._jobs = {job.id for job in jobs}
        return replace(
            whole,
            environment=_without_words(whole.environment),
            nodes=tuple(node for node in whole.nodes if sight.has_node(node.id)),
            flows=tuple(flow for flow in whole.flows if sight.has_flow(flow.name)),
            jobs=jobs,
            progress=tuple(each for each in whole.progress if each.job in self._jobs),
            triggers=tuple(trigger for trigger in whole.triggers if self._has_trigger(trigger)),
        )

    def _has_trigger(self, trigger: TriggerProgress) -> bool:
        return (bool(trigger.flow) and self.sight.has_flow(trigger.flow)) or (bool(trigger.jobs) and self._jobs.issuperset(trigger.jobs))


def _without_words(environment: EnvironmentView) -> EnvironmentView:
    """That there is a new revision everybody needs to know who draws; who made it, and why, may name what is not theirs."""
    return replace(environment, author="", comment="")

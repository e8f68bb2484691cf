"""What subscribers are told: one snapshot, then numbered deltas. A delta holds the whole new state of its thing, never a difference.

So a delta that is taken twice, or one that a snapshot has in it already, does no harm.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from holdfast.core.ids import JobId, NodeId
from holdfast.master.documents.environment import EnvironmentView
from holdfast.master.hub.roll_call import NodeView
from holdfast.master.jobs.triggers import Problem, TriggerState
from holdfast.master.rules.activation import FlowView
from holdfast.model.jobs import Event, Job, Progress


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Base: every field is written, defaults too."""


class NamedJob(Job, frozen=True, kw_only=True):
    """A job with the name of its node."""

    node_name: str = ""


class NamedEvent(Event, frozen=True, kw_only=True):
    """A line of the log with the name of its node."""

    node_name: str = ""


class TriggerProgress(_Part, frozen=True, kw_only=True):
    """How far a trigger has got; its jobs come as deltas of their own."""

    id: str
    flow: str
    state: TriggerState
    done: bool
    jobs: tuple[JobId, ...]
    problems: tuple[Problem, ...]


class Snapshot(_Part, frozen=True, kw_only=True):
    """Everything as it is once delta `seq` is in it. `jobs` are those that run, and the newest that ended; newest first."""

    seq: int
    kind: Literal["snapshot"] = "snapshot"
    environment: EnvironmentView
    nodes: tuple[NodeView, ...]
    flows: tuple[FlowView, ...]
    jobs: tuple[NamedJob, ...]
    progress: tuple[Progress, ...]
    triggers: tuple[TriggerProgress, ...]


class NodeDelta(_Part, frozen=True, kw_only=True):
    seq: int
    kind: Literal["node"] = "node"
    node: NodeView


class JobDelta(_Part, frozen=True, kw_only=True):
    seq: int
    kind: Literal["job"] = "job"
    job: NamedJob


class ProgressDelta(_Part, frozen=True, kw_only=True):
    """The newest figures of the jobs that moved."""

    seq: int
    kind: Literal["progress"] = "progress"
    progress: tuple[Progress, ...]


class PointsDelta(_Part, frozen=True, kw_only=True):
    """A job that makes restore points has ended well: who shows points of these rules may ask again."""

    seq: int
    kind: Literal["points"] = "points"
    job: JobId
    node: NodeId
    rule: str
    operations: tuple[str, ...]


class FlowsDelta(_Part, frozen=True, kw_only=True):
    """All flows: one activation may change several."""

    seq: int
    kind: Literal["flows"] = "flows"
    flows: tuple[FlowView, ...]


class EnvironmentDelta(_Part, frozen=True, kw_only=True):
    seq: int
    kind: Literal["environment"] = "environment"
    environment: EnvironmentView


class TriggerDelta(_Part, frozen=True, kw_only=True):
    seq: int
    kind: Literal["trigger"] = "trigger"
    trigger: TriggerProgress


class LogDelta(_Part, frozen=True, kw_only=True):
    """New lines of the log, oldest first."""

    seq: int
    kind: Literal["log"] = "log"
    events: tuple[NamedEvent, ...]


Delta = NodeDelta | JobDelta | ProgressDelta | PointsDelta | FlowsDelta | EnvironmentDelta | TriggerDelta | LogDelta

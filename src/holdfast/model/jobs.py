"""Jobs, tasks, progress and events: what happened, as records that a node keeps and the Master shows."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import msgspec

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import JobId, NodeId
from holdfast.model.bottleneck import Bottleneck
from holdfast.model.maintenance import Report
from holdfast.model.waits import Wait


class State(str, Enum):
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    WARNINGS = "warnings"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


ENDED = frozenset({State.SUCCEEDED, State.WARNINGS, State.FAILED, State.CANCELLED})


class Severity(str, Enum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing worth saying about a run: an unreadable file, a skipped socket, a catch-up. `path` is for display.

    `affected`: of damage in a repository, the points and files it takes away, a line each, the first of them if there are many; of a check
    script that failed, the last lines of what it wrote. `repository`: of what a node says of itself, the one of its repositories that it
    is about.
    """

    code: str
    severity: Severity
    message: str
    path: str = ""
    hint: str = ""
    affected: tuple[str, ...] = ()
    repository: str = ""

    @classmethod
    def of_error(cls, code: str, error: ErrorFacts) -> Finding:
        return cls(code=code, severity=Severity.ERROR, message=error.message, hint=error.hint)


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """What a task moved, nothing if it was a dry run. `read_bytes`: from source files. `sent_bytes`: chunk payload on the wire.
    `stored_bytes`: new in the store."""

    files: int = 0
    changed: int = 0
    removed: int = 0
    read_bytes: int = 0
    offered_bytes: int = 0
    sent_bytes: int = 0
    stored_bytes: int = 0


class LaneProgress(msgspec.Struct, frozen=True, kw_only=True):
    """What goes to one receiver of a running job. `receiver` and `action` are called as in `Protection`; several actions share what is sent
    once, and are joined by a comma.

    `done_bytes`: of the data this receiver is offered, what it has; it is not sent what it holds already. `total_bytes` is 0 while it is
    not known. `rate_bytes_s`: what was sent, over the last seconds. `waiting`: there is something for it, and it takes nothing just now.
    `bottleneck`: what it waited for most, over the last seconds; None = nothing is known of it.
    """

    delivery: str
    dataset: str
    receiver: str
    action: str = ""
    done_bytes: int = 0
    total_bytes: int = 0
    rate_bytes_s: float = 0.0
    waiting: bool = False
    bottleneck: Bottleneck | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """A live figure of one job; `total_bytes` is 0 while it is not known (phase `scan`). `rate_bytes_s` is that of the last seconds."""

    job: JobId
    phase: str
    done_files: int = 0
    done_bytes: int = 0
    total_bytes: int = 0
    rate_bytes_s: float = 0.0
    lanes: tuple[LaneProgress, ...] = ()


class Task(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One action inside a job: the capture (`name="capture"`), or one action of one delivery. `dataset`: the label of the one that it is
    about; empty = all that the job is about. `bottleneck`: what the delivery waited for most, told with its first action."""

    name: str
    state: State
    counters: Counters = Counters()
    error: ErrorFacts | None = None
    receiver: str = ""
    duration_s: float = 0.0
    bottleneck: Bottleneck | None = None
    dataset: str = ""

    def is_about(self, label: str) -> bool:
        return self.dataset in ("", label)


class Job(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run of a rule. `rule` names it (`files1/documents`, a cascade, a restore); `kind` is run, cascade, catch-up, restore, or that of
    a maintenance task (check, for example), which leaves a `report`. `datasets` are the labels of what it is about. `tags`: what it
    inherited, when it was queued, of its node, and of the policies and flows of its datasets. `wait`: for what one that is queued waits."""

    id: JobId
    node: NodeId
    kind: str
    rule: str
    state: State
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cause: str = ""
    operations: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = ()
    findings: tuple[Finding, ...] = ()
    findings_total: int = 0
    error: ErrorFacts | None = None
    trigger: str = ""
    datasets: tuple[str, ...] = ()
    report: Report | None = None
    tags: tuple[str, ...] = ()
    wait: Wait | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of the log that people read: a refusal, a missed point, low disk, a rule that came into force. `session`: in which life of the
    agent or the Master it was written (`core.log_session`); empty = by a version that had none."""

    code: str
    severity: Severity
    message: str
    node: NodeId
    time: datetime
    facts: dict[str, str] = {}
    session: str = ""

"""How a node does: what it promises and how well it keeps that, its repositories, what is wrong with the machine."""

from __future__ import annotations

from datetime import datetime

import msgspec

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import ActionId, DatasetId, JobId
from holdfast.model.change import Amount
from holdfast.model.following import Following
from holdfast.model.jobs import Finding, State
from holdfast.model.repository_status import RepositoryStatus
from holdfast.model.waits import Wait


class _Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Base; the tag on the wire is the class name."""


class Protection(_Message, frozen=True, kw_only=True):
    """One (dataset, operation, action of a receiver): when it was last acknowledged, when it is due, what is wrong.

    `action` is what people call it, like `store main`; a receiver may have several for one operation. `action_id` and `delivery` are
    those of the rules. `due_at`: of an operation without a schedule that goes in batches, the run of its dataset that it rides with.
    `state` is succeeded, warnings, failed, running, queued or unknown (never ran). `overdue` = the RPO is broken.
    `newest_at`: the newest capture there is for it. `behind_runs`: finished runs that it has not acknowledged, the oldest of them captured
    at `behind_since`. `job`: the one that runs or waits for it now. `closed_until`: the mover's window is closed until then; `waits`:
    something waits for it to open, which is no fault. `owed`: what those runs changed, estimated; null = not known. `wait`: why it stands
    still, where something is known to be waited for. `retry_at`: when what is wrong is tried again by itself, after `retries` attempts.
    """

    dataset: str
    dataset_id: DatasetId
    operation: str
    receiver: str
    action: str = ""
    state: State
    last_at: datetime | None = None
    due_at: datetime | None = None
    every_s: float | None = None
    overdue: bool = False
    missed: int = 0
    error: ErrorFacts | None = None
    action_id: ActionId = ActionId("")
    delivery: str = ""
    newest_at: datetime | None = None
    behind_runs: int = 0
    job: JobId | None = None
    closed_until: datetime | None = None
    waits: bool = False
    behind_since: datetime | None = None
    owed: Amount | None = None
    wait: Wait | None = None
    retry_at: datetime | None = None
    retries: int = 0


class NodeStatus(_Message, frozen=True, kw_only=True):
    """`findings` are standing problems of the machine: low disk, no limits, a refused rule."""

    node: str
    generation: int
    protections: tuple[Protection, ...] = ()
    repositories: tuple[RepositoryStatus, ...] = ()
    findings: tuple[Finding, ...] = ()
    running: tuple[JobId, ...] = ()
    reports_waiting: int = 0
    following: tuple[Following, ...] = ()

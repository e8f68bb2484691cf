"""What Holdfast tells Prometheus: the names, and their values as they follow from what nodes and repositories say. Pure.

Names follow https://prometheus.io/docs/practices/naming/. Labels are names from the environment document and words of closed lists, never
paths, ids of jobs or messages: the number of series grows with what is drawn and not with what happens. docs/metrics.md lists them; a test
holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal

import msgspec

from holdfast.model.following import Following
from holdfast.model.jobs import Severity, State
from holdfast.model.keys import KitState
from holdfast.model.node_status import NodeStatus, Protection
from holdfast.model.repository_status import RepositoryStatus

Kind = Literal["gauge", "counter"]
STATES = (State.SUCCEEDED, State.WARNINGS, State.FAILED, State.RUNNING, State.QUEUED, State.PAUSED, State.CANCELLED, State.UNKNOWN)


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """`name` as it is exposed; of a counter with `_total`."""

    name: str
    text: str
    labels: tuple[str, ...] = ()
    kind: Kind = "gauge"


class Sample(msgspec.Struct, frozen=True):
    """`labels` are values, in the order of the metric's."""

    name: str
    labels: tuple[str, ...]
    value: float


_PROTECTION = ("node", "dataset", "operation", "receiver")
_REPOSITORY = ("node", "repository")
_DATASET = ("node", "dataset")

OF_NODES = (
    Metric(
        name="holdfast_dataset_last_success_timestamp_seconds",
        text="Capture time of the newest run that was acknowledged.",
        labels=_PROTECTION,
    ),
    Metric(
        name="holdfast_dataset_rpo_seconds", text="How old the newest acknowledged run may be, as the policy promises.", labels=_PROTECTION
    ),
    Metric(name="holdfast_dataset_overdue", text="1 = the promise is broken.", labels=_PROTECTION),
    Metric(name="holdfast_dataset_state", text="1 for the state it is in.", labels=(*_PROTECTION, "state")),
    Metric(
        name="holdfast_dataset_lag_seconds", text="How much older what was acknowledged is than the newest capture.", labels=_PROTECTION
    ),
    Metric(name="holdfast_dataset_backlog_runs", text="Finished runs that are not acknowledged.", labels=_PROTECTION),
    Metric(name="holdfast_dataset_missed_points", text="Points a receiver missed.", labels=_PROTECTION),
    Metric(name="holdfast_dataset_pending_changes", text="Changes of a followed dataset that are not delivered.", labels=_DATASET),
    Metric(name="holdfast_dataset_gap_open", text="1 = changes of a followed dataset may go unseen now.", labels=_DATASET),
    Metric(name="holdfast_repository_points", text="Points in the repository.", labels=_REPOSITORY),
    Metric(name="holdfast_repository_points_bytes", text="What all points would take if each were restored.", labels=_REPOSITORY),
    Metric(name="holdfast_repository_unique_bytes", text="What is stored, each chunk once, in plain.", labels=_REPOSITORY),
    Metric(name="holdfast_repository_stored_bytes", text="What the packs take.", labels=_REPOSITORY),
    Metric(name="holdfast_repository_last_check_timestamp_seconds", text="End of the last check.", labels=_REPOSITORY),
    Metric(name="holdfast_repository_last_check_ok", text="1 = the last check found nothing wrong.", labels=_REPOSITORY),
    Metric(name="holdfast_repository_proven_timestamp_seconds", text="When every byte was last proven readable.", labels=_REPOSITORY),
    Metric(name="holdfast_repository_kit_acknowledged", text="1 = somebody keeps a recovery kit that opens it.", labels=_REPOSITORY),
    Metric(name="holdfast_repository_error", text="1 = its owner has trouble with it.", labels=_REPOSITORY),
    Metric(
        name="holdfast_drill_last_proven_timestamp_seconds",
        text="When something of it was last proven restorable.",
        labels=("node", "repository", "dataset"),
    ),
    Metric(
        name="holdfast_drill_overdue",
        text="1 = nothing was proven for longer than the policy says.",
        labels=("node", "repository", "dataset"),
    ),
    Metric(name="holdfast_node_running_jobs", text="Jobs that run on the node.", labels=("node",)),
    Metric(name="holdfast_node_findings", text="Standing problems of the machine.", labels=("node", "severity")),
    Metric(name="holdfast_node_rules_generation", text="Generation of the rules in force.", labels=("node",)),
)
OF_PROCESSES = (
    Metric(name="holdfast_build_info", text="1, with the version.", labels=("version",)),
    Metric(name="holdfast_process_pss_bytes", text="Memory of the process, shared pages in part (Linux, PSS)."),
    Metric(name="holdfast_process_cpu_seconds_total", text="CPU time of the process.", kind="counter"),
)
OF_MASTER = (
    Metric(name="holdfast_node_up", text="1 = the node is connected to the Master and answers.", labels=("node",)),
    Metric(name="holdfast_node_last_seen_timestamp_seconds", text="When a node that is away was last connected.", labels=("node",)),
    Metric(name="holdfast_node_clock_offset_seconds", text="By how much its clock is ahead, at its hello.", labels=("node",)),
    Metric(name="holdfast_node_version_info", text="1, with the version of the node.", labels=("node", "version")),
    Metric(name="holdfast_hub_sessions", text="Nodes that are connected."),
    Metric(name="holdfast_jobs", text="Jobs on record by state; those that ended, of the last 24 hours.", labels=("state",)),
    Metric(name="holdfast_datasets", text="Datasets of the rules in force by how they stand.", labels=("standing",)),
    Metric(
        name="holdfast_dataset_sent_bytes",
        text="Chunk bytes sent to a receiver by jobs that ended in the last 24 hours.",
        labels=("dataset", "receiver"),
    ),
    Metric(
        name="holdfast_dataset_read_bytes", text="Bytes read from the source by jobs that ended in the last 24 hours.", labels=("dataset",)
    ),
    Metric(name="holdfast_notifications_waiting", text="Messages that are not delivered yet.", labels=("channel",)),
    Metric(name="holdfast_notifications_failing", text="1 = the channel takes nothing.", labels=("channel",)),
)
API_LATENCY = "holdfast_api_request_duration_seconds"


def of_node(name: str, status: NodeStatus) -> Iterator[Sample]:
    """What a node says of itself."""
    yield Sample("holdfast_node_running_jobs", (name,), len(status.running))
    yield Sample("holdfast_node_rules_generation", (name,), status.generation)
    for severity in Severity:
        yield Sample("holdfast_node_findings", (name, severity.value), sum(f.severity is severity for f in status.findings))
    yield from _worst_of_each(name, status.protections)
    for following in status.following:
        yield from _of_following(name, following)
    for repository in status.repositories:
        yield from _of_repository(name, repository)


def _worst_of_each(node: str, protections: Iterable[Protection]) -> Iterator[Sample]:
    """A receiver may have several actions for one operation; they are told as one, by the worst."""
    found: dict[tuple[str, ...], list[Protection]] = {}
    for protection in protections:
        found.setdefault((node, protection.dataset, protection.operation, protection.receiver), []).append(protection)
    for labels, together in found.items():
        worst = min(
            together, key=lambda p: (_BAD.index(p.state) if p.state in _BAD else len(_BAD), p.last_at is not None, _seconds(p.last_at))
        )
        yield from _of_protection(labels, worst, any(p.overdue for p in together))


_BAD = (State.FAILED, State.UNKNOWN, State.WARNINGS)


def _of_protection(labels: tuple[str, ...], told: Protection, overdue: bool) -> Iterator[Sample]:
    if told.last_at is not None:
        yield Sample("holdfast_dataset_last_success_timestamp_seconds", labels, _seconds(told.last_at))
    if told.every_s is not None:
        yield Sample("holdfast_dataset_rpo_seconds", labels, told.every_s)
    yield Sample("holdfast_dataset_overdue", labels, float(overdue))
    for state in STATES:
        yield Sample("holdfast_dataset_state", (*labels, state.value), float(told.state is state))
    if told.last_at is not None and told.newest_at is not None:
        yield Sample("holdfast_dataset_lag_seconds", labels, max(0.0, (told.newest_at - told.last_at).total_seconds()))
    yield Sample("holdfast_dataset_backlog_runs", labels, told.behind_runs)
    yield Sample("holdfast_dataset_missed_points", labels, told.missed)


def _of_following(node: str, told: Following) -> Iterator[Sample]:
    yield Sample("holdfast_dataset_pending_changes", (node, told.dataset), told.pending)
    yield Sample("holdfast_dataset_gap_open", (node, told.dataset), float(told.open_gap_since is not None))


def _of_repository(node: str, told: RepositoryStatus) -> Iterator[Sample]:
    labels = (node, told.name)
    yield Sample("holdfast_repository_error", labels, float(told.error is not None))
    if told.error is not None:
        return
    for what in ("points", "points_bytes", "unique_bytes", "stored_bytes"):
        yield Sample(f"holdfast_repository_{what}", labels, getattr(told, what))
    if told.checked_at is not None:
        yield Sample("holdfast_repository_last_check_timestamp_seconds", labels, _seconds(told.checked_at))
        yield Sample("holdfast_repository_last_check_ok", labels, float(bool(told.checked_ok)))
    if told.proven_at is not None:
        yield Sample("holdfast_repository_proven_timestamp_seconds", labels, _seconds(told.proven_at))
    if told.kit is not None:
        yield Sample("holdfast_repository_kit_acknowledged", labels, float(told.kit is KitState.ACKNOWLEDGED))
    for drill in told.drills:
        if drill.proven_at is not None:
            yield Sample("holdfast_drill_last_proven_timestamp_seconds", (*labels, drill.dataset), _seconds(drill.proven_at))
        yield Sample("holdfast_drill_overdue", (*labels, drill.dataset), float(drill.overdue))


def _seconds(moment: datetime | None) -> float:
    return 0.0 if moment is None else moment.timestamp()

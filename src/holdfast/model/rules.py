"""Rules: the compiled orders of one node. A node acts on these alone; nothing here needs the Master to be understood.

One delivery per (dataset, receiving node). A `Receive` is the grant as well as the order: a sender that has none is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from holdfast.core.ids import ActionId, DatasetId, EnvironmentId, NodeId, RepositoryId
from holdfast.model.anomalies import AnomalyPlan
from holdfast.model.document import Classification, DrillPlan, Hooks, KeepRules, PruneTimes
from holdfast.model.rate_table import RateTable


class _Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of the parts of rules."""


class ArchiveRule(_Rule, frozen=True, kw_only=True):
    """Which files an archive operation takes (all of what is set must hold), and what it leaves in their place."""

    older_than_s: float | None = None
    larger_than_bytes: int | None = None
    leave: Literal["nothing", "copy", "stub"] = "stub"


class OperationRule(_Rule, frozen=True, kw_only=True):
    """When an operation's points are due (`model.schedule`). No schedule at all = it rides with every run of its dataset."""

    name: str
    kind: str
    every_s: float | None = None
    at: tuple[str, ...] = ()
    windows: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    zone: str = "UTC"
    missed: Literal["once", "skip"] = "once"
    jitter_s: float = 0
    after: str = ""
    archive: ArchiveRule | None = None


class DatasetRule(_Rule, frozen=True, kw_only=True):
    """What this node captures. `exclude_paths` are machine paths the compiler keeps out (repositories, mirrors inside the roots). `tags`:
    those of the node, of the policy and of its flows, which its jobs inherit."""

    id: DatasetId
    label: str
    policy: str
    classification: Classification
    operations: tuple[OperationRule, ...]
    hooks: Hooks = Hooks()
    exclude_paths: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class StoredOperation(_Rule, frozen=True, kw_only=True):
    """An operation whose marks become points in a repository, and how long those points are kept there.

    Of `archive`: each version goes `keep_s` after it was archived; None = never.
    Of `cdp`: every moment of the last `within_s` can be restored. Of `version`: of each file the newest `last` versions, and none older
    than `within_s`; None = no such limit.
    """

    name: str
    kind: str
    keep: KeepRules = KeepRules()
    lock_s: float | None = None
    within_s: float | None = None
    last: int | None = None
    keep_s: float | None = None
    archive: ArchiveRule | None = None


def archived_by(action: StoreAction) -> StoredOperation | None:
    """The operation by which it keeps archived files; None = it keeps none. A policy has at most one."""
    return next((operation for operation in action.operations if operation.kind == "archive"), None)


class StoreAction(_Rule, frozen=True, kw_only=True, tag="store"):
    """`drill`: how often the owner restores a part of it on trial; None = not by itself. `anomaly` None = the owner
    does not look whether the dataset is being destroyed."""

    id: ActionId
    repository: RepositoryId
    operations: tuple[StoredOperation, ...]
    drill: DrillPlan | None = None
    anomaly: AnomalyPlan | None = AnomalyPlan()


class MirrorAction(_Rule, frozen=True, kw_only=True, tag="mirror"):
    """`targets` pairs each root of the classification with the folder that is kept equal to it.

    `removed_keep_s`: None = removals are followed at once; a number = kept that long beside the mirror; inf is written as -1 (for ever).
    """

    id: ActionId
    targets: tuple[tuple[str, str], ...]
    removed_keep_s: float | None = 604_800


class ForwardAction(_Rule, frozen=True, kw_only=True, tag="forward"):
    """Hand the stream on, without storing, through delivery `delivery` of this same node."""

    id: ActionId
    delivery: str


Action = StoreAction | MirrorAction | ForwardAction


class Receive(_Rule, frozen=True, kw_only=True):
    """The grant of one sender to deliver one dataset here, and what is done with it.

    `tags`: those of the source, of the policy and of the flows it comes by, which its points inherit. `comes_by` tells what counts against
    `parallel_jobs` of a repository: all runs of one sender are one job, each cascade is one, and what is followed is none. `part`: paths;
    only what lies at or below them comes (`only` of a mover on the way); empty = all of the dataset.
    """

    dataset: DatasetId
    label: str
    sender: NodeId
    actions: tuple[Action, ...]
    trust: Literal["node", "repository"] = "node"
    tags: tuple[str, ...] = ()
    comes_by: Literal["run", "cascade", "following"] = "run"
    part: tuple[str, ...] = ()


class Delivery(_Rule, frozen=True, kw_only=True):
    """One dataset to one receiver. `operations` are the operation names that travel; `actions` is what the receiver will answer for.

    `action_operations` pairs an action with the operations whose marks concern it, for (operation, receiver) status.
    `action_titles` pairs it with what people call it: `store main`, `mirror copy`, `forward to dr`.
    `windows` say when it may be sent and how fast, the strictest of them and of `limit_bytes_s` at each moment.
    """

    id: str
    dataset: DatasetId
    label: str
    receiver: NodeId
    receiver_name: str
    actions: tuple[ActionId, ...]
    operations: tuple[str, ...]
    action_operations: tuple[tuple[ActionId, tuple[str, ...]], ...] = ()
    action_titles: tuple[tuple[ActionId, str], ...] = ()
    limit_bytes_s: int | None = None
    windows: tuple[RateTable, ...] = ()
    compression: Literal["auto", "off", "max"] = "auto"
    dial: Literal["from", "to"] = "from"
    mode: Literal["batch", "continuous"] = "batch"


def title_of(delivery: Delivery, action: ActionId) -> str:
    """What people call an action of a delivery; its id where the rules do not say."""
    return dict(delivery.action_titles).get(action, str(action))


class Cascade(_Rule, frozen=True, kw_only=True):
    """This node's repository is the source: forward the points of one dataset's operations to another node.

    Runs when the operation named by `after` made a point here (default: any of `operations`). `only`: paths; what lies at or below them
    goes, nothing else (none = everything).
    """

    id: str
    repository: RepositoryId
    delivery: Delivery
    after: str = ""
    only: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class RepositoryRule(_Rule, frozen=True, kw_only=True):
    """A repository this node owns. `scrub_ratio`: so much of it is read each day; 0 = none. `parallel_jobs`: so many jobs deliver to it at
    once at most; None = no limit."""

    id: RepositoryId
    name: str
    location: str
    trust: Literal["node", "repository"] = "node"
    scrub_ratio: float = 0.05
    prune: PruneTimes = PruneTimes()
    parallel_jobs: int | None = None


class ReadGrant(_Rule, frozen=True, kw_only=True):
    """A node that may read back, without an order of the Master, what was archived of one dataset to one of this node's repositories: stubs
    lead there. It reads nothing else of it."""

    reader: NodeId
    dataset: DatasetId
    repository: RepositoryId


class CopyGrant(_Rule, frozen=True, kw_only=True):
    """A node that stores the same dataset and may ask for single blobs of it by their ids, when it has lost them: out of a repository of
    this node, or out of a mirror here (the id of its action). One of the two is set."""

    reader: NodeId
    dataset: DatasetId
    repository: RepositoryId = RepositoryId("")
    mirror: ActionId = ActionId("")


class OtherCopy(_Rule, frozen=True, kw_only=True):
    """Where blobs of a dataset that this node's `repository` has lost may be had: another node's repository, or a mirror (also one of this
    node). `title` is what people call it."""

    repository: RepositoryId
    dataset: DatasetId
    owner: NodeId
    title: str
    their_repository: RepositoryId = RepositoryId("")
    their_mirror: ActionId = ActionId("")


class TrialDuty(_Rule, frozen=True, kw_only=True):
    """A drill of another node's repository that the Master has made here, when it is due, by an order of its own. `check`: the script."""

    dataset: DatasetId
    label: str
    repository: str
    check: str = ""


class Pull(_Rule, frozen=True, kw_only=True):
    """A node that sends here and does not dial: this node keeps a line there for it. `windows`: those of each delivery that comes that way;
    while all of them are closed there is no line."""

    sender: NodeId
    windows: tuple[tuple[RateTable, ...], ...] = ()


class Peer(_Rule, frozen=True, kw_only=True):
    """A node this one talks to. `address` is `host:port` of its data server."""

    id: NodeId
    name: str
    address: str


class FlowOfNode(_Rule, frozen=True, kw_only=True):
    """Which datasets and cascades of this node belong to a flow: what `trigger FLOW` means here."""

    name: str
    datasets: tuple[DatasetId, ...] = ()
    cascades: tuple[str, ...] = ()


class Tagged(NamedTuple):
    """A dataset, with the tags it has by one rule of a node."""

    dataset: DatasetId
    label: str
    tags: tuple[str, ...]


class Rules(_Rule, frozen=True, kw_only=True):
    """Everything one node has to do.

    `revoked`: ids of keys whose sessions this node refuses, whatever certificate they show; only where it takes sessions at all.
    `parallel_jobs`: so many of its jobs run at once at most; None = no limit. `tags`: its own, which all its jobs inherit.
    """

    environment: EnvironmentId
    environment_name: str
    node: NodeId
    node_name: str
    generation: int
    created_at: datetime
    peers: tuple[Peer, ...] = ()
    flows: tuple[FlowOfNode, ...] = ()
    datasets: tuple[DatasetRule, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    repositories: tuple[RepositoryRule, ...] = ()
    receives: tuple[Receive, ...] = ()
    cascades: tuple[Cascade, ...] = ()
    reads: tuple[ReadGrant, ...] = ()
    copy_grants: tuple[CopyGrant, ...] = ()
    other_copies: tuple[OtherCopy, ...] = ()
    pulls: tuple[Pull, ...] = ()
    trials: tuple[TrialDuty, ...] = ()
    revoked: tuple[str, ...] = ()
    parallel_jobs: int | None = None
    tags: tuple[str, ...] = ()

    def tags_for(self, labels: Iterable[str]) -> tuple[str, ...]:
        """What a job of this node inherits that is about these datasets: the node's own tags, and those of each dataset."""
        found, wanted = set(self.tags), frozenset(labels)
        for each in self.tagged() if wanted else ():
            found.update(each.tags if each.label in wanted else ())
        return tuple(sorted(found))

    def tagged(self) -> Iterator[Tagged]:
        """What it captures, receives and forwards."""
        yield from (Tagged(each.id, each.label, each.tags) for each in self.datasets)
        yield from (Tagged(each.dataset, each.label, each.tags) for each in self.receives)
        yield from (Tagged(each.delivery.dataset, each.delivery.label, each.tags) for each in self.cascades)

    def awaited(self) -> frozenset[NodeId]:
        """The nodes that dial this one to be sent what it has for them."""
        sent = (*self.deliveries, *(cascade.delivery for cascade in self.cascades))
        return frozenset(delivery.receiver for delivery in sent if delivery.dial == "to" and delivery.receiver != self.node)

    def stored_in(self, repository: RepositoryId) -> tuple[tuple[Receive, StoreAction], ...]:
        """What this node receives for one of its repositories, with what is done with it there."""
        return tuple(
            (receive, action)
            for receive in self.receives
            for action in receive.actions
            if isinstance(action, StoreAction) and action.repository == repository
        )


class SignedRules(_Rule, frozen=True, kw_only=True):
    """`body` is the JSON of `Rules`; `signature` is Ed25519 by the Master's signing key over `signed_bytes_of_rules(body)`; `digest` is the
    SHA-256 of `body` in hex.
    """

    body: bytes
    signature: bytes
    digest: str


class Identity(_Rule, frozen=True, kw_only=True):
    """What the Master knows of a node when it compiles: the inventory.

    `has_limits`: whether its root has set some; None = it never said.
    """

    id: NodeId
    name: str
    address: str = ""
    online: bool = False
    has_limits: bool | None = None


def signed_bytes_of_rules(body: bytes) -> bytes:
    """What the signature is over. The words in front keep rules from ever passing for an order, which the same key signs."""
    return b"holdfast rules 1\0" + body


def encode_rules(rules: Rules) -> bytes:
    return msgspec.json.encode(rules, order="deterministic")


def decode_rules(body: bytes) -> Rules:
    """Raises one of `decoding.UNREADABLE` on anything that is not rules."""
    return msgspec.json.decode(body, type=Rules)

"""Pass `merge`: legs become deliveries: one for each dataset, sender and receiver, with all its actions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from msgspec.structs import replace

from holdfast.compiler.drawing import DrawnMover, Leg
from holdfast.compiler.identities import delivery_id, forward_id, mirror_id, repository_id, store_id
from holdfast.compiler.passes.archives import archive_rule
from holdfast.compiler.passes.places import Places
from holdfast.compiler.passes.retention import keep_of
from holdfast.compiler.report import Report
from holdfast.compiler.roster import Roster
from holdfast.core.ids import ActionId, DatasetId, NodeId, RepositoryId
from holdfast.model.anomalies import AnomalyPlan
from holdfast.model.document import DrillPlan, OperationUse, RepositoryEntry
from holdfast.model.rules import Action, ForwardAction, Identity, MirrorAction, StoreAction, StoredOperation
from holdfast.model.subsets import paths_in

Trust = Literal["node", "repository"]
PromiseKey = tuple[DatasetId, str, ActionId]
"""What the machine at the start of a way answers for: dataset, operation, and the action of the first receiver."""


@dataclass
class Stream:
    """One dataset from one node to another. `origin`: the repository it starts from, None for a source. `forwarded`: not the first hop.
    `actions`: at the receiver, with the operations that concern them. `titles`: what people call them."""

    id: str
    dataset: DatasetId
    label: str
    sender: Identity
    receiver: Identity
    origin: RepositoryEntry | None
    forwarded: bool
    actions: dict[ActionId, dict[str, None]] = field(default_factory=dict)
    titles: dict[ActionId, str] = field(default_factory=dict)
    movers: dict[tuple[str, int], DrawnMover] = field(default_factory=dict)
    after: dict[str, None] = field(default_factory=dict)
    only: dict[tuple[str, ...], None] = field(default_factory=dict)


@dataclass
class Stored:
    repository: RepositoryId
    trust: Trust
    drill: DrillPlan | None = None
    anomaly: AnomalyPlan | None = None
    operations: dict[str, StoredOperation] = field(default_factory=dict)


@dataclass
class Merged:
    """`actions`: by (receiver, id), what the receiver does. `captures`: by (node, policy), the operations carried from there.
    `datasets`: by (node, policy). `flows`: by (node, flow), datasets and ids of cascades. `reads`: (owner, reader, dataset, repository).
    `ways`: by promise, (flow, index) of the movers that lead there."""

    streams: dict[str, Stream] = field(default_factory=dict)
    stores: dict[tuple[NodeId, ActionId], Stored] = field(default_factory=dict)
    others: dict[tuple[NodeId, ActionId], MirrorAction | ForwardAction] = field(default_factory=dict)
    fed: dict[tuple[NodeId, ActionId], str] = field(default_factory=dict)
    captures: dict[tuple[str, str], dict[str, OperationUse]] = field(default_factory=dict)
    datasets: dict[tuple[str, str], DatasetId] = field(default_factory=dict)
    flows: dict[tuple[NodeId, str], tuple[dict[DatasetId, None], dict[str, None]]] = field(default_factory=dict)
    reads: dict[tuple[NodeId, NodeId, DatasetId, RepositoryId], None] = field(default_factory=dict)
    ways: dict[PromiseKey, dict[tuple[str, int], None]] = field(default_factory=dict)

    def action(self, receiver: NodeId, action: ActionId) -> Action:
        stored = self.stores.get((receiver, action))
        if stored is None:
            return self.others[(receiver, action)]
        operations = tuple(stored.operations[name] for name in sorted(stored.operations))
        return StoreAction(id=action, repository=stored.repository, operations=operations, drill=stored.drill, anomaly=stored.anomaly)


@dataclass(frozen=True)
class Hop:
    """From one machine to the next; `movers` are all that lead there (a relay beside its neighbour is no hop of its own)."""

    sender: str
    receiver: str
    movers: tuple[DrawnMover, ...]


def merge_legs(legs: tuple[Leg, ...], places: Places, roster: Roster, report: Report) -> Merged:
    merged = Merged()
    for leg in legs:
        for source in leg.sources:
            _Way(leg, source, roster, merged, report).lay(places)
    return merged


def hops_of(leg: Leg, source: str) -> tuple[Hop, ...]:
    """The machines a leg passes, each once: a way that comes back to a machine is cut short there (a group behind a relay may hold the
    relay itself). Neighbours on one machine are one stop, but source and store may be the same machine."""
    stops = [leg.origin.node if leg.origin else source]
    ways: list[list[DrawnMover]] = []
    waiting: list[DrawnMover] = []
    for mover in leg.movers:
        place = mover.target.place
        if place in stops and place != stops[-1]:
            del ways[stops.index(place) :], stops[stops.index(place) + 1 :]
            waiting = []
        waiting.append(mover)
        if place != stops[-1]:
            stops.append(place)
            ways.append(waiting)
            waiting = []
    if waiting and ways:
        ways[-1].extend(waiting)
    elif waiting:
        stops.append(leg.sink.place)
        ways.append(waiting)
    return tuple(Hop(stops[index], stops[index + 1], tuple(way)) for index, way in enumerate(ways))


class _Way:
    """One leg for one source node, laid into the merged streams."""

    def __init__(self, leg: Leg, source: str, roster: Roster, merged: Merged, report: Report) -> None:
        self.leg, self.merged, self.roster, self.report = leg, merged, roster, report
        self.source = source
        known = merged.datasets.get((source, leg.policy.name))
        self.dataset = known or roster.dataset(leg.policy, roster.members[source])
        merged.datasets[(source, leg.policy.name)] = self.dataset
        self.label = f"{source}/{leg.policy.name}"

    def lay(self, places: Places) -> None:
        hops = hops_of(self.leg, self.source)
        action = self._sink(places)
        if action is None:
            return
        for index in reversed(range(len(hops))):
            stream = self._stream(hops[index], index, action)
            promised, action = action, forward_id(self.dataset, stream.id)
            if index > 0:
                sender = self.roster.members[hops[index].sender].id
                self.merged.others[(sender, action)] = ForwardAction(id=action, delivery=stream.id)
        way = self.merged.ways.setdefault((self.dataset, self.leg.travels.name, promised), {})
        way.update(((mover.flow, mover.index), None) for mover in self.leg.movers)
        self._book(hops, stream)

    def _stream(self, hop: Hop, index: int, action: ActionId) -> Stream:
        leg = self.leg
        sender, receiver = self.roster.members[hop.sender], self.roster.members[hop.receiver]
        id_ = delivery_id(self.dataset, sender.id, receiver.id, leg.origin.name if leg.origin else "")
        stream = self.merged.streams.get(id_)
        if stream is None:
            stream = Stream(id_, self.dataset, self.label, sender, receiver, leg.origin, index > 0)
            self.merged.streams[id_] = stream
        stream.actions.setdefault(action, {})[leg.travels.name] = None
        stream.titles.setdefault(action, self._title(hop))
        if leg.origin is not None:
            stream.only[paths_in(leg.movers[0].mover.only)] = None
        for mover in hop.movers:
            stream.movers.setdefault((mover.flow, mover.index), mover)
        if self.merged.fed.setdefault((receiver.id, action), id_) != id_:
            message = f"`{leg.carried.label}` reaches `{leg.sink.vertex.name}` along two ways"
            self.report.add("two-ways-in", leg.movers[-1].where_carried(leg.carried), message, "keep one of the ways")
        return stream

    def _title(self, hop: Hop) -> str:
        sink = self.leg.sink
        if hop.receiver != sink.place:
            return f"forward to {sink.place}"
        return f"mirror {sink.vertex.name}" if sink.repository is None else f"store {sink.repository.name}"

    def _sink(self, places: Places) -> ActionId | None:
        """The action at the end of the way; None when the mirror has no place for it (said already)."""
        leg, node = self.leg, self.roster.members[self.leg.sink.place].id
        operation = leg.carried.operation
        if leg.sink.repository is None:
            targets = places.targets.get((leg.sink.key, leg.policy.name, self.source))
            if targets is None:
                return None
            action = mirror_id(self.dataset, node, targets)
            self.merged.others[(node, action)] = MirrorAction(id=action, targets=targets, removed_keep_s=_removed_keep_s(operation))
            return action
        repository = repository_id(self.roster.environment, leg.sink.repository.name)
        action = store_id(self.dataset, repository)
        stored = self.merged.stores.setdefault(
            (node, action), Stored(repository, leg.sink.repository.trust, _drill(leg), leg.policy.anomaly)
        )
        fresh = StoredOperation(
            name=operation.name,
            kind=operation.kind,
            keep=keep_of(leg),
            lock_s=operation.lock_s,
            within_s=operation.within_s,
            last=operation.last,
            keep_s=operation.archive_keep_s,
            archive=archive_rule(operation),
        )
        if stored.operations.setdefault(operation.name, fresh) != fresh:
            message = f"movers into `{leg.sink.vertex.name}` keep `{leg.carried.label}` differently; the first counts"
            self.report.add("options-merged", leg.movers[-1].where("keep"), message, "write the same `keep` on both")
        return action

    def _book(self, hops: tuple[Hop, ...], first: Stream) -> None:
        """What the start of the way has to do."""
        leg, merged = self.leg, self.merged
        datasets, cascades = merged.flows.setdefault((first.sender.id, leg.flow), ({}, {}))
        if leg.origin is not None:
            cascades[first.id] = None
            policy, _, operation = leg.movers[0].mover.after.partition("/")
            first.after[operation if policy == leg.policy.name else ""] = None
            return
        datasets[self.dataset] = None
        merged.captures.setdefault((self.source, leg.policy.name), {})[leg.carried.operation.name] = leg.carried.operation
        if len(hops) == 1 and leg.sink.repository is not None and leg.carried.operation.kind == "archive":
            repository = repository_id(self.roster.environment, leg.sink.repository.name)
            merged.reads[(first.receiver.id, first.sender.id, self.dataset, repository)] = None


def _drill(leg: Leg) -> DrillPlan | None:
    """On the owner itself it is a drill like any other."""
    plan = leg.policy.drill
    return replace(plan, on="") if plan is not None and plan.on == leg.sink.place else plan


def _removed_keep_s(operation: OperationUse) -> float | None:
    """None = follow at once, -1 = keep for ever (see `MirrorAction`)."""
    if operation.removed == "follow":
        return None
    return -1.0 if operation.removed_keep_s is None else operation.removed_keep_s

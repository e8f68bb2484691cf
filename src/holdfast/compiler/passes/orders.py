"""Pass `orders`: the merged streams become the rules of each machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, TypeVar

from holdfast.compiler.drawing import Drawing, DrawnMover
from holdfast.compiler.identities import repository_id, store_id
from holdfast.compiler.inventory import Inventory
from holdfast.compiler.passes.archives import archive_rule
from holdfast.compiler.passes.copies import find_copies
from holdfast.compiler.passes.merge import Merged, Stream
from holdfast.compiler.passes.places import Places
from holdfast.compiler.passes.trials import find_trials
from holdfast.compiler.report import Report
from holdfast.compiler.roster import Roster
from holdfast.compiler.timing import times_of
from holdfast.core.ids import ActionId, DatasetId, NodeId
from holdfast.model.document import Document, OperationUse, Policy, RepositoryEntry
from holdfast.model.operations import SPECS
from holdfast.model.rate_table import RateTable
from holdfast.model.rules import (
    Cascade,
    CopyGrant,
    DatasetRule,
    Delivery,
    FlowOfNode,
    Identity,
    OperationRule,
    OtherCopy,
    Peer,
    Pull,
    ReadGrant,
    Receive,
    RepositoryRule,
    Rules,
    TrialDuty,
)
from holdfast.model.subsets import part_of

T = TypeVar("T")

_COMPRESSION = ("off", "auto", "max")


@dataclass
class _Desk:
    """What one machine has to do, while it is being collected."""

    peers: dict[NodeId, Peer] = field(default_factory=dict)
    flows: list[FlowOfNode] = field(default_factory=list)
    datasets: list[DatasetRule] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    repositories: list[RepositoryRule] = field(default_factory=list)
    receives: dict[tuple[DatasetId, NodeId], list[Stream]] = field(default_factory=dict)
    cascades: list[Cascade] = field(default_factory=list)
    reads: list[ReadGrant] = field(default_factory=list)
    # A dataset may come from several senders, so what is found twice counts once.
    pulls: dict[NodeId, list[tuple[RateTable, ...]]] = field(default_factory=dict)
    copy_grants: dict[CopyGrant, None] = field(default_factory=dict)
    other_copies: dict[OtherCopy, None] = field(default_factory=dict)
    trials: dict[TrialDuty, None] = field(default_factory=dict)


@dataclass(frozen=True)
class _Options:
    """What the movers of one delivery say together: of each option the strictest."""

    limit_bytes_s: int | None
    windows: tuple[RateTable, ...]
    compression: str
    dial: str
    continuous: bool


class Orders:
    """Collects the desks and gives the rules. One use."""

    def __init__(self, drawing: Drawing, roster: Roster, merged: Merged, report: Report) -> None:
        self.drawing, self.roster, self.merged, self.report = drawing, roster, merged, report
        self._desks: dict[NodeId, _Desk] = {}
        self._options: dict[tuple[tuple[str, int], ...], _Options] = {}

    def desk(self, node: NodeId) -> _Desk:
        found = self._desks.get(node)
        if found is None:
            found = self._desks[node] = _Desk()
        return found

    def collect(self, places: Places, repositories: tuple[RepositoryEntry, ...]) -> None:
        for repository in repositories:
            member = self.roster.members.get(repository.node)
            if member is not None:
                id_ = repository_id(self.roster.environment, repository.name)
                rule = RepositoryRule(
                    id=id_,
                    name=repository.name,
                    location=repository.location,
                    trust=repository.trust,
                    scrub_ratio=repository.scrub_ratio,
                    prune=repository.prune,
                    parallel_jobs=repository.parallel_jobs,
                )
                self.desk(member.id).repositories.append(rule)
        for stream in self.merged.streams.values():
            self._add_stream(stream)
        self._add_datasets(places)
        for (node, flow), (datasets, cascades) in self.merged.flows.items():
            part = FlowOfNode(name=flow, datasets=tuple(sorted(datasets)), cascades=tuple(sorted(cascades)))
            self.desk(node).flows.append(part)
        for owner, reader, dataset, read in self.merged.reads:
            self.desk(owner).reads.append(ReadGrant(reader=reader, dataset=dataset, repository=read))
        names = {repository_id(self.roster.environment, repository.name): repository.name for repository in repositories}
        for node, duty in find_trials(self.merged, self.roster, names):
            self.desk(node).trials[duty] = None
        for pair in find_copies(self.merged):
            asker, giver = self.desk(pair.asker.id), self.desk(pair.giver.id)
            asker.other_copies[pair.copy] = None
            giver.copy_grants[pair.grant] = None
            if pair.asker.id != pair.giver.id:
                asker.peers.setdefault(pair.giver.id, _peer(pair.giver))
                giver.peers.setdefault(pair.asker.id, _peer(pair.asker))

    def _add_stream(self, stream: Stream) -> None:
        desk, delivery = self.desk(stream.sender.id), self._delivery(stream)
        if stream.origin is not None and not stream.forwarded:
            if len(stream.after) > 1:
                message = f"movers of {stream.label} to `{stream.receiver.name}` differ in `after`; the first counts"
                mover = next(iter(stream.movers.values()))
                self.report.add("options-merged", mover.where("after"), message, "write the same on both")
            repository = repository_id(self.roster.environment, stream.origin.name)
            after = next(iter(stream.after), "")
            only = next(iter(stream.only), ())
            if len(stream.only) > 1:
                mover = next(iter(stream.movers.values()))
                message = f"movers of {stream.label} to `{stream.receiver.name}` are one delivery, and name different parts of it"
                hint = "write the same `only` on all of them, or send to another machine"
                self.report.add("only-differs", mover.where("only"), message, hint)
            tags = self._tags_of(stream)
            desk.cascades.append(Cascade(id=stream.id, repository=repository, delivery=delivery, after=after, only=only, tags=tags))
        else:
            desk.deliveries.append(delivery)
        receiver = self.desk(stream.receiver.id)
        receiver.receives.setdefault((stream.dataset, stream.sender.id), []).append(stream)
        if stream.sender.id != stream.receiver.id:
            desk.peers[stream.receiver.id] = _peer(stream.receiver)
            receiver.peers[stream.sender.id] = _peer(stream.sender)
            if delivery.dial == "to":
                receiver.pulls.setdefault(stream.sender.id, []).append(delivery.windows)

    def _delivery(self, stream: Stream) -> Delivery:
        options = self._merged_options(stream)
        operations: dict[str, None] = {}
        for concerned in stream.actions.values():
            operations.update(concerned)
        return Delivery(
            id=stream.id,
            dataset=stream.dataset,
            label=stream.label,
            receiver=stream.receiver.id,
            receiver_name=stream.receiver.name,
            actions=tuple(stream.actions),
            operations=tuple(operations),
            action_operations=tuple((action, tuple(concerned)) for action, concerned in stream.actions.items()),
            action_titles=tuple(stream.titles.items()),
            limit_bytes_s=options.limit_bytes_s,
            windows=options.windows,
            compression="max" if options.compression == "max" else "off" if options.compression == "off" else "auto",
            dial="to" if options.dial == "to" else "from",
            mode="continuous" if options.continuous else "batch",
        )

    def _merged_options(self, stream: Stream) -> _Options:
        key = tuple(stream.movers)
        found = self._options.get(key)
        if found is None:
            found = self._options[key] = _strictest(tuple(stream.movers.values()), stream, self.report)
        return found

    def _add_datasets(self, places: Places) -> None:
        policies = {policy.name: policy for policy in self.drawing.document.policies}
        rules: dict[tuple[str, ...], tuple[OperationRule, ...]] = {}
        captured: dict[DatasetId, list[Stream]] = {}
        for stream in self.merged.streams.values():
            if stream.origin is None:
                captured.setdefault(stream.dataset, []).append(stream)
        for (node, name), operations in self.merged.captures.items():
            policy, member = policies[name], self.roster.members[node]
            key = (name, *operations)
            if key not in rules:
                rules[key] = operation_rules(self.drawing.document, policy, operations)
            self.desk(member.id).datasets.append(
                DatasetRule(
                    id=self.merged.datasets[(node, name)],
                    label=f"{node}/{name}",
                    policy=name,
                    classification=policy.classification,
                    operations=rules[key],
                    hooks=policy.hooks,
                    exclude_paths=places.excluded.get((name, node), ()),
                    tags=_joined(map(self._tags_of, captured.get(self.merged.datasets[(node, name)], ()))),
                )
            )

    def _tags_of(self, stream: Stream) -> tuple[str, ...]:
        """What comes of it inherits: the tags of the source, of the policy, and of the flows whose movers it goes along."""
        source, _, policy = stream.label.partition("/")
        tags = self._tags
        named = (("node", source), ("policy", policy), *(("flow", flow) for flow, _ in stream.movers))
        return _joined(tags.get(name, ()) for name in named)

    @cached_property
    def _tags(self) -> dict[tuple[str, str], tuple[str, ...]]:
        document = self.drawing.document
        found: dict[tuple[str, str], tuple[str, ...]] = {("node", node.name): node.tags for node in document.nodes}
        found.update((("policy", policy.name), policy.tags) for policy in document.policies)
        found.update((("flow", flow.name), flow.tags) for flow in document.flows)
        return found

    def rules(self, inventory: Inventory, generations: Mapping[NodeId, int], created_at: datetime) -> dict[NodeId, Rules]:
        """For every machine that has joined, also those that have nothing to do: their old rules must end."""
        members = {member.id: member for member in self.roster.members.values()}
        # Of a node that no active flow names, what the draft says.
        entries = {entry.name: entry for entry in (*self.drawing.draft.nodes, *self.drawing.document.nodes)}
        drawn = {member.id: entries[name] for name, member in self.roster.members.items() if name in entries}
        found = {}
        for identity in inventory.nodes.values():
            desk, entry = self._desks.get(identity.id, _Desk()), drawn.get(identity.id)
            found[identity.id] = Rules(
                environment=inventory.environment,
                environment_name=self.drawing.document.environment,
                node=identity.id,
                node_name=members.get(identity.id, identity).name,
                generation=generations.get(identity.id, 1),
                created_at=created_at,
                peers=_ordered(desk.peers.values(), key=lambda peer: (peer.name, peer.id)),
                flows=_ordered(desk.flows, key=lambda flow: flow.name),
                datasets=_ordered(desk.datasets, key=lambda dataset: (dataset.label, dataset.id)),
                deliveries=_ordered(desk.deliveries, key=_delivery_order),
                repositories=_ordered(desk.repositories, key=lambda repository: repository.name),
                receives=_ordered((self._receive(streams) for streams in desk.receives.values()), key=_receive_order),
                cascades=_ordered(desk.cascades, key=lambda cascade: _delivery_order(cascade.delivery)),
                reads=_ordered(desk.reads, key=lambda read: (read.dataset, read.repository)),
                copy_grants=_ordered(desk.copy_grants, key=lambda grant: (grant.dataset, grant.reader, grant.repository, grant.mirror)),
                pulls=tuple(Pull(sender=sender, windows=tuple(dict.fromkeys(desk.pulls[sender]))) for sender in sorted(desk.pulls)),
                trials=_ordered(desk.trials, key=lambda trial: (trial.label, trial.repository)),
                other_copies=_ordered(desk.other_copies, key=lambda copy: (copy.repository, copy.dataset, copy.title)),
                parallel_jobs=None if entry is None else entry.parallel_jobs,
                tags=() if entry is None else _joined((entry.tags,)),
            )
        return found

    def _receive(self, streams: list[Stream]) -> Receive:
        first = streams[0]
        actions: dict[ActionId, None] = {}
        for stream in streams:
            actions.update(dict.fromkeys(stream.actions))
        node = first.receiver.id
        stores = [self.merged.stores[(node, action)] for action in actions if (node, action) in self.merged.stores]
        # One answer serves all actions of a session, so the trust of the least trusting repository counts.
        trusting = bool(stores) and all(stored.trust == "repository" for stored in stores)
        return Receive(
            dataset=first.dataset,
            label=first.label,
            sender=first.sender.id,
            actions=tuple(self.merged.action(node, action) for action in actions),
            trust="repository" if trusting else "node",
            tags=_joined(map(self._tags_of, streams)),
            comes_by=self._comes_by(streams),
            part=self._part(first),
        )

    def _part(self, stream: Stream) -> tuple[str, ...]:
        """The paths of what comes by a stream; empty = all of the dataset. What a repository has a part of it can send no more of."""
        if stream.origin is None:
            return ()
        only = next(iter(stream.only), ())
        owner = self.roster.members[stream.origin.node].id
        repository = repository_id(self.roster.environment, stream.origin.name)
        feeding = self.merged.fed.get((owner, store_id(stream.dataset, repository)))
        before = () if feeding is None else self._part(self.merged.streams[feeding])
        return part_of(before, only) if before else only

    def _comes_by(self, streams: list[Stream]) -> Literal["run", "cascade", "following"]:
        if any(stream.origin is not None and not stream.forwarded for stream in streams):
            return "cascade"
        return "following" if any(self._merged_options(stream).continuous for stream in streams) else "run"


def _ordered(parts: Iterable[T], key: Callable[[T], Any]) -> tuple[T, ...]:
    """Sorted; most machines of a fleet have one of each or none."""
    found = tuple(parts)
    return found if len(found) < 2 else tuple(sorted(found, key=key))


def _joined(tags: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({tag for each in tags for tag in each}))


def _delivery_order(delivery: Delivery) -> tuple[str, str, str]:
    return delivery.label, delivery.receiver_name, delivery.id


def _receive_order(receive: Receive) -> tuple[str, str]:
    return receive.label, receive.sender


def _peer(identity: Identity) -> Peer:
    return Peer(id=identity.id, name=identity.name, address=identity.address)


def _strictest(movers: tuple[DrawnMover, ...], stream: Stream, report: Report) -> _Options:
    plain = [mover.mover for mover in movers]
    limits = [mover.limit_bytes_s for mover in plain if mover.limit_bytes_s is not None]
    options = _Options(
        limit_bytes_s=min(limits, default=None),
        # All of them hold: what is closed to one of the movers is closed to the delivery.
        windows=tuple(dict.fromkeys(mover.window for mover in plain if mover.window is not None)),
        compression=max((mover.compression for mover in plain), key=_COMPRESSION.index),
        dial="to" if any(mover.dial == "to" for mover in plain) else "from",
        continuous=any(mover.mode == "continuous" or any(SPECS[each.operation.kind].continuous for each in drawn.carries)
                       for mover, drawn in zip(plain, movers, strict=True)),
    )  # fmt: skip
    if any((mover.limit_bytes_s, mover.window, mover.compression) != (plain[0].limit_bytes_s, plain[0].window, plain[0].compression)
           for mover in plain):  # fmt: skip
        names = ", ".join(f"`{mover.source}->{mover.target}`" for mover in plain)
        message = f"{names} are one delivery to node `{stream.receiver.name}`, and their limit, window or compression differ"
        report.add("options-merged", movers[0].where(), message, "data travels once; the strictest counts. Write the same on all of them")
    return options


def operation_rules(document: Document, policy: Policy, carried: Mapping[str, OperationUse]) -> tuple[OperationRule, ...]:
    """Schedules resolved: times and windows of the schedule object beside the operation's own."""
    schedules = {schedule.name: schedule for schedule in document.schedules}
    found = []
    for operation in policy.operations:
        if operation.name not in carried:
            continue
        when, times = operation.when, times_of(operation.when, schedules)
        rule = OperationRule(
            name=operation.name,
            kind=operation.kind,
            every_s=when.every_s,
            at=times.at,
            windows=times.windows,
            exclude=times.exclude,
            zone=times.zone,
            missed=times.missed,
            jitter_s=times.jitter_s,
            after=when.after,
            archive=archive_rule(operation),
        )
        found.append(rule)
    return tuple(found)

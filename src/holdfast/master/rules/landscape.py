"""What there is to be granted: nodes, flows, repositories and datasets, with all they belong to; from the document and the rules in force.

Looked up anew only when document, nodes or rules have changed, which one query tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from holdfast.compiler.identities import dataset_id, policy_id, repository_id
from holdfast.compiler.parse import parse_document
from holdfast.core.ids import DatasetId, EnvironmentId, NodeId
from holdfast.master.documents.environment import newest_revision
from holdfast.master.foundation import Foundation
from holdfast.master.records import documents, inventory
from holdfast.master.records.inventory import Node
from holdfast.master.records.tables import ActiveFlowRow, NodeRow, RevisionRow, UsedRepositoryRow
from holdfast.master.rules.deployment import Deployment, deployment
from holdfast.model.access import Activity, Resource, Rights, may_everywhere
from holdfast.model.document import Document
from holdfast.model.rules import StoreAction
from holdfast.model.sight import SEEING, SEES_ALL, Known, Landscape, Reach, Sight, sight_of

_MOST_KEPT = 1_000
Stamp = tuple[object, ...]


class Landscapes:
    def __init__(self, base: Foundation) -> None:
        self._base = base
        self._stamp: Stamp = ()
        self._kept: tuple[Landscape, dict[tuple[Rights, Activity], Sight]] = (Landscape(), {})

    async def now(self) -> Landscape:
        return (await self._base.database.run(self._look))[0]

    async def reach(self, rights: Rights, activity: Activity) -> Reach:
        """How far an activity goes."""
        sees = await self.sight(rights, activity, *SEEING)
        return Reach(user=rights.user, activity=activity, may=await self.sight(rights, activity), sees=sees)

    async def sight(self, rights: Rights, *activities: Activity) -> Sight:
        """What any of these activities is granted on. Costs nothing for whoever may do one of them everywhere."""
        if any(may_everywhere(rights, activity) for activity in activities):
            return SEES_ALL
        landscape, kept = await self._base.database.run(self._look)
        found = Sight()
        for activity in activities:
            if (rights, activity) not in kept:
                if len(kept) >= _MOST_KEPT:
                    kept.clear()
                kept[rights, activity] = sight_of(rights, activity, landscape)
            found = found.joined(kept[rights, activity])
        return found

    def forget(self) -> None:
        """Something has another name: what was kept says the old one."""
        self._stamp = ()

    def _look(self, session: Session) -> tuple[Landscape, dict[tuple[Rights, Activity], Sight]]:
        stamp = _stamp(session)
        if stamp != self._stamp:
            # A new table of sights with it: one that was reckoned from an older landscape stays in the older table.
            self._kept = landscape_of(session, self._base.environment.id), {}
            self._stamp = stamp
        return self._kept


def _stamp(session: Session) -> Stamp:
    """Another one after every change of what `landscape_of` reads: rules are only added, with generations that rise."""
    return tuple(
        session.execute(
            select(
                select(func.max(RevisionRow.number)).scalar_subquery(),
                select(func.count()).select_from(NodeRow).scalar_subquery(),
                select(func.sum(NodeRow.generation)).scalar_subquery(),
                select(func.count()).where(NodeRow.state == inventory.JOINED).scalar_subquery(),
                select(func.count()).select_from(ActiveFlowRow).scalar_subquery(),
                select(func.count()).select_from(UsedRepositoryRow).scalar_subquery(),
            )
        ).one()
    )


def landscape_of(session: Session, environment: EnvironmentId) -> Landscape:
    """Everything as the records have it. A document that cannot be read has no tags, groups and flows."""
    document = parse_document(newest_revision(session).text).document or Document(environment="")
    nodes = inventory.nodes(session)
    rolled_out = deployment(session)
    by_name = {node.name: _node(node, document) for node in nodes}
    flows = _datasets_of_flows(document, rolled_out, by_name)
    used = (entry.name for entry in documents.used_repositories(session))
    stores = dict.fromkeys((*(e.name for e in document.repositories), *used, *(rule.name for _, rule in rolled_out.repositories())))
    stored = _stores(rolled_out)
    policies = dict(documents.policy_ids(session))
    for policy in document.policies:
        policies.setdefault(policy.name, policy_id(environment, policy.was or policy.name))
    return Landscape(
        nodes=tuple(by_name.values()),
        flows=tuple(Known(Resource(kind="flow", name=name, flows=frozenset({name}))) for name in flows),
        repositories=tuple(
            Known(Resource(kind="repository", name=name, repositories=frozenset({name})), repository_id(environment, name))
            for name in stores
        ),
        datasets=tuple(_datasets(environment, by_name.values(), policies, flows, stored)),
    )


def _node(node: Node, document: Document) -> Known:
    entry = next((each for each in document.nodes if node.name in (each.name, each.was)), None)
    tags = frozenset(entry.tags) if entry is not None else frozenset[str]()
    names = frozenset({node.name, entry.name} if entry is not None else {node.name})
    groups = frozenset(
        group.name for group in document.groups if names & set(group.nodes) or (group.tags and tags and set(group.tags) <= tags)
    )
    return Known(Resource(kind="node", name=node.name, nodes=names, node_groups=groups, tags=tags), node.id)


def _datasets_of_flows(document: Document, rolled_out: Deployment, nodes: dict[str, Known]) -> dict[str, frozenset[str]]:
    """Labels by flow: as drawn, and as it is in force."""
    found: dict[str, set[str]] = {}
    for flow in document.flows:
        labels = found.setdefault(flow.name, set())
        for vertex in flow.vertices:
            sources = (
                name for name, node in nodes.items() if vertex.node in node.resource.nodes or vertex.group in node.resource.node_groups
            )
            labels.update(f"{name}/{policy}" for name in sources for policy in vertex.policies)
    for rules in rolled_out.rules.values():
        for part in rules.flows:
            labels = found.setdefault(part.name, set())
            labels.update(dataset.label for dataset in rules.datasets if dataset.id in part.datasets)
    return {flow: frozenset(labels) for flow, labels in found.items()}


def _stores(rolled_out: Deployment) -> dict[DatasetId, set[str]]:
    """Which repositories the rules in force have each dataset in."""
    names = {rule.id: rule.name for _, rule in rolled_out.repositories()}
    found: dict[DatasetId, set[str]] = {}
    for rules in rolled_out.rules.values():
        for receive in rules.receives:
            stores = (action.repository for action in receive.actions if isinstance(action, StoreAction))
            found.setdefault(receive.dataset, set()).update(names[store] for store in stores if store in names)
    return found


def _datasets(
    environment: EnvironmentId,
    nodes: Iterable[Known],
    policies: dict[str, str],
    flows: dict[str, frozenset[str]],
    stored: dict[DatasetId, set[str]],
) -> Iterator[Known]:
    for node in nodes:
        of_node = node.resource
        for name, identity in policies.items():
            label = f"{of_node.name}/{name}"
            resource = Resource(
                kind="dataset",
                name=label,
                nodes=of_node.nodes,
                node_groups=of_node.node_groups,
                tags=of_node.tags,
                flows=frozenset(flow for flow, labels in flows.items() if label in labels),
            )
            dataset = dataset_id(environment, identity, NodeId(node.id))
            yield Known(resource, dataset, frozenset(stored.get(dataset, ())))

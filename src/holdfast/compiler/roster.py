"""The machines of a compilation: names resolved to identities, and the id of every dataset."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.compiler.identities import dataset_id, policy_id
from holdfast.compiler.inventory import Inventory
from holdfast.core.ids import DatasetId, EnvironmentId
from holdfast.model.document import Document, NodeEntry, Policy
from holdfast.model.rules import Identity


@dataclass(frozen=True)
class Roster:
    """`members`: by name in the document, those that have joined. `policies`: id by name."""

    environment: EnvironmentId
    members: dict[str, Identity]
    policies: dict[str, str]

    def dataset(self, policy: Policy, member: Identity) -> DatasetId:
        return dataset_id(self.environment, self.policies[policy.name], member.id)


def call_roster(scene: Document, draft: Document, inventory: Inventory) -> Roster:
    """The document's address of a node wins over the one it announced. Nodes of the draft that no active flow names are members too:
    they may keep a repository that is only read from."""
    members: dict[str, Identity] = {}
    named = {entry.name for entry in scene.nodes}
    for entry in (*scene.nodes, *(entry for entry in draft.nodes if entry.name not in named)):
        identity = inventory.identity(entry)
        if identity is not None:
            members[entry.name] = _member(entry, identity)
    policies = {}
    for policy in scene.policies:
        kept = inventory.policy_ids.get(policy.name) or (inventory.policy_ids.get(policy.was) if policy.was else None)
        policies[policy.name] = kept or policy_id(inventory.environment, policy.was or policy.name)
    return Roster(inventory.environment, members, policies)


def _member(entry: NodeEntry, identity: Identity) -> Identity:
    if entry.name == identity.name and entry.address in ("", identity.address):
        return identity
    return Identity(id=identity.id, name=entry.name, address=entry.address or identity.address, online=identity.online)

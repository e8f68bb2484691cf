"""Ids derived from what they identify, so that the compiler stays pure and needs no store of ids.

The first 128 bits of SHA-256 over the parts, each ended by a NUL, the first of them the kind. Why this is safe:
docs/decisions/0002-derived-ids.md.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

from holdfast.core.ids import ActionId, DatasetId, EnvironmentId, NodeId, RepositoryId
from holdfast.model.document import Policy


def derived_id(*parts: str) -> str:
    return sha256(("\0".join(parts) + "\0").encode()).hexdigest()[:32]


def policy_id(environment: EnvironmentId, name: str) -> str:
    """The id a policy has when nobody kept another one for it. `name` is the oldest name known."""
    return derived_id("policy", environment, name)


def policy_ids_after(environment: EnvironmentId, policies: tuple[Policy, ...], known: dict[str, str]) -> dict[str, str]:
    """The ids to keep for the next compilation: by name, those of renamed policies carried over. Names that left stay known, so that a
    policy taken out and put back is the same.

    A `was` that was already followed changes nothing: the new name is known by then.
    """
    found = dict(known)
    for policy in policies:
        if policy.name not in found:
            old = policy.was or policy.name
            found[policy.name] = found.get(old) or policy_id(environment, old)
    return found


def dataset_id(environment: EnvironmentId, policy: str, node: NodeId) -> DatasetId:
    """`policy` is the policy's id."""
    return DatasetId(derived_id("dataset", environment, policy, node))


@lru_cache(maxsize=1024)
def repository_id(environment: EnvironmentId, name: str) -> RepositoryId:
    return RepositoryId(derived_id("repository", environment, name))


def store_id(dataset: DatasetId, repository: RepositoryId) -> ActionId:
    return ActionId(derived_id("store", dataset, repository))


def mirror_id(dataset: DatasetId, node: NodeId, targets: tuple[tuple[str, str], ...]) -> ActionId:
    """Another place is another mirror: it begins with a full copy."""
    return ActionId(derived_id("mirror", dataset, node, *(path for pair in targets for path in pair)))


def forward_id(dataset: DatasetId, delivery: str) -> ActionId:
    return ActionId(derived_id("forward", dataset, delivery))


def delivery_id(dataset: DatasetId, sender: NodeId, receiver: NodeId, origin: str) -> str:
    """`origin` is the repository a cascade starts from, empty for a source and its relays."""
    return derived_id("delivery", dataset, sender, receiver, origin)

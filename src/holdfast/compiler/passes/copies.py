"""Pass `copies`: who may ask whom for a blob it has lost: the owners of all repositories that store a dataset, of each other and of its
mirrors. Two repositories of one machine need nobody's leave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.compiler.passes.merge import Merged
from holdfast.core.ids import ActionId, DatasetId, RepositoryId
from holdfast.model.rules import CopyGrant, Identity, MirrorAction, OtherCopy


@dataclass(frozen=True)
class Pair:
    """`asker` has the dataset in a repository, `giver` another copy of it; perhaps they are one machine."""

    asker: Identity
    giver: Identity
    copy: OtherCopy
    grant: CopyGrant


@dataclass(frozen=True)
class _Place:
    node: Identity
    title: str
    repository: RepositoryId
    mirror: ActionId


def find_copies(merged: Merged) -> Iterator[Pair]:
    for dataset, places in _places(merged).items():
        for asker in places:
            for giver in places if asker.repository else ():
                if giver is not asker and not (giver.repository and giver.node.id == asker.node.id):
                    yield _pair(dataset, asker, giver)


def _places(merged: Merged) -> dict[DatasetId, list[_Place]]:
    """Where each dataset is kept, each place once."""
    found: dict[DatasetId, dict[ActionId, _Place]] = {}
    for stream in merged.streams.values():
        for action in stream.actions:
            node = stream.receiver
            stored, other = merged.stores.get((node.id, action)), merged.others.get((node.id, action))
            what, _, name = stream.titles.get(action, "").partition(" ")
            if stored is not None:
                place = _Place(node, f"repository {name} on {node.name}", stored.repository, ActionId(""))
            elif isinstance(other, MirrorAction):
                place = _Place(node, f"{what} {name} on {node.name}", RepositoryId(""), action)
            else:
                continue
            found.setdefault(stream.dataset, {}).setdefault(action, place)
    return {dataset: list(places.values()) for dataset, places in found.items() if len(places) > 1}


def _pair(dataset: DatasetId, asker: _Place, giver: _Place) -> Pair:
    copy = OtherCopy(
        repository=asker.repository,
        dataset=dataset,
        owner=giver.node.id,
        title=giver.title,
        their_repository=giver.repository,
        their_mirror=giver.mirror,
    )
    grant = CopyGrant(reader=asker.node.id, dataset=dataset, repository=giver.repository, mirror=giver.mirror)
    return Pair(asker.node, giver.node, copy, grant)

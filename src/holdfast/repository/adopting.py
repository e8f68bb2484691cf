"""Restic snapshots that Holdfast did not make: which there are, and binding those of one host and paths to a dataset.

Bound ones bear the tags `hf:as=DATASET-ID hf:as-label=files1/documents hf:as-node=NODE-ID`, and no others of ours: they stay foreign, are
never forgotten by us, and stock `restic forget` groups and keeps them as before. All that follows from the binding (their label, and that
the dataset's source is told "have it" of their chunks) follows from the tags, so that it survives a lost catalog.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from msgspec.structs import replace

from holdfast.backend.backend import FileType
from holdfast.core.ids import DatasetId
from holdfast.model.adoption import SnapshotGroup
from holdfast.repository._format.snapshot import Snapshot, encode_snapshot
from holdfast.repository.facts import AS_LABEL, AS_NODE, AS_SET, facts_of, group_of, moment_of
from holdfast.repository.interior import Interior


@dataclass(frozen=True)
class Binding:
    """To whom the snapshots of a group belong. `sender`: the node that is the dataset's source."""

    group: str
    dataset: DatasetId
    label: str
    sender: str


def groups_of(interior: Interior) -> tuple[SnapshotGroup, ...]:
    """By host and paths, newest last."""
    found: dict[tuple[str, str], list[int]] = {}
    for snapshot in interior.commits.snapshots().values():
        if facts_of(snapshot) is None:
            found.setdefault((group_of(snapshot), _tag(snapshot, AS_LABEL)), []).append(snapshot.time_ns)
    groups = (
        SnapshotGroup(group=group, count=len(times), newest_at=moment_of(max(times)), dataset=label)
        for (group, label), times in found.items()
    )
    return tuple(sorted(groups, key=lambda group: group.newest_at))


def bind(interior: Interior, binding: Binding) -> int:
    """Tag every snapshot of the group; gives how many were new. A crash between leaves the rest for the next time: nothing is lost, since
    each new snapshot is durable before the one it replaces goes."""
    tags = (f"{AS_SET}{binding.dataset}", f"{AS_LABEL}{binding.label}", f"{AS_NODE}{binding.sender}")
    count = 0
    interior.enter()
    try:
        _settle(interior)
        for snapshot_id, snapshot in interior.commits.snapshots().items():
            if facts_of(snapshot) is not None or group_of(snapshot) != binding.group or set(tags) <= set(snapshot.tags or ()):
                continue
            new = replace(snapshot, tags=(*_others(snapshot), *tags), original=_origin(snapshot_id, snapshot))
            interior.storage.save_document(FileType.SNAPSHOT, encode_snapshot(new))
            interior.storage.backend.remove(FileType.SNAPSHOT, snapshot_id.hex())
            count += 1
        interior.refresh()
    finally:
        interior.leave()
    return count


def settle_bindings(interior: Interior) -> int:
    """Clean up after bindings that were broken off: of a snapshot that is there before and after, the bound one stays. Gives how many
    went. Raises `RepositoryLocked`."""
    if not _twins(interior):
        return 0
    with interior.lock.session():
        interior.refresh()
        return _settle(interior)


def _settle(interior: Interior) -> int:
    going = [snapshot_id for twins in _twins(interior) for snapshot_id in twins[:-1]]
    for snapshot_id in going:
        interior.storage.backend.remove(FileType.SNAPSHOT, snapshot_id.hex())
    if going:
        interior.refresh()
    return len(going)


def _twins(interior: Interior) -> list[list[bytes]]:
    """Ids of snapshots that differ in nothing but to whom they are bound, the one to keep last."""
    foreign = interior.commits.listed_foreign()
    places = Counter((row.time_ns, row.tree) for row in foreign)
    doubled = [row for row in foreign if places[row.time_ns, row.tree] > 1]
    snapshots = interior.commits.snapshots() if doubled else {}
    alike: dict[tuple[object, ...], list[bytes]] = {}
    for row in doubled:
        # Gone where it was forgotten between the two questions.
        if (snapshot := snapshots.get(row.id)) is not None:
            key = (_origin(row.id, snapshot), row.time_ns, row.tree, group_of(snapshot), _others(snapshot))
            alike.setdefault(key, []).append(row.id)
    found = (sorted(ids, key=lambda each: (bool(_tag(snapshots[each], AS_SET)), each)) for ids in alike.values())
    return [ids for ids in found if len(ids) > 1 and _tag(snapshots[ids[-1]], AS_SET)]


def _origin(snapshot_id: bytes, snapshot: Snapshot) -> str:
    """The id that the snapshot had before anybody changed its tags."""
    return snapshot.original or snapshot_id.hex()


def _others(snapshot: Snapshot) -> tuple[str, ...]:
    return tuple(tag for tag in snapshot.tags or () if not tag.startswith((AS_SET, AS_LABEL, AS_NODE)))


def _tag(snapshot: Snapshot, prefix: str) -> str:
    return next((tag[len(prefix) :] for tag in snapshot.tags or () if tag.startswith(prefix)), "")

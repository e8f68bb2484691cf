"""What a repair will do about a diagnosis, decided before anything is touched; and how that is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from holdfast.model.maintenance import Step
from holdfast.repository._format.index import MOST_BLOBS, IndexedPack
from holdfast.repository._format.pack import PackedBlob, pack_size
from holdfast.repository.care.healing import Healed, healed_steps
from holdfast.repository.diagnosis import BadPack, BlobKey, Diagnosis, affected_lines

_LINES = 30


@dataclass(frozen=True)
class Salvage:
    """The whole blobs of a bad pack that no other pack has."""

    pack: BadPack
    blobs: tuple[PackedBlob, ...]


@dataclass(frozen=True, kw_only=True)
class RepairPlan:
    """In the order in which it is done. `index`: packs that no readable index names, by the index file to be written. `drop_indexes`:
    those that cannot be read. `lost`: blobs to be had from elsewhere. `snapshots`: damaged snapshot files by name. `bad_packs` leave the
    index, and then the store. `reindex` False = no index names any of them.
    """

    index: tuple[tuple[IndexedPack, ...], ...] = ()
    drop_indexes: tuple[str, ...] = ()
    salvage: tuple[Salvage, ...] = ()
    lost: frozenset[BlobKey] = frozenset()
    snapshots: tuple[str, ...] = ()
    bad_packs: tuple[BadPack, ...] = ()
    affected: tuple[str, ...] = field(default=())

    @property
    def is_empty(self) -> bool:
        return not (self.index or self.drop_indexes or self.lost or self.snapshots or self.bad_packs)


def plan_repair(diagnosis: Diagnosis) -> RepairPlan:
    bad = sorted(diagnosis.packs, key=lambda pack: pack.id)
    salvage, taken = [], set(diagnosis.elsewhere)
    for pack in bad:
        whole = []
        for blob in pack.blobs:
            key = BlobKey(blob.type, blob.id)
            if key not in pack.bad and key not in taken:
                taken.add(key)
                whole.append(blob)
        if whole:
            salvage.append(Salvage(pack, tuple(whole)))
    lost = frozenset(diagnosis.lost)
    return RepairPlan(
        index=tuple(map(tuple, _grouped(diagnosis.found))),
        drop_indexes=tuple(sorted(diagnosis.indexes)),
        salvage=tuple(salvage),
        lost=lost,
        snapshots=tuple(sorted(diagnosis.bad_snapshots)),
        bad_packs=tuple(bad),
        affected=tuple(affected_lines(diagnosis, lost)) if lost else (),
    )


def _grouped(packs: Sequence[IndexedPack]) -> list[list[IndexedPack]]:
    groups: list[list[IndexedPack]] = []
    size = MOST_BLOBS
    for pack in packs:
        if size + len(pack.blobs) > MOST_BLOBS:
            groups.append([])
            size = 0
        groups[-1].append(pack)
        size += len(pack.blobs)
    return groups


def steps_of(plan: RepairPlan, healed: Sequence[Healed] = (), *, forget_damaged: bool) -> tuple[Step, ...]:
    """The plan for people. `healed`: what the other copies would give, as they were asked; a tree that comes back may show that more is
    lost."""
    steps: list[Step] = []
    if plan.index:
        packs = [pack for group in plan.index for pack in group]
        blobs = sum(len(pack.blobs) for pack in packs)
        steps.append(
            Step(code="index-written", message=f"index {len(packs)} packs with {blobs} blobs from their headers", count=len(packs))
        )
    for name in plan.drop_indexes:
        steps.append(Step(code="index-removed", message="remove an index file that cannot be read", path=f"index/{name}"))
    for salvage in plan.salvage:
        steps.append(
            Step(
                code="blobs-salvaged",
                message=f"copy the whole blobs of a damaged pack ({salvage.pack.message})",
                count=len(salvage.blobs),
                size_bytes=sum(blob.length for blob in salvage.blobs),
                path=f"data/{salvage.pack.id.hex()}",
            )
        )
    if plan.lost:
        for each in healed:
            steps += healed_steps(each, is_plan=True)
        if left := len(plan.lost) - sum(len(each.keys) for each in healed):
            message = "lost blobs that no other copy gives; the next run of their source sends again what it still has"
            steps.append(Step(code="blobs-lost", message=message, count=left))
        steps += [Step(code="affected", message=line) for line in plan.affected[:_LINES]]
    for name in plan.snapshots:
        steps.append(Step(code="snapshot-written", message="write a damaged snapshot anew from the catalog", path=f"snapshots/{name}"))
    for pack in plan.bad_packs:
        verb = "take a pack that is gone out of the index" if pack.is_gone else "take a damaged pack out of the index, then remove it"
        size_bytes = pack_size(pack.blobs)
        steps.append(Step(code="pack-removed", message=verb, size_bytes=size_bytes, path=f"data/{pack.id.hex()}"))
    if forget_damaged and len(plan.lost) > sum(len(each.keys) for each in healed):
        steps.append(Step(code="point-rewritten", message="write points that need what stays lost anew without it"))
    return tuple(steps)

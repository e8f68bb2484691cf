"""Repair: what a diagnosis found is put in order. Each step leaves the repository no worse than it was, so that it may end anywhere.

First only new files come: indexes, packs of whole blobs, snapshots. What is damaged goes last, an index entry before its pack, and only
when all it held is whole elsewhere, or no point needs it any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.backend.backend import FileType
from holdfast.core.errors import StoreError
from holdfast.core.ids import DatasetId
from holdfast.model.jobs import Finding
from holdfast.model.maintenance import Step
from holdfast.repository._format.index import IndexedPack, decode_index
from holdfast.repository._format.pack import Blob, plain_of
from holdfast.repository._format.seal import unseal
from holdfast.repository._format.snapshot import encode_snapshot
from holdfast.repository.care.checking import Checker, Scope, Watch, all_packs
from holdfast.repository.care.damage_removal import DamageRemoval, save_rewritten
from holdfast.repository.care.healing import BlobCopy, Healed, ask_copies, healed_steps, try_only, wanted_of
from holdfast.repository.care.repair_plan import RepairPlan, Salvage, plan_repair, steps_of
from holdfast.repository.diagnosis import BadPack, Diagnosis, findings_of
from holdfast.repository.facts import facts_of
from holdfast.repository.interior import Interior
from holdfast.repository.packs.blob_writer import BlobWriter, add_index


@dataclass(frozen=True, kw_only=True)
class Repaired:
    """What was done, or would be. `diagnosis` is what is left. `owed`: datasets whose sources are to send everything once more."""

    steps: tuple[Step, ...]
    diagnosis: Diagnosis
    healed: tuple[Healed, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        return findings_of(self.diagnosis)

    @property
    def owed(self) -> frozenset[DatasetId]:
        return owed_datasets(self.diagnosis)


def owed_datasets(diagnosis: Diagnosis) -> frozenset[DatasetId]:
    """Datasets with a point that needs a lost blob."""
    hit = (known for known, reach in zip(diagnosis.snapshots, diagnosis.reach, strict=False) if reach)
    return frozenset(facts.dataset for known in hit if (facts := facts_of(known.snapshot)) is not None)


class Repairer:
    """One repair. `copies` are asked for lost blobs in their order. `plan` touches nothing."""

    def __init__(self, interior: Interior, watch: Watch, *, copies: Sequence[BlobCopy] = (), forget_damaged: bool = False) -> None:
        self._interior = interior
        self._storage = interior.storage
        self._watch = watch
        self._copies = copies
        self._forget_damaged = forget_damaged
        self._steps: list[Step] = []
        self._healed: list[Healed] = []

    def plan(self) -> Repaired:
        with self._interior.lock.session():
            checker = self._diagnose()
        lost = bool(checker.diagnosis.lost and self._copies)
        if lost:
            self._tell("heal")
        healed = tuple(ask_copies(self._copies, wanted_of(checker.diagnosis), try_only)) if lost else ()
        steps = steps_of(plan_repair(checker.diagnosis), healed, forget_damaged=self._forget_damaged)
        return Repaired(steps=steps, diagnosis=checker.diagnosis, healed=healed)

    def execute(self) -> Repaired:
        """Raises `RepositoryLocked` while another program is at work, before anything damaged is removed."""
        self._interior.enter()
        try:
            checker = self._diagnose()
            plan = plan_repair(checker.diagnosis)
            if not plan.is_empty:
                self._write_indexes(plan)
                self._salvage(plan.salvage)
                if self._write_snapshots(plan):
                    # What these points need was not looked at while nobody could read them.
                    checker = self._look_again(plan.bad_packs)
                checker = self._heal(checker)
                with self._interior.quiet(lambda: self._tell("waiting")), self._interior.lock.alone():
                    if self._forget_damaged and any(checker.diagnosis.reach):
                        checker = self._forget(checker)
                    self._drop(plan.drop_indexes, self._droppable(plan.bad_packs, checker.diagnosis))
                self._interior.refresh()
                checker = self._look_again(checker.diagnosis.packs)
        finally:
            self._interior.leave()
        return Repaired(steps=tuple(self._steps), diagnosis=checker.diagnosis, healed=tuple(self._healed))

    def _diagnose(self) -> Checker:
        """Every byte. Packs that no index names count only where something is missing: else they are what a run that was cut off left."""
        first = Checker(self._storage, self._watch, Scope()).run()
        incomplete = bool(first.indexes or first.trees or first.chunks)
        checker = Checker(self._storage, self._watch, Scope(choose=all_packs, unindexed=incomplete))
        checker.run()
        return checker

    def _look_again(self, bad: Sequence[BadPack]) -> Checker:
        """After a change; of the packs only those are bad that are known to be."""
        checker = Checker(self._storage, self._watch, Scope(bad=tuple(bad)))
        checker.run()
        return checker

    def _write_indexes(self, plan: RepairPlan) -> None:
        for packs in plan.index:
            self._tell("repair")
            add_index(self._storage, self._interior.blobs, list(packs))
        if plan.index:
            count = sum(map(len, plan.index))
            self._steps.append(Step(code="index-written", message=f"indexed {count} packs from their headers", count=count))

    def _salvage(self, salvages: Sequence[Salvage]) -> None:
        writer = BlobWriter(self._storage, self._interior.blobs)
        for salvage in salvages:
            self._tell("repair")
            for blob in salvage.blobs:
                sealed = self._storage.backend.load(FileType.DATA, salvage.pack.id.hex(), blob.offset, blob.length)
                payload = unseal(self._storage.key, sealed)
                # Read once more: what was whole a moment ago need not be now, on a disk that fails.
                plain_of(payload, blob.raw_bytes)
                writer.add(Blob(blob.id, blob.type, payload, blob.raw_bytes))
        writer.flush()
        if writer.count:
            message = f"copied the whole blobs of {len(salvages)} damaged packs into new ones"
            self._steps.append(Step(code="blobs-salvaged", message=message, count=writer.count, size_bytes=writer.size_bytes))

    def _heal(self, checker: Checker) -> Checker:
        """Ask the copies; a tree that comes back may show that more is lost, so again until nothing comes."""
        while checker.diagnosis.lost and self._copies:
            found = False
            self._tell("heal")
            writer = BlobWriter(self._storage, self._interior.blobs)
            for healed in ask_copies(self._copies, wanted_of(checker.diagnosis), writer.add_plain):
                writer.flush()
                self._tell("heal")
                found |= bool(healed.keys)
                self._healed.append(healed)
                self._steps += healed_steps(healed)
            checker = self._look_again(checker.diagnosis.packs)
            if not found:
                break
        return checker

    def _write_snapshots(self, plan: RepairPlan) -> bool:
        """True when any was written."""
        written = False
        known = {each.hex(): snapshot for each, snapshot in self._interior.commits.snapshots().items()} if plan.snapshots else {}
        for name in plan.snapshots:
            if name in known:
                new = self._storage.save_document(FileType.SNAPSHOT, encode_snapshot(known[name])).hex()
                self._storage.backend.remove(FileType.SNAPSHOT, name)
                message = f"wrote a damaged snapshot anew as {new[:8]} from the catalog"
                self._steps.append(Step(code="snapshot-written", message=message, path=f"snapshots/{name}"))
                written = True
            elif self._forget_damaged:
                self._storage.backend.remove(FileType.SNAPSHOT, name)
                message = "removed a snapshot that cannot be read and that the catalog does not know"
                self._steps.append(Step(code="snapshot-removed", message=message, path=f"snapshots/{name}"))
        return written

    def _forget(self, checker: Checker) -> Checker:
        writer = BlobWriter(self._storage, self._interior.blobs)
        rewritten = list(DamageRemoval(self._storage, checker.inventory, checker.diagnosis, writer).rewritten())
        writer.flush()
        for each in rewritten:
            self._tell("repair")
            self._steps.append(save_rewritten(self._storage, each))
        return self._look_again(checker.diagnosis.packs)

    def _droppable(self, bad: Sequence[BadPack], diagnosis: Diagnosis) -> dict[bytes, BadPack]:
        """Bad packs of which no point needs a blob that is nowhere else."""
        needed = frozenset(key for reach in diagnosis.reach for key in reach)
        return {pack.id: pack for pack in bad if pack.bad.isdisjoint(needed)}

    def _drop(self, indexes: Sequence[str], packs: dict[bytes, BadPack]) -> None:
        for name in indexes:
            self._storage.backend.remove(FileType.INDEX, name)
            self._steps.append(Step(code="index-removed", message="removed an index file that cannot be read", path=f"index/{name}"))
        for name in sorted(self._storage.backend.names(FileType.INDEX)) if packs else ():
            self._tell("repair")
            self._drop_from_index(name, packs)
        for pack in packs.values():
            if not pack.is_gone:
                self._storage.backend.remove(FileType.DATA, pack.id.hex())
            message = (
                "took a damaged pack out of the index and removed it" if not pack.is_gone else "took a pack that is gone out of the index"
            )
            self._steps.append(Step(code="pack-removed", message=message, path=f"data/{pack.id.hex()}"))

    def _drop_from_index(self, name: str, packs: dict[bytes, BadPack]) -> None:
        try:
            named = decode_index(self._storage.load_document(FileType.INDEX, name))
        except StoreError:
            return
        left = [IndexedPack(pack.id, pack.blobs) for pack in named if pack.id not in packs]
        if len(left) == len(named):
            return
        table = self._interior.blobs
        with table.transaction():
            if left:
                add_index(self._storage, table, left)
            self._storage.backend.remove(FileType.INDEX, name)
            table.drop_indexes([bytes.fromhex(name)])

    def _tell(self, phase: str) -> None:
        self._watch(phase, len(self._steps), 0, 0)

"""Prune: what nothing needs any more goes, in two phases, while sessions go on. Why this way: docs/decisions/0012-prune.md.

Order: walk what is needed -> copy what is needed out of packs that are mostly not (packs durable, then their index) -> alone for a moment:
look at what was begun meanwhile, mark the packs that go, write the index files that name the others, remove the old ones -> after a while
delete the marked packs. Broken off at any step nothing is lost: a pack goes last, and only while no index names it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from holdfast.backend.backend import FileType
from holdfast.core.errors import Refused, RepositoryDamaged
from holdfast.model.jobs import Finding
from holdfast.model.maintenance import Report, Step
from holdfast.repository._format.index import MarkedPack, decode_index, decode_marks
from holdfast.repository.care.checking import Watch
from holdfast.repository.interior import Interior
from holdfast.repository.packs.reachable import Reachable
from holdfast.repository.points.holding import hold_locked
from holdfast.repository.pruning.index_joining import SMALL_INDEX_PACKS
from holdfast.repository.pruning.index_writer import IndexWriter
from holdfast.repository.pruning.marks import MarkWriter, Swept, read_marks, sweep
from holdfast.repository.pruning.prune_plan import PrunePlan, Thresholds, plan_prune
from holdfast.repository.pruning.repacking import Repacker

GRACE_S = 23 * 3600.0
# Small index files are joined when so many have gathered: every backup leaves one.
_MANY_INDEXES = 16


@dataclass(frozen=True, kw_only=True)
class PruneOrder:
    """`grace_s`: for how long marked packs stay; 0 = they go at once."""

    grace_s: float = GRACE_S
    thresholds: Thresholds = field(default_factory=Thresholds)


class Prune:
    """One prune of one repository. Raises `RepositoryDamaged` when not everything that is needed can be read (nothing is removed then), and
    `RepositoryLocked` while another program is at work, when what could be copied has been."""

    def __init__(self, interior: Interior, order: PruneOrder, watch: Watch) -> None:
        self._interior = interior
        self._order = order
        self._now_ns = interior.time.now_ns()
        self._watch = watch
        self._reachable = Reachable(interior.catalog.path, lambda trees: watch("trees", trees, 0, 0))
        self._roots: set[bytes] = set()

    def run(self, *, dry_run: bool) -> Report:
        interior, order = self._interior, self._order
        try:
            # Other programs are looked for once more before anything is written or removed, not before it is read.
            with interior.lock.session(at_once=True):
                interior.refresh()
                self._refuse_damage()
                if why := interior.time.suspended():
                    raise Refused(f"nothing is pruned now: {why}", hint="set the clock, or let the node reach its Master")
                plan = self._plan()
                self._refuse_missing_packs(plan)
                interior.lock.settle()
                swept = sweep(interior, self._now_ns, order.grace_s, dry_run=dry_run)
                gone, held = plan, tuple[Finding, ...]()
                if not dry_run:
                    self._repack(plan)
                    gone = self._swap(plan)
                    held = hold_locked(interior)
                    if not order.grace_s:
                        _add(swept, sweep(interior, self._now_ns, 0, dry_run=False))
            steps = _steps(plan, gone, swept, at_once=not order.grace_s)
            return Report(steps=(*steps, *(Step(code=each.code, message=each.message) for each in held)), dry_run=dry_run)
        finally:
            self._reachable.close()

    def _refuse_damage(self) -> None:
        if self._interior.blobs.has_bad_copies:
            # Of two copies one goes; it must not be the one that is whole.
            name = self._interior.name
            raise RepositoryDamaged(f"nothing is pruned while {name} has damage", hint=f"run `holdfast repository repair {name}` first")
        for problem in self._interior.refresher.problems:
            raise RepositoryDamaged(f"nothing is pruned while {problem.path} cannot be read: {problem.message}", hint=problem.hint)

    def _plan(self) -> PrunePlan:
        self._note(self._new_roots())
        self._watch("packs", 0, 0, 0)
        return plan_prune(self._reachable.contents(), self._interior.blobs.in_use.packs(), self._order.thresholds)

    def _new_roots(self) -> set[bytes]:
        """Trees that something reaches now and that were not walked yet."""
        interior = self._interior
        roots = {row.tree for row in interior.commits.listed()} | interior.blobs.in_use.trees()
        for number, _ in interior.commits.datasets():
            roots.update(row.tree for row in interior.commits.sealed(number) if not row.moment)
        return roots - self._roots

    def _note(self, roots: set[bytes]) -> set[bytes]:
        """What these trees reach, as far as it was not walked before."""
        found = set[bytes]()
        first = not self._roots
        for id_ in self._reachable.walk(roots, self._interior.trees):
            if not first:
                found.add(id_)
        self._roots |= roots
        return found

    def _refuse_missing_packs(self, plan: PrunePlan) -> None:
        # Known ones first: a session may add some meanwhile, and those are there before they are known.
        known = self._interior.blobs.packs()
        present = set(self._interior.storage.backend.names(FileType.DATA))
        needless = {pack.number for pack in plan.remove}
        for number, pack in known.items():
            if number not in needless and pack.hex() not in present:
                raise RepositoryDamaged(f"pack {pack.hex()} is needed and is not there", hint="run `holdfast repository check NAME`")

    def _repack(self, plan: PrunePlan) -> None:
        numbers = [pack.number for pack in plan.repack]
        if not numbers:
            return
        ids = self._interior.blobs.packs()
        repacker = Repacker(self._interior.storage, self._interior.blobs)
        done_bytes = 0
        for done, (number, blobs) in enumerate(self._reachable.live_blobs(numbers)):
            self._watch("repack", done, done_bytes, plan.repacked_bytes)
            repacker.take(ids[number], blobs)
            done_bytes += sum(blob.length for blob in blobs)
        repacker.flush()

    def _swap(self, plan: PrunePlan) -> PrunePlan:
        """Take the packs that go out of the index; gives the plan without those that somebody needs after all."""
        interior = self._interior
        with interior.lock.alone(), interior.catalog.transaction():
            interior.refresh()
            self._refuse_damage()
            spared = self._spared(plan)
            gone = PrunePlan(
                remove=tuple(pack for pack in plan.remove if pack.number not in spared),
                repack=tuple(pack for pack in plan.repack if pack.number not in spared),
                kept_unused_bytes=plan.kept_unused_bytes,
                used_bytes=plan.used_bytes,
            )
            known = interior.blobs.packs()
            goes = {known[number] for number in gone.goes if number in known}
            self._rewrite(gone.goes, goes)
        return gone

    def _spared(self, plan: PrunePlan) -> set[int]:
        """Packs of the plan that a commit or reader begun since then relies on."""
        blobs = self._interior.blobs
        late = list(self._note(self._new_roots()))
        elsewhere: dict[bytes, int] = {}
        for id_, pack in blobs.packs_with(late):
            if pack not in plan.goes:
                elsewhere[id_] = 0
            else:
                elsewhere.setdefault(id_, pack)
        return {pack for pack in elsewhere.values() if pack} | (blobs.in_use.packs() & plan.goes)

    def _rewrite(self, numbers: frozenset[int], goes: set[bytes]) -> None:
        """New index files before old ones are removed; marks before both."""
        interior = self._interior
        old = self._indexes_to_rewrite(numbers)
        marks, writer = MarkWriter(interior), IndexWriter(interior)
        for done, index_id in enumerate(old):
            self._watch("index", done, 0, 0)
            json = interior.storage.load_document(FileType.INDEX, index_id.hex())
            for pack in decode_index(json):
                if pack.id in goes:
                    marks.add(MarkedPack(pack.id, self._now_ns, pack.blobs))
                else:
                    writer.add(pack)
            for mark in decode_marks(json):
                marks.add(mark)
        for pack_id in self._nameless():
            marks.add(MarkedPack(pack_id, self._now_ns, ()))
        marks.flush()
        writer.flush()
        interior.blobs.keep_claims(numbers)
        for index_id in old:
            interior.storage.backend.remove(FileType.INDEX, index_id.hex())
        if old:
            interior.blobs.drop_indexes(old)

    def _indexes_to_rewrite(self, numbers: frozenset[int]) -> list[bytes]:
        indexes = [(index_id, packs) for index_id, packs in self._interior.blobs.indexes() if packs]
        small = [index_id for index_id, packs in indexes if len(packs) < SMALL_INDEX_PACKS]
        joined = set(small) if len(small) >= _MANY_INDEXES else set()
        return [index_id for index_id, packs in indexes if index_id in joined or packs & numbers]

    def _nameless(self) -> Iterable[bytes]:
        """Packs that no index and no mark names: left by a run that was cut off. Nobody else is at work, so nobody will name them."""
        interior = self._interior
        named = set(interior.blobs.packs().values())
        named.update(mark.id for marks in read_marks(interior).values() for mark in marks)
        present = {bytes.fromhex(name) for name in interior.storage.backend.names(FileType.DATA)}
        return sorted(present - named)


def _add(swept: Swept, more: Swept) -> None:
    swept.deleted += more.deleted
    swept.deleted_bytes += more.deleted_bytes
    swept.waiting, swept.waiting_bytes = more.waiting, more.waiting_bytes
    swept.refused += more.refused


def _steps(plan: PrunePlan, gone: PrunePlan, swept: Swept, *, at_once: bool) -> tuple[Step, ...]:
    later = "at once" if at_once else "marked, they go after the grace time"
    spared = len(plan.goes) - len(gone.goes)
    steps = [
        Step(code="packs-deleted", message="packs deleted, their time had come", count=swept.deleted, size_bytes=swept.deleted_bytes),
        Step(
            code="packs-needless",
            message=f"packs of which nothing is needed: {later}",
            count=len(gone.remove),
            size_bytes=sum(pack.size_bytes for pack in gone.remove),
        ),
        Step(
            code="packs-repacked",
            message=f"packs of which what is needed is copied together: {later}",
            count=len(gone.repack),
            size_bytes=gone.repacked_bytes,
        ),
        Step(code="space-freed", message="bytes that this frees", size_bytes=gone.freed_bytes),
        Step(code="space-unused", message="needless bytes that stay where they are", size_bytes=gone.kept_unused_bytes),
        Step(code="packs-waiting", message="packs marked, whose time has not come", count=swept.waiting, size_bytes=swept.waiting_bytes),
        Step(code="packs-spared", message="packs that a session came to need meanwhile", count=spared),
        *(Step(code="pack-refused", message=f"the store does not let it go: {text}") for text in swept.refused),
    ]
    always = ("packs-deleted", "packs-needless", "packs-repacked", "space-freed")
    return tuple(step for step in steps if step.code in always or step.count or step.size_bytes or step.code == "pack-refused")

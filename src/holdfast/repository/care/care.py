"""Looking after a repository: checks, scrubs, repairs, a catalog made anew. The owner's home remembers what came of the last check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from holdfast.core.clock import now
from holdfast.core.errors import StoreError
from holdfast.core.ids import PointId
from holdfast.model.jobs import Finding, Severity
from holdfast.model.maintenance import Step, Subset
from holdfast.model.points import Point
from holdfast.repository._format.pack import BlobType
from holdfast.repository.care.anomalies import Anomalies
from holdfast.repository.care.checking import Checker, Scope, Watch, all_packs, no_packs
from holdfast.repository.care.healing import BlobCopy, WantedAt, ask_copies, healed_steps
from holdfast.repository.care.last_check import LastCheck, load_last_check, save_last_check
from holdfast.repository.care.repair import Repaired, Repairer, owed_datasets
from holdfast.repository.care.scrubbing import NextPart, load_scrub, recorded, save_scrub
from holdfast.repository.catalog.database import discard_catalog, open_catalog
from holdfast.repository.diagnosis import BlobKey, Diagnosis, findings_of
from holdfast.repository.interior import Interior
from holdfast.repository.packs.blob_writer import BlobWriter
from holdfast.repository.packs.inventory import Inventory
from holdfast.repository.points.proving import record_proof
from holdfast.repository.refresh import Refresher

_NEW_CATALOG = "catalog-new.db"


def silent(_phase: str, _done_files: int, _done_bytes: int, _total_bytes: int, /) -> None:
    """A watch that hears nothing."""


class Care:
    """Of one open repository; `config_id` is the id in its config. For any thread. `before` is called before all else, so that what is
    not in the repository yet gets there; `made_anew` when the catalog is another one."""

    def __init__(
        self,
        interior: Interior,
        home: Path,
        config_id: str,
        before: Callable[[], object] = lambda: None,
        made_anew: Callable[[], object] = lambda: None,
    ) -> None:
        self._interior = interior
        self._before = before
        self._made_anew = made_anew
        self._home = home
        self._config_id = config_id
        self.last_check = load_last_check(home, config_id)
        self.last_scrub = load_scrub(home, config_id)
        self.anomalies = Anomalies(interior, home, config_id, before)

    @property
    def proven_at(self) -> datetime | None:
        """When every byte was last proven readable; None = never, or something wrong was found or met since."""
        check, scrub = self.last_check, self.last_scrub
        proofs = [scrub.full_at] if scrub.full_at is not None and scrub.full_clean else []
        doubts = [scrub.at] if scrub.at is not None and not scrub.clean else []
        if self._interior.quarantine.met_at is not None:
            doubts.append(self._interior.quarantine.met_at)
        if check is not None and not check.ok:
            doubts.append(check.at)
        elif check is not None and check.read_data:
            proofs.append(check.at)
        proven = max(proofs, default=None)
        return proven if proven is not None and all(doubt < proven for doubt in doubts) else None

    def check(self, *, read_data: bool, subset: Subset | None = None, watch: Watch = silent) -> tuple[Finding, ...]:
        """Structure of everything; with `read_data` every byte, with `subset` those of some packs. Under the session lock, so that no prune
        runs meanwhile. What came of it is remembered, unless `watch` broke it off."""
        self._before()
        storage = self._interior.storage.uncached()
        choose = all_packs if read_data else no_packs if subset is None else chooser(subset, storage.draw_ivs(0))
        with self._interior.lock.session():
            diagnosis = Checker(storage, watch, Scope(choose=choose)).run()
        self._remember(diagnosis, read_data=read_data)
        self._set_apart(diagnosis, complete=read_data)
        return findings_of(diagnosis)

    def repair(
        self, *, forget_damaged: bool = False, dry_run: bool = False, copies: Sequence[BlobCopy] = (), watch: Watch = silent
    ) -> Repaired:
        """Put in order what is damaged; lost blobs from `copies` first, and what stays lost out of the points with `forget_damaged`.

        Raises `RepositoryLocked` while another program is at work."""
        self._before()
        repairer = Repairer(self._interior, watch, copies=copies, forget_damaged=forget_damaged)
        if dry_run:
            return repairer.plan()
        repaired = repairer.execute()
        self._set_apart(repaired.diagnosis, complete=True)
        self._remember(repaired.diagnosis, read_data=True)
        return repaired

    def scrub(self, ratio: float, watch: Watch = silent) -> tuple[Finding, ...]:
        """Read the next part of the packs; deliveries go before it. What was read, and what came of it, is remembered at the end."""
        storage, before = self._interior.storage, self.last_scrub
        part = NextPart(before.through, ratio)

        def patient(phase: str, done_files: int, done_bytes: int, total_bytes: int, /) -> None:
            self._interior.give_way(lambda: watch("waiting", done_files, done_bytes, total_bytes))
            watch(phase, done_files, done_bytes, total_bytes)

        with self._interior.lock.session():
            diagnosis = Checker(storage, patient, Scope(trees=False, choose=part, gentle=True)).run()
        findings = findings_of(diagnosis)
        clean = all(finding.severity is not Severity.ERROR for finding in findings)
        self.last_scrub = recorded(before, part, now=now(storage.clock), clean=clean)
        save_scrub(self._home, self.last_scrub)
        self._set_apart(diagnosis, complete=False)
        return tuple(finding for finding in findings if finding.severity is not Severity.INFO)

    def heal(self, copies: Sequence[BlobCopy], watch: Watch = silent) -> tuple[Step, ...]:
        """Ask the copies for all blobs that are known to be lost, by a scrub or by who read them, and store them beside what is damaged,
        which a repair takes away. When nothing is lost any more, no source is asked for it."""
        interior, quarantine = self._interior, self._interior.quarantine
        steps: list[Step] = []
        if not quarantine.lost(interior.blobs):
            return ()
        interior.enter()
        try:
            wanted = {key: [WantedAt(dataset, PointId(""), b"") for dataset in quarantine.needing(key)] for key in self._known_lost()}
            writer = BlobWriter(interior.storage, interior.blobs)
            for healed in ask_copies(copies, wanted, writer.add_plain):
                writer.flush()
                watch("heal", len(steps), 0, 0)
                steps += healed_steps(healed)
            if wanted and not quarantine.lost(interior.blobs):
                with suppress(OSError):
                    quarantine.forgive()
        finally:
            interior.leave()
        return tuple(steps)

    def _known_lost(self) -> list[BlobKey]:
        lost = self._interior.quarantine.lost(self._interior.blobs)
        kinds = self._interior.blobs.kinds(sorted(lost))
        # Of one that no index names nobody knows what it was.
        return [BlobKey(kind, blob) for blob in sorted(lost) for kind in kinds.get(blob, tuple(BlobType))]

    def examine_lost(self, watch: Watch = silent) -> tuple[Finding, ...]:
        """What the packs in which readers met damage hold, and which points and files that takes away."""
        suspects = self._interior.quarantine.packs()
        with self._interior.lock.session():
            scope = Scope(choose=lambda inventory: set(inventory.pack_ids) & suspects, gentle=True)
            diagnosis = Checker(self._interior.storage, watch, scope).run()
        self._set_apart(diagnosis, complete=False)
        return tuple(finding for finding in findings_of(diagnosis) if finding.severity is Severity.ERROR)

    def prove(self, point: Point, *, holds: bool, files: int) -> Point:
        """What a drill found becomes a fact of the point; gives the point as it is now. Raises `RepositoryLocked`, `UnknownName` when it is
        gone."""
        self._before()
        return record_proof(self._interior, point, holds=holds, files=files)

    def rebuild(self, watch: Watch = silent) -> None:
        """The catalog made anew from the repository alone. Reading goes on with the old one meanwhile; deliveries are sent away, and try
        again. Broken off or killed, the old one stays."""
        interior = self._interior
        path = interior.catalog.path.with_name(_NEW_CATALOG)
        self._before()
        with interior.lock.session(), interior.quiet(lambda: watch("waiting", 0, 0, 0)):
            # What was held since; from here on nothing is, until this has ended.
            self._before()
            discard_catalog(path)
            catalog = open_catalog(path, self._config_id)
            try:
                # Sessions that are open without a commit go on afterwards, with the numbers they know.
                with suppress(StoreError):
                    catalog.know_numbers_of(interior.catalog)
                refresher = Refresher(catalog, interior.storage)
                refresher.tell = lambda phase, done, _total: watch(phase, done, 0, 0)
                refresher.refresh()
            except BaseException:
                catalog.close()
                discard_catalog(path)
                raise
            with interior.catalog.hold():
                with suppress(StoreError):
                    catalog.know_numbers_of(interior.catalog)
                catalog.close()
                interior.catalog.go_on_with(path)
            interior.refresh()
            self._made_anew()

    def _set_apart(self, diagnosis: Diagnosis, *, complete: bool) -> None:
        """What is damaged is not relied on from now on, and sources whose points it takes offer everything once more."""
        quarantine, owed = self._interior.quarantine, owed_datasets(diagnosis)
        missing = [*diagnosis.chunks, *(tree for tree, (code, _) in diagnosis.trees.items() if code == "tree-missing")]
        if complete:
            quarantine.put(diagnosis.packs, owed, missing)
        elif diagnosis.packs or owed:
            quarantine.add(diagnosis.packs, owed, missing)
        quarantine.apply(self._interior.blobs)

    def _remember(self, diagnosis: Diagnosis, *, read_data: bool) -> None:
        ok = all(finding.severity is not Severity.ERROR for finding in findings_of(diagnosis))
        self.last_check = LastCheck(repository=self._config_id, at=now(self._interior.storage.clock), ok=ok, read_data=read_data)
        with suppress(OSError):
            # What was found matters more than that it is remembered after a restart.
            save_last_check(self._home, self.last_check)


def chooser(subset: Subset, seed: bytes) -> Callable[[Inventory], set[bytes]]:
    """The packs of a subset. A part or an amount is drawn by `seed`, at least one pack; a group goes by the ids, as in `restic check`."""

    def choose(inventory: Inventory) -> set[bytes]:
        if subset.groups:
            return {pack for pack in inventory.pack_ids if pack[0] % subset.groups == subset.group - 1}
        wanted_bytes = subset.size_bytes or sum(inventory.sizes) * subset.ratio
        chosen: set[bytes] = set()
        size_bytes = 0
        for pack in sorted(inventory.pack_ids, key=lambda pack: sha256(seed + pack).digest()):
            if chosen and size_bytes >= wanted_bytes:
                break
            chosen.add(pack)
            size_bytes += inventory.sizes[inventory.packs[pack]]
        return chosen

    return choose

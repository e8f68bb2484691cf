"""Bringing the catalog up to what the repository holds: the only way anything gets into it but our own commits.

A catalog that is lost is built again here from index files, snapshots and trees alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

from holdfast.backend.backend import FileType
from holdfast.core.errors import RepositoryDamaged, RepositoryMissing
from holdfast.core.ids import PointId
from holdfast.model.jobs import Finding
from holdfast.model.points import Point
from holdfast.repository._format.index import decode_index
from holdfast.repository._format.snapshot import decode_snapshot
from holdfast.repository.catalog.blob_table import BlobTable
from holdfast.repository.catalog.commit_table import CommitTable
from holdfast.repository.catalog.database import Catalog
from holdfast.repository.catalog.moment_table import MomentTable
from holdfast.repository.catalog.name_index import NameIndex
from holdfast.repository.catalog.version_lookup import VersionLookup
from holdfast.repository.catalog.version_table import VersionTable
from holdfast.repository.facts import bound_node, facts_of
from holdfast.repository.packs.storage import Storage
from holdfast.repository.packs.trees import Trees
from holdfast.repository.recataloguing import Recataloguing, Tables, problem_of

_BATCH = 2_000

Tell = Callable[[str, int, int], None]
"""Hears the phase, how much is done, and of how much (0 = not known); may raise to break it off."""


def _silent(_phase: str, _done: int, _total: int) -> None:
    """Most refreshes are short."""


class Refresher:
    """Keeps `problems`: what could not be read last time. Call `refresh` with the catalog's transaction free; it takes one itself."""

    def __init__(self, catalog: Catalog, storage: Storage) -> None:
        self._catalog = catalog
        self._storage = storage
        self.blobs = BlobTable(catalog)
        self.commits = CommitTable(catalog)
        self.versions = VersionTable(catalog)
        self.moments = MomentTable(catalog)
        self.tables = Tables(catalog, storage, self.blobs, self.commits, self.versions, self.moments)
        self.lookup = VersionLookup(catalog)
        self.names = NameIndex(catalog)
        self.trees = Trees(storage, self.blobs)
        self.problems: tuple[Finding, ...] = ()
        self.lost: list[Point] = []
        """Points whose snapshots another program has removed; for whoever tells of it to take."""
        self.ours: set[bytes] = set()
        """Snapshots that we have begun to remove: should that fail half way, nobody else is to be blamed."""
        self.tell: Tell = _silent
        self.started_anew: set[int] = set()
        """Datasets of which all commits were made anew; for whoever knows of more of them to take."""
        self._entries = 0

    def undo_unsealed(self) -> None:
        """Forget commits that a crash cut off. For the start only, when nothing is being received."""
        with self._catalog.transaction():
            for number, dataset in self.commits.unsealed():
                self.undo(number, dataset)

    def undo(self, number: int, dataset: int) -> None:
        with self._catalog.transaction():
            self.versions.rewind(dataset, number - 1)
            self.commits.delete(number)

    def refresh(self, busy: frozenset[int] = frozenset()) -> None:
        """Load what is new, drop what vanished. Datasets in `busy` are being received; their commits are left alone."""
        problems: list[Finding] = []
        # One guard for listing and for what our own sessions write, so that neither takes the other's new files for vanished ones.
        with self._catalog.transaction():
            # Snapshots are listed before the index is read, so that every blob of a listed snapshot is found there.
            snapshot_names = {bytes.fromhex(name) for name in self._storage.backend.names(FileType.SNAPSHOT)}
            self._refresh_indexes({bytes.fromhex(name) for name in self._storage.backend.names(FileType.INDEX)}, problems)
            known = self.commits.snapshot_ids()
            lost = self._points_of(known - snapshot_names - self.ours)
            self.ours &= snapshot_names
            self._remove_vanished(known - snapshot_names)
            self._add_snapshots(sorted(snapshot_names - known), problems)
            self.lost += self._still_missing(lost)
            for number in self.commits.datasets_to_order():
                if number not in busy:
                    self._recatalogue(number, problems)
            self.drop_unreached(busy)
        self.problems = tuple(problems)

    def _recatalogue(self, dataset: int, problems: list[Finding]) -> None:
        recataloguing = Recataloguing(self.tables, dataset, problems, self._taken_in)
        recataloguing.run()
        if recataloguing.started_anew:
            self.started_anew.add(dataset)

    def _taken_in(self, entries: int) -> None:
        self._entries += entries
        self.tell("versions", self._entries, 0)

    def _points_of(self, snapshots: set[bytes]) -> dict[PointId, Point]:
        """Points of ours that these snapshots make."""
        if not snapshots:
            return {}
        rows = [row for row in self.commits.listed() if row.id in snapshots and row.dataset is not None]
        return {row.brief.point.id: row.brief.point for row in rows if row.brief.point is not None and not row.is_head}

    def _still_missing(self, lost: dict[PointId, Point]) -> list[Point]:
        """One whose tags were changed has another snapshot now."""
        if not lost:
            return []
        here = {row.brief.point.id for row in self.commits.listed() if row.brief.point is not None}
        return [point for id_, point in lost.items() if id_ not in here]

    def _remove_vanished(self, snapshots: set[bytes]) -> None:
        if not snapshots:
            return
        spans = self.moments.spans_of(sorted(snapshots))
        datasets = {row.dataset for row in self.commits.listed_among(sorted(snapshots)) if row.dataset is not None}
        self.commits.remove_snapshots(snapshots)
        for dataset, first, last in spans:
            self.moments.uncover(dataset, first, last)
        for dataset in datasets & set(self.moments.logged()):
            self.moments.break_off(dataset)

    def drop_unreached(self, busy: frozenset[int] = frozenset()) -> None:
        """Take back commits that no snapshot reaches any more, with the versions only they had."""
        unreached = self.commits.unreached()
        left = [row for row in unreached if row.dataset in busy and row == self.commits.newest(row.dataset)]
        staying = {row.no for row in left}
        going = [row for row in unreached if row.no not in staying]
        for row in going:
            self.commits.delete(row.no)
        # Neighbours that go together leave one span.
        spans: dict[int, dict[tuple[int, int], None]] = {}
        for row in going:
            spans.setdefault(row.dataset, {})[self.commits.neighbours(row)] = None
        for dataset, pairs in spans.items():
            self.versions.purge(dataset, [pair for pair in pairs if pair[1]])
            for before, behind in pairs:
                # Where the newest went, what it changed is taken back, so that the state before is the newest again.
                if not behind and before:
                    self.versions.rewind(dataset, before)
                elif not behind:
                    self.versions.clear(dataset)
        self.commits.settle_unreached(left)

    def _refresh_indexes(self, names: set[bytes], problems: list[Finding]) -> None:
        known = self.blobs.index_ids()
        new = sorted(names - known)
        for number, index_id in enumerate(new):
            self.tell("index", number, len(new))
            try:
                self.blobs.add_index(index_id, decode_index(self._storage.load_document(FileType.INDEX, index_id.hex())))
            except RepositoryMissing:
                continue
            except RepositoryDamaged as error:
                problems.append(problem_of("index-damaged", error, f"index/{index_id.hex()}"))
        # Last: who holds a chunk is forgotten with the last pack that has it, and stock `restic prune` writes all index files anew.
        if known - names:
            self.blobs.drop_indexes(known - names)

    def _add_snapshots(self, ids: Iterable[bytes], problems: list[Finding]) -> None:
        bound: dict[str, list[tuple[bytes, bytes]]] = {}
        for snapshot_id in ids:
            try:
                snapshot = decode_snapshot(self._storage.load_document(FileType.SNAPSHOT, snapshot_id.hex()))
            except RepositoryMissing:
                continue
            except RepositoryDamaged as error:
                problems.append(problem_of("snapshot-damaged", error, f"snapshots/{snapshot_id.hex()}"))
                continue
            facts = facts_of(snapshot)
            self.commits.add_snapshot(snapshot_id, snapshot, self._catalog.number_of("datasets", facts.dataset) if facts else None, None)
            if sender := bound_node(snapshot):
                bound.setdefault(sender, []).append((snapshot_id, snapshot.tree_id))
        for sender, snapshots in bound.items():
            self._claim_bound(sender, snapshots, problems)

    def _claim_bound(self, sender: str, snapshots: list[tuple[bytes, bytes]], problems: list[Finding]) -> None:
        """The source of a dataset may be told "have it" of what its earlier history holds: whoever bound it has said that it is its own."""
        number, before = self._catalog.number_of("nodes", sender), None
        for snapshot_id, tree in snapshots:
            try:
                differences = self.trees.differences(before, tree)
                while batch := list(islice(differences, _BATCH)):
                    nodes = [(d.path[: d.path.rfind(b"/")], d.new) for d in batch if d.new is not None]
                    self.blobs.claim({ref.id for entry in self.trees.entries_of(nodes) if entry for ref in entry.chunks}, number)
            except RepositoryDamaged as error:
                problems.append(problem_of("tree-damaged", error, f"snapshots/{snapshot_id.hex()}"))
            before = tree

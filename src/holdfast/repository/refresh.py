"""Bringing the catalog up to what the repository holds: the only way anything gets into it but our own commits.

A catalog that is lost is built again here from index files, snapshots and trees alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice

from holdfast.backend.backend import FileType
from holdfast.core.errors import RepositoryDamaged, RepositoryMissing
from holdfast.core.ids import Epoch
from holdfast.model.change import Cursor
from holdfast.model.jobs import Finding, Severity
from holdfast.repository._format.index import decode_index
from holdfast.repository._format.snapshot import decode_snapshot
from holdfast.repository.blob_table import BlobTable
from holdfast.repository.catalog import Catalog
from holdfast.repository.commit_table import CommitRow, CommitTable, SnapshotRow
from holdfast.repository.facts import facts_of
from holdfast.repository.storage import Storage
from holdfast.repository.trees import Difference, Trees
from holdfast.repository.version_table import Ended, NewVersion, VersionTable

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
        self.trees = Trees(storage, self.blobs)
        self.problems: tuple[Finding, ...] = ()
        self.tell: Tell = _silent
        self._entries = 0

    def undo_unsealed(self) -> None:
        """Forget commits that a crash cut off. For the start only, when nothing is being received."""
        with self._catalog.transaction():
            for number, dataset in self.commits.unsealed():
                self.undo(number, dataset)

    def undo(self, number: int, dataset: int) -> None:
        with self._catalog.transaction():
            self.versions.undo(dataset, number)
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
            self.commits.remove_snapshots(known - snapshot_names)
            self._add_snapshots(sorted(snapshot_names - known), problems)
            for number in self.commits.datasets_to_order():
                if number not in busy:
                    self._recatalogue(number, problems)
            self.drop_unreached(busy)
        self.problems = tuple(problems)

    def drop_unreached(self, busy: frozenset[int] = frozenset()) -> None:
        """Take back commits that no snapshot reaches any more, with the versions only they had."""
        for row in self.commits.unreached():
            if row.dataset in busy and row == self.commits.newest(row.dataset):
                continue
            self._drop_commit(row)

    def _drop_commit(self, row: CommitRow) -> None:
        rows = self.commits.sealed(row.dataset)
        place = rows.index(row)
        self.commits.delete(row.no)
        if place + 1 < len(rows):
            self.versions.purge(row.dataset, row.no, rows[place - 1].no if place else 0, rows[place + 1].no)
        elif place and rows[place - 1].ordinal + 1 == row.ordinal:
            # The newest went: what it changed is taken back, so that the state before is the newest again.
            self.versions.undo(row.dataset, row.no)
        else:
            self.versions.clear(row.dataset)
            self._rebuild_versions(rows[:place])

    def _rebuild_versions(self, rows: list[CommitRow]) -> None:
        """The versions of one dataset anew from its remaining commits."""
        before: bytes | None = None
        for row in rows:
            with suppress(RepositoryDamaged):
                self._record_differences(row, None, self.trees.differences(before, row.tree))
            before = row.tree

    def _refresh_indexes(self, names: set[bytes], problems: list[Finding]) -> None:
        known = self.blobs.index_ids()
        if known - names:
            self.blobs.drop_indexes(known - names)
        new = sorted(names - known)
        for number, index_id in enumerate(new):
            self.tell("index", number, len(new))
            try:
                self.blobs.add_index(index_id, decode_index(self._storage.load_document(FileType.INDEX, index_id.hex())))
            except RepositoryMissing:
                continue
            except RepositoryDamaged as error:
                problems.append(_problem("index-damaged", error, f"index/{index_id.hex()}"))

    def _add_snapshots(self, ids: Iterable[bytes], problems: list[Finding]) -> None:
        for snapshot_id in ids:
            try:
                snapshot = decode_snapshot(self._storage.load_document(FileType.SNAPSHOT, snapshot_id.hex()))
            except RepositoryMissing:
                continue
            except RepositoryDamaged as error:
                problems.append(_problem("snapshot-damaged", error, f"snapshots/{snapshot_id.hex()}"))
                continue
            facts = facts_of(snapshot)
            self.commits.add_snapshot(snapshot_id, snapshot, self._catalog.number_of("datasets", facts.dataset) if facts else None, None)

    def _recatalogue(self, dataset: int, problems: list[Finding]) -> None:
        """Give every snapshot of the dataset its commit. Newer ones are added; one in between means building the dataset again."""
        commits = self.commits.sealed(dataset)
        by_state = {(row.epoch, row.seq, row.tree): row for row in commits}
        newest = commits[-1] if commits else None
        rows = [row for row in self.commits.snapshots(dataset) if row.commit_no is None]
        missing = [row for row in rows if not self._attach_known(row, by_state)]
        if newest is not None and any(_order(row) <= (newest.ordinal, newest.captured_ns, newest.seq) for row in missing):
            self.commits.delete_all(dataset)
            self.versions.clear(dataset)
            missing, newest = self.commits.snapshots(dataset), None
        for row in sorted(missing, key=_order):
            newest = self._append(dataset, row, newest, problems)

    def _attach_known(self, row: SnapshotRow, by_state: dict[tuple[Epoch, int, bytes], CommitRow]) -> bool:
        facts = facts_of(row.snapshot)
        commit = by_state.get((facts.epoch, facts.seq, row.snapshot.tree_id)) if facts else None
        if commit is not None:
            self.commits.attach(row.id, commit.no)
        return commit is not None

    def _append(self, dataset: int, row: SnapshotRow, newest: CommitRow | None, problems: list[Finding]) -> CommitRow | None:
        facts = facts_of(row.snapshot)
        if facts is None:
            return newest
        tree = row.snapshot.tree_id
        if newest is not None and (newest.epoch, newest.seq, newest.tree) == (facts.epoch, facts.seq, tree):
            self.commits.attach(row.id, newest.no)
            return newest
        number = self.commits.open(dataset, facts.ordinal, Cursor(epoch=facts.epoch, seq=facts.seq))
        commit = CommitRow(number, dataset, facts.ordinal, facts.epoch, facts.seq, row.snapshot.time_ns, tree)
        self.commits.seal(number, commit.captured_ns, tree)
        self.commits.attach(row.id, number)
        sender = self._catalog.number_of("nodes", facts.sender) if facts.sender else None
        try:
            self._record_differences(commit, sender, self.trees.differences(newest.tree if newest else None, tree))
        except RepositoryDamaged as error:
            problems.append(_problem("tree-damaged", error, f"snapshots/{row.id.hex()}"))
        return commit

    def _record_differences(self, commit: CommitRow, sender: int | None, differences: Iterator[Difference]) -> None:
        """The versions a commit made; its chunks are claimed by the node that sent it."""
        while batch := list(islice(differences, _BATCH)):
            self._entries += len(batch)
            self.tell("versions", self._entries, 0)
            ended = [Ended(d.path) for d in batch if d.old is not None and d.new is None]
            below = [Ended(d.path, below_only=True) for d in batch if d.old is not None and d.old.subtree and d.new and not d.new.subtree]
            changed = [(d.path[: d.path.rfind(b"/")], d.new, d.old is not None) for d in batch if d.new is not None]
            entries = self.trees.entries_of([(folder, node) for folder, node, _ in changed])
            new = [NewVersion(entry, had) for entry, (_, _, had) in zip(entries, changed, strict=True) if entry is not None]
            self.versions.record(commit.dataset, commit.no, [*ended, *below], new)
            if sender is not None:
                self.blobs.claim({chunk.id for version in new for chunk in version.entry.chunks}, sender)


def _order(row: SnapshotRow) -> tuple[int, int, int]:
    facts = facts_of(row.snapshot)
    return facts.ordinal if facts else 0, row.snapshot.time_ns, facts.seq if facts else 0


def _problem(code: str, error: RepositoryDamaged, path: str) -> Finding:
    return Finding(code=code, severity=Severity.ERROR, message=error.message, path=path, hint=error.hint)

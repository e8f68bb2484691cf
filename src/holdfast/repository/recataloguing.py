"""Giving the snapshots of one dataset their commits in the catalog, and the records of its logs theirs.

Newer ones are added. Where one belongs in between, the dataset is built again from all that is there.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from holdfast.core.errors import RepositoryDamaged
from holdfast.core.ids import Epoch
from holdfast.model.change import Cursor
from holdfast.model.jobs import Finding, Severity
from holdfast.repository._format.index import hash_from
from holdfast.repository.catalog.blob_table import BlobTable
from holdfast.repository.catalog.commit_table import CommitRow, CommitTable, ListedRow
from holdfast.repository.catalog.database import Catalog
from holdfast.repository.catalog.moment_table import LOGGED, MomentTable
from holdfast.repository.catalog.version_table import Ended, NewState, VersionTable, column_of_time, mode_of
from holdfast.repository.log_files import LogReader
from holdfast.repository.moment_record import Followed, Record, encode, versions_of
from holdfast.repository.packs.storage import Storage
from holdfast.repository.packs.trees import Trees
from holdfast.repository.past_state import rebuild
from holdfast.repository.tree_changes import TreeChange, tree_changes

_BATCH = 2_000
State = tuple[Epoch, int, bytes]
Item = tuple[tuple[int, int, int, int], ListedRow | Record]


@dataclass(frozen=True)
class Tables:
    """The catalog, table by table, and the store it is made from."""

    catalog: Catalog
    storage: Storage
    blobs: BlobTable
    commits: CommitTable
    versions: VersionTable
    moments: MomentTable


def problem_of(code: str, error: RepositoryDamaged, path: str) -> Finding:
    return Finding(code=code, severity=Severity.ERROR, message=error.message, path=path, hint=error.hint)


class Recataloguing:
    """Of one dataset, by its number; inside a transaction of the catalog. `told` hears how many entries were taken in. `started_anew` says
    whether all was built again."""

    def __init__(self, tables: Tables, dataset: int, problems: list[Finding], told: Callable[[int], None]) -> None:
        self._tables = tables
        self._dataset = dataset
        self._problems = problems
        self._told = told
        self._newest: CommitRow | None = None
        # The newest tree that is in the store, and what has changed since.
        self._stored: bytes | None = None
        self._since: list[Record] = []
        self._sender: int | None = None
        self.started_anew = False

    def run(self) -> None:
        tables, dataset = self._tables, self._dataset
        newest = tables.commits.newest(dataset)
        by_state = {(row.epoch, row.seq, row.tree): row for row in tables.commits.sealed(dataset)}
        unplaced = tables.commits.listed_without_commit(dataset)
        logs = [row for row in unplaced if row.is_log]
        missing = [row for row in unplaced if not (row.is_log or row.is_lineage) and not self._attach_known(row, by_state)]
        records = [record for record in self._records(logs) if not self._know_logged(record, by_state)]
        if newest is not None and (
            any(_order(row) <= (newest.ordinal, newest.captured_ns, newest.seq) for row in missing)
            or any(record.ordinal <= newest.ordinal for record in records)
        ):
            self._start_anew()
            unplaced = tables.commits.listed(dataset)
            missing = [row for row in unplaced if not (row.is_log or row.is_lineage)]
            self._append_all(missing, self._records(row for row in unplaced if row.is_log))
        else:
            self._newest = newest
            if newest is not None and (base := tables.moments.base_of(newest)) is not None and base.no == newest.no:
                self._stored = newest.tree
            self._append_all(missing, records)
        self._place(unplaced)

    def _start_anew(self) -> None:
        self.started_anew = True
        self._tables.commits.delete_all(self._dataset)
        self._tables.versions.clear(self._dataset)

    def _attach_known(self, row: ListedRow, by_state: dict[State, CommitRow]) -> bool:
        commit = by_state.get((row.brief.epoch, row.brief.seq, row.tree))
        if commit is not None:
            self._tables.commits.attach(row.id, commit.no)
        return commit is not None

    def _know_logged(self, record: Record, by_state: dict[State, CommitRow]) -> bool:
        commit = by_state.get((record.epoch, record.seq, record.tree))
        if commit is not None and record.is_told:
            self._tables.moments.mark(commit.no, LOGGED, record.files, record.size_bytes)
        return commit is not None or not record.is_told

    def _records(self, logs: Iterable[ListedRow]) -> Iterator[Record]:
        """By rising ordinals, each once; what is said of the dataset is taken from the last."""
        spans = {log.id: log for log in self._tables.moments.logs(self._dataset)}
        reader = LogReader(self._tables.storage, self._tables.blobs)
        behind, followed = 0, None
        for row in sorted(logs, key=lambda row: (spans[row.id].first, -spans[row.id].last)):
            if spans[row.id].last <= behind:
                continue
            try:
                for part in reader.parts(row.tree):
                    followed = part.followed
                    self._sender = self._tables.catalog.number_of("nodes", followed.sender) if followed.sender else None
                    for record in part.records:
                        if record.ordinal > behind:
                            behind = record.ordinal
                            self._tables.moments.add_gaps(self._dataset, record.ordinal, record.gaps)
                            yield record
            except RepositoryDamaged as error:
                self._problems.append(problem_of("log-damaged", error, f"snapshots/{row.id.hex()}"))
        if followed is not None:
            self._follow(followed)

    def _follow(self, followed: Followed) -> None:
        if self._tables.moments.facts(self._dataset) is None:
            self._tables.moments.follow(self._dataset, encode(followed), logged=followed.is_logged)

    def _append_all(self, rows: Iterable[ListedRow], records: Iterable[Record]) -> None:
        states: Iterator[Item] = (((*_order(row), 1), row) for row in sorted(rows, key=_order))
        changes: Iterator[Item] = (((each.ordinal, each.captured_ns, each.seq, 0), each) for each in records)
        for _, item in heapq.merge(changes, states, key=lambda pair: pair[0]):
            if isinstance(item, Record):
                self._append_record(item)
            else:
                self._append_state(item)

    def _append_record(self, record: Record) -> None:
        """One that does not build on what is there is passed over: of its moment nobody knows the whole."""
        newest, tables = self._newest, self._tables
        if newest is None or newest.tree != record.before or not record.is_told:
            return
        number = tables.commits.open(self._dataset, record.ordinal, record.cursor)
        tables.commits.seal(number, record.captured_ns, record.tree)
        tables.moments.mark(number, LOGGED, record.files, record.size_bytes)
        tables.versions.record(self._dataset, number, *versions_of(record.ops))
        if self._sender is not None:
            tables.blobs.claim(set(record.chunks), self._sender)
        self._newest = CommitRow(number, self._dataset, record.ordinal, record.epoch, record.seq, record.captured_ns, record.tree, LOGGED)
        self._since.append(record)
        self._told(len(record.ops))

    def _append_state(self, row: ListedRow) -> None:
        brief, newest, tables = row.brief, self._newest, self._tables
        if newest is not None and (newest.epoch, newest.seq, newest.tree) == (brief.epoch, brief.seq, row.tree):
            tables.commits.attach(row.id, newest.no)
            self._stored, self._since = row.tree, []
            return
        number = tables.commits.open(self._dataset, brief.ordinal, Cursor(epoch=brief.epoch, seq=brief.seq))
        commit = CommitRow(number, self._dataset, brief.ordinal, brief.epoch, brief.seq, row.time_ns, row.tree)
        tables.commits.seal(number, commit.captured_ns, row.tree)
        tables.commits.attach(row.id, number)
        sender = tables.catalog.number_of("nodes", brief.sender) if brief.sender else None
        try:
            self._record_changes(commit, sender, tree_changes(self._trees(), newest.tree if newest else None, row.tree))
        except RepositoryDamaged as error:
            self._problems.append(problem_of("tree-damaged", error, f"snapshots/{row.id.hex()}"))
        self._newest, self._stored, self._since = commit, row.tree, []

    def _trees(self) -> Trees:
        """The store's, and those of the newest moment."""
        trees = Trees(self._tables.storage, self._tables.blobs)
        if not self._since or self._stored is None:
            return trees
        beside: dict[bytes, bytes] = {}
        rebuild(trees.with_beside(beside), beside, self._stored, self._since)
        return trees.with_beside(beside)

    def _place(self, rows: Iterable[ListedRow]) -> None:
        """Logs and lineages have a place as soon as they were looked at: with the last of their commits, if that counts."""
        for row in rows:
            if row.is_log or row.is_lineage:
                self._tables.commits.attach(row.id, self._tables.commits.number_at(self._dataset, row.brief.ordinal))

    def _record_changes(self, commit: CommitRow, sender: int | None, parts: Iterable[list[TreeChange]]) -> None:
        """The versions a commit made; its chunks are claimed by the node that sent it."""
        batch: list[TreeChange] = []
        try:
            for part in parts:
                batch += part
                if len(batch) >= _BATCH:
                    self._record_batch(commit, sender, batch)
                    batch = []
        finally:
            # Where a tree is damaged, what could be read counts.
            self._record_batch(commit, sender, batch)

    def _record_batch(self, commit: CommitRow, sender: int | None, batch: list[TreeChange]) -> None:
        self._told(len(batch))
        ended = [Ended(change.path) for change in batch if change.had and change.facts is None]
        below = [Ended(change.path, below_only=True) for change in batch if change.had_below and not (change.had and change.facts is None)]
        new = [
            NewState(
                path,
                had,
                mode_of(facts.kind, facts.mode),
                facts.owner,
                facts.size_bytes,
                column_of_time(facts.mtime_ns),
                facts.link_target or None,
            )
            for path, facts, had, _ in batch
            if facts is not None and facts.kind is not None
        ]
        self._tables.versions.record_states(commit.dataset, commit.no, [*ended, *below], new)
        if sender is not None:
            content = {chunk for change in batch if change.facts is not None for chunk in change.facts.content}
            self._tables.blobs.claim(map(hash_from, content), sender)


def _order(row: ListedRow) -> tuple[int, int, int]:
    return row.brief.ordinal, row.time_ns, row.brief.seq

"""The archived files of one open repository: put, held, expired, listed.

A source removes its files on the word of `put`. So the order is: every byte of the files is read back from the store; the trees of the
lineage are written, packs before index, and read back; so is its snapshot; then it is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from holdfast.backend.backend import FileType
from holdfast.core.clock import utc
from holdfast.core.errors import Conflict, Refused, RepositoryDamaged, UnknownName
from holdfast.core.ids import DatasetId, NodeId, PointId
from holdfast.model.archiving import ArchivedFile, LegalHold, ToArchive, Verdict, parse_lineage_path, parse_time_name
from holdfast.model.entry import Entry, Kind, display_path, is_below, raw_of
from holdfast.model.retention import zone_of
from holdfast.repository._format.snapshot import PROGRAM_VERSION, Snapshot, decode_snapshot, encode_snapshot
from holdfast.repository._format.text import zoned_time_text
from holdfast.repository.archiving.growing import Grower, Growth, look_up, wanted_of
from holdfast.repository.archiving.reading_back import read_back_trees, unreadable
from holdfast.repository.catalog.commit_table import CommitRow, ListedRow
from holdfast.repository.damage_met import Read
from holdfast.repository.facts import ARCHIVE, HEAD, Facts, facts_of, tags_of
from holdfast.repository.interior import Interior
from holdfast.repository.packs.blob_writer import NewBlobs
from holdfast.repository.packs.trees import Trees
from holdfast.repository.points.sealing import forget

ARCHIVE_FOLDER = "/.holdfast/archive/"
_MOST_FILES = 2_000
_FARTHEST_NS = 86_400 * 1_000_000_000
# As of a log: what is listed as the newest by stock restic must be a state of the dataset.
_BEFORE_HEAD_NS = 2_000
_MOST_HOLDS = 1_000


@dataclass(frozen=True)
class ArchivedFrom:
    """Whose files come: the grant's words, not the sender's."""

    dataset: DatasetId
    label: str
    sender: NodeId


@dataclass(frozen=True)
class ArchiveTotals:
    """Versions in the lineage of one dataset, their bytes, and the holds on them."""

    dataset: DatasetId
    label: str
    files: int
    size_bytes: int
    holds: tuple[LegalHold, ...]


_Change = Callable[[Grower, bytes | None], Growth]
"""Makes of the lineage's tree (None = there is none yet) another one."""


class Archive:
    """For any thread. `seal`: brings what is held of a dataset into the repository."""

    def __init__(self, interior: Interior, seal: Callable[[DatasetId | None], None]) -> None:
        self._interior = interior
        self._seal = seal

    def put(self, whose: ArchivedFrom, archived_ns: int, files: Sequence[ToArchive], keep_s: float | None) -> tuple[Verdict, ...]:
        """A verdict for each file, in order. `keep_s`: what is older goes at this opportunity; None = nothing does.

        May be called again with the same. Raises `Refused` for a time that cannot be, `RepositoryLocked`, and what the store raises; then
        nothing has to be taken for archived.
        """
        interior = self._interior
        if len(files) > _MOST_FILES:
            raise Refused(f"{len(files)} files are to be archived at once", hint=f"name at most {_MOST_FILES}")
        if abs(interior.time.now_ns() - archived_ns) > _FARTHEST_NS:
            raise Refused("the source's clock is more than a day from this machine's", hint="set the clocks; nothing was archived")
        self._seal(whose.dataset)
        with self._writing(whose.dataset) as number:
            newest = interior.commits.newest(number)
            if newest is None:
                return (Verdict.UNKNOWN,) * len(files)
            trees = self._trees(whose.dataset, whose.label)
            found = look_up(trees, newest.tree, wanted_of(files))
            bad = unreadable(interior.storage, interior.blobs, (chunk for content in found.contents.values() for chunk in content))
            verdicts = dict(found.verdicts)
            verdicts.update((path, Verdict.UNREADABLE) for path, content in found.contents.items() if not bad.isdisjoint(content))
            good = [file for file in files if verdicts[file.path] is Verdict.ARCHIVED]
            if good:
                chosen, tree = wanted_of(good), newest.tree
                self._grow(number, newest, whose, lambda grower, lineage: grower.joined(lineage, tree, archived_ns, chosen))
            self._expire(number, keep_s)
            return tuple(verdicts[file.path] for file in files)

    def expire(self, dataset: DatasetId, keep_s: float | None) -> int:
        """Let go of what is over and under no hold; gives how many versions. Raises what the store raises."""
        number = self._interior.catalog.number_of("datasets", dataset)
        row = self._interior.commits.archive(number)
        if row is None or not self._is_due(dataset, row, keep_s):
            return 0
        with self._writing(dataset):
            return self._expire(number, keep_s)

    def hold(self, dataset: str, name: str, path: bytes = b"/") -> None:
        """A legal hold from now on. Raises `Conflict` when there is one of that name on another path, `UnknownName` when nothing of the
        dataset is archived."""

        hold = LegalHold(name=name, since=self._interior.time.now(), path=path)

        def add(holds: tuple[LegalHold, ...]) -> tuple[LegalHold, ...]:
            same = next((each for each in holds if each.name == hold.name), None)
            if same is not None and same.path != hold.path:
                raise Conflict(f"the hold {hold.name!r} is on {display_path(same.path)}", hint="release it first, or take another name")
            if len(holds) >= _MOST_HOLDS:
                raise Refused(f"there are {_MOST_HOLDS} holds already", hint="release some, or hold a folder above")
            return holds if same is not None else (*holds, hold)

        self._change_holds(dataset, add)

    def release(self, dataset: str, name: str) -> None:
        """Raises `UnknownName`."""

        def drop(holds: tuple[LegalHold, ...]) -> tuple[LegalHold, ...]:
            if not any(each.name == name for each in holds):
                raise UnknownName(f"there is no hold {name!r} on {dataset}", hint="`holdfast archive report` lists them")
            return tuple(each for each in holds if each.name != name)

        self._change_holds(dataset, drop)

    def totals(self) -> tuple[ArchiveTotals, ...]:
        """Of each dataset of which something is archived."""
        interior = self._interior
        found = []
        for number, identity in interior.commits.datasets():
            row = interior.commits.archive(number)
            if row is not None:
                facts = self._facts(row)
                found.append(ArchiveTotals(DatasetId(identity), interior.commits.label(number), facts.files, facts.size_bytes, facts.holds))
        return tuple(found)

    def listing(self, dataset: str, below: bytes, keep_s: float | None, limit: int) -> tuple[ArchivedFile, ...]:
        """Versions at or below a path, by the time they were archived, oldest first, at most `limit`. Raises `UnknownName`."""
        row = self._row(dataset)
        facts = self._facts(row)
        if row.dataset is not None:
            facts = replace(facts, label=self._interior.commits.label(row.dataset))
        trees = self._trees(facts.dataset, facts.label)
        entries = self._entries(trees, row.tree, below)
        return tuple(islice((self._shown(facts, entry, keep_s) for entry in entries), limit))

    @staticmethod
    def _entries(trees: Trees, root: bytes, below: bytes) -> Iterator[Entry]:
        for time in trees.load(root):
            if parse_time_name(time.name.decode("latin-1")) is None or time.subtree is None:
                continue
            at = b"/" + time.name + (below if below != b"/" else b"")
            if trees.node_at(root, at) is not None:
                yield from (entry for entry in trees.walk(root, [at]) if entry.kind is Kind.FILE)

    def _shown(self, facts: Facts, entry: Entry, keep_s: float | None) -> ArchivedFile:
        found = parse_lineage_path(entry.path)
        assert found is not None
        archived_ns, path = found
        return ArchivedFile(
            path=display_path(path),
            path_raw=raw_of(path),
            archived_at=utc(archived_ns),
            size_bytes=entry.size_bytes,
            modified_at=utc(entry.mtime_ns),
            dataset=facts.label,
            repository=self._interior.name,
            until=until_of(archived_ns, keep_s),
            holds=tuple(hold.name for hold in facts.holds if is_below(path, hold.path)),
        )

    def _row(self, dataset: str) -> ListedRow:
        for number in self._interior.commits.known_as(dataset):
            if (row := self._interior.commits.archive(number)) is not None:
                return row
        raise UnknownName(f"no archived files of {dataset!r} are kept in {self._interior.name}", hint="the operation `archive` keeps them")

    @contextmanager
    def _writing(self, dataset: DatasetId) -> Iterator[int]:
        """The session lock, and nobody else commits to this dataset."""
        interior = self._interior
        number = interior.catalog.number_of("datasets", dataset)
        interior.enter()
        try:
            interior.take_dataset(number)
            try:
                with interior.blobs.in_use.writing():
                    yield number
            finally:
                interior.release_dataset(number)
        finally:
            interior.leave()

    def _trees(self, dataset: DatasetId, label: str) -> Trees:
        interior = self._interior
        return Trees(interior.storage, interior.blobs, interior.damage_met(Read(dataset, label)))

    def _facts(self, row: ListedRow) -> Facts:
        facts = facts_of(decode_snapshot(self._interior.storage.load_document(FileType.SNAPSHOT, row.id.hex())))
        if facts is None:
            raise RepositoryDamaged(f"snapshot {row.id.hex()} of archived files has tags that make no sense")
        return facts

    def _grow(self, number: int, newest: CommitRow, whose: ArchivedFrom, change: _Change) -> None:
        row = self._interior.commits.archive(number)
        old = self._facts(row) if row is not None else None
        facts = Facts(
            dataset=whose.dataset,
            label=whose.label,
            operation=HEAD,
            kind=ARCHIVE,
            point=PointId(""),
            epoch=newest.epoch,
            seq=newest.seq,
            sender=whose.sender,
            ordinal=newest.ordinal,
            revision=old.revision + 1 if old is not None else 1,
            files=old.files if old is not None else 0,
            size_bytes=old.size_bytes if old is not None else 0,
            holds=old.holds if old is not None else (),
        )
        self._rewrite(number, facts, newest.captured_ns, change)

    def _expire(self, number: int, keep_s: float | None) -> int:
        """Under the session lock."""
        row = self._interior.commits.archive(number)
        if row is None:
            return 0
        facts = self._facts(row)
        if not self._is_due(facts.dataset, row, keep_s):
            return 0
        before_ns = self._interior.time.now_ns() - int((keep_s or 0) * 1e9)
        old = facts.files
        return old - self._rewrite(number, facts, 0, lambda grower, _: grower.left(row.tree, lambda ns: ns < before_ns, facts.holds))

    def _is_due(self, dataset: DatasetId, row: ListedRow, keep_s: float | None) -> bool:
        """Nothing expires while nobody knows what time it is."""
        if keep_s is None or self._interior.time.suspended():
            return False
        before_ns = self._interior.time.now_ns() - int(keep_s * 1e9)
        times = (parse_time_name(node.name.decode("latin-1")) for node in self._trees(dataset, row.brief.label).load(row.tree))
        return any(time is not None and time < before_ns for time in times)

    def _rewrite(self, number: int, facts: Facts, captured_ns: int, change: _Change) -> int:
        """The new lineage is durable and read back before the old one goes. Gives how many versions there are now."""
        interior = self._interior
        writer = NewBlobs(interior.storage, interior.blobs)
        grower = Grower(self._trees(facts.dataset, facts.label), writer.add_plain)
        row = interior.commits.archive(number)
        growth = change(grower, row.tree if row is not None else None)
        old = [each.id for each in interior.commits.archives(number)]
        if row is not None and growth.tree == row.tree:
            return facts.files
        files = max(0, facts.files + growth.files)
        if growth.tree is not None:
            writer.flush()
            read_back_trees(interior.storage, interior.blobs, list(dict.fromkeys(grower.new)))
            interior.lock.assert_held()
            fresh = replace(facts, files=files, size_bytes=max(0, facts.size_bytes + growth.size_bytes))
            snapshot_id = self._write_snapshot(number, fresh, growth.tree, captured_ns, row)
            old = [each for each in old if each != snapshot_id]
        with interior.catalog.transaction():
            forget(interior, old)
        return files

    def _write_snapshot(self, number: int, facts: Facts, tree: bytes, captured_ns: int, row: ListedRow | None) -> bytes:
        interior = self._interior
        before = decode_snapshot(interior.storage.load_document(FileType.SNAPSHOT, row.id.hex())) if row is not None else None
        snapshot = Snapshot(
            time=zoned_time_text(captured_ns - _BEFORE_HEAD_NS, zone_of(facts.zone)) if captured_ns or before is None else before.time,
            tree=tree.hex(),
            paths=(ARCHIVE_FOLDER + facts.dataset,),
            hostname=facts.label.partition("/")[0],
            username="holdfast",
            tags=tags_of(facts),
            program_version=PROGRAM_VERSION,
        )
        json = encode_snapshot(snapshot)
        snapshot_id = interior.storage.save_document(FileType.SNAPSHOT, json)
        if interior.storage.load_document(FileType.SNAPSHOT, snapshot_id.hex()) != json:
            raise RepositoryDamaged(f"snapshot {snapshot_id.hex()}, which was just written, reads otherwise")
        with interior.catalog.transaction():
            interior.commits.add_snapshot(snapshot_id, snapshot, number, interior.commits.number_at(number, facts.ordinal))
        return snapshot_id

    def _change_holds(self, dataset: str, change: Callable[[tuple[LegalHold, ...]], tuple[LegalHold, ...]]) -> None:
        interior = self._interior
        identity = self._facts(self._row(dataset)).dataset
        with self._writing(identity) as number:
            row = self._row(identity)
            facts = self._facts(row)
            holds = change(facts.holds)
            if holds == facts.holds:
                return
            fresh = replace(facts, holds=holds, revision=facts.revision + 1)
            old = [each.id for each in interior.commits.archives(number)]
            interior.lock.assert_held()
            snapshot_id = self._write_snapshot(number, fresh, row.tree, 0, row)
            with interior.catalog.transaction():
                forget(interior, [each for each in old if each != snapshot_id])


def until_of(archived_ns: int, keep_s: float | None) -> datetime | None:
    """When a version may go; None = never, also where that is beyond all calendars."""
    try:
        return None if keep_s is None else utc(archived_ns) + timedelta(seconds=keep_s)
    except OverflowError:
        return None

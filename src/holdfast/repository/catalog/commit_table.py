"""Commits of each dataset in their order, and the restic snapshots that reach them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from holdfast.core.errors import RepositoryDamaged
from holdfast.core.ids import Epoch, PointId
from holdfast.model.change import Cursor
from holdfast.repository._format.snapshot import Snapshot, decode_snapshot, encode_snapshot
from holdfast.repository.catalog.brief import Brief, decode_brief, encode_brief
from holdfast.repository.catalog.database import Catalog, Row
from holdfast.repository.catalog.dataset_names import DatasetNames
from holdfast.repository.facts import Facts, facts_of, point_of

COLUMNS = "no, dataset, ordinal, epoch, seq, captured_ns, tree, moment, files, size"
_POINT, _HEAD, LOG_ROLE, LINEAGE_ROLE, ARCHIVE_ROLE = range(5)
_LISTED = "id, dataset, commit_no, time_ns, tree, head, brief"


class CommitRow(NamedTuple):
    """A commit that counts. `no` orders the commits of a dataset, `ordinal` counts them; `dataset` is the catalog's number of it. `moment`:
    0 = snapshots alone keep it, 1 = a log says what changed with it, 2 = the journal does; of these its tree may be in no pack. `files`
    and `size_bytes` are known of moments."""

    no: int
    dataset: int
    ordinal: int
    epoch: Epoch
    seq: int
    captured_ns: int
    tree: bytes
    moment: int = 0
    files: int = 0
    size_bytes: int = 0

    @property
    def cursor(self) -> Cursor:
        return Cursor(epoch=self.epoch, seq=self.seq)


class ListedRow(NamedTuple):
    """A restic snapshot as it is listed, without its JSON. `commit_no` is None for a foreign one. `is_head`: no point; `is_log`,
    `is_lineage` (older versions, or archived files): nor a whole state of the dataset."""

    id: bytes
    dataset: int | None
    commit_no: int | None
    time_ns: int
    tree: bytes
    is_head: bool
    brief: Brief
    is_log: bool = False
    is_lineage: bool = False


def _listed(row: Row) -> ListedRow:
    is_lineage = row[5] in (LINEAGE_ROLE, ARCHIVE_ROLE)
    return ListedRow(row[0], row[1], row[2], row[3], row[4], bool(row[5]), decode_brief(row[6]), row[5] == LOG_ROLE, is_lineage)


class CommitTable(DatasetNames):
    def __init__(self, catalog: Catalog) -> None:
        super().__init__(catalog)
        self._catalog: Catalog = catalog

    def newest(self, dataset: int) -> CommitRow | None:
        row = self._catalog.row(f"SELECT {COLUMNS} FROM commits WHERE dataset = ? AND sealed = 1 ORDER BY no DESC LIMIT 1", (dataset,))
        return CommitRow(*row) if row else None

    def oldest(self, dataset: int) -> CommitRow | None:
        row = self._catalog.row(f"SELECT {COLUMNS} FROM commits WHERE dataset = ? AND sealed = 1 ORDER BY ordinal LIMIT 1", (dataset,))
        return CommitRow(*row) if row else None

    def numbered(self, number: int) -> CommitRow | None:
        row = self._catalog.row(f"SELECT {COLUMNS} FROM commits WHERE no = ? AND sealed = 1", (number,))
        return CommitRow(*row) if row else None

    def number_at(self, dataset: int, ordinal: int) -> int:
        """Of the sealed commit that was counted so; 0 = there is none."""
        row = self._catalog.row("SELECT max(no) FROM commits WHERE dataset = ? AND ordinal = ? AND sealed = 1", (dataset, ordinal))
        return int(row[0] or 0) if row else 0

    def at_ordinal(self, dataset: int, ordinal: int) -> CommitRow | None:
        return self.numbered(self.number_at(dataset, ordinal))

    def before_ordinal(self, dataset: int, ordinal: int) -> CommitRow | None:
        """The newest sealed commit that was counted before this one."""
        found = f"SELECT {COLUMNS} FROM commits WHERE dataset = ? AND ordinal < ? AND sealed = 1 ORDER BY ordinal DESC LIMIT 1"
        row = self._catalog.row(found, (dataset, ordinal))
        return CommitRow(*row) if row else None

    def last_reached(self, dataset: int) -> int:
        """The ordinal of the newest commit whose whole tree a snapshot reaches; 0 = there is none."""
        row = self._catalog.row(
            "SELECT max(c.ordinal) FROM snapshots s JOIN commits c ON c.no = s.commit_no WHERE s.dataset = ? AND s.head < 2", (dataset,)
        )
        return int(row[0] or 0) if row else 0

    def neighbours(self, row: CommitRow) -> tuple[int, int]:
        """The numbers of the sealed commits before and behind; 0 = there is none."""
        found = self._catalog.row(
            "SELECT (SELECT max(no) FROM commits WHERE dataset = ?1 AND no < ?2 AND sealed = 1),"
            " (SELECT min(no) FROM commits WHERE dataset = ?1 AND no > ?2 AND sealed = 1)",
            (row.dataset, row.no),
        )
        return (found[0] or 0, found[1] or 0) if found else (0, 0)

    def sealed(self, dataset: int) -> list[CommitRow]:
        """All sealed commits of a dataset, oldest first."""
        rows = self._catalog.rows(f"SELECT {COLUMNS} FROM commits WHERE dataset = ? AND sealed = 1 ORDER BY no", (dataset,))
        return [CommitRow(*row) for row in rows]

    def open(self, dataset: int, ordinal: int, cursor: Cursor) -> int:
        """The number of a new commit that is not sealed yet."""
        return self._catalog.insert(
            "INSERT INTO commits (dataset, ordinal, epoch, seq, captured_ns, tree, sealed) VALUES (?, ?, ?, ?, 0, x'', 0)",
            (dataset, ordinal, cursor.epoch, cursor.seq),
        )

    def seal(self, number: int, captured_ns: int, tree: bytes) -> None:
        """From now on it counts."""
        self._catalog.execute("UPDATE commits SET captured_ns = ?, tree = ?, sealed = 1 WHERE no = ?", (captured_ns, tree, number))

    def unsealed(self) -> list[tuple[int, int]]:
        """(number, dataset) of commits that never got sealed."""
        return [(row[0], row[1]) for row in self._catalog.rows("SELECT no, dataset FROM commits WHERE sealed = 0 ORDER BY no DESC")]

    def delete(self, number: int) -> None:
        self._catalog.execute("DELETE FROM commits WHERE no = ?", (number,))

    def delete_all(self, dataset: int) -> None:
        with self._catalog.transaction():
            self._catalog.execute("DELETE FROM commits WHERE dataset = ? AND sealed = 1", (dataset,))
            self._catalog.execute("UPDATE snapshots SET commit_no = NULL WHERE dataset = ?", (dataset,))

    def unreached(self) -> list[CommitRow]:
        """Commits that no snapshot reaches any more, and whose changes stand nowhere, oldest first: of those that lost something since
        `settle_unreached`."""
        rows = self._catalog.rows(
            f"SELECT {COLUMNS} FROM commits WHERE sealed = 1 AND moment = 0 AND no IN (SELECT commit_no FROM loosened) AND NOT EXISTS"
            " (SELECT 1 FROM snapshots s WHERE s.dataset = commits.dataset AND s.commit_no = commits.no AND s.head < 2) ORDER BY no"
        )
        return [CommitRow(*row) for row in rows]

    def settle_unreached(self, left: Iterable[CommitRow]) -> None:
        """Every commit was looked at; those in `left` are to be looked at again."""
        with self._catalog.transaction():
            self._catalog.execute("DELETE FROM loosened")
            self._catalog.execute_many("INSERT INTO loosened VALUES (?)", [(row.no,) for row in left])

    def add_snapshot(self, snapshot_id: bytes, snapshot: Snapshot, dataset: int | None, commit_no: int | None) -> None:
        facts = facts_of(snapshot)
        is_head = facts is not None and facts.is_head
        try:
            point = None if is_head else point_of(snapshot_id, snapshot, "")
        except RepositoryDamaged:
            point = None
        brief = Brief(
            revision=facts.revision if facts else 0,
            ordinal=facts.ordinal if facts else 0,
            epoch=facts.epoch if facts else Epoch(""),
            seq=facts.seq if facts else 0,
            sender=facts.sender if facts else "",
            label=facts.label if facts else "",
            point=point,
        )
        role = _role_of(facts)
        name = "" if is_head else point.id if point is not None else snapshot_id.hex()[:32]
        time_ns = _within_64_bits(snapshot.time_ns)
        row = (snapshot_id, dataset, commit_no, time_ns, snapshot.tree_id, _storable(name), role, encode_brief(brief))
        with self._catalog.transaction():
            self._catalog.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            self._catalog.execute("INSERT OR REPLACE INTO snapshot_bodies VALUES (?, ?)", (snapshot_id, encode_snapshot(snapshot)))
            if facts is not None and facts.is_log:
                log = (snapshot_id, dataset, facts.first_ordinal, facts.ordinal)
                self._catalog.execute("INSERT OR REPLACE INTO logs VALUES (?, ?, ?, ?)", log)

    def is_point_of_another(self, point: PointId, dataset: int) -> bool:
        """Whether a snapshot of any other dataset, or a foreign one, is this point."""
        found = "SELECT 1 FROM snapshots WHERE point = ? AND head = 0 AND dataset IS NOT ? LIMIT 1"
        return self._catalog.row(found, (point, dataset)) is not None

    def cursors_of_point(self, point: PointId, dataset: int) -> frozenset[Cursor]:
        """Of which commits of its dataset this point is: none, where it is not here."""
        rows = self._catalog.rows("SELECT brief FROM snapshots WHERE point = ? AND head = 0 AND dataset = ?", (point, dataset))
        briefs = [decode_brief(row[0]) for row in rows]
        return frozenset(Cursor(epoch=brief.epoch, seq=brief.seq) for brief in briefs)

    def attach(self, snapshot_id: bytes, commit_no: int) -> None:
        self._catalog.execute("UPDATE snapshots SET commit_no = ? WHERE id = ?", (commit_no, snapshot_id))

    def remove_snapshots(self, snapshot_ids: Iterable[bytes]) -> None:
        self._catalog.execute_many("DELETE FROM snapshots WHERE id = ?", [(snapshot_id,) for snapshot_id in snapshot_ids])

    def snapshot_ids(self) -> set[bytes]:
        return {row[0] for row in self._catalog.rows("SELECT id FROM snapshots")}

    def snapshots(self) -> dict[bytes, Snapshot]:
        """All, as they were loaded, by id; oldest first. `listed` is many times faster where that is enough."""
        sql = "SELECT id, body FROM snapshots JOIN snapshot_bodies USING (id) ORDER BY time_ns, commit_no, id"
        return {row[0]: decode_snapshot(row[1]) for row in self._catalog.rows(sql)}

    def listed(self, dataset: int | None = None) -> list[ListedRow]:
        """Of one dataset, or all; oldest first."""
        where, values = ("WHERE dataset = ?", (dataset,)) if dataset is not None else ("", ())
        return self._listed(where, values)

    def listed_of_commit(self, row: CommitRow) -> list[ListedRow]:
        """The snapshots of this commit's whole tree, oldest first."""
        return self._listed("WHERE dataset = ? AND commit_no = ? AND head < 2", (row.dataset, row.no))

    def listed_without_commit(self, dataset: int) -> list[ListedRow]:
        return self._listed("WHERE dataset = ? AND commit_no IS NULL", (dataset,))

    def listed_as_point(self, prefix: str) -> list[ListedRow]:
        """The snapshots whose point's id, or whose own, begins so; with them every snapshot of the same points."""
        found = {
            row[0]
            for row in self._catalog.rows(
                "SELECT point FROM snapshots WHERE head = 0 AND point >= ? AND point < ?", _span(_storable(prefix))
            )
        }
        if all(digit in "0123456789abcdef" for digit in prefix):
            first, last = (bytes.fromhex((prefix + fill * 64)[:64]) for fill in "0f")
            of_snapshots = "SELECT point FROM snapshots WHERE head = 0 AND id BETWEEN ? AND ?"
            found |= {row[0] for row in self._catalog.rows(of_snapshots, (first, last))}
        return [row for point in sorted(found) for row in self._listed("WHERE point = ? AND head = 0", (point,))]

    def lineage(self, dataset: int) -> ListedRow | None:
        """The newest, should there be several."""
        return next(reversed(self._listed("WHERE dataset = ? AND head = 3", (dataset,))), None)

    def lineages(self, dataset: int) -> list[ListedRow]:
        return self._listed("WHERE dataset = ? AND head = 3", (dataset,))

    def archive(self, dataset: int) -> ListedRow | None:
        """The lineage of archived files; the newest, should there be several."""
        return max(self.archives(dataset), key=lambda row: row.brief.revision, default=None)

    def archives(self, dataset: int) -> list[ListedRow]:
        return self._listed("WHERE dataset = ? AND head = 4", (dataset,))

    def listed_foreign(self) -> list[ListedRow]:
        """The snapshots that Holdfast did not make."""
        return self._listed("WHERE dataset IS NULL", ())

    def listed_doubled(self) -> list[ListedRow]:
        """The snapshots of points that have more than one."""
        doubled = "SELECT point FROM snapshots WHERE head = 0 GROUP BY point HAVING count(*) > 1"
        return self._listed(f"WHERE head = 0 AND point IN ({doubled})", ())

    def listed_among(self, snapshot_ids: Sequence[bytes]) -> list[ListedRow]:
        rows = self._catalog.rows_among(f"SELECT {_LISTED} FROM snapshots WHERE id IN ({{ids}})", snapshot_ids)
        return [self._named_now(_listed(row)) for row in rows]

    def listed_snapshot(self, snapshot_id: bytes) -> ListedRow | None:
        return next(iter(self._listed("WHERE id = ?", (snapshot_id,))), None)

    def listed_at(self, dataset: int, until_ns: int) -> list[ListedRow]:
        """The snapshots of the newest points of a dataset that were captured at or before a time."""
        newest = "(SELECT max(time_ns) FROM snapshots WHERE dataset = ?1 AND head = 0 AND time_ns <= ?2)"
        return self._listed(f"WHERE dataset = ?1 AND head = 0 AND time_ns = {newest}", (dataset, _within_64_bits(until_ns)))

    def listed_newest(self, dataset: int) -> list[ListedRow]:
        """The snapshots of the newest points of a dataset, by the order of their commits: a clock that was ahead gave a later time to what
        came before."""
        newest = "(SELECT max(commit_no) FROM snapshots WHERE dataset = ?1 AND head = 0)"
        return self._listed(f"WHERE dataset = ?1 AND head = 0 AND commit_no = {newest}", (dataset,))

    def _listed(self, where: str, values: Sequence[object]) -> list[ListedRow]:
        rows = self._catalog.rows(f"SELECT {_LISTED} FROM snapshots {where} ORDER BY time_ns, commit_no, id", values)
        return [self._named_now(_listed(row)) for row in rows]

    def _named_now(self, row: ListedRow) -> ListedRow:
        point = row.brief.point
        label = self.called.get(point.dataset_id) if point is not None else None
        if point is None or label in (None, point.dataset):
            return row
        return row._replace(brief=replace(row.brief, label=label, point=replace(point, dataset=label)))

    def needless_heads(self, dataset: int, newest_commit: int, *, marked: bool) -> list[bytes]:
        """Heads of older commits; of the newest one, too, where `marked` says that it has a point."""
        found = "SELECT id FROM snapshots WHERE dataset = ? AND head = 1 AND (? OR commit_no IS NOT ?)"
        return [row[0] for row in self._catalog.rows(found, (dataset, marked, newest_commit))]

    def datasets_to_order(self) -> list[int]:
        """Datasets with a snapshot that has no commit yet."""
        return [
            row[0]
            for row in self._catalog.rows(
                "SELECT no FROM datasets WHERE EXISTS (SELECT 1 FROM snapshots s WHERE s.dataset = datasets.no AND s.commit_no IS NULL)"
            )
        ]


def _role_of(facts: Facts | None) -> int:
    if facts is None or not facts.is_head:
        return _POINT
    if facts.is_log:
        return LOG_ROLE
    return LINEAGE_ROLE if facts.is_lineage else ARCHIVE_ROLE if facts.is_archive else _HEAD


def _span(prefix: str) -> tuple[str, str]:
    return prefix, prefix + "\U0010ffff"


def _storable(name: str) -> str:
    """A point's id of a snapshot made elsewhere may hold anything."""
    return name.encode("utf-8", "replace").decode("utf-8")


def _within_64_bits(ns: int) -> int:
    """A snapshot made elsewhere may be of any year; the column only orders."""
    return max(-(2**63), min(2**63 - 1, ns))

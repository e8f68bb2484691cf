"""Commits of each dataset in their order, and the restic snapshots that reach them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from holdfast.core.ids import Epoch, PointId
from holdfast.model.change import Cursor
from holdfast.repository._format.snapshot import Snapshot, decode_snapshot, encode_snapshot
from holdfast.repository.catalog import Catalog

_COLUMNS = "no, dataset, ordinal, epoch, seq, captured_ns, tree"


class CommitRow(NamedTuple):
    """A sealed commit. `no` orders the commits of a dataset, `ordinal` counts them; `dataset` is the catalog's number of it."""

    no: int
    dataset: int
    ordinal: int
    epoch: Epoch
    seq: int
    captured_ns: int
    tree: bytes

    @property
    def cursor(self) -> Cursor:
        return Cursor(epoch=self.epoch, seq=self.seq)


class SnapshotRow(NamedTuple):
    """A restic snapshot as loaded. `commit_no` is None for a foreign one."""

    id: bytes
    dataset: int | None
    commit_no: int | None
    snapshot: Snapshot


class CommitTable:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def newest(self, dataset: int) -> CommitRow | None:
        row = self._catalog.row(f"SELECT {_COLUMNS} FROM commits WHERE dataset = ? AND sealed = 1 ORDER BY no DESC LIMIT 1", (dataset,))
        return CommitRow(*row) if row else None

    def sealed(self, dataset: int) -> list[CommitRow]:
        """All sealed commits of a dataset, oldest first."""
        rows = self._catalog.rows(f"SELECT {_COLUMNS} FROM commits WHERE dataset = ? AND sealed = 1 ORDER BY no", (dataset,))
        return [CommitRow(*row) for row in rows]

    def open(self, dataset: int, ordinal: int, cursor: Cursor) -> int:
        """The number of a new commit that is not sealed yet."""
        return self._catalog.insert(
            "INSERT INTO commits (dataset, ordinal, epoch, seq, captured_ns, tree, sealed) VALUES (?, ?, ?, ?, 0, x'', 0)",
            (dataset, ordinal, cursor.epoch, cursor.seq),
        )

    def seal(self, number: int, captured_ns: int, tree: bytes) -> None:
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
        """Sealed commits that no snapshot reaches any more."""
        rows = self._catalog.rows(
            f"SELECT {_COLUMNS} FROM commits WHERE sealed = 1"
            " AND no NOT IN (SELECT commit_no FROM snapshots WHERE commit_no IS NOT NULL) ORDER BY no"
        )
        return [CommitRow(*row) for row in rows]

    def add_snapshot(self, snapshot_id: bytes, snapshot: Snapshot, dataset: int | None, commit_no: int | None) -> None:
        self._catalog.execute(
            "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?)",
            (snapshot_id, dataset, commit_no, _within_64_bits(snapshot.time_ns), encode_snapshot(snapshot)),
        )

    def is_point_of_another(self, point: PointId, dataset: int) -> bool:
        """Whether a snapshot of any other dataset, or a foreign one, is this point."""
        found = "SELECT 1 FROM snapshots WHERE dataset IS NOT ? AND instr(body, CAST(? AS BLOB)) LIMIT 1"
        return self._catalog.row(found, (dataset, f"hf:point={point}")) is not None

    def attach(self, snapshot_id: bytes, commit_no: int) -> None:
        self._catalog.execute("UPDATE snapshots SET commit_no = ? WHERE id = ?", (commit_no, snapshot_id))

    def remove_snapshots(self, snapshot_ids: Iterable[bytes]) -> None:
        self._catalog.execute_many("DELETE FROM snapshots WHERE id = ?", [(snapshot_id,) for snapshot_id in snapshot_ids])

    def snapshot_ids(self) -> set[bytes]:
        return {row[0] for row in self._catalog.rows("SELECT id FROM snapshots")}

    def snapshots(self, dataset: int | None = None) -> list[SnapshotRow]:
        """Of one dataset, or all; oldest first."""
        where, values = ("WHERE dataset = ?", (dataset,)) if dataset is not None else ("", ())
        rows = self._catalog.rows(f"SELECT id, dataset, commit_no, body FROM snapshots {where} ORDER BY time_ns, commit_no, id", values)
        return [SnapshotRow(row[0], row[1], row[2], decode_snapshot(row[3])) for row in rows]

    def datasets_to_order(self) -> list[int]:
        """Datasets with a snapshot that has no commit yet."""
        return [row[0] for row in self._catalog.rows("SELECT DISTINCT dataset FROM snapshots WHERE dataset NOT NULL AND commit_no IS NULL")]

    def datasets(self) -> list[tuple[int, str]]:
        """(number, id) of every dataset that has a commit."""
        rows = self._catalog.rows("SELECT no, id FROM datasets WHERE no IN (SELECT dataset FROM commits WHERE sealed = 1) ORDER BY no")
        return [(row[0], row[1]) for row in rows]


def _within_64_bits(ns: int) -> int:
    """A snapshot made elsewhere may be of any year; the column only orders."""
    return max(-(2**63), min(2**63 - 1, ns))

"""Moments: commits that can be restored though no point is theirs, what is said of the datasets that have them, and their gaps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from holdfast.core.clock import ns_of
from holdfast.core.ids import DatasetId
from holdfast.model.gaps import Gap, GapReason
from holdfast.repository.catalog.commit_table import COLUMNS, CommitRow
from holdfast.repository.catalog.database import Catalog
from holdfast.repository.facts import moment_of

LOGGED, HELD = 1, 2
_LAST_NS = (1 << 63) - 1
_HAS_TREE = "EXISTS (SELECT 1 FROM snapshots s WHERE s.dataset = commits.dataset AND s.commit_no = commits.no AND s.head < 2)"


class LogRow(NamedTuple):
    """A log snapshot: the ordinals of its commits, its time, and its tree."""

    id: bytes
    first: int
    last: int
    time_ns: int
    tree: bytes


class BaseRow(NamedTuple):
    """A head: the commit it is of, and when that was captured. `is_told`: what changed with the commit stands somewhere; `is_built_on`:
    what changed with the next one does."""

    id: bytes
    commit_no: int
    ordinal: int
    captured_ns: int
    is_told: bool
    is_built_on: bool


class MomentTable:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    # What is said of a dataset

    def follow(self, dataset: int, facts: bytes, *, logged: bool) -> None:
        """Its encoded facts; whether moments of it are kept."""
        self._catalog.execute("INSERT OR REPLACE INTO followed VALUES (?, ?, ?)", (dataset, logged, facts))

    def facts(self, dataset: int) -> bytes | None:
        row = self._catalog.row("SELECT facts FROM followed WHERE dataset = ?", (dataset,))
        return row[0] if row else None

    def logged(self) -> list[int]:
        """The datasets of which moments are kept."""
        return [row[0] for row in self._catalog.rows("SELECT dataset FROM followed WHERE logged = 1 ORDER BY dataset")]

    def with_logs(self) -> list[int]:
        """The datasets of which anything stands in a log: moments, or gaps alone."""
        return [row[0] for row in self._catalog.rows("SELECT DISTINCT dataset FROM logs ORDER BY dataset")]

    def has_logged(self, dataset: int) -> bool:
        return self._catalog.row("SELECT 1 FROM commits WHERE dataset = ? AND moment = 1 LIMIT 1", (dataset,)) is not None

    # Commits

    def newest_at(self, dataset: int, until_ns: int | None) -> CommitRow | None:
        """The newest commit captured at or before a time, point or not, of a dataset whose moments are kept or held. None = the newest of
        all: a clock that was ahead gave a later time to what came before it."""
        order = "no DESC" if until_ns is None else "captured_ns DESC, no DESC"
        row = self._catalog.row(
            f"SELECT {COLUMNS} FROM commits WHERE dataset = ?1 AND sealed = 1 AND captured_ns <= ?2 AND (moment > 0"
            f" OR EXISTS (SELECT 1 FROM followed f WHERE f.dataset = ?1 AND f.logged = 1)) ORDER BY {order} LIMIT 1",
            (dataset, _LAST_NS if until_ns is None else min(until_ns, _LAST_NS)),
        )
        return CommitRow(*row) if row else None

    def listed(self, dataset: int, since_ns: int, until_ns: int, limit: int) -> list[CommitRow]:
        """All commits captured in a span, both ends with it, newest first."""
        rows = self._catalog.rows(
            f"SELECT {COLUMNS} FROM commits WHERE dataset = ? AND sealed = 1 AND captured_ns BETWEEN ? AND ?"
            " ORDER BY captured_ns DESC, no DESC LIMIT ?",
            (dataset, since_ns, min(until_ns, _LAST_NS), limit),
        )
        return [CommitRow(*row) for row in rows]

    def oldest(self, dataset: int) -> int | None:
        """When the oldest moment was captured that stands in a log or is held, ns since 1970."""
        row = self._catalog.row(
            "SELECT captured_ns FROM commits WHERE dataset = ? AND sealed = 1 AND moment > 0 ORDER BY captured_ns LIMIT 1", (dataset,)
        )
        return int(row[0]) if row else None

    def base_of(self, row: CommitRow) -> CommitRow | None:
        """The newest commit at or before this one whose tree a snapshot reaches."""
        found = self._catalog.row(
            f"SELECT {COLUMNS} FROM commits WHERE dataset = ? AND no <= ? AND sealed = 1 AND {_HAS_TREE} ORDER BY no DESC LIMIT 1",
            (row.dataset, row.no),
        )
        return CommitRow(*found) if found else None

    def mark(self, number: int, moment: int, files: int, size_bytes: int) -> None:
        self._catalog.execute("UPDATE commits SET moment = ?, files = ?, size = ? WHERE no = ?", (moment, files, size_bytes, number))

    def held_to(self, dataset: int, moment: int) -> None:
        """What the journal held stands in a log now (`LOGGED`), or is kept by snapshots alone (0)."""
        with self._catalog.transaction():
            if not moment:
                self._loosen("dataset = ? AND moment = 2", (dataset,))
            self._catalog.execute("UPDATE commits SET moment = ? WHERE dataset = ? AND moment = 2", (moment, dataset))

    def held_alone(self) -> dict[DatasetId, list[CommitRow]]:
        """Commits that the journal has, and neither a snapshot nor a log; by their datasets, the oldest first."""
        found: dict[DatasetId, list[CommitRow]] = {}
        logged = "SELECT 1 FROM logs l WHERE l.dataset = commits.dataset AND l.first <= ordinal AND l.last >= ordinal"
        rows = self._catalog.rows(
            f"SELECT (SELECT d.id FROM datasets d WHERE d.no = dataset), {COLUMNS} FROM commits"
            f" WHERE sealed = 1 AND moment = 2 AND NOT {_HAS_TREE} AND NOT EXISTS ({logged}) ORDER BY no"
        )
        for dataset, *row in rows:
            found.setdefault(DatasetId(dataset), []).append(CommitRow(*row))
        return found

    def release(self, dataset: int, before_ordinal: int) -> None:
        """Moments of earlier commits are kept no more."""
        with self._catalog.transaction():
            where = "dataset = ? AND moment = 1 AND ordinal < ?"
            self._loosen(where, (dataset, before_ordinal))
            self._catalog.execute(f"UPDATE commits SET moment = 0 WHERE {where}", (dataset, before_ordinal))

    def uncover(self, dataset: int, first: int, last: int) -> None:
        """A log of these ordinals is gone: those that no other one has are moments no more, nor are their gaps known."""
        uncovered = (
            "dataset = ?1 AND ordinal BETWEEN ?2 AND ?3 AND NOT EXISTS"
            " (SELECT 1 FROM logs l WHERE l.dataset = ?1 AND l.first <= {0}.ordinal AND l.last >= {0}.ordinal)"
        )
        where = "moment = 1 AND " + uncovered.format("commits")
        with self._catalog.transaction():
            self._catalog.execute("DELETE FROM gaps WHERE " + uncovered.format("gaps"), (dataset, first, last))
            self._loosen(where, (dataset, first, last))
            self._catalog.execute(f"UPDATE commits SET moment = 0 WHERE {where}", (dataset, first, last))

    def break_off(self, dataset: int) -> None:
        """After something went that moments build on: those that cannot be restored any more are none."""
        rows = self._catalog.rows(
            f"SELECT no, ordinal, moment, {_HAS_TREE} FROM commits WHERE dataset = ? AND sealed = 1 ORDER BY no", (dataset,)
        )
        broken: list[tuple[int]] = []
        last = -1
        for number, ordinal, moment, has_tree in rows:
            if has_tree or moment == HELD or (moment and ordinal == last + 1):
                last = ordinal
            elif moment:
                broken.append((number,))
        with self._catalog.transaction():
            self._catalog.execute_many("INSERT OR IGNORE INTO loosened VALUES (?)", broken)
            self._catalog.execute_many("UPDATE commits SET moment = 0 WHERE no = ?", broken)

    def _loosen(self, where: str, values: Sequence[object]) -> None:
        self._catalog.execute(f"INSERT OR IGNORE INTO loosened SELECT no FROM commits WHERE {where}", values)

    # Snapshots

    def logs(self, dataset: int, first: int = 0, last: int = _LAST_NS) -> list[LogRow]:
        """Those that have commits of these ordinals, oldest first."""
        rows = self._catalog.rows(
            "SELECT l.id, l.first, l.last, s.time_ns, s.tree FROM logs l JOIN snapshots s ON s.id = l.id"
            " WHERE l.dataset = ? AND l.last >= ? AND l.first <= ? ORDER BY l.first, l.last",
            (dataset, first, last),
        )
        return [LogRow(*row) for row in rows]

    def spans_of(self, snapshots: Sequence[bytes]) -> list[tuple[int, int, int]]:
        """(dataset, first, last) of those that are logs."""
        rows = self._catalog.rows_among("SELECT dataset, first, last FROM logs WHERE id IN ({ids})", snapshots)
        return [(row[0], row[1], row[2]) for row in rows]

    def last_logged(self, dataset: int) -> int:
        row = self._catalog.row("SELECT coalesce(max(last), 0) FROM logs WHERE dataset = ?", (dataset,))
        return int(row[0]) if row else 0

    def heads(self, dataset: int) -> list[BaseRow]:
        """Oldest first."""
        rows = self._catalog.rows(
            "SELECT s.id, c.no, c.ordinal, c.captured_ns, c.moment > 0, coalesce((SELECT n.moment FROM commits n"
            " WHERE n.dataset = c.dataset AND n.no > c.no AND n.sealed = 1 ORDER BY n.no LIMIT 1), 0) > 0"
            " FROM snapshots s JOIN commits c ON c.no = s.commit_no WHERE s.dataset = ? AND s.head = 1 ORDER BY c.no, s.id",
            (dataset,),
        )
        return [BaseRow(row[0], row[1], row[2], row[3], bool(row[4]), bool(row[5])) for row in rows]

    def is_built_on(self, row: CommitRow) -> bool:
        """Whether what changed with the next commit stands somewhere, and needs this one's tree."""
        behind = self._catalog.row(
            "SELECT moment FROM commits WHERE dataset = ? AND no > ? AND sealed = 1 ORDER BY no LIMIT 1", (row.dataset, row.no)
        )
        return behind is not None and behind[0] > 0

    # Gaps

    def add_gaps(self, dataset: int, ordinal: int, gaps: Iterable[Gap]) -> None:
        """Those that came with a commit."""
        rows = [(dataset, ns_of(gap.until), ns_of(gap.since), gap.path, gap.reason.value, ordinal) for gap in gaps]
        self._catalog.insert_many("gaps", rows, on_conflict="IGNORE")

    def gaps(self, dataset: int, since_ns: int, until_ns: int, limit: int) -> list[Gap]:
        """The newest of those that have a part of the span, oldest first."""
        rows = self._catalog.rows(
            "SELECT DISTINCT path, since_ns, until_ns, reason FROM gaps WHERE dataset = ? AND until_ns >= ? AND since_ns <= ?"
            " ORDER BY until_ns DESC LIMIT ?",
            (dataset, since_ns, min(until_ns, _LAST_NS), limit),
        )
        return [
            Gap(path=path, since=moment_of(since), until=moment_of(until), reason=GapReason(reason))
            for path, since, until, reason in reversed(rows)
        ]

"""Which of many paths had a version that fits, and what there is to say of each: size, time, owner, type, and when it was there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from holdfast.core.clock import ns_of
from holdfast.model.search import KINDS_OF_TYPE, Search, Span, State
from holdfast.repository.catalog.database import Rows
from holdfast.repository.catalog.version_lookup import Begun, FoundPath, VersionLookup
from holdfast.repository.catalog.version_table import KIND_SHIFT, KINDS

_AT_ONCE = 256
_LAST_NS = (1 << 63) - 1
# Times of a search are true to a microsecond, all of which belongs to it.
_BELOW_A_MICROSECOND_NS = 999
_LIVE = (
    "EXISTS (SELECT 1 FROM commits c WHERE c.dataset = v.dataset AND c.no >= v.from_no"
    " AND c.no < coalesce(v.to_no, 9223372036854775807) AND c.sealed = 1)"
)


class _Newest(NamedTuple):
    """The newest commit of a dataset."""

    no: int
    captured_ns: int


@dataclass(frozen=True)
class _Condition:
    """On a version `v` of one dataset."""

    sql: str
    values: tuple[object, ...]


class VersionFilter:
    """For one question: what it has read of datasets and owners stays as it is."""

    def __init__(self, view: Rows, search: Search) -> None:
        self._view = view
        self._lookup = VersionLookup(view)
        self._search = search
        self._owners = _owners(view, search.owner) if search.owner else None
        self._newest: dict[int, _Newest | None] = {}
        self._conditions: dict[int, _Condition] = {}

    @property
    def is_hopeless(self) -> bool:
        """Nobody of that name ever had a file."""
        return self._owners == ()

    def fitting(self, paths: Sequence[FoundPath]) -> dict[int, int]:
        """Of these, by number, those that have a version that fits, with the number of the commit in which the newest such began."""
        by_dataset: dict[int, list[int]] = {}
        for path in paths:
            by_dataset.setdefault(path.dataset, []).append(path.no)
        found: dict[int, int] = {}
        for dataset, numbers in by_dataset.items():
            newest = self._newest_of(dataset)
            if newest is not None:
                found |= self._fitting(dataset, newest.no, numbers)
        return found

    def begun(self, fitting: Sequence[tuple[FoundPath, int]]) -> dict[int, Begun]:
        """What there is to say of paths with the commit in which their version began. Those that went a moment ago are missing."""
        by_dataset: dict[int, list[tuple[FoundPath, int]]] = {}
        for path, from_no in fitting:
            by_dataset.setdefault(path.dataset, []).append((path, from_no))
        found: dict[int, Begun] = {}
        for dataset, mine in by_dataset.items():
            newest = self._newest_of(dataset)
            if newest is not None:
                found |= self._lookup.begun(mine, newest.no)
        return found

    def _fitting(self, dataset: int, newest_no: int, numbers: Sequence[int]) -> dict[int, int]:
        condition = self._conditions.get(dataset) or self._conditions.setdefault(dataset, self._condition(dataset, newest_no))
        found: dict[int, int] = {}
        for start in range(0, len(numbers), _AT_ONCE):
            some = numbers[start : start + _AT_ONCE]
            among = f"v.path IN ({','.join('?' * len(some))}) AND {condition.sql}"
            sql = f"SELECT v.path, max(v.from_no) FROM versions v WHERE {among} GROUP BY v.path"
            found.update(self._view.rows(sql, (*some, *condition.values)))
        return found

    def _condition(self, dataset: int, newest_no: int) -> _Condition:
        parts = list(self._conditions_of_version(dataset))
        if self._search.state is not None:
            exists = "EXISTS (SELECT 1 FROM versions w WHERE w.path = v.path AND w.from_no <= ? AND (w.to_no IS NULL OR w.to_no > ?))"
            wanted = exists if self._search.state is State.EXISTING else f"NOT {exists}"
            parts.append((wanted, (newest_no, newest_no)))
        parts.append((f"v.from_no <= ? AND {_LIVE}", (newest_no,)))
        return _Condition(" AND ".join(sql for sql, _ in parts), tuple(value for _, values in parts for value in values))

    def _conditions_of_version(self, dataset: int) -> Iterator[tuple[str, tuple[object, ...]]]:
        search = self._search
        if search.size_from is not None:
            yield "v.size >= ?", (search.size_from,)
        if search.size_to is not None:
            yield "v.size <= ?", (search.size_to,)
        if search.modified.since is not None:
            yield _of_time(">=", ns_of(search.modified.since))
        if search.modified.until is not None:
            yield _of_time("<=", ns_of(search.modified.until) + _BELOW_A_MICROSECOND_NS)
        if search.types:
            kinds = [KINDS.index(kind) for each in search.types for kind in KINDS_OF_TYPE[each]]
            yield f"v.mode >> {KIND_SHIFT} IN ({','.join(map(str, kinds))})", ()
        if self._owners is not None:
            yield f"v.owner IN ({','.join(map(str, self._owners))})", ()
        if search.existed != Span():
            yield from self._existed(dataset, search.existed)

    def _existed(self, dataset: int, span: Span) -> Iterator[tuple[str, tuple[object, ...]]]:
        """A version is there from the commit it begins with until the one it ends with."""
        newest_at = (
            "SELECT no FROM commits WHERE dataset = ? AND captured_ns <= ? AND sealed = 1 ORDER BY captured_ns DESC, no DESC LIMIT 1"
        )
        if span.until is not None:
            row = self._view.row(newest_at, (dataset, _bound(ns_of(span.until) + _BELOW_A_MICROSECOND_NS)))
            yield "v.from_no <= ?", (row[0] if row else 0,)
        if span.since is not None:
            row = self._view.row(newest_at, (dataset, _bound(ns_of(span.since))))
            yield "(v.to_no IS NULL OR v.to_no > ?)", (row[0] if row else 0,)

    def _newest_of(self, dataset: int) -> _Newest | None:
        if dataset not in self._newest:
            sql = "SELECT no, captured_ns FROM commits WHERE dataset = ? AND sealed = 1 ORDER BY no DESC LIMIT 1"
            row = self._view.row(sql, (dataset,))
            self._newest[dataset] = _Newest(*row) if row else None
        return self._newest[dataset]


def _of_time(sign: str, ns: int) -> tuple[str, tuple[object, ...]]:
    # A time that 64 bits cannot hold is kept as digits (`column_of_time`).
    far = f"CAST(v.mtime_ns AS REAL) {sign} ?"
    return f"CASE typeof(v.mtime_ns) WHEN 'integer' THEN v.mtime_ns {sign} ? ELSE {far} END", (_bound(ns), float(ns))


def _bound(ns: int) -> int:
    """The nearest that SQLite can compare with."""
    return max(-_LAST_NS, min(_LAST_NS, ns))


def _owners(view: Rows, owner: str) -> tuple[int, ...]:
    number = int(owner) if owner.isascii() and owner.isdigit() and len(owner) < 18 else -1
    return tuple(row[0] for row in view.rows("SELECT no FROM owners WHERE user = ? OR uid = ?", (owner, number)))

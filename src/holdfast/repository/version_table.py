"""Every state every path ever had: what `find` asks. A row counts only while a live commit lies between its bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from holdfast.model.entry import Entry, Kind, walk_key
from holdfast.repository.catalog import Catalog

_KINDS = tuple(Kind)
_KIND_NUMBER = {kind: number for number, kind in enumerate(_KINDS)}
_PAGE = 20_000
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1


class NewVersion(NamedTuple):
    """A path's new state; `replaces` = it had one before, which ends."""

    entry: Entry
    replaces: bool


class Ended(NamedTuple):
    """A path that is gone with all below it. `below_only`: the path itself lives on as another kind of file."""

    path: bytes
    below_only: bool = False


class VersionRow(NamedTuple):
    key: bytes
    from_no: int
    to_no: int | None
    kind: Kind
    mode: int
    size_bytes: int
    mtime_ns: int
    uid: int
    gid: int


def _clamped(number: int) -> int:
    """SQLite's integers are signed 64 bit."""
    return number if _LEAST <= number <= _MOST else _LEAST if number < _LEAST else _MOST


class VersionTable:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def record(self, dataset: int, commit_no: int, ended: Sequence[Ended], new: Sequence[NewVersion]) -> None:
        """Take the changes of one commit, or of a part of it. All of `ended` counts before all of `new`."""
        if not ended and not new:
            return
        with self._catalog.transaction():
            for path, below_only in ended:
                key = walk_key(path)
                # Everything below the path sorts between key + NUL and key + SOH.
                self._catalog.execute(
                    "UPDATE versions SET to_no = ? WHERE dataset = ? AND key >= ? AND key < ? AND to_no IS NULL",
                    (commit_no, dataset, key + b"\x00", key + b"\x01"),
                )
                if not below_only:
                    self._end_exactly(dataset, commit_no, [key])
            self._end_exactly(dataset, commit_no, [walk_key(version.entry.path) for version in new if version.replaces])
            self._catalog.insert_many(
                "versions",
                [
                    (
                        dataset,
                        walk_key(e.path),
                        commit_no,
                        None,
                        _KIND_NUMBER[e.kind],
                        e.mode,
                        e.size_bytes,
                        _clamped(e.mtime_ns),
                        e.uid,
                        e.gid,
                    )
                    for e, _ in new
                ],
                on_conflict="REPLACE",
            )

    def _end_exactly(self, dataset: int, commit_no: int, keys: Sequence[bytes]) -> None:
        self._catalog.execute_many(
            "UPDATE versions SET to_no = ? WHERE dataset = ? AND key = ? AND to_no IS NULL", [(commit_no, dataset, key) for key in keys]
        )

    def undo(self, dataset: int, commit_no: int) -> None:
        """Forget what an unsealed commit recorded."""
        with self._catalog.transaction():
            self._catalog.execute("DELETE FROM versions WHERE dataset = ? AND from_no = ?", (dataset, commit_no))
            self._catalog.execute("UPDATE versions SET to_no = NULL WHERE dataset = ? AND to_no = ?", (dataset, commit_no))

    def purge(self, dataset: int, removed_no: int, previous_no: int, next_no: int) -> None:
        """Drop the versions that only the removed commit had. `previous_no` 0 = it was the oldest."""
        self._catalog.execute(
            "DELETE FROM versions WHERE dataset = ? AND to_no > ? AND to_no <= ? AND from_no > ?",
            (dataset, removed_no, next_no, previous_no),
        )

    def clear(self, dataset: int) -> None:
        self._catalog.execute("DELETE FROM versions WHERE dataset = ?", (dataset,))

    def all_of(self, dataset: int) -> Iterator[VersionRow]:
        """Every row of a dataset in walk order, oldest version of a path first; pages are read as they are needed."""
        last_key, last_no = b"", -1
        while True:
            rows = self._catalog.rows(
                "SELECT key, from_no, to_no, kind, mode, size, mtime_ns, uid, gid FROM versions"
                " WHERE dataset = ? AND (key, from_no) > (?, ?) ORDER BY key, from_no LIMIT ?",
                (dataset, last_key, last_no, _PAGE),
            )
            for row in rows:
                yield VersionRow(row[0], row[1], row[2], _KINDS[row[3]], row[4], row[5], row[6], row[7], row[8])
            if len(rows) < _PAGE:
                return
            last_key, last_no = rows[-1][0], rows[-1][1]

"""Reading the versions: a folder as it was at a commit, one path's history, the versions of many paths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from holdfast.model.entry import Kind, path_of
from holdfast.repository.catalog.database import Rows
from holdfast.repository.catalog.version_table import KIND_SHIFT, KINDS, folder_key

_PAGE = 2_000
_MODE_BITS = (1 << KIND_SHIFT) - 1
_STATE = "v.mode, v.size, v.mtime_ns, v.link, o.uid, o.gid, o.user, o.grp"


class State(NamedTuple):
    """What a path was. `mtime_ns` and the rest are as in `model.entry.Entry`."""

    path: bytes
    kind: Kind
    mode: int
    size_bytes: int
    mtime_ns: int
    link_target: bytes
    uid: int
    gid: int
    user: str
    group: str


class Version(NamedTuple):
    """A state that a live commit has. `from_ns`: when the first that has it was captured; `to_ns`: the first that has another state, or
    none; None = it is still so. `point`: the newest point that has it, None where none has; `points`: how many have it, if counted."""

    dataset: int
    state: State
    from_ns: int
    to_ns: int | None
    point: str | None
    points: int


def _state(path: bytes, row: Sequence[object]) -> State:
    mode, size, mtime, link, uid, gid, user, group = row
    return State(path, KINDS[mode >> KIND_SHIFT], mode & _MODE_BITS, size, int(mtime), link or b"", uid, gid, user, group)  # type: ignore[operator, arg-type, call-overload]


# When the first live commit that has the version was captured (NULL = none has it, so it does not count), when the first behind its end,
# and the newest point in between.
_SPAN = "s.dataset = v.dataset AND s.commit_no >= v.from_no AND s.commit_no < coalesce(v.to_no, 9223372036854775807) AND s.head = 0"
_LIFE = f"""
  (SELECT c.captured_ns FROM commits c WHERE c.dataset = v.dataset AND c.no >= v.from_no
     AND c.no < coalesce(v.to_no, 9223372036854775807) AND c.sealed = 1 ORDER BY c.no LIMIT 1) AS from_ns,
  (SELECT c.captured_ns FROM commits c WHERE c.dataset = v.dataset AND c.no >= v.to_no AND c.sealed = 1 ORDER BY c.no LIMIT 1),
  (SELECT s.point FROM snapshots s WHERE {_SPAN} ORDER BY s.commit_no DESC, s.point DESC LIMIT 1)
"""
_COUNTED = f"(SELECT count(DISTINCT s.point) FROM snapshots s WHERE {_SPAN})"


_BEGUN_AT_ONCE = 64
# Of the path that the version is of: how many it has, with what its newest ended (NULL = it has not), the newest commit that has it.
_OF_PATH = "x.path = v.path AND EXISTS (SELECT 1 FROM commits c WHERE c.dataset = v.dataset AND c.no >= x.from_no AND c.sealed = 1)"
_LAST = f"SELECT x.to_no FROM versions x WHERE {_OF_PATH} ORDER BY x.from_no DESC LIMIT 1"
_AS_A_PATH = f"""
  (SELECT count(*) FROM versions x WHERE x.path = v.path),
  ({_LAST}),
  (SELECT c.captured_ns FROM commits c WHERE c.dataset = v.dataset AND c.no < coalesce(({_LAST}), 9223372036854775807) AND c.sealed = 1
     ORDER BY c.no DESC LIMIT 1)
"""


class Begun(NamedTuple):
    """A version, and of its path: how many it has in all, when the newest state that has it was captured, and whether that is the newest
    of all."""

    version: Version
    versions: int
    seen_ns: int
    exists: bool


class FoundPath(NamedTuple):
    no: int
    dataset: int
    path: bytes


def _joined(key: bytes, name: bytes) -> bytes:
    return (path_of(key) if key else b"") + b"/" + name


class VersionLookup:
    def __init__(self, catalog: Rows) -> None:
        self._catalog = catalog

    def at(self, dataset: int, commit_no: int, path: bytes) -> State | None:
        """One path as it was at a commit."""
        number = self._path(dataset, path)
        row = self._catalog.row(
            f"SELECT {_STATE} FROM versions v JOIN owners o ON o.no = v.owner WHERE v.path = ?1 AND v.from_no ="
            " (SELECT max(from_no) FROM versions WHERE path = ?1 AND from_no <= ?2) AND (v.to_no IS NULL OR v.to_no > ?2)",
            (number, commit_no),
        )
        return _state(path, row) if row else None

    def children(self, dataset: int, commit_no: int, folder: bytes, start: bytes = b"") -> Iterator[State]:
        """The entries of a folder (b"" = the root of all) at a commit in order of their names, from the name `start` on."""
        found = self._catalog.row("SELECT no FROM folders WHERE dataset = ? AND key = ?", (dataset, folder_key(folder)))
        if found is None:
            return
        while True:
            rows = self._catalog.rows(
                f"SELECT p.name, {_STATE} FROM paths p JOIN versions v ON v.path = p.no AND v.from_no ="
                " (SELECT max(from_no) FROM versions WHERE path = p.no AND from_no <= ?1) JOIN owners o ON o.no = v.owner"
                " WHERE p.folder = ?2 AND p.name >= ?3 AND (v.to_no IS NULL OR v.to_no > ?1) ORDER BY p.name LIMIT ?4",
                (commit_no, found[0], start, _PAGE),
            )
            for name, *state in rows:
                yield _state(folder + b"/" + name, state)
            if len(rows) < _PAGE:
                return
            start = rows[-1][0] + b"\x00"

    def history(self, dataset: int, path: bytes, limit: int) -> list[Version]:
        """The newest versions of one path, newest first, with the number of points that have each."""
        return self._versions(FoundPath(self._path(dataset, path), dataset, path), f"{_LIFE}, {_COUNTED}", "DESC", limit)

    def versions(self, found: FoundPath, limit: int) -> list[Version]:
        """The oldest versions of one path, oldest first."""
        return self._versions(found, f"{_LIFE}, 0", "ASC", limit)

    def begun(self, wanted: Sequence[tuple[FoundPath, int]], newest_no: int) -> dict[int, Begun]:
        """Of paths of one dataset, by number, the version that began with the commit beside each; as it is at the commit `newest_no`."""
        found: dict[int, Begun] = {}
        by_number = {path.no: path for path, _ in wanted}
        for start in range(0, len(wanted), _BEGUN_AT_ONCE):
            some = wanted[start : start + _BEGUN_AT_ONCE]
            # In this order, so that each is one look into the table.
            rows = self._catalog.rows(
                f"WITH wanted (path, from_no) AS (VALUES {','.join(['(?, ?)'] * len(some))}) SELECT v.path, {_STATE}, {_LIFE}, {_AS_A_PATH}"
                " FROM wanted w CROSS JOIN versions v ON v.path = w.path AND v.from_no = w.from_no JOIN owners o ON o.no = v.owner"
                " WHERE from_ns IS NOT NULL",
                [value for path, from_no in some for value in (path.no, from_no)],
            )
            for no, *row in rows:
                path, (versions, to_no, seen_ns) = by_number[no], row[11:]
                version = Version(path.dataset, _state(path.path, row[:8]), row[8], row[9], row[10], 0)
                found[no] = Begun(version, versions, seen_ns, to_no is None or to_no > newest_no)
        return found

    def _versions(self, found: FoundPath, life: str, order: str, limit: int) -> list[Version]:
        rows = self._catalog.rows(
            f"SELECT {_STATE}, {life} FROM versions v JOIN owners o ON o.no = v.owner WHERE v.path = ? AND from_ns IS NOT NULL"
            f" ORDER BY v.from_no {order} LIMIT ?",
            (found.no, limit),
        )
        return [Version(found.dataset, _state(found.path, row[:8]), *row[8:]) for row in rows]

    def described(self, numbers: Sequence[int]) -> list[FoundPath]:
        """These paths, as far as there still are any, in no order."""
        sql = "SELECT p.no, f.dataset, f.key, p.name FROM paths p JOIN folders f ON f.no = p.folder WHERE p.no IN ({ids})"
        return [FoundPath(no, dataset, _joined(key, name)) for no, dataset, key, name in self._catalog.rows_among(sql, numbers)]

    def below(self, dataset: int, folder: bytes) -> Iterator[list[FoundPath]]:
        """All paths a dataset ever had below a folder (b"" = the root of all), folder by folder, in parts."""
        key = folder_key(folder)
        last, first_below = key, key + b"\x00"
        row = self._catalog.row("SELECT no FROM folders WHERE dataset = ? AND key = ?", (dataset, key))
        if row is not None:
            yield from self._paths(dataset, row[0], folder)
        while True:
            rows = self._catalog.rows(
                "SELECT no, key FROM folders WHERE dataset = ? AND key > ? AND key >= ? AND key < ? ORDER BY key LIMIT ?",
                (dataset, last, first_below, key + b"\x01", _PAGE),
            )
            for number, found in rows:
                yield from self._paths(dataset, number, path_of(found))
            if len(rows) < _PAGE:
                return
            last = rows[-1][1]

    def _paths(self, dataset: int, folder_no: int, folder: bytes) -> Iterator[list[FoundPath]]:
        last = b""
        while True:
            rows = self._catalog.rows(
                "SELECT no, name FROM paths WHERE folder = ? AND name > ? ORDER BY name LIMIT ?", (folder_no, last, _PAGE)
            )
            yield [FoundPath(number, dataset, folder + b"/" + name) for number, name in rows]
            if len(rows) < _PAGE:
                return
            last = rows[-1][1]

    def _path(self, dataset: int, path: bytes) -> int:
        folder, _, name = path.rpartition(b"/")
        row = self._catalog.row(
            "SELECT p.no FROM folders f JOIN paths p ON p.folder = f.no WHERE f.dataset = ? AND f.key = ? AND p.name = ?",
            (dataset, folder_key(folder), name),
        )
        return int(row[0]) if row else 0

    def has_folders_below(self, datasets: Sequence[int], folder: bytes, most: int) -> bool:
        """Whether these datasets ever had more than so many folders below this one."""
        key, left = folder_key(folder), most
        for dataset in datasets:
            below = "SELECT 1 FROM folders WHERE dataset = ? AND key >= ? AND key < ? LIMIT ?"
            left -= len(self._catalog.rows(below, (dataset, key + b"\x00", key + b"\x01", left + 1)))
            if left < 0:
                return True
        return False

"""Writing down every state every path ever had. A row counts only while a live commit lies between its bounds.

Paths have numbers, kept apart from their states: a state then takes about forty bytes, and what names a file is stored once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from holdfast.model.entry import Entry, Kind, walk_key
from holdfast.repository._format.text import FIRST_NS, LAST_NS
from holdfast.repository.catalog.database import Catalog

KINDS = tuple(Kind)
KIND_SHIFT = 12
_KIND_BITS = {kind: number << KIND_SHIFT for number, kind in enumerate(KINDS)}
_FIRST_64, _LAST_64 = -(1 << 63), (1 << 63) - 1
_CACHED_FOLDERS = 20_000
_SWEEP_AT = 50_000
# Few lengths of statements, so that SQLite finds them prepared.
_NAMES_AT_ONCE = (2, 16, 250)

Owner = tuple[int, int, str, str]


class NewVersion(NamedTuple):
    """A path's new state; `replaces` = it had one before, which ends. Of a large file the ids of the chunks it had before."""

    entry: Entry
    replaces: bool
    chunks_before: tuple[bytes, ...] = ()


class Ended(NamedTuple):
    """A path that is gone with all below it. `below_only`: the path itself lives on as another kind of file."""

    path: bytes
    below_only: bool = False


class NewState(NamedTuple):
    """`NewVersion` as the catalog keeps it. `mode` holds the kind's bits too (`mode_of`); `owner` is uid, gid and their names."""

    path: bytes
    replaces: bool
    mode: int
    owner: Owner
    size_bytes: int
    mtime_ns: int | bytes
    link: bytes | None


def mode_of(kind: Kind, mode: int) -> int:
    return _KIND_BITS[kind] | mode


def column_of_time(ns: int) -> int | bytes:
    """Times that SQLite's 64 bits cannot hold are kept as digits; `int` reads both. No tree holds a time outside the years 1 to 9999."""
    if _FIRST_64 <= ns <= _LAST_64:
        return ns
    return str(min(max(ns, FIRST_NS), LAST_NS)).encode("ascii")


def _state_of(entry: Entry, replaces: bool) -> NewState:
    return NewState(
        entry.path,
        replaces,
        _KIND_BITS[entry.kind] | entry.mode,
        (entry.uid, entry.gid, entry.user, entry.group),
        entry.size_bytes,
        column_of_time(entry.mtime_ns),
        entry.link_target or None,
    )


def _text(name: str) -> str:
    """A name of an owner as a tree spells it: what is not UTF-8 becomes U+FFFD."""
    return name if name.isascii() else "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in name)


def folder_key(path: bytes) -> bytes:
    """The key of a path as a folder of others; the root of all has the empty one."""
    return walk_key(path)


class VersionTable:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._generation = catalog.generation
        self._folders: dict[tuple[int, bytes], int] = {}
        self._owners: dict[Owner, int] = {}

    def record(self, dataset: int, commit_no: int, ended: Sequence[Ended], new: Sequence[NewVersion]) -> None:
        """Take the changes of one commit, or of a part of it. All of `ended` counts before all of `new`."""
        self.record_states(dataset, commit_no, ended, [_state_of(version.entry, version.replaces) for version in new])

    def record_states(self, dataset: int, commit_no: int, ended: Sequence[Ended], new: Sequence[NewState]) -> None:
        """As `record`. No path may be among `new` twice in one commit."""
        if not ended and not new:
            return
        with self._catalog.transaction():
            self._check_cache()
            for path, below_only in ended:
                self._end_below(dataset, commit_no, path)
                if not below_only:
                    self._end(commit_no, self._numbers(dataset, [path]))
            if new:
                self._begin(dataset, commit_no, new)

    def _begin(self, dataset: int, commit_no: int, new: Sequence[NewState]) -> None:
        numbers = self._numbers(dataset, [state.path for state in new], add=True)
        self._end(commit_no, [number for number, state in zip(numbers, new, strict=True) if state.replaces])
        owners = self._owners
        for owner in {state.owner for state in new} - owners.keys():
            owners[owner] = self._owner_number(owner)
        rows = [
            (number, commit_no, None, dataset, mode, owners[owner], size, mtime, link)
            for number, (_, _, mode, owner, size, mtime, link) in zip(numbers, new, strict=True)
        ]
        self._catalog.insert_many("versions", rows, on_conflict="REPLACE")

    def _end(self, commit_no: int, numbers: Iterable[int]) -> None:
        """The newest state of each path ends, if it has not already."""
        self._catalog.execute_many(
            "UPDATE versions SET to_no = ?1 WHERE path = ?2 AND to_no IS NULL"
            " AND from_no = (SELECT max(from_no) FROM versions WHERE path = ?2)",
            [(commit_no, number) for number in numbers],
        )

    def _end_below(self, dataset: int, commit_no: int, path: bytes) -> None:
        key = folder_key(path)
        folders = self._catalog.rows("SELECT no FROM folders WHERE dataset = ? AND key = ?", (dataset, key))
        # All folders below sort between key + NUL and key + SOH.
        below = "SELECT no FROM folders WHERE dataset = ? AND key >= ? AND key < ?"
        folders += self._catalog.rows(below, (dataset, key + b"\x00", key + b"\x01"))
        for folder in folders:
            self._end(commit_no, [row[0] for row in self._catalog.rows("SELECT no FROM paths WHERE folder = ?", folder)])

    def _numbers(self, dataset: int, paths: Sequence[bytes], *, add: bool = False) -> list[int]:
        """The number of each path, 0 where it has none; with `add` it is given one."""
        by_folder: defaultdict[bytes, list[int]] = defaultdict(list)
        names: list[bytes] = []
        for place, path in enumerate(paths):
            folder, _, name = path.rpartition(b"/")
            by_folder[folder].append(place)
            names.append(name)
        numbers = [0] * len(paths)
        fresh: list[tuple[int, int, bytes]] = []
        last = self._catalog.last_number("paths") if add else 0
        folders = self._folder_numbers(dataset, list(by_folder), add=add)
        for folder, places in by_folder.items():
            folder_no, is_new = folders.get(folder, (0, False))
            known = {} if is_new or not folder_no else self._known(folder_no, [names[place] for place in places])
            for place in places:
                number = known.get(names[place], 0)
                if not number and add:
                    last += 1
                    number = last
                    fresh.append((number, folder_no, names[place]))
                numbers[place] = number
        # In this order the index by folder grows at its end, too.
        self._catalog.insert_many("paths", fresh, on_conflict="IGNORE")
        return numbers

    def _known(self, folder_no: int, names: Sequence[bytes]) -> dict[bytes, int]:
        return self._among("SELECT name, no FROM paths WHERE folder = ? AND name IN ({})", folder_no, names)

    def _among(self, sql: str, first: int, wanted: Sequence[bytes]) -> dict[bytes, int]:
        found: dict[bytes, int] = {}
        start = 0
        while start < len(wanted):
            left = len(wanted) - start
            size = next((size for size in _NAMES_AT_ONCE if size >= left), _NAMES_AT_ONCE[-1])
            some = list(wanted[start : start + size])
            some += some[-1:] * (size - len(some))
            start += size
            found.update(self._catalog.rows(sql.format(",".join("?" * size)), (first, *some)))
        return found

    def _folder_numbers(self, dataset: int, folders: Sequence[bytes], *, add: bool) -> dict[bytes, tuple[int, bool]]:
        """The number of each folder that has one, and whether it was given just now; with `add` all have."""
        cached = self._folders
        found = {folder: (number, False) for folder in folders if (number := cached.get((dataset, folder))) is not None}
        asked = {folder_key(folder): folder for folder in folders if folder not in found}
        stored = self._among("SELECT key, no FROM folders WHERE dataset = ? AND key IN ({})", dataset, list(asked))
        found.update({asked[key]: (number, False) for key, number in stored.items()})
        if add and len(stored) < len(asked):
            rows = [
                (number, dataset, key)
                for number, key in enumerate((k for k in asked if k not in stored), self._catalog.last_number("folders") + 1)
            ]
            self._catalog.insert_many("folders", rows, on_conflict="IGNORE")
            found.update({asked[key]: (number, True) for number, _, key in rows})
        if len(cached) + len(asked) > _CACHED_FOLDERS:
            cached.clear()
        cached.update({(dataset, folder): found[folder][0] for folder in asked.values() if folder in found})
        return found

    def _owner_number(self, owner: Owner) -> int:
        values = (owner[0], owner[1], _text(owner[2]), _text(owner[3]))
        self._catalog.execute("INSERT OR IGNORE INTO owners (uid, gid, user, grp) VALUES (?, ?, ?, ?)", values)
        row = self._catalog.row("SELECT no FROM owners WHERE uid = ? AND gid = ? AND user = ? AND grp = ?", values)
        return int(row[0]) if row else 0

    def _check_cache(self) -> None:
        if self._generation != self._catalog.generation or len(self._owners) > _CACHED_FOLDERS:
            self._folders.clear()
            self._owners.clear()
            self._generation = self._catalog.generation

    def rewind(self, dataset: int, after_no: int) -> None:
        """Take back all that the commits behind this one did; it is the newest again. 0 = all commits."""
        with self._catalog.transaction():
            self._thin(dataset, "from_no > ?", (after_no,))
            self._catalog.execute("UPDATE versions SET to_no = NULL WHERE dataset = ? AND to_no > ?", (dataset, after_no))
            self._sweep()

    def purge(self, dataset: int, spans: Iterable[tuple[int, int]]) -> None:
        """Drop the versions that begin and end between two neighbouring live commits (previous, next); previous 0 = there is none."""
        with self._catalog.transaction():
            for previous_no, next_no in spans:
                self._thin(dataset, "to_no > ? AND to_no <= ? AND from_no > ?", (previous_no, next_no, previous_no))
                row = self._catalog.row("SELECT count(*) FROM thinned_paths")
                if row and row[0] >= _SWEEP_AT:
                    self._sweep()
            self._sweep()

    def clear(self, dataset: int) -> None:
        """Forget everything of a dataset, a folder at a time."""
        with self._catalog.transaction():
            while folders := self._catalog.rows("SELECT no FROM folders WHERE dataset = ? LIMIT 1000", (dataset,)):
                self._catalog.execute_many("DELETE FROM versions WHERE path IN (SELECT no FROM paths WHERE folder = ?)", folders)
                self._catalog.execute_many("DELETE FROM paths WHERE folder = ?", folders)
                self._catalog.execute_many("DELETE FROM folders WHERE no = ?", folders)
            self._catalog.generation += 1

    def _thin(self, dataset: int, where: str, values: tuple[int, ...]) -> None:
        """Delete versions, and remember whose."""
        bound = (dataset, *values)
        self._catalog.execute(f"INSERT OR IGNORE INTO thinned_paths SELECT path FROM versions WHERE dataset = ? AND {where}", bound)
        self._catalog.execute(f"DELETE FROM versions WHERE dataset = ? AND {where}", bound)

    def _sweep(self) -> None:
        """Remove the paths that have no version left, and the folders that have no path left."""
        gone = "no IN (SELECT no FROM thinned_paths) AND NOT EXISTS (SELECT 1 FROM versions WHERE path = paths.no)"
        self._catalog.execute(f"INSERT OR IGNORE INTO thinned_folders SELECT folder FROM paths WHERE {gone}")
        self._catalog.execute(f"DELETE FROM paths WHERE {gone}")
        self._catalog.execute(
            "DELETE FROM folders WHERE no IN (SELECT no FROM thinned_folders)"
            " AND NOT EXISTS (SELECT 1 FROM paths WHERE folder = folders.no)"
        )
        self._catalog.execute("DELETE FROM thinned_paths")
        self._catalog.execute("DELETE FROM thinned_folders")
        self._catalog.generation += 1

"""Looking names up: every name there ever was, once, with the paths that have it.

Writing a backup does not keep it. It is brought up to date when somebody searches, so it is always complete when it answers, and behind a
session that brought very many paths. Names are found by themselves, by how they begin, and by any three characters in a row (SQLite's FTS5
with trigrams, of names with their case folded).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from holdfast.repository.catalog.database import Catalog
from holdfast.repository.catalog.search_pattern import SearchPattern

_CATCH_UP = 5_000
_NAMES = 500
_PATHS = 2_000
_FIRST_SCAN, _SCANNED = 1_000, 10_000
# More of them do not make the answer smaller, only slower.
_MOST_TRIGRAMS = 12
MARK = "searchable"
"""Of `meta`: the number of the last path that can be found here."""


class NameIndex:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def behind(self) -> int:
        """How many paths, at most, nobody can find yet."""
        return self._catalog.last_number("paths") - self._mark()

    def catch_up(self, enough: Callable[[], bool] = lambda: False) -> None:
        """Take in the paths that came since, in parts, until `enough` says so. Others may use the catalog in between."""
        self._drop_unused()
        while not enough():
            with self._catalog.transaction():
                done, last = self._mark(), self._catalog.last_number("paths")
                if done >= last:
                    return
                self._add(done, min(done + _CATCH_UP, last))

    def paths(self, pattern: SearchPattern) -> Iterator[list[int]]:
        """The numbers of all paths whose name a match can have, in parts. Some may be gone."""
        for names in self._names(pattern):
            yield from self._named(names)

    def paths_named(self, name: bytes) -> Iterator[list[int]]:
        row = self._catalog.row("SELECT no FROM names WHERE name = ?", (name,))
        return self._named([row[0]] if row else [])

    def _mark(self) -> int:
        row = self._catalog.row("SELECT value FROM meta WHERE key = ?", (MARK,))
        return int(row[0]) if row else 0

    def _set_mark(self, last_path: int) -> None:
        self._catalog.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (MARK, str(last_path)))

    def _add(self, after: int, last: int) -> None:
        """Paths of these numbers."""
        known_names = self._catalog.last_number("names")
        among = "FROM paths WHERE no > ? AND no <= ?"
        self._catalog.execute(f"INSERT OR IGNORE INTO names (name) SELECT DISTINCT name {among} ORDER BY name", (after, last))
        number = "(SELECT n.no FROM names n WHERE n.name = paths.name) AS name_no"
        self._catalog.execute(f"INSERT OR IGNORE INTO named SELECT {number}, no {among} ORDER BY name_no, no", (after, last))
        new = self._catalog.rows("SELECT no, name FROM names WHERE no > ? ORDER BY no", (known_names,))
        texts = [(number, _text(name)) for number, name in new]
        self._catalog.execute_many("INSERT INTO name_parts (rowid, name) VALUES (?, ?)", texts)
        self._set_mark(last)

    def _drop_unused(self) -> None:
        """Names that no path has any more."""
        while True:
            with self._catalog.transaction():
                loose = [row[0] for row in self._catalog.rows("SELECT no FROM loose_names LIMIT ?", (_CATCH_UP,))]
                if not loose:
                    return
                unused = "SELECT no, name FROM names WHERE no IN ({ids}) AND NOT EXISTS (SELECT 1 FROM named WHERE name_no = names.no)"
                gone = list(self._catalog.rows_among(unused, loose))
                texts = [(number, _text(name)) for number, name in gone]
                self._catalog.execute_many("INSERT INTO name_parts (name_parts, rowid, name) VALUES ('delete', ?, ?)", texts)
                self._catalog.execute_many("DELETE FROM names WHERE no = ?", [(number,) for number, _ in gone])
                self._catalog.execute_many("DELETE FROM loose_names WHERE no = ?", [(number,) for number in loose])

    def _names(self, pattern: SearchPattern) -> Iterator[list[int]]:
        """Numbers of the names that fit."""
        trigrams = pattern.trigrams[:_MOST_TRIGRAMS]
        if pattern.exact is not None:
            yield [row[0] for row in self._catalog.rows("SELECT no FROM names WHERE name = ?", (pattern.exact,))]
        elif trigrams and not pattern.begins_only:
            yield from self._with_trigrams(pattern, trigrams)
        else:
            yield from self._scan(pattern)

    def _with_trigrams(self, pattern: SearchPattern, trigrams: Sequence[str]) -> Iterator[list[int]]:
        wanted = " AND ".join('"' + trigram.replace('"', '""') + '"' for trigram in trigrams)
        last = 0
        while True:
            rows = self._catalog.rows(
                "SELECT no, name FROM names WHERE no IN"
                " (SELECT rowid FROM name_parts WHERE name_parts MATCH ? AND rowid > ? ORDER BY rowid LIMIT ?) ORDER BY no",
                (wanted, last, _NAMES),
            )
            yield [number for number, name in rows if pattern.matches_name(name)]
            if len(rows) < _NAMES:
                return
            last = rows[-1][0]

    def _scan(self, pattern: SearchPattern) -> Iterator[list[int]]:
        """All names, or all that begin so, in their order."""
        at, behind = pattern.prefix, name_behind(pattern.prefix)
        size = _FIRST_SCAN
        while True:
            rows = self._catalog.rows(
                f"SELECT no, name FROM names WHERE name >= ? {'AND name < ?' if behind else ''} ORDER BY name LIMIT ?",
                (at, behind, size) if behind else (at, size),
            )
            yield [number for number, name in rows if pattern.matches_name(name)]
            if len(rows) < size:
                return
            at, size = rows[-1][1] + b"\x00", _SCANNED

    def _named(self, names: Sequence[int]) -> Iterator[list[int]]:
        for start in range(0, len(names), _NAMES):
            some = names[start : start + _NAMES]
            last = (-1, -1)
            while True:
                rows = self._catalog.rows(
                    f"SELECT name_no, path FROM named WHERE name_no IN ({','.join(map(str, some))}) AND (name_no, path) > (?, ?)"
                    " ORDER BY name_no, path LIMIT ?",
                    (*last, _PATHS),
                )
                yield [path for _, path in rows]
                if len(rows) < _PATHS:
                    break
                last = rows[-1]


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace").casefold()


def name_behind(prefix: bytes) -> bytes:
    """Sorts behind all that begins so; nothing where that is everything."""
    bare = prefix.rstrip(b"\xff")
    return bare[:-1] + bytes([bare[-1] + 1]) if bare else b""

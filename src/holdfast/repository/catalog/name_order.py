"""Paths in the order of their names, from any place on: those that the index of names has, and those that came since.

Each source gives batches: paths that may match, and how far everything is in them. The work of one batch is bounded, so that whoever asked
can stop between two. Where few names can match they are looked up by their trigrams; else names are gone through in their order, SQLite
leaving out what lacks a part that every match has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from holdfast.model.searching import FIRST, Place
from holdfast.repository.catalog.database import Rows
from holdfast.repository.catalog.name_filter import NameFilter
from holdfast.repository.catalog.name_index import MARK, name_behind

# Names that trigrams may give; where there are more, every thousandth name or so fits, and going through them finds a page as fast.
_FEW_NAMES = 5_000
_MOST_TRIGRAMS = 12
_FIRST_WINDOW, _LARGEST_WINDOW = 500, 100_000
_NAMES, _PATHS = 200, 5_000
_LAST_PATH = (1 << 63) - 1
_RETURNED = 1_000


class Batch(NamedTuple):
    """`found`: in order. `upto`: so far there is nothing else, None = there is nothing more."""

    found: list[Place]
    upto: Place | None


def in_name_order(view: Rows, names: NameFilter, after: Place) -> Iterator[Batch]:
    """All paths behind a place whose name matches."""
    row = view.row("SELECT value FROM meta WHERE key = ?", (MARK,))
    mark = int(row[0]) if row else 0
    last = view.row("SELECT max(no) FROM paths")
    indexed = _indexed(view, names, after)
    if last is None or last[0] is None or last[0] <= mark:
        return indexed
    return merged(indexed, _not_indexed(view, names, after, mark))


def merged(*sources: Iterator[Batch]) -> Iterator[Batch]:
    """The batches of several sources as those of one."""
    reached: list[Place | None] = [FIRST] * len(sources)
    waiting: list[Place] = []
    while any(place is not None for place in reached):
        slowest = min((place, number) for number, place in enumerate(reached) if place is not None)[1]
        batch = next(sources[slowest], Batch([], None))
        reached[slowest] = batch.upto
        waiting = sorted(waiting + batch.found)
        upto = min((place for place in reached if place is not None), default=None)
        sure = waiting if upto is None else [place for place in waiting if place <= upto]
        waiting = waiting[len(sure) :]
        yield Batch(sure, upto)


def _indexed(view: Rows, names: NameFilter, after: Place) -> Iterator[Batch]:
    few = _few_names(view, names)
    windows = _windows(view, names, after) if few is None else iter([(sorted(few), None)])
    for found, upto in windows:
        fitting = [(name, number) for name, number in found if name >= after.name and names.matches_name(name)]
        for start in range(0, len(fitting), _NAMES):
            yield from _paths_of(view, fitting[start : start + _NAMES], after)
        yield Batch([], None if upto is None else Place(upto, 0))


def _few_names(view: Rows, names: NameFilter) -> list[tuple[bytes, int]] | None:
    """Every name that can match, with its number, where these are few and easy to find."""
    if names.exact is not None:
        return view.rows("SELECT name, no FROM names WHERE name = ?", (names.exact,))
    if not names.trigrams:
        return None
    wanted = " AND ".join('"' + trigram.replace('"', '""') + '"' for trigram in names.trigrams[:_MOST_TRIGRAMS])
    numbers = [row[0] for row in view.rows("SELECT rowid FROM name_parts WHERE name_parts MATCH ? LIMIT ?", (wanted, _FEW_NAMES + 1))]
    if len(numbers) > _FEW_NAMES:
        return None
    return [(name, number) for name, number in view.rows_among("SELECT name, no FROM names WHERE no IN ({ids})", numbers)]


def _windows(view: Rows, names: NameFilter, after: Place) -> Iterator[tuple[list[tuple[bytes, int]], bytes | None]]:
    """Names that can match in their order, and the name before which all are among those given."""
    start, behind = max(after.name, names.prefix), name_behind(names.prefix)
    condition, values = names.condition()
    size = _FIRST_WINDOW
    while True:
        row = view.row("SELECT name FROM names WHERE name >= ? ORDER BY name LIMIT 1 OFFSET ?", (start, size))
        end: bytes | None = row[0] if row else None
        if behind and (end is None or end > behind):
            end = behind
        sql = f"SELECT name, no FROM names WHERE name >= ? {'AND name < ?' if end else ''} AND {condition} ORDER BY name"
        found = view.rows(sql, (start, *((end,) if end else ()), *values))
        is_last = end is None or end == behind
        yield found, None if is_last else end
        if is_last or end is None:
            return
        start = end
        if len(found) < _RETURNED:
            size = min(size * 4, _LARGEST_WINDOW)


def _paths_of(view: Rows, names: Sequence[tuple[bytes, int]], after: Place) -> Iterator[Batch]:
    numbers = [number for _, number in names]
    places = ",".join("?" * len(numbers))
    rows = view.rows(f"SELECT name_no, path FROM named WHERE name_no IN ({places}) ORDER BY name_no, path LIMIT ?", (*numbers, _PATHS + 1))
    if len(rows) <= _PATHS:
        by_number: dict[int, list[int]] = {}
        for number, path in rows:
            by_number.setdefault(number, []).append(path)
        found = [Place(name, path) for name, number in names for path in by_number.get(number, ())]
        yield Batch([place for place in found if place > after], Place(names[-1][0], _LAST_PATH))
        return
    for name, number in names:
        yield from _paths_of_one(view, name, number, after.path if name == after.name else 0)


def _paths_of_one(view: Rows, name: bytes, number: int, last: int) -> Iterator[Batch]:
    while True:
        rows = view.rows("SELECT path FROM named WHERE name_no = ? AND path > ? ORDER BY path LIMIT ?", (number, last, _PATHS))
        found = [Place(name, row[0]) for row in rows]
        if len(rows) < _PATHS:
            yield Batch(found, Place(name, _LAST_PATH))
            return
        last = found[-1].path
        yield Batch(found, found[-1])


def _not_indexed(view: Rows, names: NameFilter, after: Place, mark: int) -> Iterator[Batch]:
    """All of them are gone through for each batch: they are few, or soon will be."""
    condition, values = names.condition()
    sql = f"SELECT name, no FROM paths WHERE no > ? AND (name, no) > (?, ?) AND {condition} ORDER BY name, no LIMIT ?"
    while True:
        rows = view.rows(sql, (mark, after.name, after.path, *values, _PATHS))
        found = [Place(name, number) for name, number in rows]
        is_last = len(rows) < _PATHS
        yield Batch([place for place in found if names.matches_name(place.name)], None if is_last else found[-1])
        if is_last:
            return
        after = found[-1]

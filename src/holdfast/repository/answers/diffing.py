"""Answers to `diff`: the differences of two points or moments, a page of them, or a folder at a time."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from msgspec.structs import replace

from holdfast.core.errors import UnknownName
from holdfast.model.differences import AskDiff, Change, Difference, Differences, Totals
from holdfast.model.entry import Kind, display_path, is_below, raw_of, walk_key
from holdfast.model.points import Listing, LostListing, Point
from holdfast.repository._format.tree import DecodedNode, entry_of
from holdfast.repository.answers.questions import listing_of
from holdfast.repository.answers.renames import Comparison, TooMany
from holdfast.repository.answers.tree_differences import MOST_LOST, Row, TreeSide, TwoTrees, differs, facts_between, subtree_of
from holdfast.repository.damage_met import read_of
from holdfast.repository.interior import Interior
from holdfast.repository.packs.trees import Trees
from holdfast.repository.past_state import PastState

MOST_HELD = 30_000
_KEPT = 2


@dataclass
class DiffSide:
    """A point or moment with its tree. `state` is asked only where the trees are to be read: that of a moment has to be made."""

    interior: Interior
    point: Point
    tree: bytes
    state: Callable[[], PastState]
    lost: list[LostListing] = field(default_factory=list)

    @contextmanager
    def read(self) -> Iterator[TreeSide]:
        """No prune takes the trees meanwhile. Damage that is met is recorded."""
        interior, state = self.interior, self.state()
        met = interior.damage_met(read_of(self.point))
        try:
            with interior.blobs.in_use.reading(state.reached_by):
                yield TreeSide(self.tree, Trees(interior.storage, interior.blobs, met, state.beside), self._tell_lost)
        finally:
            met.settle()

    def _tell_lost(self, path: bytes, reason: str) -> None:
        told = LostListing(path=display_path(path), reason=f"{self.point.id}: {reason}")
        if told not in self.lost and len(self.lost) < MOST_LOST:
            self.lost.append(told)


class _Compared(NamedTuple):
    """`rows` None = too many to be held."""

    rows: tuple[Row, ...] | None
    lost: tuple[LostListing, ...]


class Diffs:
    """The last comparisons are kept, since whoever opens one folder opens the next. Thread-safe."""

    def __init__(self, most: int = MOST_HELD) -> None:
        self._most = most
        self._guard = threading.Lock()
        self._kept: dict[tuple[bytes, bytes], _Compared] = {}

    def between(self, a: DiffSide, b: DiffSide, ask: AskDiff) -> Differences:
        """Raises `UnknownName` when the path is in neither."""
        path = b"" if ask.path == b"/" else ask.path.rstrip(b"/")
        with self._guard:
            compared = self._kept.get((a.tree, b.tree))
        rows = None if compared is None or compared.rows is None else _at(compared.rows, path)
        if compared is None or not rows:
            with a.read() as old, b.read() as new:
                trees = TwoTrees(old, new)
                if path and old.node_at(path) is None and new.node_at(path) is None and not (a.lost or b.lost):
                    raise UnknownName(f"{display_path(path)} is in neither of them", hint="look with `holdfast ls POINT`")
                compared = compared or self._compare(trees, a, b)
                rows = None if compared.rows is None else _at(compared.rows, path)
                page = _page_of_many(trees, _tops(ask, a.point, b.point), path, ask) if rows is None else ()
        if rows is not None:
            shown = _after(rows, ask.after) if ask.recursive else _by_child(rows, _tops(ask, a.point, b.point), path, ask.after)
            page = tuple(shown[: ask.limit + 1])
        return Differences(
            rows=page[: ask.limit],
            a=a.point,
            b=b.point,
            more=len(page) > ask.limit,
            totals=_totals(rows) if rows is not None else None,
            lost=tuple(dict.fromkeys((*compared.lost, *a.lost, *b.lost))),
        )

    def _compare(self, trees: TwoTrees, a: DiffSide, b: DiffSide) -> _Compared:
        try:
            rows: tuple[Row, ...] | None = tuple(Comparison(trees, self._most).rows())
        except TooMany:
            rows = None
        compared = _Compared(rows, (*a.lost, *b.lost))
        if not compared.lost:
            # What is damaged now may be whole again later.
            with self._guard:
                self._kept[a.tree, b.tree] = compared
                while len(self._kept) > _KEPT:
                    del self._kept[next(iter(self._kept))]
        return compared


def _tops(ask: AskDiff, a: Point, b: Point) -> frozenset[bytes]:
    """Without a path the roots stand for all that is in them."""
    return frozenset() if ask.path else frozenset(path.encode("utf-8", "surrogatepass") for path in (*a.paths, *b.paths) if path != "/")


def _at(rows: Sequence[Row], path: bytes) -> Sequence[Row]:
    return [row for row in rows if is_below(row.path, path)] if path else rows


def _after(rows: Sequence[Row], after: bytes) -> list[Difference]:
    after_key = walk_key(after) if after else b""
    return [difference_of(row) for row in rows if walk_key(row.path) > after_key]


def _page_of_many(trees: TwoTrees, tops: frozenset[bytes], path: bytes, ask: AskDiff) -> tuple[Difference, ...]:
    rows = trees.rows(path, ask.after) if ask.recursive else _direct(trees, tops, path, ask.after)
    return tuple(difference_of(row) for row in islice(rows, ask.limit + 1))


def _direct(trees: TwoTrees, tops: frozenset[bytes], path: bytes, after: bytes) -> Iterator[Row]:
    """The children of a folder, or the roots, that differ or hold what does."""
    after_key = walk_key(after) if after else b""
    if tops:
        nodes = [(top, trees.old.node_at(top), trees.new.node_at(top)) for top in sorted(tops, key=walk_key)]
    else:
        old, new = (side.node_at(path) if path else None for side in trees)
        if path and subtree_of(old) is None and subtree_of(new) is None:
            nodes = [(path, old, new)]
        else:
            subtrees = (subtree_of(old), subtree_of(new)) if path else (trees.old.tree, trees.new.tree)
            nodes = [(path + b"/" + pair.name, pair.old, pair.new) for pair in trees.pairs(*subtrees, path, path)]
    for at, old, new in nodes:
        if walk_key(at) > after_key and (differs(old, new) or subtree_of(old) != subtree_of(new)):
            yield Row(at, at, old, new)


def _by_child(rows: Sequence[Row], tops: frozenset[bytes], path: bytes, after: bytes) -> list[Difference]:
    """One row for each direct child of the folder, or for each root: what it is itself, and how much differs below it."""
    own: dict[bytes, Row] = {}
    below: dict[bytes, list[Row]] = {}
    for row in rows:
        child = _child(row.path, tops, path)
        if child == row.path:
            own[child] = row
        else:
            below.setdefault(child, []).append(row)
    after_key = walk_key(after) if after else b""
    children = sorted((child for child in own.keys() | below.keys() if walk_key(child) > after_key), key=walk_key)
    return [_child_row(child, own.get(child), below.get(child, ())) for child in children]


def _child(path: bytes, tops: frozenset[bytes], folder: bytes) -> bytes:
    if not tops:
        end = path.find(b"/", len(folder) + 1)
        return path if end < 0 else path[:end]
    return next((top for top in tops if is_below(path, top)), path)


def _child_row(path: bytes, own: Row | None, below: Sequence[Row]) -> Difference:
    inside = _totals(below) if below else None
    if own is None:
        return Difference(path=display_path(path), path_raw=raw_of(path), change=Change.INSIDE, inside=inside)
    return replace(difference_of(own), inside=inside)


def _totals(rows: Iterable[Row]) -> Totals:
    counts = Counter(row.change for row in rows)
    sizes = [(_size(row.old), _size(row.new)) for row in rows]
    return Totals(
        added=counts[Change.ADDED],
        removed=counts[Change.REMOVED],
        changed=counts[Change.CHANGED],
        moved=counts[Change.MOVED],
        before_bytes=sum(before for before, _ in sizes),
        after_bytes=sum(after for _, after in sizes),
    )


def _size(node: DecodedNode | None) -> int:
    return node.node.size if node is not None and node.kind is Kind.FILE else 0


def difference_of(row: Row) -> Difference:
    facts = facts_between(row.old, row.new) if row.old is not None and row.new is not None else ()
    is_inside = row.change is Change.CHANGED and not differs(row.old, row.new)
    return Difference(
        path=display_path(row.path),
        path_raw=raw_of(row.path),
        change=Change.INSIDE if is_inside else row.change,
        facts=() if is_inside else facts,
        before=_side(row.old, row.old_path),
        after=_side(row.new, row.path),
    )


def _side(node: DecodedNode | None, path: bytes) -> Listing | None:
    if node is None:
        return None
    # What its content is made of is not shown.
    return listing_of(entry_of(node._replace(content=()), path[: path.rfind(b"/")], {}))

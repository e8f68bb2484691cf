"""Comparing points that lie with two owners: their listings meet here, page by page, without the content of any file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec

from holdfast.core.errors import ProtocolError, UnknownName, UsageError
from holdfast.model.differences import AskDiff, Difference
from holdfast.model.entry import display_path, is_below, walk_key
from holdfast.model.listed_differences import Folding, Merge, child_difference, difference_of, path_of_row
from holdfast.model.listing_questions import AskListing, Listings
from holdfast.model.moments import is_address
from holdfast.model.points import Listing, LostListing, Point

ROWS_AT_ONCE = 5_000
MOST_PAGES = 200
"""Of both sides together: about half a million paths of each."""
ComparedBy = Literal["trees", "content", "metadata"]
AskOwner = Callable[[AskListing], Awaitable[Listings]]


@dataclass(frozen=True)
class FarSide:
    """A point or moment and its owner, by name."""

    point: Point
    node: str
    ask: AskOwner

    async def listing(self, ask: AskListing) -> Listings:
        """Who asks may see this point and no other: that it is this one was said by its owner alone. Raises `ProtocolError`."""
        told = await self.ask(msgspec.structs.replace(ask, point=self.point.id, repository=self.point.repository))
        if told.point is None or not self._is_this(told.point):
            raise ProtocolError(
                f"the owner of {self.point.repository} was asked for {self.point.id} and listed something else", node=self.node
            )
        return told

    def _is_this(self, told: Point) -> bool:
        mine = self.point
        # A moment may have been made a point since.
        is_same = told.id == mine.id or (is_address(mine.id) and told.time == mine.time)
        return is_same and (told.dataset_id, told.repository) == (mine.dataset_id, mine.repository)


def newest(sides: Iterable[FarSide]) -> FarSide:
    return max(sides, key=lambda side: (side.point.time, side.point.seq, side.point.id))


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    rows: tuple[Difference, ...]
    more: bool
    by: ComparedBy
    lost: tuple[LostListing, ...]


class Comparison:
    """One page. What is held: a page of each side, and the rows that are answered."""

    def __init__(self, sides: tuple[FarSide, FarSide], ask: AskDiff) -> None:
        self._sides = sides
        self._ask = ask
        self._merge = Merge()
        self._folding = None if ask.recursive else Folding(ask.after)
        self._is_flat = False
        self._start = ask.after
        self._after = [ask.after, ask.after]
        self._without_path: set[int] = set()
        self._lost: dict[LostListing, None] = {}
        # What stock restic cut has other chunks for the same bytes.
        self._by_content = not any(side.point.foreign for side in sides)

    async def page(self) -> Compared:
        """Raises what an owner answers; `UnknownName` where neither has the path; `UsageError` where nothing differs in all that is read at
        once. Of a folder with more than that below it the children that were not reached are told without a look into them."""
        rows: list[Difference] = []
        is_all = await self._read(rows)
        last = self._folding.end() if self._folding is not None else None
        if last is not None:
            rows.append(last)
        if not is_all and self._folding is not None:
            self._flatten(self._folding.done if last is None else last.path_raw or last.path.encode())
            is_all = await self._read(rows)
        if not is_all and not rows:
            raise UsageError("there is too much below to compare what lies with two owners at once", hint="name a folder further down")
        limit = self._ask.limit
        by: ComparedBy = "content" if self._by_content else "metadata"
        return Compared(rows=tuple(rows[:limit]), more=not is_all or len(rows) > limit, by=by, lost=tuple(self._lost))

    async def _read(self, rows: list[Difference]) -> bool:
        """False = there is more than is read at once."""
        pages = 0
        while len(rows) <= self._ask.limit and (lacking := [side for side in (0, 1) if self._merge.lacks(side)]):
            pages += len(lacking)
            if pages > MOST_PAGES:
                return False
            for side in lacking:
                await self._fetch(side)
            for old, new in self._merge.pairs():
                rows += self._rows_of(old, new)
        return True

    def _flatten(self, start: bytes) -> None:
        """Go on behind this child, one row each."""
        self._is_flat = True
        self._start = start
        self._merge = Merge()
        # Roots come sorted as bytes, and are few.
        self._after = [start, start] if self._ask.path else [b"", b""]

    async def _fetch(self, side: int) -> None:
        told = await self._listed(side)
        rows = told.rows if self._ask.path else tuple(sorted(told.rows, key=lambda row: walk_key(path_of_row(row))))
        if told.rows:
            self._after[side] = path_of_row(told.rows[-1])
        self._by_content = self._by_content and all(row.content for row in told.rows if row.kind == "file")
        self._lost |= dict.fromkeys(told.lost)
        self._merge.put(side, rows, last=not told.more)

    async def _listed(self, side: int) -> Listings:
        after = self._after[side]
        asked = AskListing(path=self._ask.path, recursive=not self._is_flat, limit=ROWS_AT_ONCE, after=after, content=self._by_content)
        try:
            told = await self._sides[side].listing(asked)
            if asked.path and not told.rows and not after:
                # Nothing is below a file; the listing of its folder's kind is the file itself.
                told = await self._sides[side].listing(msgspec.structs.replace(asked, recursive=False))
        except UnknownName:
            # The point was there a moment ago, so it is the path that this side does not have.
            self._without_path.add(side)
            if not asked.path:
                raise
            if len(self._without_path) == len(self._sides):
                raise UnknownName(f"{display_path(asked.path)} is in neither of them", hint="look with `holdfast ls POINT`") from None
            return Listings(rows=())
        return told

    def _rows_of(self, old: Listing | None, new: Listing | None) -> list[Difference]:
        row = new or old
        assert row is not None
        if self._is_lost(row) or self._is_passed(path_of_row(row)):
            return []
        if self._is_flat:
            found = child_difference(old, new)
        else:
            found = difference_of(old, new) if self._folding is None else self._folding.put(old, new)
        return [found] if found is not None else []

    def _is_lost(self, row: Listing) -> bool:
        """Below a folder whose listing one of the sides has lost nobody knows what differs."""
        return any(row.path.startswith(f"{folder.path.rstrip('/')}/") for folder in self._lost)

    def _is_passed(self, path: bytes) -> bool:
        """What lies in the child that was answered last is not what comes after it."""
        if self._folding is None or not self._start:
            return False
        return is_below(path, self._start) or walk_key(path) < walk_key(self._start)

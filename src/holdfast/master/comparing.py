"""Comparing points that lie with two owners: their listings meet here, page by page, without the content of any file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

import msgspec

from holdfast.core.errors import UnknownName, UsageError
from holdfast.model.differences import AskDiff, Difference
from holdfast.model.entry import walk_key
from holdfast.model.listed_differences import Folding, Merge, difference_of, path_of_row
from holdfast.model.points import Listing, LostListing, Point
from holdfast.model.questions import AskListing, Listings

ROWS_AT_ONCE = 5_000
MOST_PAGES = 200
"""Of both sides together: about half a million paths of each."""
ComparedBy = Literal["trees", "content", "metadata"]
AskOwner = Callable[[AskListing], Awaitable[Listings]]


@dataclass(frozen=True)
class FarSide:
    """A point or moment and its owner."""

    point: Point
    ask: AskOwner


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
        self._folding = None if ask.recursive else Folding()
        self._after = [ask.after, ask.after]
        self._lost: dict[LostListing, None] = {}
        # What stock restic cut has other chunks for the same bytes.
        self._by_content = not any(side.point.foreign for side in sides)

    async def page(self) -> Compared:
        """Raises what an owner answers; `UsageError` where there is too much below to tell which folders differ."""
        rows: list[Difference] = []
        pages = 0
        while len(rows) <= self._ask.limit and (lacking := [side for side in (0, 1) if self._merge.lacks(side)]):
            pages += len(lacking)
            if pages > MOST_PAGES:
                raise UsageError("there is too much below to compare what lies with two owners at once", hint="name a folder further down")
            for side in lacking:
                await self._fetch(side)
            for old, new in self._merge.pairs():
                rows += self._rows_of(old, new)
        last = self._folding.end() if self._folding is not None else None
        if last is not None and len(rows) <= self._ask.limit and self._is_new(last):
            rows.append(last)
        limit = self._ask.limit
        by: ComparedBy = "content" if self._by_content else "metadata"
        return Compared(rows=tuple(rows[:limit]), more=len(rows) > limit, by=by, lost=tuple(self._lost))

    async def _fetch(self, side: int) -> None:
        far = self._sides[side]
        asked = AskListing(
            point=far.point.id,
            repository=far.point.repository,
            path=self._ask.path,
            recursive=True,
            limit=ROWS_AT_ONCE,
            after=self._after[side],
            content=self._by_content,
        )
        try:
            told = await far.ask(asked)
        except UnknownName:
            # The point was there a moment ago, so it is the folder that this side does not have.
            if not self._ask.path:
                raise
            told = Listings(rows=())
        if told.rows:
            self._after[side] = path_of_row(told.rows[-1])
        self._by_content = self._by_content and all(row.content for row in told.rows if row.kind == "file")
        self._lost |= dict.fromkeys(told.lost)
        self._merge.put(side, told.rows, last=not told.more)

    def _rows_of(self, old: Listing | None, new: Listing | None) -> list[Difference]:
        if self._lost and self._is_lost(new or old):
            return []
        found = difference_of(old, new) if self._folding is None else self._folding.put(old, new)
        return [found] if found is not None and self._is_new(found) else []

    def _is_lost(self, row: Listing | None) -> bool:
        """Below a folder whose listing one of the sides has lost nobody knows what differs."""
        return row is not None and any(row.path.startswith(f"{folder.path.rstrip('/')}/") for folder in self._lost)

    def _is_new(self, row: Difference) -> bool:
        """What lies in the child that was answered last is not what comes after it."""
        after = self._ask.after
        path = row.path_raw or row.path.encode()
        return not after or not (walk_key(path) + b"\x00").startswith(walk_key(after) + b"\x00") or self._folding is None

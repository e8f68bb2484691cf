"""Which runs become one when a spool is full, and what that one says. Pure.

A run with marks is a point, and no later state may take its place; the states between points go, the oldest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from heapq import merge
from typing import NamedTuple

import msgspec

from holdfast.model.change import Begin, Change, Commit, Put
from holdfast.model.entry import walk_key
from holdfast.model.gaps import Gap, GapReason

_PART_OF_ALL = 4


class Size(NamedTuple):
    """Of one unsent run, the oldest first."""

    size_bytes: int
    has_marks: bool
    gaps: int = 0


def to_join(runs: Sequence[Size], total_bytes: int) -> tuple[int, int]:
    """Places of the first run that goes into others and of the one it ends in: about a quarter of all bytes at once, so that a spool that
    stays full is not written anew for each run. (0, 0) = none can be joined."""
    first = 0
    while first < len(runs) - 1 and runs[first].has_marks:
        first += 1
    last, size_bytes = first, 0
    while last < len(runs) - 1 and not runs[last].has_marks and (last == first or size_bytes < total_bytes // _PART_OF_ALL):
        size_bytes += runs[last].size_bytes
        last += 1
    return (first, last) if last > first else (0, 0)


def joined_changes(runs: Sequence[Iterable[Change]]) -> Iterator[Change]:
    """Of each path its last change, in walk order: what the source's state would send to who stands before the first of them."""
    newest: Change | None = None
    before = b""
    for key, _, change in merge(*(_numbered(number, changes) for number, changes in enumerate(runs)), key=lambda each: each[:2]):
        if newest is not None and key != before:
            yield newest
        newest, before = change, key
    if newest is not None:
        yield newest


def joined_begin(first: Begin, last: Begin) -> Begin:
    """Moves are of the commit before alone, so they are left out."""
    return msgspec.structs.replace(last, base=first.base, moves=())


def joined_commit(commits: Sequence[Commit], roots: Iterable[bytes]) -> Commit:
    """The last of them, with all their gaps, and one from the first that is no more."""
    last = commits[-1]
    gaps = [gap for commit in commits for gap in commit.gaps if gap.reason is not GapReason.THINNED]
    since = [commit.captured_at for commit in commits[:-1]]
    since += [gap.since for commit in commits for gap in commit.gaps if gap.reason is GapReason.THINNED]
    return msgspec.structs.replace(last, gaps=(*gaps, *thinned(roots, min(since), last.captured_at)))


def thinned(roots: Iterable[bytes], since: datetime, until: datetime) -> tuple[Gap, ...]:
    """States between the two moments that nobody gets; none where there can be none."""
    return tuple(Gap(path=root, since=since, until=until, reason=GapReason.THINNED) for root in roots) if since < until else ()


def _numbered(number: int, changes: Iterable[Change]) -> Iterator[tuple[bytes, int, Change]]:
    for change in changes:
        yield walk_key(change.entry.path if isinstance(change, Put) else change.path), number, change

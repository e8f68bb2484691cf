"""A small run of much is made in stages, each a commit, so that receivers put one in place while the source looks at the next.

What moved goes with both its ends, and with all else that is told of in the trees that moved: renames are then renames, and nothing is gone
before it is there. A run that may be one of destruction stays whole, because the guard against vanished sources judges each commit by
itself. Pure but for `is_there`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import ceil

from holdfast.capture.ports import Moved, Place
from holdfast.model.entry import is_below
from holdfast.operations.run_order import SmallRun

STAGE_NAMES = 5_000
# Fewer would not be worth another wait for the receiver's disk.
_LEAST_NAMES = STAGE_NAMES * 3 // 2
_MOST_GONE = 500


def stages_of(small: SmallRun, roots: Sequence[bytes], is_there: Callable[[bytes], bool], most: int = STAGE_NAMES) -> tuple[SmallRun, ...]:
    """The same work in its order; mostly just one. `roots`: of the datasets."""
    if _is_little(small, most) or not may_be_parted(small, roots, is_there):
        return (small,)
    return parts_of(small, most)


def parts_of(small: SmallRun, most: int = STAGE_NAMES) -> tuple[SmallRun, ...]:
    """As `stages_of`, of what may be parted."""
    if _is_little(small, most):
        return (small,)
    groups = _Groups(small.moves)
    # All about as large: the last one is what everybody waits for.
    most = ceil(len(small.places) / ceil(len(small.places) / most))
    stages: list[list[Place]] = [[]]
    for unit in _units(small.places, groups):
        if len(stages[-1]) >= most:
            stages.append([])
        stages[-1] += unit
    return tuple(_stage_of(small, places, groups) for places in stages)


def may_be_parted(small: SmallRun, roots: Sequence[bytes], is_there: Callable[[bytes], bool]) -> bool:
    """Whether a commit of some of it, or of what was before it, stands whatever becomes of the rest: it is none of destruction."""
    if small.gaps or any(not any(is_below(move.path, root) for root in roots) for move in small.moves):
        # Out of what is captured, who knows how much of it.
        return False
    return not _is_destruction(small.places, _Groups(small.moves), is_there)


def _is_little(small: SmallRun, most: int) -> bool:
    return len(small.places) <= most * _LEAST_NAMES // STAGE_NAMES


class _Groups:
    """Of moves that must go together: they share an end, or one has an end in the tree of another."""

    def __init__(self, moves: Sequence[Moved]) -> None:
        self._leaders: dict[bytes, bytes] = {}
        for move in moves:
            self._join(move.path, move.moved_from)
        for end in list(self._leaders):
            above = self._nearest(_folder_of(end))
            if above is not None:
                self._join(end, above)

    def of(self, path: bytes) -> bytes | None:
        """What tells the group that this is part of; None = of none."""
        end = self._nearest(path)
        return None if end is None else self._leader(end)

    def is_end(self, path: bytes) -> bool:
        return path in self._leaders

    def _nearest(self, path: bytes) -> bytes | None:
        while path not in self._leaders:
            if path == b"/":
                return None
            path = _folder_of(path)
        return path

    def _join(self, one: bytes, other: bytes) -> None:
        self._leaders[self._leader(one)] = self._leader(other)

    def _leader(self, end: bytes) -> bytes:
        leader = self._leaders.setdefault(end, end)
        while leader != (above := self._leaders[leader]):
            self._leaders[leader] = leader = self._leaders[above]
        return leader


def _units(places: Sequence[Place], groups: _Groups) -> Iterator[Sequence[Place]]:
    """What must not be parted."""
    grouped: dict[bytes, list[Place]] = {}
    leaders = [groups.of(place.path) for place in places]
    for place, leader in zip(places, leaders, strict=True):
        if leader is not None:
            grouped.setdefault(leader, []).append(place)
    for place, leader in zip(places, leaders, strict=True):
        if leader is None:
            yield (place,)
        elif leader in grouped:
            yield grouped.pop(leader)


def _is_destruction(places: Sequence[Place], groups: _Groups, is_there: Callable[[bytes], bool]) -> bool:
    gone = 0
    for place in places:
        if not groups.is_end(place.path) and not is_there(place.path):
            gone += 1
            # Nobody knows how much was in a tree.
            if place.below or gone >= _MOST_GONE:
                return True
    return False


def _stage_of(small: SmallRun, places: Sequence[Place], groups: _Groups) -> SmallRun:
    here = {leader for place in places if (leader := groups.of(place.path)) is not None}
    moves = tuple(move for move in small.moves if groups.of(move.path) in here)
    return SmallRun(places=tuple(places), moves=moves, closed=small.closed)


def _folder_of(path: bytes) -> bytes:
    return path[: path.rfind(b"/")] or b"/"

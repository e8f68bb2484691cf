"""Two people's lines put into the text they both began with: what keeps the comments of both.

Whether that is right, only the values can tell. A document may have thousands of lines of which many are alike, so lines are told apart by
the keys they stand below, and what is there once leads the way (as in a patience diff): `difflib` alone takes minutes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher

# Pairs of equal lines between two that are there once: looking for what is the same goes through all of them, again and again.
_MOST_ALIKE = 500_000
_Line = tuple[int, str]
_Gap = tuple[slice, slice]


def merged_lines(base: str, mine: str, theirs: str) -> str | None:
    """Both sides' changed lines put into the base; None where they meet, or where too many lines are alike."""
    lines = base.splitlines(keepends=True)
    numbers: dict[_Line, int] = {}
    was, here, there = (_placed(each, numbers) for each in (lines, mine.splitlines(keepends=True), theirs.splitlines(keepends=True)))
    gaps = [(old, new, gap) for old, new in ((was, here), (was, there)) for gap in _gaps(old, new)]
    if any(_alike(old[gap[0]], new[gap[1]]) > _MOST_ALIKE for old, new, gap in gaps):
        return None
    parts: list[str] = []
    at = -1
    for start, end, fresh in sorted({block for old, new, gap in gaps for block in _changed(old, new, gap)}):
        if start <= at:
            return None
        parts += (*lines[max(at, 0) : start], *fresh)
        at = end
    return "".join((*parts, *lines[max(at, 0) :]))


def _placed(lines: list[str], numbers: dict[_Line, int]) -> list[_Line]:
    """Every line with a number for the keys it stands below: a hundred nodes may have the same tags, and each has its own."""
    found: list[_Line] = []
    above: list[tuple[int, int]] = [(-1, -1)]
    for line in lines:
        text = line.strip()
        indent = len(line) - len(line.lstrip(" "))
        while text and above[-1][0] >= indent:
            above.pop()
        below = above[-1][1]
        found.append((below, line))
        if text and not text.startswith("#"):
            heading = text if text.startswith("-") else text.partition(":")[0]
            above.append((indent, numbers.setdefault((below, heading), len(numbers))))
    return found


def _gaps(old: list[_Line], new: list[_Line]) -> Iterator[_Gap]:
    """What lies between the lines that each has once, in the same order."""
    begin, begin_new = 0, 0
    for end, end_new in (*_anchors(old, new), (len(old), len(new))):
        if begin < end or begin_new < end_new:
            yield slice(begin, end), slice(begin_new, end_new)
        begin, begin_new = end + 1, end_new + 1


def _anchors(old: list[_Line], new: list[_Line]) -> list[tuple[int, int]]:
    """The places of those lines in both: as many as rise together."""
    counts, counts_new = Counter(old), Counter(new)
    where = {line: place for place, line in enumerate(new) if counts_new[line] == 1}
    # Of the rows of each length that rise, the one that ends lowest: its last line, in new and in old; and the line before each in its row.
    lowest: list[int] = []
    last: list[int] = []
    before: dict[int, int | None] = {}
    for place, line in enumerate(old):
        if counts[line] == 1 and line in where:
            length = bisect_left(lowest, where[line])
            lowest[length : length + 1] = [where[line]]
            last[length : length + 1] = [place]
            before[place] = last[length - 1] if length else None
    found: list[tuple[int, int]] = []
    at = last[-1] if last else None
    while at is not None:
        found.append((at, where[old[at]]))
        at = before[at]
    return found[::-1]


def _alike(old: list[_Line], new: list[_Line]) -> int:
    counts = Counter(new)
    return sum(counts[line] for line in old)


def _changed(old: list[_Line], new: list[_Line], gap: _Gap) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    begin, fresh = gap[0].start, new[gap[1]]
    for op, start, end, new_start, new_end in SequenceMatcher(None, old[gap[0]], fresh, autojunk=False).get_opcodes():
        if op != "equal":
            yield begin + start, begin + end, tuple(line for _, line in fresh[new_start:new_end])

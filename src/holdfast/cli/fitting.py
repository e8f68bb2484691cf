"""How wide the columns of a table are where it is wider than the terminal: words go to further lines, and nothing is cut off. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

_GAP = 2
# A time or a size reads badly in two lines: behind a digit only where there is no other way.
_BETWEEN_WORDS = re.compile("(?<![0-9]) ")
_BETWEEN_ANY = re.compile(" ")


def fitted_widths(texts: Sequence[Sequence[str]], limit: int, whole: Collection[int] = ()) -> list[int]:
    """`texts`: the heads and then the rows. As wide as they need to be, or so that all together take `limit` at most: the widest give way
    first, none to less than its longest word, those of `whole` not at all. So wide that it does not fit even then it stays."""
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    excess = sum(widths) + _GAP * (len(widths) - 1) - limit
    for between in (_BETWEEN_WORDS, _BETWEEN_ANY):
        if excess <= 0:
            break
        least = [max(max(map(len, between.split(cell))) for cell in column) for column in zip(*texts, strict=True)]
        for index in whole:
            least[index] = widths[index]
        excess = _give_way(widths, least, excess)
    return widths


def _give_way(widths: list[int], least: Sequence[int], excess: int) -> int:
    """Changes `widths`; returns what is still too much. A letter at a time, always of the one that is widest then."""
    while excess > 0:
        able = [index for index, width in enumerate(widths) if width > least[index]]
        if not able:
            break
        widths[max(able, key=widths.__getitem__)] -= 1
        excess -= 1
    return excess


def lines_of(text: str, width: int) -> list[str]:
    """The words of a cell in lines of this width; a word that is longer has a line of its own."""
    if len(text) <= width:
        return [text]
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]

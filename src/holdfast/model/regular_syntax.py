"""Regular expressions that a search takes: what they are made of, and reading them from text.

A subset of Python's `re`: characters, `.`, classes `[a-z]` and `\\d \\w \\s \\D \\W \\S`, groups, `|`, `* + ? {m,n}` (lazy or not makes
no difference here), `^` and `$`. What needs to look back or around (`\\1`, `(?=`, `\\b`) is not in it: without it every expression is
matched in one pass over the text (`regular_machine`), so that none can keep an owner busy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from holdfast.core.errors import UsageError

LONGEST = 1_000
_DEEPEST = 50
_MOST_TIMES = 1_000
_KINDS: dict[str, Callable[[str], bool]] = {
    "d": str.isdecimal,
    "w": lambda sign: sign.isalnum() or sign == "_",
    "s": str.isspace,
}
_ESCAPED = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_HINT = "characters, ., [a-z], \\d \\w \\s, ( ), |, * + ? {m,n}, ^ and $; a \\ before a sign takes it as it is"


@dataclass(frozen=True, kw_only=True)
class CharSet:
    """Characters one of which must stand there. `kinds` are letters of `\\d` and the like, large ones for what is not so."""

    ranges: tuple[tuple[str, str], ...] = ()
    kinds: str = ""
    negated: bool = False
    fold: bool = False

    def has(self, sign: str) -> bool:
        others = {sign, sign.upper(), sign.title()} if self.fold else {sign}
        return any(self._names(each) for each in others) != self.negated

    def _names(self, sign: str) -> bool:
        if any(low <= sign <= high for low, high in self.ranges):
            return True
        return any(_KINDS[kind.lower()](sign) == kind.islower() for kind in self.kinds)


ANY = CharSet(negated=True)


@dataclass(frozen=True)
class Sign:
    """One character: this one, or one of a set."""

    of: str | CharSet


@dataclass(frozen=True)
class Edge:
    """The beginning of the text (`^`) or its end (`$`)."""

    at_end: bool


@dataclass(frozen=True)
class Row:
    """One behind the other; none = the empty text."""

    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Choice:
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Repeat:
    """`most` None = any number."""

    part: Part
    least: int
    most: int | None


Part = Sign | Edge | Row | Choice | Repeat


def parse_regular(text: str, *, fold: bool = False) -> Part:
    """`fold`: it is matched against text with its case folded. Raises `UsageError`, which says at which character."""
    if len(text) > LONGEST:
        raise UsageError(f"the regular expression has {len(text)} characters", hint=f"at most {LONGEST}", place="name")
    reader = _Reader(text, fold)
    part = reader.choice(0)
    if reader.at < len(text):
        raise reader.error("there is a ) without its (")
    return part


@dataclass
class _Reader:
    text: str
    fold: bool
    at: int = field(default=0)

    def error(self, what: str, at: int | None = None) -> UsageError:
        place = (self.at if at is None else at) + 1
        message = f"the regular expression cannot be read at character {place}: {what}"
        return UsageError(message, hint=_HINT, place="name", position=str(place))

    def _next(self) -> str:
        return self.text[self.at : self.at + 1]

    def _take(self, expected: str) -> bool:
        found = self.text.startswith(expected, self.at)
        self.at += len(expected) if found else 0
        return found

    def choice(self, depth: int) -> Part:
        if depth > _DEEPEST:
            raise self.error(f"groups are nested more than {_DEEPEST} deep")
        parts = [self._row(depth)]
        while self._take("|"):
            parts.append(self._row(depth))
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def _row(self, depth: int) -> Part:
        parts: list[Part] = []
        while self._next() not in ("", "|", ")"):
            parts.append(self._repeated(self._single(depth)))
        return Row(tuple(parts))

    def _single(self, depth: int) -> Part:
        start = self.at
        if self._take("("):
            if self._take("?") and not self._take(":"):
                raise self.error("of groups that begin with (? only (?: is known", start)
            inside = self.choice(depth + 1)
            if not self._take(")"):
                raise self.error("this ( is never closed", start)
            return inside
        sign = self._next()
        self.at += 1
        if sign in "^$":
            return Edge(sign == "$")
        if sign in "*+?":
            raise self.error(f"there is nothing before the {sign} to repeat", start)
        if sign == ".":
            return Sign(ANY)
        if sign == "[":
            return self._class(start)
        if sign == "\\":
            return self._literal_or_set(self._escape(start))
        return self._literal_or_set(sign)

    def _literal_or_set(self, sign: str | CharSet) -> Part:
        if isinstance(sign, CharSet) or not self.fold:
            return Sign(sign)
        folded = sign.casefold()
        return Sign(folded) if len(folded) == 1 else Row(tuple(map(Sign, folded)))

    def _escape(self, start: int) -> str | CharSet:
        """What stands behind a backslash."""
        sign = self._next()
        self.at += 1
        if not sign:
            raise self.error("there is nothing behind the \\", start)
        if sign.lower() in _KINDS:
            return CharSet(kinds=sign, fold=self.fold)
        if sign == "x":
            digits = self.text[self.at : self.at + 2]
            self.at += 2
            if len(digits) != 2 or not set(digits.lower()) <= set("0123456789abcdef"):
                raise self.error("\\x wants two hexadecimal digits", start)
            return chr(int(digits, 16))
        if sign in _ESCAPED:
            return _ESCAPED[sign]
        if sign.isascii() and sign.isalnum():
            raise self.error(f"\\{sign} is not known here", start)
        return sign

    def _class(self, start: int) -> Part:
        negated = self._take("^")
        ranges: list[tuple[str, str]] = []
        kinds = ""
        first = True
        while first or self._next() != "]":
            first = False
            low = self._class_sign(start)
            if isinstance(low, CharSet):
                kinds += low.kinds
                continue
            ranges.append((low, self._end_of_range(low, start)))
        self.at += 1
        return Sign(CharSet(ranges=tuple(ranges), kinds=kinds, negated=negated, fold=self.fold))

    def _end_of_range(self, low: str, start: int) -> str:
        """The same where it is but one character."""
        if self._next() != "-" or self.text[self.at + 1 : self.at + 2] in ("]", ""):
            return low
        place = self.at - 1
        self.at += 1
        high = self._class_sign(start)
        if isinstance(high, CharSet) or high < low:
            raise self.error("this range of characters ends before it begins", place)
        return high

    def _class_sign(self, start: int) -> str | CharSet:
        sign, place = self._next(), self.at
        self.at += 1
        if not sign:
            raise self.error("this [ is never closed", start)
        return self._escape(place) if sign == "\\" else sign

    def _repeated(self, part: Part) -> Part:
        while True:
            start, sign = self.at, self._next()
            if sign and sign in "*+?":
                self.at += 1
                least, most = (1 if sign == "+" else 0), (1 if sign == "?" else None)
            elif sign == "{" and (counts := self._counts()) is not None:
                least, most = counts
            else:
                return part
            if isinstance(part, Edge | Repeat):
                raise self.error(f"there is nothing before the {sign} to repeat", start)
            self._take("?")
            part = Repeat(part, least, most)

    def _counts(self) -> tuple[int, int | None] | None:
        """Of `{2}`, `{2,}`, `{2,5}` and `{,5}`; None = this brace is a character like others."""
        end = self.text.find("}", self.at)
        low, comma, high = self.text[self.at + 1 : max(end, 0)].partition(",")
        if end < 0 or not (low or (comma and high)) or not all(each.isascii() and each.isdigit() for each in (low, high) if each):
            return None
        least = int(low or 0)
        most = (int(high) if high else None) if comma else least
        if least > _MOST_TIMES or (most or 0) > _MOST_TIMES:
            raise self.error(f"more than {_MOST_TIMES} times")
        if most is not None and most < least:
            raise self.error("this count ends before it begins")
        self.at = end + 1
        return least, most

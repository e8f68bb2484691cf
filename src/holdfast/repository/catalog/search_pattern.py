"""What a pattern of `find` tells of the names it can match: what to look up, before each candidate is held against it.

A pattern is a shell glob on the name, or with a `/` in it on the path, where `*` and `?` match a `/`, too; a relative path pattern may
begin at any folder. Regardless of case means: both sides with their case folded, as `str.casefold` does.
"""

from __future__ import annotations

import fnmatch
import glob
import re
from collections.abc import Callable
from dataclasses import dataclass

from holdfast.core.errors import UsageError
from holdfast.model.regular_machine import Regular
from holdfast.model.search import LONGEST_NAME, Match

_TRIGRAM = 3
Fits = Callable[[str], object]
"""Whether a text matches, by what is true of the result."""


def text_of(raw: bytes) -> str:
    """A name or path as patterns see it."""
    return raw.decode("utf-8", "surrogateescape")


@dataclass(frozen=True, kw_only=True)
class SearchPattern:
    """`whole`: it is matched against the path. Of the name: `exact`, if there is but one that fits; else `prefix` and `parts` that it must
    have (the longest first). Of the path: `folder` is above every match, `component` is the name of a folder above; empty = not known.
    """

    whole: bool
    fold: bool
    fits: Fits
    name_fits: Fits | None
    exact: bytes | None = None
    prefix: bytes = b""
    parts: tuple[str, ...] = ()
    folder: bytes = b""
    component: bytes = b""

    def matches_name(self, name: bytes) -> bool:
        """False = no path with this name can match."""
        return self.name_fits is None or bool(self.name_fits(self._seen(name)))

    def matches(self, path: bytes) -> bool:
        return bool(self.fits(self._seen(path if self.whole else path[path.rfind(b"/") + 1 :])))

    @property
    def begins_only(self) -> bool:
        """How the name begins is all that is known of it."""
        return bool(self.prefix) and len(self.parts) == 1

    @property
    def trigrams(self) -> tuple[str, ...]:
        """Three characters in a row that a matching name has in it, its case folded."""
        found: dict[str, None] = {}
        for part in self.parts:
            folded = part.casefold()
            if "\x00" not in folded and not any("\ud800" <= c <= "\udfff" for c in folded):
                found.update((folded[at : at + _TRIGRAM], None) for at in range(len(folded) - _TRIGRAM + 1))
        return tuple(found)

    def _seen(self, raw: bytes) -> str:
        text = text_of(raw)
        return text.casefold() if self.fold else text


def pattern_of(name: str, match: Match, *, ignore_case: bool = False) -> SearchPattern:
    """Raises `UsageError`. Not for several threads at once."""
    if match is Match.REGEX:
        return _of_regular(name, ignore_case=ignore_case)
    if match is Match.PART:
        return search_pattern(f"*{glob.escape(name)}*", ignore_case=ignore_case, anywhere=True)
    return search_pattern(name, ignore_case=ignore_case)


def _of_regular(text: str, *, ignore_case: bool) -> SearchPattern:
    machine = Regular(text, fold=ignore_case)
    whole = "/" in text
    literals = () if whole else machine.literals
    return SearchPattern(whole=whole, fold=ignore_case, fits=machine.is_in, name_fits=None if whole else machine.is_in, parts=literals)


def search_pattern(pattern: str, *, ignore_case: bool = False, anywhere: bool = False) -> SearchPattern:
    """`anywhere`: a path may begin before a pattern that is not absolute without a folder ending there.

    Raises `UsageError` for a pattern that is longer than any path: translating it takes time by the square of its length.
    """
    if len(pattern) > 3 * LONGEST_NAME:
        raise UsageError(f"the pattern has {len(pattern)} characters", hint=f"at most {LONGEST_NAME}, which is more than any path has")
    seen = pattern.casefold() if ignore_case else pattern
    if "/" not in pattern:
        fits = re.compile(fnmatch.translate(seen)).match
        literals = _literals(seen)
        single = len(literals) == 1
        return SearchPattern(
            whole=False,
            fold=ignore_case,
            fits=fits,
            name_fits=fits,
            exact=_raw(literals[0]) if single and not ignore_case else None,
            prefix=_raw(literals[0]) or b"" if not ignore_case else b"",
            parts=tuple(sorted(filter(None, literals), key=len, reverse=True)),
        )
    name, is_whole = _last_name(seen)
    name_fits = re.compile(f"{'' if is_whole else '(?s:.*)'}{re.escape(name)}\\Z").match if name or is_whole else None
    return SearchPattern(
        whole=True,
        fold=ignore_case,
        fits=re.compile(fnmatch.translate(seen if anywhere or seen.startswith("/") else f"*/{seen}")).match,
        name_fits=name_fits,
        exact=_raw(name) if is_whole and not ignore_case else None,
        parts=(name,) if name else (),
        folder=b"" if ignore_case else _folder_above(seen),
        component=b"" if ignore_case else _component_above(seen),
    )


def _literals(glob: str) -> list[str]:
    """What stands before, between and behind the wildcards of a glob; the only one if there is none."""
    found, at = [""], 0
    while at < len(glob):
        # A class holds at least one character, so a bracket right at its beginning (behind a `!`) does not close it.
        end = glob.find("]", at + 2 + (glob[at + 1 : at + 2] == "!")) if glob[at] == "[" else -1
        if glob[at] in "*?" or end >= 0:
            found.append("")
            at = max(end, at) + 1
        else:
            found[-1] += glob[at]
            at += 1
    return found


def _last_name(glob: str) -> tuple[str, bool]:
    """Of a path pattern, how the name ends, and whether that is all of it.

    A wildcard may reach over a slash, and a class may hold one, so only what stands behind the last of them is sure.
    """
    behind = glob.rpartition("]")[2]
    closed = len(behind) < len(glob)
    if "/" in behind or not closed:
        name = behind.rpartition("/")[2]
        tail = re.split("[*?]", name)[-1]
        return tail, tail == name
    return re.split("[*?]", behind)[-1], False


def _folder_above(glob: str) -> bytes:
    return _raw(re.split(r"[*?\[]", glob)[0].rpartition("/")[0]) or b"" if glob.startswith("/") else b""


def _component_above(glob: str) -> bytes:
    if "[" in glob:
        return b""
    whole = [part for part in glob.split("/")[:-1] if part and not set(part) & set("*?")]
    return _raw(max(whole, key=len)) or b"" if whole else b""


def _raw(text: str) -> bytes | None:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return None

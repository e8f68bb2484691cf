"""What a search says of names and paths: what an index can be asked for, what SQLite can leave out, and the last word on each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.model.search import Search
from holdfast.repository.catalog.search_pattern import SearchPattern, pattern_of, text_of

_TRIGRAM = 3


@dataclass(frozen=True, kw_only=True)
class NameFilter:
    """`pattern` None = any name. `ending`: how the name ends with its case folded, dot included. `exact`: the only name there can be.
    `prefix`: how it begins. `trigrams`: of the name with its case folded. Not for several threads at once."""

    pattern: SearchPattern | None
    ending: str
    exact: bytes | None
    prefix: bytes
    trigrams: tuple[str, ...]
    _instance: bytes
    _folded_instance: str

    @property
    def needs_path(self) -> bool:
        return self.pattern is not None and self.pattern.whole

    def matches_name(self, name: bytes) -> bool:
        """False = no path with this name can match; True is the last word unless `needs_path`."""
        if self.ending and not text_of(name).casefold().endswith(self.ending):
            return False
        return self.pattern is None or self.pattern.matches_name(name)

    def matches_path(self, path: bytes) -> bool:
        return self.pattern is None or self.pattern.matches(path)

    def condition(self) -> tuple[str, tuple[object, ...]]:
        """A condition on `name` that holds for each one that matches, and its values: SQLite leaves out the others without our help."""
        if self._instance:
            return "instr(name, ?) > 0", (self._instance,)
        if self._folded_instance:
            # What SQLite folds is ASCII; a name with other characters in it is looked at by us.
            text = "CAST(name AS TEXT)"
            return f"(instr(lower({text}), ?) > 0 OR length({text}) != length(name))", (self._folded_instance,)
        return "1", ()


def name_filter(search: Search) -> NameFilter:
    """Raises `UsageError` for a name that cannot be looked for."""
    pattern = pattern_of(search.name, search.match, ignore_case=search.ignore_case) if search.name else None
    ending = f".{search.ending}" if search.ending else ""
    parts = pattern.parts if pattern is not None else ()
    is_exact = pattern is not None and pattern.exact is not None
    return NameFilter(
        pattern=pattern,
        ending=ending,
        exact=pattern.exact if pattern is not None else None,
        prefix=pattern.prefix if pattern is not None and not is_exact else b"",
        trigrams=tuple(dict.fromkeys((*(pattern.trigrams if pattern is not None else ()), *_trigrams(ending)))),
        _instance=_longest_raw(parts) if pattern is not None and not pattern.fold else b"",
        _folded_instance=max(filter(str.isascii, (*parts, ending)), key=len, default=""),
    )


def _trigrams(text: str) -> Sequence[str]:
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        return ()
    return [text[at : at + _TRIGRAM] for at in range(len(text) - _TRIGRAM + 1)]


def _longest_raw(parts: Sequence[str]) -> bytes:
    raw = []
    for part in parts:
        try:
            raw.append(part.encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError:
            continue
    return max(raw, key=len, default=b"")

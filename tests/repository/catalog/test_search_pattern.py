"""What is looked up for a pattern never leaves out what it matches."""

from __future__ import annotations

import fnmatch
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.repository.catalog.search_pattern import search_pattern

PIECES = ["a", "b", "ab", "abc", "x.txt", "X", "é", "ß", "İ", "*", "?", "[ab]", "[!a]", "[", "]", "[a/b]", "/", "-", "\udcff", " ", '"']
patterns = st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map("".join)
names = st.lists(st.sampled_from([p for p in PIECES if "/" not in p]), min_size=1, max_size=4).map(
    lambda parts: "".join(parts).encode("utf-8", "surrogateescape")
)
paths = st.lists(names, min_size=1, max_size=4).map(lambda parts: b"/" + b"/".join(parts))


def by_hand(pattern: str, path: bytes, *, ignore_case: bool) -> bool:
    """As the documentation says it."""
    text = path.decode("utf-8", "surrogateescape")
    if "/" not in pattern:
        text = text.rpartition("/")[2]
    elif not pattern.startswith("/"):
        pattern = f"*/{pattern}"
    if ignore_case:
        pattern, text = pattern.casefold(), text.casefold()
    return re.match(fnmatch.translate(pattern), text) is not None


@given(patterns, paths, st.booleans())
@settings(max_examples=600, deadline=None)
def test_every_match_has_what_the_pattern_says_it_has(pattern: str, path: bytes, ignore_case: bool) -> None:
    found = search_pattern(pattern, ignore_case=ignore_case)
    assert found.matches(path) == by_hand(pattern, path, ignore_case=ignore_case)
    if not found.matches(path):
        return
    folder, _, name = path.rpartition(b"/")
    text = name.decode("utf-8", "surrogateescape")
    assert found.matches_name(name)
    assert found.exact in (None, name)
    assert name.startswith(found.prefix)
    assert all(part in (text.casefold() if ignore_case else text) for part in found.parts)
    assert all(trigram in text.casefold() for trigram in found.trigrams)
    assert not found.folder or path.startswith(found.folder + b"/")
    assert not found.component or found.component in folder.split(b"/")


@pytest.mark.parametrize(
    ("pattern", "exact", "prefix", "parts"),
    [
        ("notes.txt", b"notes.txt", b"notes.txt", ("notes.txt",)),
        ("IMG_*2019*", None, b"IMG_", ("IMG_", "2019")),
        ("*.tar.[gx]z", None, b"", (".tar.", "z")),
        ("/srv/*/notes.txt", b"notes.txt", b"", ("notes.txt",)),
        ("docs/*.txt", None, b"", (".txt",)),
        ("[", b"[", b"[", ("[",)),
    ],
)
def test_patterns_are_looked_up_by_what_is_sure(pattern: str, exact: bytes | None, prefix: bytes, parts: tuple[str, ...]) -> None:
    found = search_pattern(pattern)
    assert (found.exact, found.prefix, found.parts) == (exact, prefix, parts)


def test_folders_above_are_known_where_no_wildcard_hides_them() -> None:
    assert search_pattern("/srv/data/*.txt").folder == b"/srv/data"
    assert search_pattern("docs/*").component == b"docs"
    assert search_pattern("/*/docs/a*").component == b"docs"
    assert search_pattern("d*/x*").component == b""

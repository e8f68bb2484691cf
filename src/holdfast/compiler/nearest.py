"""Did you mean: the name most like a wrong one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

# Comparing is slow for long lists; beyond this only names that begin alike are looked at.
_MOST = 300


def nearest(wrong: str, known: Iterable[str]) -> str:
    """The most similar of `known`, or an empty string when none is alike."""
    names = list(known)
    if len(names) > _MOST:
        names = [name for name in names if name[:2] == wrong[:2]][:_MOST]
    found = get_close_matches(wrong[:80], names, n=1, cutoff=0.6)
    return found[0] if found else ""


def nearest_hint(wrong: str, known: Iterable[str], otherwise: str) -> str:
    """`did you mean ...?` if there is something alike, else `otherwise`."""
    found = nearest(wrong, known)
    return f"did you mean `{found}`?" if found else otherwise

"""Folders inside folders: pure comparisons of clean absolute paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from holdfast.model.subsets import is_inside

T = TypeVar("T")


def nested_pairs(items: Iterable[T], path: Callable[[T], str]) -> Iterator[tuple[T, T]]:
    """Pairs (outer, inner) where inner lies in the nearest outer, or is the same; sorted by path. O(n log n)."""
    open_: list[T] = []
    for item in sorted(items, key=lambda each: path(each).rstrip("/").split("/")):
        while open_ and not is_inside(path(item), path(open_[-1])):
            open_.pop()
        if open_:
            yield open_[-1], item
        open_.append(item)

"""Answers to `find`: which way to the candidates, each held against the pattern, as few of them as the answer needs."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.repository.catalog.search_pattern import SearchPattern
from holdfast.repository.catalog.version_lookup import FoundPath, Version
from holdfast.repository.interior import Interior

# A folder with more folders below than this is no better way in than a name.
_FEW_FOLDERS = 1_000
# How many characters of a name make it a better way in than a folder above.
_TELLING = 6


def find_versions(interior: Interior, pattern: SearchPattern, datasets: frozenset[int] | None, limit: int) -> tuple[list[Version], bool]:
    """At most `limit` versions that match, by dataset, in walk order, oldest first; and whether there are more: then these are some.

    `datasets` None = all.
    """
    interior.names.catch_up()
    found: list[Version] = []
    seen: set[int] = set()
    for part in _candidates(interior, pattern, datasets):
        for path in part:
            if path.no in seen or not pattern.matches(path.path):
                continue
            seen.add(path.no)
            found += interior.lookup.versions(path, limit + 1 - len(found))
            if len(found) > limit:
                return found[:limit], True
    return found, False


def _candidates(interior: Interior, pattern: SearchPattern, datasets: frozenset[int] | None) -> Iterator[list[FoundPath]]:
    """Every path that can match is among them. `datasets` are the only ones of interest."""
    chosen = sorted(datasets) if datasets is not None else [number for number, _ in interior.commits.datasets()]
    telling = pattern.exact is not None or len(max(pattern.parts, key=len, default="")) >= _TELLING
    if pattern.whole and not telling:
        folder = pattern.folder
        if folder and not interior.lookup.has_folders_below(chosen, folder, _FEW_FOLDERS):
            for dataset in chosen:
                yield from interior.lookup.below(dataset, folder)
            return
        if not pattern.trigrams:
            yield from _below_component(interior, pattern, chosen)
            return
    for numbers in interior.names.paths(pattern):
        yield [path for path in interior.lookup.described(numbers) if datasets is None or path.dataset in datasets]


def _below_component(interior: Interior, pattern: SearchPattern, datasets: list[int]) -> Iterator[list[FoundPath]]:
    if not pattern.component:
        for dataset in datasets:
            yield from interior.lookup.below(dataset, pattern.folder)
        return
    for numbers in interior.names.paths_named(pattern.component):
        for folder in interior.lookup.described(numbers):
            if folder.dataset in datasets:
                yield from interior.lookup.below(folder.dataset, folder.path)

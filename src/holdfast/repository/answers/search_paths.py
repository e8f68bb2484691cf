"""Answers to a search: candidates in the order of their names, each held against what is looked for, until a page is full or time is up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from holdfast.model.entry import display_path, name_of, raw_of
from holdfast.model.search import Search
from holdfast.model.searching import FIRST, AskSearch, Hit, Place, Placed
from holdfast.repository.catalog.database import Rows
from holdfast.repository.catalog.dataset_names import DatasetNames
from holdfast.repository.catalog.name_filter import NameFilter, name_filter
from holdfast.repository.catalog.name_order import Batch, in_name_order
from holdfast.repository.catalog.version_filter import VersionFilter
from holdfast.repository.catalog.version_lookup import Begun, FoundPath, VersionLookup
from holdfast.repository.facts import moment_of
from holdfast.repository.interior import Interior

# A folder with more below it is gone through by the order of names like everything else.
_FEW_FOLDERS, _FEW_PATHS = 1_000, 50_000
_AT_ONCE = 256


@dataclass(frozen=True, kw_only=True)
class SearchedDatasets:
    """Those to be searched, by the catalog's numbers; `label` tells what people call one."""

    numbers: frozenset[int]
    label: Callable[[int], str]


@dataclass(frozen=True, kw_only=True)
class Found:
    """`seen`: how far everything has been looked at, None = to the end."""

    hits: tuple[Placed, ...]
    seen: Place | None


@dataclass(frozen=True, kw_only=True)
class PathSearch:
    """One question. `expired`: asked between two steps, none of which takes long; at least one is done."""

    view: Rows
    search: Search
    datasets: SearchedDatasets
    repository: str
    expired: Callable[[], bool]

    @property
    def _above(self) -> bytes:
        return self.search.under + b"/" if self.search.under else b""

    def run(self, after: Place | None, limit: int) -> Found:
        """At most `limit` hits behind a place. Raises `UsageError` for what cannot be looked for."""
        names, versions = name_filter(self.search), VersionFilter(self.view, self.search)
        lookup = VersionLookup(self.view)
        begin = after or FIRST
        if versions.is_hopeless or not self.datasets.numbers:
            return Found(hits=(), seen=None)
        hits: list[Placed] = []
        seen = begin
        for batch in self._batches(names, lookup, begin):
            for start in range(0, len(batch.found), _AT_ONCE):
                some = batch.found[start : start + _AT_ONCE]
                for hit in self._hits(some, names, versions, lookup, limit - len(hits)):
                    hits.append(hit)
                    if len(hits) == limit:
                        return Found(hits=tuple(hits), seen=hit.place)
                seen = some[-1]
                if self.expired():
                    return Found(hits=tuple(hits), seen=seen)
            if batch.upto is None:
                return Found(hits=tuple(hits), seen=None)
            seen = max(seen, batch.upto)
            if seen > begin and self.expired():
                break
        return Found(hits=tuple(hits), seen=seen)

    def _batches(self, names: NameFilter, lookup: VersionLookup, after: Place) -> Iterator[Batch]:
        """Candidates: those below a folder that has little below it, else by their names."""
        folder = self.search.under or (names.pattern.folder if names.pattern is not None else b"")
        if folder and names.exact is None:
            found = self._below(folder, names, lookup)
            if found is not None:
                return iter([Batch(sorted(place for place in found if place > after), None)])
        return in_name_order(self.view, names, after)

    def _below(self, folder: bytes, names: NameFilter, lookup: VersionLookup) -> list[Place] | None:
        """Everything below it whose name can match; None where that is not little."""
        if lookup.has_folders_below(sorted(self.datasets.numbers), folder, _FEW_FOLDERS):
            return None
        found: list[Place] = []
        count = 0
        for dataset in sorted(self.datasets.numbers):
            for part in lookup.below(dataset, folder):
                count += len(part)
                if count > _FEW_PATHS:
                    return None
                for path in part:
                    name = name_of(path.path)
                    if names.matches_name(name):
                        found.append(Place(name, path.no))
        return found

    def _hits(
        self, places: Sequence[Place], names: NameFilter, versions: VersionFilter, lookup: VersionLookup, limit: int
    ) -> Iterator[Placed]:
        described = {path.no: path for path in lookup.described([place.path for place in places]) if self._is_wanted(path, names)}
        fitting = versions.fitting(list(described.values()))
        wanted = [place for place in places if place.path in fitting]
        for start in range(0, len(wanted), limit):
            some = wanted[start : start + limit]
            begun = versions.begun([(described[place.path], fitting[place.path]) for place in some])
            yield from (Placed(place, self._hit(begun[place.path])) for place in some if place.path in begun)

    def _is_wanted(self, path: FoundPath, names: NameFilter) -> bool:
        if path.dataset not in self.datasets.numbers or not path.path.startswith(self._above):
            return False
        return not names.needs_path or names.matches_path(path.path)

    def _hit(self, begun: Begun) -> Hit:
        version = begun.version
        state = version.state
        return Hit(
            path=display_path(state.path),
            kind=state.kind.value,
            mode=state.mode,
            size_bytes=state.size_bytes,
            mtime_ns=state.mtime_ns,
            user=state.user,
            group=state.group,
            uid=state.uid,
            gid=state.gid,
            link_target=display_path(state.link_target),
            path_raw=raw_of(state.path),
            dataset=self.datasets.label(version.dataset),
            repository=self.repository,
            point=version.point or "",
            valid_from=moment_of(version.from_ns),
            valid_to=moment_of(version.to_ns) if version.to_ns is not None else None,
            versions=begun.versions,
            exists=begun.exists,
            seen_at=moment_of(begun.seen_ns),
        )


def search_paths(interior: Interior, ask: AskSearch, after: Place | None, expired: Callable[[], bool]) -> Found:
    """What one repository has. Raises `UsageError`, `StoreError` when the catalog cannot be read."""
    with interior.views.view() as view:
        known = DatasetNames(view, interior.commits.called)
        numbers = known.known_as(ask.dataset) if ask.dataset else [number for number, _ in known.datasets()]
        if ask.within is not None:
            allowed = {number for number, identity in known.datasets() if ask.within.allows(interior.name, identity)}
            numbers = [number for number in numbers if number in allowed]
        datasets = SearchedDatasets(numbers=frozenset(numbers), label=cache(known.label))
        search = PathSearch(view=view, search=ask.search, datasets=datasets, repository=interior.name, expired=expired)
        return search.run(after, ask.limit)

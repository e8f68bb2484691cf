"""Answers to `ls`, `find` and `history`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import islice

from msgspec.structs import replace

from holdfast.core.errors import RepositoryDamaged
from holdfast.core.ids import DatasetId, PointId
from holdfast.model.entry import Entry, Kind, display_path, raw_of, walk_key
from holdfast.model.listing_questions import AskFind, AskHistory, AskListing, Listings
from holdfast.model.moments import versions_of
from holdfast.model.points import Listing, LostListing, Point
from holdfast.model.reading import LostFolder
from holdfast.model.sight import Within
from holdfast.repository.answers.searching import find_versions
from holdfast.repository.catalog.past_tree import PastTree, listed_at
from holdfast.repository.catalog.search_pattern import search_pattern
from holdfast.repository.catalog.version_lookup import State, Version
from holdfast.repository.continuous.lineage import older_versions
from holdfast.repository.damage_met import read_of
from holdfast.repository.facts import moment_of
from holdfast.repository.interior import Interior
from holdfast.repository.packs.trees import OnLost, Trees

_MOST_LOST = 100


def listing_of(entry: Entry | State, point: Point | None = None) -> Listing:
    return Listing(
        path=display_path(entry.path),
        kind=entry.kind.value,
        mode=entry.mode,
        size_bytes=entry.size_bytes,
        mtime_ns=entry.mtime_ns,
        user=entry.user,
        group=entry.group,
        uid=entry.uid,
        gid=entry.gid,
        link_target=display_path(entry.link_target),
        path_raw=raw_of(entry.path),
        dataset=point.dataset if point else "",
        repository=point.repository if point else "",
        point=point.id if point else "",
    )


def list_point(interior: Interior, tree: bytes, point: Point, ask: AskListing) -> Listings:
    """Raises `UnknownName` when the path is not in the point, `RepositoryDamaged` when its own listing is lost. A folder below it whose
    listing is lost is named, and the others are listed."""
    met = interior.damage_met(read_of(point))
    trees = Trees(interior.storage, interior.blobs, met)
    lost: list[LostFolder] = []

    def on_lost(folder: bytes, error: RepositoryDamaged) -> None:
        if len(lost) < _MOST_LOST:
            lost.append(LostFolder(folder, error.message))

    try:
        entries = _entries(trees, tree, point, ask, on_lost)
        rows = [_with_content(entry, point, ask) for entry in islice(entries, ask.limit + 1)]
    finally:
        met.settle()
    if lost and not rows and not ask.after:
        raise RepositoryDamaged(f"{display_path(lost[0].path)} cannot be listed: {lost[0].reason}")
    named = tuple(LostListing(path=display_path(folder.path), reason=folder.reason) for folder in lost)
    return Listings(rows=tuple(rows[: ask.limit]), more=len(rows) > ask.limit, point=point, lost=named)


def _with_content(entry: Entry, point: Point, ask: AskListing) -> Listing:
    row = listing_of(entry, point)
    if not ask.content or entry.kind is not Kind.FILE:
        return row
    return replace(row, content=sha256(b"".join(ref.id for ref in entry.chunks)).hexdigest()[:32])


def _entries(trees: Trees, tree: bytes, point: Point, ask: AskListing, on_lost: OnLost) -> Iterator[Entry]:
    path = ask.path.rstrip(b"/") or ask.path[:1]
    if path:
        if not ask.recursive:
            return trees.children(tree, path, ask.after)
        below = trees.walk(tree, [path], ask.after, on_lost)
        return (entry for entry in below if entry.path != path)
    roots = roots_in(trees, tree, point.paths)
    if ask.recursive:
        return trees.walk(tree, roots, ask.after, on_lost)
    return _only(trees, tree, [root for root in roots if not ask.after or root > ask.after])


def _only(trees: Trees, tree: bytes, paths: Sequence[bytes]) -> Iterator[Entry]:
    """These entries themselves."""
    for path in paths:
        node = trees.node_at(tree, path)
        if node is not None:
            yield from (e for e in trees.entries_of([(path[: path.rfind(b"/")], node)]) if e is not None)


def roots_in(trees: Trees, tree: bytes, paths: Sequence[str]) -> list[bytes]:
    """The classification's roots as they stand in the tree; the top folders when they cannot be found (a root's name is not UTF-8)."""
    found = sorted(root for root in roots_named(paths) if root != b"/" and trees.node_at(tree, root) is not None)
    return found or [b"/" + node.name for node in trees.load(tree)]


def roots_named(paths: Sequence[str]) -> tuple[bytes, ...]:
    """As roots are written in a point."""
    return tuple(path.encode("utf-8", "surrogatepass") for path in paths)


def find(interior: Interior, ask: AskFind) -> Listings:
    """Versions that match, by dataset, then in walk order, oldest first."""
    datasets = _allowed(interior, frozenset(interior.commits.known_as(ask.dataset)) if ask.dataset else None, ask.within)
    versions, more = find_versions(interior, search_pattern(ask.pattern, ignore_case=ask.ignore_case), datasets, ask.limit)
    versions.sort(key=lambda version: (version.dataset, walk_key(version.state.path)))
    return Listings(rows=_of_versions(interior, versions), more=more)


def _allowed(interior: Interior, datasets: frozenset[int] | None, within: Within | None) -> frozenset[int] | None:
    """Of these datasets (None = all) those within bounds."""
    if within is None:
        return datasets
    numbers = (number for number, identity in interior.commits.datasets() if within.allows(interior.name, identity))
    return frozenset(number for number in numbers if datasets is None or number in datasets)


def history(interior: Interior, ask: AskHistory) -> Listings:
    """The versions of one path, by dataset, newest first. Raises `UnknownName` when there is no dataset of that name."""
    path = ask.path.rstrip(b"/")
    rows: list[Listing] = []
    identities = dict(interior.commits.datasets())
    allowed = _allowed(interior, None, ask.within)
    for dataset in interior.commits.known_as(ask.dataset) if ask.dataset else list(identities):
        if allowed is not None and dataset not in allowed:
            continue
        versions = interior.lookup.history(dataset, path, ask.limit + 1 - len(rows))
        rows += _of_versions(interior, versions)
        rows += _of_lineage(interior, dataset, path, versions, versions_of(DatasetId(identities[dataset])))
        if len(rows) > ask.limit:
            break
    return Listings(rows=tuple(rows[: ask.limit]), more=len(rows) > ask.limit)


def _of_lineage(interior: Interior, dataset: int, path: bytes, known: Sequence[Version], point: PointId) -> Iterator[Listing]:
    """Older versions that no state of the whole dataset has any more; those of the others are named there."""
    have = {(version.state.mtime_ns, version.state.size_bytes, version.state.mode) for version in known}
    label = interior.commits.label(dataset)
    for version in older_versions(interior, dataset, path, point):
        if (version.entry.mtime_ns, version.entry.size_bytes, version.entry.mode) not in have:
            yield replace(
                listing_of(version.entry),
                dataset=label,
                repository=interior.name,
                point=version.point,
                valid_from=moment_of(version.from_ns),
                valid_to=moment_of(version.to_ns),
            )


def _of_versions(interior: Interior, versions: Sequence[Version]) -> tuple[Listing, ...]:
    labels = {dataset: interior.commits.label(dataset) for dataset in {version.dataset for version in versions}}
    return tuple(
        replace(
            listing_of(version.state),
            dataset=labels[version.dataset],
            repository=interior.name,
            point=version.point or "",
            points=version.points,
            valid_from=moment_of(version.from_ns),
            valid_to=moment_of(version.to_ns) if version.to_ns is not None else None,
        )
        for version in versions
    )


def list_at(interior: Interior, dataset: int, commit_no: int, point: Point, ask: AskListing) -> Listings:
    """`list_point` from the catalog alone: the same rows, without a look into the store."""
    states = listed_at(PastTree(interior.lookup, dataset, commit_no), point.paths, ask)
    rows = [listing_of(state, point) for state in islice(states, ask.limit + 1)]
    return Listings(rows=tuple(rows[: ask.limit]), more=len(rows) > ask.limit, point=point)

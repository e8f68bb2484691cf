"""Answers to `ls` and `find`."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from holdfast.core.errors import UnknownName
from holdfast.model.entry import Entry, display_path, path_of, raw_of
from holdfast.model.points import Listing, Point
from holdfast.model.questions import AskFind, AskListing, Listings
from holdfast.repository.commit_table import CommitRow
from holdfast.repository.facts import facts_of, moment_of
from holdfast.repository.interior import Interior
from holdfast.repository.trees import Trees
from holdfast.repository.version_table import VersionRow


def listing_of(entry: Entry, point: Point) -> Listing:
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
        dataset=point.dataset,
        repository=point.repository,
        point=point.id,
    )


def list_point(trees: Trees, tree: bytes, point: Point, ask: AskListing) -> Listings:
    """Raises `UnknownName` when the path is not in the point."""
    entries = _entries(trees, tree, point, ask)
    rows = [listing_of(entry, point) for entry in islice(entries, ask.limit + 1)]
    return Listings(rows=tuple(rows[: ask.limit]), more=len(rows) > ask.limit)


def _entries(trees: Trees, tree: bytes, point: Point, ask: AskListing) -> Iterator[Entry]:
    path = ask.path.rstrip(b"/") or ask.path[:1]
    if path:
        if not ask.recursive:
            return trees.children(tree, path, ask.after)
        below = trees.walk(tree, [path], ask.after)
        return (entry for entry in below if entry.path != path)
    roots = roots_in(trees, tree, point.paths)
    if ask.recursive:
        return trees.walk(tree, roots, ask.after)
    return _only(trees, tree, [root for root in roots if not ask.after or root > ask.after])


def _only(trees: Trees, tree: bytes, paths: Sequence[bytes]) -> Iterator[Entry]:
    """These entries themselves."""
    for path in paths:
        node = trees.node_at(tree, path)
        if node is not None:
            yield from (e for e in trees.entries_of([(path[: path.rfind(b"/")], node)]) if e is not None)


def roots_in(trees: Trees, tree: bytes, paths: Sequence[str]) -> list[bytes]:
    """The classification's roots as they stand in the tree; the top folders when they cannot be found (a root's name is not UTF-8)."""
    roots = [path.encode("utf-8", "surrogatepass") for path in paths]
    found = sorted(root for root in roots if root != b"/" and trees.node_at(tree, root) is not None)
    return found or [b"/" + node.name for node in trees.load(tree)]


def _matcher(pattern: str) -> re.Pattern[str]:
    """A glob on the name, or with a `/` in it on the path; a relative path pattern may begin at any folder."""
    if "/" in pattern and not pattern.startswith("/"):
        pattern = f"*/{pattern}"
    return re.compile(fnmatch.translate(pattern))


def find_versions(interior: Interior, ask: AskFind) -> Listings:
    """All versions whose path matches, by dataset, then in walk order, oldest first."""
    rows: list[Listing] = []
    for number, dataset in interior.commits.datasets():
        timeline = _Timeline(interior, number)
        if ask.dataset and ask.dataset not in (dataset, timeline.label):
            continue
        found = _matching(interior.versions.all_of(number), ask.pattern)
        listings = (listing for row in found if (listing := timeline.listing(row, interior.name)) is not None)
        rows.extend(islice(listings, ask.limit + 1 - len(rows)))
        if len(rows) > ask.limit:
            break
    return Listings(rows=tuple(rows[: ask.limit]), more=len(rows) > ask.limit)


def _matching(rows: Iterable[VersionRow], pattern: str) -> Iterator[VersionRow]:
    match = _matcher(pattern).match
    whole = "/" in pattern
    for row in rows:
        if whole:
            text = path_of(row.key).decode("utf-8", "surrogateescape")
        else:
            text = row.key[row.key.rfind(b"\x00") + 1 :].decode("utf-8", "surrogateescape")
        if match(text):
            yield row


class _Timeline:
    """The live commits of a dataset: turns a version's commit numbers into times and a point that holds it."""

    def __init__(self, interior: Interior, dataset: int) -> None:
        self._commits: list[CommitRow] = interior.commits.sealed(dataset)
        self._points: dict[int, str] = {}
        self.label = ""
        for row in interior.commits.snapshots(dataset):
            facts = facts_of(row.snapshot)
            if facts is not None and row.commit_no is not None:
                self.label = facts.label
                if not facts.is_head:
                    self._points[row.commit_no] = facts.point

    def listing(self, row: VersionRow, repository: str) -> Listing | None:
        """None when no live commit holds this version."""
        live = [c for c in self._commits if c.no >= row.from_no and (row.to_no is None or c.no < row.to_no)]
        if not live:
            return None
        end = next((c for c in self._commits if row.to_no is not None and c.no >= row.to_no), None)
        path = path_of(row.key)
        return Listing(
            path=display_path(path),
            kind=row.kind.value,
            mode=row.mode,
            size_bytes=row.size_bytes,
            mtime_ns=row.mtime_ns,
            uid=row.uid,
            gid=row.gid,
            path_raw=raw_of(path),
            dataset=self.label,
            repository=repository,
            point=next((self._points[c.no] for c in reversed(live) if c.no in self._points), ""),
            valid_from=moment_of(live[0].captured_ns),
            valid_to=moment_of(end.captured_ns) if end is not None else None,
        )


def choose_point(points: Sequence[Point], prefix: str) -> Point:
    """The one point whose id begins so; raises `UnknownName` when there is none or more than one."""
    exact = [point for point in points if point.id == prefix]
    found = exact or [point for point in points if point.id.startswith(prefix) or (point.snapshot.startswith(prefix))]
    if len(prefix) < 4 and not exact:
        raise UnknownName(f"{prefix!r} is too short for a point", hint="give at least 4 characters; `holdfast points` lists them")
    if not found:
        raise UnknownName(f"there is no point {prefix!r}", hint="`holdfast points` lists them")
    if len(found) > 1:
        raise UnknownName(f"{len(found)} points begin with {prefix!r}", hint="give more characters")
    return found[0]

"""Why a version of a path is still there, out of the points' trees and the keep rules in force."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from holdfast.core.ids import PointId
from holdfast.model.entry import Entry, display_path, raw_of
from holdfast.model.explanations import Explanation, Keeper
from holdfast.model.keep_future import Ends, ends_of
from holdfast.model.points import Point
from holdfast.model.retention import kept
from holdfast.model.rules import StoredOperation
from holdfast.repository._format.tree import RawNode, without_subtree
from holdfast.repository.answers.explaining_moments import moments_with, version_at
from holdfast.repository.catalog.version_lookup import Version
from holdfast.repository.interior import Interior
from holdfast.repository.points.sealing import points_of


class _Nodes:
    """The node of one path in many trees, which have most of their folders in common."""

    def __init__(self, interior: Interior, path: bytes) -> None:
        self._trees = interior.trees
        self._names = [name for name in path.split(b"/") if name]
        self._known: dict[tuple[bytes, int], RawNode | None] = {}

    def at(self, tree: bytes) -> RawNode | None:
        node: RawNode | None = None
        folder: bytes | None = tree
        for depth, name in enumerate(self._names):
            if folder is None:
                return None
            key = (folder, depth)
            if key not in self._known:
                self._known[key] = next((child for child in self._trees.load(folder) if child.name == name), None)
            node = self._known[key]
            if node is None:
                return None
            folder = node.subtree
        return node


def explain(
    interior: Interior, path: bytes, dataset: str, at: datetime | None, operations: dict[tuple[str, str], StoredOperation]
) -> tuple[Explanation, ...]:
    """One for each dataset that held the path at that time, in a point or, where every state is kept, between points. `operations`: those
    in force, by dataset and name. Only points of ours."""
    interior.refresh()
    rows = interior.commits.listed()
    trees = {row.id.hex(): row.tree for row in rows}
    nodes = _Nodes(interior, path)
    found: list[Explanation] = []
    points = sorted((p for p in points_of(rows, interior.name) if not p.foreign), key=lambda point: (point.time, point.seq), reverse=True)
    for dataset_id in dict.fromkeys(point.dataset_id for point in points if dataset in ("", point.dataset, point.dataset_id)):
        own = [point for point in points if point.dataset_id == dataset_id]
        held = {point.id: nodes.at(trees[point.snapshot]) for point in own}
        between = version_at(interior, dataset_id, path, at)
        if between is not None:
            told = _of_version(interior, between, (own, held), operations)
            if told is not None:
                found.append(told)
                continue
        version = next((held[p.id] for p in own if (at is None or p.time <= at) and held[p.id] is not None), None)
        entry = _entry(interior, path, version) if version is not None else None
        if version is None or entry is None:
            continue
        holders = [point for point in own if _same(held[point.id], version)]
        found.append(_explanation(interior, entry, own, holders, operations))
    return tuple(found)


def _of_version(
    interior: Interior,
    version: Version,
    points: tuple[Sequence[Point], Mapping[PointId, RawNode | None]],
    operations: dict[tuple[str, str], StoredOperation],
) -> Explanation | None:
    """Of a dataset that keeps moments. None when neither a moment nor a point has the version."""
    own, held = points
    state = version.state

    def is_it(node: RawNode | None) -> bool:
        entry = None if node is None else _entry(interior, state.path, node)
        return entry is not None and (entry.kind, entry.mtime_ns, entry.size_bytes) == (state.kind, state.mtime_ns, state.size_bytes)

    holders = [point for point in own if is_it(held[point.id])]
    moments = moments_with(interior, own[0].dataset_id, version, operations)
    if moments is None and not holders:
        return None
    entry = Entry(path=state.path, kind=state.kind, mode=state.mode, size_bytes=state.size_bytes, mtime_ns=state.mtime_ns)
    told = _explanation(interior, entry, own, holders, operations)
    return replace(told, current=version.to_ns is None, moments=moments)


def _entry(interior: Interior, path: bytes, node: RawNode) -> Entry | None:
    return interior.trees.entries_of([(path[: path.rfind(b"/")], node)])[0]


def _same(node: RawNode | None, version: RawNode) -> bool:
    """A folder is the same while its own facts are, whatever it holds."""
    return node is not None and (node.raw == version.raw or without_subtree(node) == without_subtree(version))


def _explanation(
    interior: Interior,
    entry: Entry,
    own: Sequence[Point],
    holders: Sequence[Point],
    operations: dict[tuple[str, str], StoredOperation],
) -> Explanation:
    reasons, ends = _reasons(interior, own, operations), _ends(interior, own, holders, operations)
    return Explanation(
        repository=interior.name,
        dataset=own[0].dataset,
        dataset_id=own[0].dataset_id,
        path=display_path(entry.path),
        path_raw=raw_of(entry.path),
        kind=entry.kind.value,
        size_bytes=entry.size_bytes,
        mtime_ns=entry.mtime_ns,
        current=own[0] in holders,
        keepers=tuple(
            Keeper(
                point=point.id,
                operation=point.operation,
                time=point.time,
                reasons=reasons.get(point.id, ()),
                locked_until=point.locked_until,
                expires_at=point.expires_at,
                goes_at=ends[point.operation].at.get(point.id),
                every_s=ends[point.operation].every_s,
            )
            for point in holders
        ),
    )


def _reasons(
    interior: Interior, points: Sequence[Point], operations: dict[tuple[str, str], StoredOperation]
) -> dict[PointId, tuple[str, ...]]:
    """By point, what keeps it. `points` are of one dataset, newest first."""
    now = interior.time.now()
    found: dict[PointId, tuple[str, ...]] = {}
    for name in dict.fromkeys(point.operation for point in points):
        own = [point for point in points if point.operation == name]
        operation = operations.get((own[0].dataset_id, name))
        if operation is not None:
            found.update({point.id: reasons for point, reasons in kept(own, operation.keep, now).keep})
        else:
            found.update({point.id: ("no-rules", *_locked(point, now)) for point in own})
        found[own[0].id] = ("newest", *found.get(own[0].id, ()))
    return found


def _ends(
    interior: Interior, points: Sequence[Point], holders: Sequence[Point], operations: dict[tuple[str, str], StoredOperation]
) -> dict[str, Ends]:
    """By operation of the holders, until when its points stay. `points` are of one dataset."""
    found: dict[str, Ends] = {}
    for name in dict.fromkeys(point.operation for point in holders):
        operation = operations.get((points[0].dataset_id, name))
        own = [point for point in points if point.operation == name]
        found[name] = ends_of(own, operation.keep, interior.time.now()) if operation is not None else Ends(None, {})
    return found


def _locked(point: Point, now: datetime) -> Iterable[str]:
    locks = (("locked", point.locked_until), ("held", point.held_until))
    return [reason for reason, until in locks if until is not None and until > now]

"""What a mount shows: one point, or many, each dataset a folder with a folder for each point in it.

A dataset's folder also has `latest`, a link to the newest point, and any `@TIME` that somebody opens by name: what the dataset was then.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from holdfast.core.clock import Clock, now, ns_of
from holdfast.core.errors import HoldfastError, UnknownName
from holdfast.core.ids import DatasetId, PointId
from holdfast.model.entry import Entry
from holdfast.model.points import Point
from holdfast.model.reading import PointReader
from holdfast.operations.mount.naming import LATEST, folders_of, in_order, names_of, newest_name, time_named
from holdfast.operations.mount.point_session import PointSession
from holdfast.operations.mount.point_tree import PointTree

# New points are looked for when somebody looks, and no more often than this.
_FRESH_S = 5.0
# A point that nobody has read from for so long is let go, unless it is the one that was named when mounting.
IDLE_S = 3600.0
# Times opened by name, each remembered for a minute: what was then may still arrive.
_TIMES_S = 60.0
_MOST_TIMES = 1_000


class Owner(Protocol):
    """Who has the points. Each raises a `HoldfastError` in time."""

    def points(self) -> Sequence[Point]:
        """All that are to be seen."""
        ...

    def at(self, dataset: DatasetId, time: datetime) -> Point:
        """The newest point or moment of it captured at or before a time. Raises `UnknownName`."""
        ...

    def open(self, point: Point) -> PointReader: ...


class Stored(NamedTuple):
    """A path of a point."""

    tree: PointTree
    entry: Entry


class Made(NamedTuple):
    """A folder of the mount's own."""

    name: bytes
    time_ns: int = 0


class Link(NamedTuple):
    """A link of the mount's own."""

    name: bytes
    target: bytes
    time_ns: int = 0


Found = Stored | Made | Link


class View(Protocol):
    """Paths are absolute, `/` is the mount itself. Raises what its owner says."""

    def find(self, path: bytes) -> Found | None: ...

    def listing(self, path: bytes) -> list[tuple[bytes, Found]]:
        """By name what is in a folder. Raises `UnknownName` when it is not there."""
        ...

    def keep(self) -> None:
        """Now and then: hold what must be held, let go what nobody reads. Never raises."""
        ...

    def close(self) -> None: ...


class OnePoint:
    """The tree of one point, held from `__init__` to `close`, whatever becomes of the point meanwhile. Raises what its owner says."""

    def __init__(self, owner: Owner, point: Point, clock: Clock) -> None:
        self._tree = PointTree(PointSession(lambda: owner.open(point), clock), point)
        self._tree.children(b"/")

    def find(self, path: bytes) -> Found | None:
        entry = self._tree.entry(path)
        return Stored(self._tree, entry) if entry is not None else None

    def listing(self, path: bytes) -> list[tuple[bytes, Found]]:
        return _listed(self._tree, path)

    def keep(self) -> None:
        _keep(self._tree, reopen=True)

    def close(self) -> None:
        self._tree.session.close()


class ManyPoints:
    """All points of an owner; `dataset`: those of one, without a folder for the dataset itself."""

    def __init__(self, owner: Owner, clock: Clock, dataset: DatasetId | None = None) -> None:
        self._owner = owner
        self._clock = clock
        self._dataset = dataset
        self._guard = threading.Lock()
        self._asking = threading.Lock()
        self._trees: dict[PointId, PointTree] = {}
        self._times: dict[tuple[DatasetId, bytes], tuple[float, Point]] = {}
        self._folders: Mapping[tuple[bytes, ...], Mapping[bytes, Point]] = {}
        self._asked_at_s: float | None = None
        self._look()

    def find(self, path: bytes) -> Found | None:
        parts = tuple(path[1:].split(b"/")) if path != b"/" else ()
        self._look_again(parts)
        for depth in range(len(parts) + 1):
            names = self._folders.get(parts[:depth])
            if names is None or depth == len(parts):
                continue
            if parts[depth] == LATEST and depth + 1 == len(parts) and (newest := newest_name(names)) is not None:
                return Link(path, newest, ns_of(names[newest].time))
            point = self._named(names, parts[depth])
            if point is not None:
                tree = self._tree(point)
                entry = tree.entry(b"/" + b"/".join(parts[depth + 1 :]))
                return Stored(tree, entry) if entry is not None else None
        return Made(path, self._time_of(parts)) if self._is_folder(parts) else None

    def listing(self, path: bytes) -> list[tuple[bytes, Found]]:
        parts = tuple(path[1:].split(b"/")) if path != b"/" else ()
        if self._is_folder(parts):
            self._look()
            return list(self._made(path.rstrip(b"/"), parts))
        found = self.find(path)
        if not isinstance(found, Stored):
            raise UnknownName("there is no such folder")
        return _listed(found.tree, found.entry.path)

    def keep(self) -> None:
        moment_s = self._clock.monotonic_s()
        with self._guard:
            idle = [key for key, tree in self._trees.items() if moment_s - tree.session.used_at_s > IDLE_S]
            gone = [self._trees.pop(key) for key in idle]
            kept = list(self._trees.values())
        for tree in gone:
            tree.session.close()
        for tree in kept:
            _keep(tree, reopen=False)

    def close(self) -> None:
        with self._guard:
            trees, self._trees = list(self._trees.values()), {}
        for tree in trees:
            tree.session.close()

    def _made(self, path: bytes, parts: tuple[bytes, ...]) -> Iterator[tuple[bytes, Found]]:
        below = {place[len(parts)] for place in self._folders if len(place) > len(parts) and place[: len(parts)] == parts}
        for name in sorted(below):
            yield name, Made(path + b"/" + name, self._time_of((*parts, name)))
        names = self._folders.get(parts, {})
        for name, point in names.items():
            if name not in below:
                tree = self._tree(point)
                yield name, Stored(tree, tree.root)
        if (newest := newest_name(names)) is not None:
            yield LATEST, Link(path + b"/" + LATEST, newest, ns_of(names[newest].time))

    def _is_folder(self, parts: tuple[bytes, ...]) -> bool:
        return not parts or any(place[: len(parts)] == parts for place in self._folders)

    def _time_of(self, parts: tuple[bytes, ...]) -> int:
        times = [ns_of(point.time) for place, names in self._folders.items() if place[: len(parts)] == parts for point in names.values()]
        return max(times, default=0)

    def _named(self, names: Mapping[bytes, Point], name: bytes) -> Point | None:
        point = names.get(name)
        if point is not None or not names:
            return point
        moment = time_named(name, now(self._clock))
        if moment is None:
            return None
        dataset = next(iter(names.values())).dataset_id
        known = self._times.get((dataset, name))
        if known is not None and self._clock.monotonic_s() - known[0] < _TIMES_S:
            return known[1]
        try:
            point = self._owner.at(dataset, moment)
        except UnknownName:
            return None
        if len(self._times) >= _MOST_TIMES:
            self._times.clear()
        self._times[dataset, name] = (self._clock.monotonic_s(), point)
        return point

    def _tree(self, point: Point) -> PointTree:
        with self._guard:
            tree = self._trees.get(point.id)
            if tree is None:
                owner = self._owner
                tree = self._trees[point.id] = PointTree(PointSession(lambda: owner.open(point), self._clock), point)
            tree.session.used_at_s = self._clock.monotonic_s()
            return tree

    def _look_again(self, parts: tuple[bytes, ...]) -> None:
        """For a name that is not known: it may be a new point."""
        if parts and not self._is_folder(parts) and not any(parts[len(place)] in names for place, names in self._places_above(parts)):
            self._look()

    def _places_above(self, parts: tuple[bytes, ...]) -> Iterator[tuple[tuple[bytes, ...], Mapping[bytes, Point]]]:
        for depth in range(len(parts)):
            names = self._folders.get(parts[:depth])
            if names is not None:
                yield parts[:depth], names

    def _look(self) -> None:
        with self._asking:
            moment_s = self._clock.monotonic_s()
            if self._asked_at_s is not None and moment_s - self._asked_at_s < _FRESH_S:
                return
            points = self._owner.points()
            self._asked_at_s = moment_s
            folders: dict[tuple[bytes, ...], Mapping[bytes, Point]]
            if self._dataset is not None:
                folders = {(): names_of(point for point in points if point.dataset_id == self._dataset)}
            else:
                folders = {place: names_of(some) for place, some in folders_of(points).items()}
            # A point that somebody reads is there for as long as he does, forgotten or not.
            for place, names in self._folders.items():
                read = {name: point for name, point in names.items() if (tree := self._trees.get(point.id)) and tree.session.is_open}
                if place in folders or read:
                    folders[place] = in_order({**read, **folders.get(place, {})})
            self._folders = folders


def _listed(tree: PointTree, path: bytes) -> list[tuple[bytes, Found]]:
    return [(name, Stored(tree, entry)) for name, entry in tree.children(path).items()]


def _keep(tree: PointTree, *, reopen: bool) -> None:
    try:
        tree.session.keep(reopen=reopen)
    except HoldfastError:
        # Its owner is away. Whoever reads is told; the next time it is tried again.
        return

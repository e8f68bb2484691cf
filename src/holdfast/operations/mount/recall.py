"""What the recall mount shows: the archived versions of this node's datasets, at `DATASET/TIME/path`, where stubs lead.

A lineage grows with each run of an archive, and what has expired leaves it. So a session with its owner lives while somebody reads, a
minute more, and begins anew where a name is not found: it may have been archived since. What one version holds never changes.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from msgspec.structs import replace

from holdfast.core.clock import Clock
from holdfast.core.ids import DatasetId
from holdfast.model.entry import Entry, Kind
from holdfast.model.points import Point
from holdfast.model.reading import PointReader
from holdfast.operations.mount.point_session import PointSession
from holdfast.operations.mount.point_tree import Attributes, PointTree
from holdfast.operations.mount.shelf import Found, Made, Stored

# No listing is believed for longer: what has expired is not to be seen, and a session that is idle holds nothing against prune.
FRESH_S = 60.0
# A name that is not found is looked for anew no more often than this.
_LOOK_AGAIN_S = 1.0
# Nobody waits longer for his turn with the owner.
TURN_S = 15.0
_ACL = b"system.posix_acl_access"
_ACL_HEAD, _ACL_ROW = struct.Struct("<I"), struct.Struct("<HHI")
_GROUP_OBJECT, _MASK = 0x04, 0x10


class Lineages(Protocol):
    """Whose archives are shown. `open` raises a `HoldfastError` in time, and so does everything its reader does."""

    def datasets(self) -> Mapping[bytes, Point]:
        """By its id what the lineage of each is called."""
        ...

    def open(self, dataset: DatasetId) -> PointReader: ...


class RecallView:
    """A `shelf.View`. `on_keep` is called about once a minute."""

    def __init__(self, lineages: Lineages, clock: Clock, on_keep: Callable[[], None] = lambda: None) -> None:
        self._lineages = lineages
        self._clock = clock
        self._on_keep = on_keep
        self._guard = threading.Lock()
        self._trees: dict[DatasetId, tuple[float, PointTree]] = {}
        self._left: list[PointTree] = []

    def find(self, path: bytes) -> Found | None:
        name, _, below = path[1:].partition(b"/")
        if not name:
            return Made(path)
        point = self._lineages.datasets().get(name)
        if point is None:
            return None
        tree = self._tree(point, FRESH_S)
        entry = tree.entry(b"/" + below)
        if entry is None:
            tree = self._tree(point, _LOOK_AGAIN_S)
            entry = tree.entry(b"/" + below)
        return Stored(tree, entry) if entry is not None else None

    def listing(self, path: bytes) -> list[tuple[bytes, Found]]:
        if path == b"/":
            return [(name, Made(b"/" + name)) for name in self._lineages.datasets()]
        found = self.find(path)
        if not isinstance(found, Stored):
            return []
        tree = found.tree
        return [(name, Stored(tree, entry)) for name, entry in tree.children(found.entry.path).items()]

    def keep(self) -> None:
        moment_s = self._clock.monotonic_s()
        with self._guard:
            idle = [key for key, (_, tree) in self._trees.items() if moment_s - tree.session.used_at_s > FRESH_S]
            gone = [self._trees.pop(key)[1] for key in idle]
            # Somebody who was at it may have opened it anew.
            gone += [tree for tree in self._left if tree.session.is_open and moment_s - tree.session.used_at_s > FRESH_S]
            self._left = [tree for tree in self._left if tree not in gone and tree.session.is_open]
        for tree in gone:
            tree.session.close()
        self._on_keep()

    def close(self) -> None:
        with self._guard:
            trees = [*(tree for _, tree in self._trees.values()), *self._left]
            self._trees, self._left = {}, []
        for tree in trees:
            tree.session.close()

    def _tree(self, point: Point, fresh_s: float) -> PointTree:
        dataset, moment_s = point.dataset_id, self._clock.monotonic_s()
        with self._guard:
            known = self._trees.get(dataset)
            if known is not None and moment_s - known[0] < fresh_s:
                return known[1]
            if known is not None:
                self._left.append(known[1])
            tree = LineageTree(PointSession(lambda: self._lineages.open(dataset), self._clock, turn_s=TURN_S), point)
            self._trees[dataset] = (moment_s, tree)
            return tree


class LineageTree(PointTree):
    """Any user of the machine comes here, so the mode says only what holds without the ACL, of which the kernel knows nothing here."""

    def attributes(self, entry: Entry) -> Attributes:
        return super().attributes(without_acl(entry))


def without_acl(entry: Entry) -> Entry:
    """With an ACL the group's bits of a mode are its mask. Without, the owning group has its own rights, as far as the mask lets it, and
    whom the ACL names has those of all others, but no more than the group."""
    if entry.kind is Kind.SYMLINK:
        return entry
    acl = next((xattr.value for xattr in entry.xattrs if xattr.name == _ACL), b"")
    if len(acl) < _ACL_HEAD.size or (len(acl) - _ACL_HEAD.size) % _ACL_ROW.size:
        return entry
    rows = {tag: rights for tag, rights, _ in _ACL_ROW.iter_unpack(acl[_ACL_HEAD.size :])}
    group = rows.get(_GROUP_OBJECT, 0) & rows.get(_MASK, 7) & 7
    named = [rights & 7 for tag, rights, _ in _ACL_ROW.iter_unpack(acl[_ACL_HEAD.size :]) if tag in (0x02, 0x08)]
    others = entry.mode & 7
    for rights in named:
        others &= rights
    return replace(entry, mode=entry.mode & ~0o77 | group << 3 | others)

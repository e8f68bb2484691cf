"""Renames of the source, as keys. Pure: nothing here is believed before `moving.plan_moves` has looked at records and disk.

A hint says that what is put at and below one path lay at and below another before. Hints come in the order in which things happened, so
they are followed one by one (`Hints`): chains come together, what is written over is forgotten. What is carried out is a set of trees
(`Moves`) that all move at once, each from where it was before the commit to where it is after it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from holdfast.core.errors import ProtocolError
from holdfast.model.change import Move
from holdfast.model.entry import check_path, is_below, walk_key

# More renames than this in one commit are no stream of changes; the rest is done without hints.
_MOST_HINTS = 20_000


class MovedTree(msgspec.Struct, frozen=True, array_like=True):
    """A name and all below it: `old` and `new` are keys, `inode` tells it wherever it is."""

    old: bytes
    new: bytes
    inode: int


def ancestry(key: bytes) -> Iterator[bytes]:
    """The key itself, then the folders above it, nearest first."""
    while key:
        yield key
        key = key[: key.rfind(b"\x00")]
    yield b""


class Hints:
    """What the hints of one commit say about one target, whose root is at `root`."""

    def __init__(self, moves: Sequence[Move], root: bytes) -> None:
        # Where things are now: what was there before, None = nothing of before. Below a key all moves with it.
        self._origins: dict[bytes, bytes | None] = {}
        self._keys: list[bytes] = []
        # The nearest folder with an origin, by folder, once all hints were followed: many names of one are asked for one after the other.
        self._nearest: dict[bytes, bytes | None] = {}
        for move in moves[:_MOST_HINTS]:
            source, target = _key_inside(move.moved_from, root), _key_inside(move.path, root)
            if source is None and target is None:
                continue
            if source is not None and target is not None and (_is_at_or_below(source, target) or _is_at_or_below(target, source)):
                continue
            self._follow(source, target)

    def __bool__(self) -> bool:
        return bool(self._origins)

    def origin(self, key: bytes) -> bytes | None:
        """Where this was before, if it was moved."""
        found = self._before(key)
        return None if found == key else found

    def trees(self) -> dict[bytes, bytes]:
        """Old key by new: of all that has moved, without what only moved along with a folder."""
        found = dict[bytes, bytes]()
        for key, old in self._origins.items():
            if old is not None and old != key and self._before_by(key, key[: key.rfind(b"\x00")]) != old:
                found[key] = old
        return found

    def _follow(self, source: bytes | None, target: bytes | None) -> None:
        origin = None if source is None else self._before(source)
        moved = [] if source is None else [(key, self._origins[key]) for key in self._range(source) if key != source]
        if source is not None:
            self._drop(source)
            self._set(source, None)
        if target is not None:
            self._drop(target)
            self._set(target, origin)
            for key, old in moved if source is not None else []:
                self._set(target + key[len(source or b"") :], old)

    def _before(self, key: bytes) -> bytes | None:
        return self._before_by(key, key)

    def _before_by(self, key: bytes, start: bytes) -> bytes | None:
        root = start if start in self._origins else self._holder(start[: start.rfind(b"\x00") if start else 0])
        if root is None:
            return key
        old = self._origins[root]
        return None if old is None else old + key[len(root) :]

    def _holder(self, folder: bytes) -> bytes | None:
        if folder not in self._nearest:
            self._nearest[folder] = next((root for root in ancestry(folder) if root in self._origins), None)
        return self._nearest[folder]

    def _range(self, key: bytes) -> list[bytes]:
        return self._keys[bisect_left(self._keys, key) : bisect_left(self._keys, key + b"\x01")]

    def _drop(self, key: bytes) -> None:
        self._nearest.clear()
        for inner in self._range(key):
            del self._origins[inner]
        del self._keys[bisect_left(self._keys, key) : bisect_left(self._keys, key + b"\x01")]

    def _set(self, key: bytes, old: bytes | None) -> None:
        self._nearest.clear()
        if key not in self._origins:
            insort(self._keys, key)
        self._origins[key] = old


def _key_inside(path: bytes, root: bytes) -> bytes | None:
    """None for what is not below the root: the root itself stays where it is."""
    try:
        check_path(path)
    except ProtocolError:
        return None
    return walk_key(path) if is_below(path, root) and path != root else None


def _is_at_or_below(key: bytes, folder: bytes) -> bool:
    return key == folder or key.startswith(folder + b"\x00")


class Moves:
    """Trees that are moved at once. No tree's `old` or `new` is another's."""

    def __init__(self, trees: Sequence[MovedTree] = ()) -> None:
        self.trees = tuple(sorted(trees, key=lambda tree: tree.old, reverse=True))
        """Deepest first, by where they were."""
        self._by_old = {tree.old: tree for tree in trees}
        self._by_new = {tree.new: tree for tree in trees}
        # By folder, since many names of one are asked for one after the other.
        self._known_old: dict[bytes, MovedTree | None] = {}
        self._known_new: dict[bytes, MovedTree | None] = {}

    def to(self, key: bytes) -> MovedTree | None:
        """The tree that comes to this place."""
        return self._by_new.get(key)

    def before(self, key: bytes) -> bytes | None:
        """Under which key the records know what is at this place once all have moved; None where nothing of before is left."""
        return self._before_by(key, key)

    def inherited(self, key: bytes) -> bytes | None:
        """As `before`, of what comes to this place with the folders above it alone."""
        return self._before_by(key, key[: key.rfind(b"\x00")])

    def _before_by(self, key: bytes, start: bytes) -> bytes | None:
        if not self.trees:
            return key
        tree = _holder(start, self._by_new, self._known_new)
        if tree is None:
            return key if self._home(start) is None else None
        old = tree.old + key[len(tree.new) :]
        return old if self._home(old) is tree else None

    def is_of(self, tree: MovedTree, key: bytes) -> bool:
        """Whether what was at this place moves with this tree, and not with one inside it."""
        return self._home(key) is tree

    def _home(self, key: bytes) -> MovedTree | None:
        return _holder(key, self._by_old, self._known_old)

    def is_plain(self, tree: MovedTree) -> bool:
        """Whether no other tree leaves or comes at, or above, its new place: then one rename brings it there."""
        return all(self._by_new.get(root, tree) is tree and root not in self._by_old for root in ancestry(tree.new))


def _holder(key: bytes, trees: Mapping[bytes, MovedTree], known: dict[bytes, MovedTree | None]) -> MovedTree | None:
    """The nearest of these trees, by place, that is at this place or above it. `known`: what was found for folders before."""
    tree = trees.get(key)
    if tree is not None or not key:
        return tree
    folder = key[: key.rfind(b"\x00")]
    if folder not in known:
        known[folder] = next((trees[root] for root in ancestry(folder) if root in trees), None)
    return known[folder]

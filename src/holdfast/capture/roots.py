"""What one walk has to visit: the roots of all requested datasets, folded into one ordered list without overlaps. Pure.

The walk visits `tops` in walk order: parents of roots as single paths, and the outermost roots as whole trees. Roots and parents that lie
inside such a tree, and paths that must be left out, are `specials` of the folder that holds them. `intervals` are the ranges of state rows
that belong to all this, and to roots which the classification no longer has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from holdfast.capture.classify import Classifier
from holdfast.capture.stubs import NO_STUBS, Stubs
from holdfast.model.entry import is_below, walk_key
from holdfast.model.rules import DatasetRule


@dataclass(frozen=True)
class Target:
    """One requested dataset: its rule, the bit of its slot, its compiled classification, its roots, and the roots recorded last time."""

    rule: DatasetRule
    bit: int
    classifier: Classifier
    roots: tuple[bytes, ...]
    recorded: Mapping[bytes, tuple[int, int, int]]


@dataclass
class Special:
    """What is special about one name in a folder: datasets that leave it out, have their root here, or have a root below."""

    cut: int = 0
    root: int = 0
    parent: int = 0
    add: int = 0


@dataclass(frozen=True)
class Top:
    """`root`: the datasets whose root it is, to be walked; none = a single folder above a root. `parent`: those with a root below."""

    path: bytes
    root: int
    parent: int


@dataclass(frozen=True)
class WalkPlan:
    tops: tuple[Top, ...]
    specials: dict[bytes, dict[bytes, Special]]
    intervals: tuple[tuple[bytes, bytes], ...]
    cut_inodes: dict[tuple[int, int], int] = field(default_factory=dict)
    stubs: Stubs = NO_STUBS


def parents_of(path: bytes) -> list[bytes]:
    """All folders above, the root of all first."""
    if path == b"/":
        return []
    parts = path.split(b"/")[1:-1]
    return [b"/"] + [b"/" + b"/".join(parts[: count + 1]) for count in range(len(parts))]


def ways_to(roots: Iterable[bytes]) -> frozenset[bytes]:
    """The roots themselves and all folders above them."""
    return frozenset(path for root in roots for path in (*parents_of(root), root))


def is_strictly_below(path: bytes, folder: bytes) -> bool:
    """And not the folder itself."""
    return path != folder and (folder == b"/" or path.startswith(folder + b"/"))


def plan_walk(targets: Iterable[Target], cut_paths: Mapping[bytes, int]) -> WalkPlan:
    """`cut_paths`: absolute paths to leave out, with the mask of datasets that do."""
    roots: dict[bytes, int] = {}
    parents: dict[bytes, int] = {}
    ranges: list[tuple[bytes, bytes]] = []
    for target in targets:
        for path in target.roots:
            roots[path] = roots.get(path, 0) | target.bit
            for parent in parents_of(path):
                parents[parent] = parents.get(parent, 0) | target.bit
        for path in {*target.roots, *target.recorded}:
            ranges.append(_tree_range(path))
            ranges.extend(_point_range(parent) for parent in parents_of(path))
    outermost = [path for path in roots if not any(parent in roots for parent in parents_of(path))]
    inside = tuple(outermost)
    specials: dict[bytes, dict[bytes, Special]] = {}
    for path, bits in roots.items():
        if path not in inside:
            _special(specials, path).root |= bits
    for path, bits in parents.items():
        if any(is_strictly_below(path, tree) for tree in inside):
            _special(specials, path).parent |= bits
    for path, bits in cut_paths.items():
        _special(specials, path).cut |= bits
    tops = [Top(path, roots[path], parents.get(path, 0)) for path in outermost]
    tops += [Top(path, 0, bits) for path, bits in parents.items() if not any(is_below(path, tree) for tree in inside)]
    return WalkPlan(tuple(sorted(tops, key=lambda top: walk_key(top.path))), specials, merged(ranges))


def merged(ranges: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
    """Half-open ranges of keys, joined where they touch, in order."""
    joined: list[tuple[bytes, bytes]] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return tuple(joined)


def _tree_range(path: bytes) -> tuple[bytes, bytes]:
    key = walk_key(path)
    return key, key + b"\x01"


def _point_range(path: bytes) -> tuple[bytes, bytes]:
    key = walk_key(path)
    return key, key + b"\x00"


def _special(specials: dict[bytes, dict[bytes, Special]], path: bytes) -> Special:
    parent, _, name = path.rpartition(b"/")
    return specials.setdefault(parent or b"/", {}).setdefault(name, Special())

"""Which names a walk of places has to look at, folder by folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from holdfast.capture.ports import Place
from holdfast.capture.roots import Top, is_strictly_below
from holdfast.core.errors import ProtocolError, UsageError
from holdfast.host.database_files import BESIDE, main_of, read_header
from holdfast.model.entry import check_path, display_path, parent_of


@dataclass(frozen=True)
class Places:
    """`names`: by folder, the names in it that are places or lead to some, in order. `below`: the places themselves, and whether all that
    lies below each is looked at, too."""

    names: Mapping[bytes, tuple[bytes, ...]]
    below: Mapping[bytes, bool]

    def concern(self, path: bytes) -> bool:
        """Whether it is a place or one lies below it."""
        return path in self.names or path in self.below


def check_places(places: Iterable[Place]) -> None:
    """Raises `UsageError` for a path that is not absolute and clean."""
    for place in places:
        try:
            check_path(place.path)
        except ProtocolError as error:
            raise UsageError(f"{display_path(place.path)} is no place to look at", hint="name absolute, clean paths") from error


def with_databases(places: Iterable[Place]) -> Iterator[Place]:
    """The places, and all of a database where one of them is a part of it. Looks at the first bytes of files."""
    for place in places:
        yield place
        for main in () if place.below else {main for main in (main_of(place.path), place.path) if main is not None}:
            if read_header(main) is not None:
                yield Place(main)
                yield from (Place(main + ending) for ending in BESIDE)


def plan_places(places: Iterable[Place], tops: Iterable[Top], whole: Iterable[bytes]) -> Places:
    """`tops` of the walk's plan. `whole`: roots to be walked in any case. A place outside all tops is dropped; one above roots stands for
    these when all below it is meant."""
    tops = tuple(tops)
    roots = frozenset(top.path for top in tops if top.root)
    parents = frozenset(top.path for top in tops if not top.root)
    below: dict[bytes, bool] = dict.fromkeys(whole, True)
    inside = dict.fromkeys(roots, True)
    for place in places:
        path = place.path
        folder = path[: path.rfind(b"/")] or b"/"
        is_inside = _is_inside(folder, inside)
        if path in roots or path in parents or (is_inside and path != b"/"):
            below[path] = below.get(path, False) or (place.below and path not in parents)
        if place.below and path not in roots:
            below.update((root, True) for root in roots if is_strictly_below(root, path))
            below.update((parent, False) for parent in parents if is_strictly_below(parent, path))
    names: dict[bytes, set[bytes]] = {}
    for path in below:
        child = path
        while child != b"/":
            folder, _, name = child.rpartition(b"/")
            folder = folder or b"/"
            known = names.setdefault(folder, set())
            if name in known:
                break
            known.add(name)
            child = folder
    return Places({folder: tuple(sorted(known)) for folder, known in names.items()}, below)


def _is_inside(folder: bytes, known: dict[bytes, bool]) -> bool:
    """Whether it is a root or lies in one. `known` of the roots, and of what was asked before: no way up is gone twice."""
    ways = []
    while folder not in known:
        ways.append(folder)
        if folder == b"/":
            known[folder] = False
        else:
            folder = parent_of(folder)
    known.update(dict.fromkeys(ways, known[folder]))
    return known[folder]

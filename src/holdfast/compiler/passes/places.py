"""Pass `places`: which folders of which machine belong to repositories and mirrors, that they do not clash, and that no capture
runs into them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from holdfast.compiler.drawing import DrawnVertex, Key, Leg, policy_where
from holdfast.compiler.folders import nested_pairs
from holdfast.compiler.mirror_paths import NoTarget, Targets, mirror_targets, side_folder
from holdfast.compiler.report import Report
from holdfast.model.diagnostics import Where
from holdfast.model.document import Policy, RepositoryEntry
from holdfast.model.object_location import is_object_location, parse_object_location
from holdfast.model.subsets import is_inside

Owner = tuple[str, str]


@dataclass(frozen=True)
class Place:
    """A folder that is ours. Of a mirror, `owner` is (policy, source node) and `root` what it mirrors there."""

    path: str
    what: str
    where: Where
    owner: Owner | None = None
    root: str = ""
    operation: str = ""


@dataclass
class Places:
    """`targets`: by (mirror vertex, policy, source node). `excluded`: by (policy, node), what the capture leaves out."""

    targets: dict[tuple[Key, str, str], Targets] = field(default_factory=dict)
    by_node: dict[str, list[Place]] = field(default_factory=dict)
    excluded: dict[Owner, tuple[str, ...]] = field(default_factory=dict)


def find_places(repositories: Iterable[RepositoryEntry], legs: tuple[Leg, ...], report: Report) -> Places:
    places = Places()
    far: dict[str, list[Place]] = {}
    for repository in repositories:
        if is_object_location(repository.location):
            where = Where(path=f"repositories.{repository.name}.location", kind="repository", name=repository.name)
            service, folder = parse_object_location(repository.location).place
            far.setdefault(service, []).append(Place(folder, f"repository `{repository.name}`", where))
        elif repository.location.startswith("/"):
            where = Where(path=f"repositories.{repository.name}.location", kind="repository", name=repository.name)
            place = Place(repository.location, f"repository `{repository.name}`", where)
            places.by_node.setdefault(repository.node, []).append(place)
    for leg in legs:
        if leg.sink.kind == "mirror":
            _add_mirrors(leg, places, report)
    for node, found in places.by_node.items():
        for outer, inner in nested_pairs(found, lambda each: each.path):
            _report_clash(node, outer, inner, report)
    for service, found in far.items():
        for outer, inner in nested_pairs(found, lambda each: each.path):
            relation = "is also" if outer.path == inner.path else "lies inside"
            message = f"{inner.what} at {service}{inner.path} {relation} {outer.what}"
            report.add("repository-clash", inner.where, message, "give each a prefix of its own")
    _check_captures(legs, places, report)
    return places


def _add_mirrors(leg: Leg, places: Places, report: Report) -> None:
    vertex: DrawnVertex = leg.sink
    here = places.by_node.setdefault(vertex.place, [])
    known = {(place.path, place.owner, place.root, place.operation) for place in here}
    for source in leg.sources:
        try:
            targets = mirror_targets(vertex, leg.policy, source)
        except NoTarget as problem:
            report.add("mirror-path", vertex.where("path"), problem.message, problem.hint)
            return
        places.targets[(vertex.key, leg.policy.name, source)] = targets
        for root, path in targets:
            place = Place(
                path, f"mirror `{vertex.vertex.name}`", vertex.where("path"), (leg.policy.name, source), root, leg.carried.operation.name
            )
            if (place.path, place.owner, root, place.operation) not in known:
                here.append(place)


def _report_clash(node: str, outer: Place, inner: Place, report: Report) -> None:
    relation = "is also" if outer.path == inner.path else "lies inside"
    if outer.owner is None or inner.owner is None:
        message = f"{inner.what} at {inner.path} on node `{node}` {relation} {outer.what}"
        report.add("repository-clash", inner.where, message, "give each a folder of its own")
        return
    if outer.owner == inner.owner and outer.path == inner.path and outer.root == inner.root:
        message = f"two operations of policy `{inner.owner[0]}` keep the same mirror at {inner.path}"
        report.add("mirror-path-clash", inner.where, message, "carry one of them, or give each a mirror of its own")
        return
    (inner_policy, inner_source), (outer_policy, outer_source) = inner.owner, outer.owner
    mine, other = f"{inner_source}/{inner_policy}", f"{outer_source}/{outer_policy}"
    message = f"the mirror of {mine} at {inner.path} on node `{node}` {relation} that of {other}"
    report.add("mirror-path-clash", inner.where, message, "put {node}, {policy} or {path} into the path, so that each has its own folder")


def _check_captures(legs: tuple[Leg, ...], places: Places, report: Report) -> None:
    """Only machines that both capture and keep something are looked at, so this is cheap for a fleet of sources."""
    feeds: dict[Owner, dict[Owner, Place]] = {}
    done: set[Owner] = set()
    for leg in legs:
        for source in leg.sources if leg.origin is None else ():
            owner = (leg.policy.name, source)
            if source in places.by_node and owner not in done:
                done.add(owner)
                _check_capture(leg.policy, owner, places, feeds, report)
    _check_loops(feeds, report)


def _check_capture(policy: Policy, owner: Owner, places: Places, feeds: dict[Owner, dict[Owner, Place]], report: Report) -> None:
    excluded: list[str] = []
    for index, root in enumerate(policy.classification.paths):
        where = policy_where(policy, f"classification.paths[{index}]")
        for place in places.by_node[owner[1]]:
            if is_inside(root, place.path):
                if place.owner is not None and place.owner != owner:
                    feeds.setdefault(place.owner, {}).setdefault(owner, place)
                    continue
                hint = "capture another folder, or keep the data in another place"
                report.add("source-inside-store", where, f"{root} on node `{owner[1]}` lies in {place.what} at {place.path}", hint)
            elif is_inside(place.path, root):
                inside = [place.path] if place.owner is None else [place.path, side_folder(place.path)]
                excluded.extend(path for path in inside if path not in excluded)
                message = f"{place.what} at {place.path} on node `{owner[1]}` lies inside {root} and is left out of the capture"
                report.add("excluded-inside", where, message, "nothing to do; move it elsewhere if you want no such hole")
    if excluded:
        places.excluded[owner] = tuple(excluded)


def _check_loops(feeds: dict[Owner, dict[Owner, Place]], report: Report) -> None:
    """A dataset whose mirror is captured by one whose mirror is captured by ... the first."""
    for start in feeds:
        way, left = {start}, [start]
        while left:
            for following, place in feeds.get(left.pop(), {}).items():
                if following == start:
                    message = f"{start[1]}/{start[0]} is captured again from mirrors of itself, by way of {place.path}"
                    report.add("loop-by-location", place.where, message, "mirror one way only, or to another folder")
                if following not in way:
                    way.add(following)
                    left.append(following)

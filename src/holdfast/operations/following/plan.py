"""What a node follows by its rules, and what of a piece of work concerns whom. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from holdfast.capture.ports import Place
from holdfast.core.clock import utc
from holdfast.core.errors import UnknownName, UsageError
from holdfast.core.ids import DatasetId
from holdfast.model.entry import is_below
from holdfast.model.gaps import Gap
from holdfast.model.operations import SPECS
from holdfast.model.rate_table import Tables
from holdfast.model.roots import normal_roots
from holdfast.model.rules import DatasetRule, Delivery, Rules
from holdfast.model.schedule import has_schedule
from holdfast.model.tail import NOT_CONTINUOUS
from holdfast.operations.following.backlog import PORTION_BYTES, SMALL_BYTES, Work
from holdfast.operations.run_order import SmallRun
from holdfast.operations.spooling.standing import keeping_actions

PORTION_S = 1.0


@dataclass(frozen=True)
class Followed:
    """One dataset that is followed. `operations`: those without a time of their own, which every small run serves. `windows`: when each of
    its continuous deliveries is open, by id. `portion_bytes`: about so much travels at once, little where a mover is limited.
    `keeping`: those that keep moments, for which the spool takes what changes while they are closed."""

    rule: DatasetRule
    roots: tuple[bytes, ...]
    operations: tuple[str, ...]
    windows: tuple[tuple[str, Tables], ...] = ()
    portion_bytes: int = PORTION_BYTES
    keeping: frozenset[str] = frozenset()


def followed_by(rules: Rules) -> tuple[Followed, ...]:
    """Datasets of this node with a continuous delivery, in the order of the rules."""
    deliveries: dict[DatasetId, list[Delivery]] = {}
    for delivery in rules.deliveries:
        if delivery.mode == "continuous":
            deliveries.setdefault(delivery.dataset, []).append(delivery)
    return tuple(
        Followed(
            rule,
            normal_roots(rule.classification.paths),
            ride_along(rule, deliveries[rule.id]),
            tuple((delivery.id, delivery.windows) for delivery in deliveries[rule.id]),
            portion_of(deliveries[rule.id]),
            frozenset(delivery.id for delivery in deliveries[rule.id] if keeping_actions(rule, delivery)),
        )
        for rule in rules.datasets
        if rule.id in deliveries
    )


def portion_of(deliveries: Iterable[Delivery]) -> int:
    """What the slowest mover sends in `PORTION_S`."""
    limits = (delivery.limit_bytes_s for delivery in deliveries)
    slowest = min((limit for limit in limits if limit is not None), default=None)
    return PORTION_BYTES if slowest is None else max(SMALL_BYTES, min(PORTION_BYTES, int(slowest * PORTION_S)))


def ride_along(rule: DatasetRule, deliveries: Sequence[Delivery]) -> tuple[str, ...]:
    """Operations that a small run serves: carried by a continuous delivery, without a schedule and without points."""
    carried = {name for delivery in deliveries if delivery.mode == "continuous" for name in delivery.operations}
    return tuple(
        operation.name
        for operation in rule.operations
        if operation.name in carried and not has_schedule(operation) and not operation.after and not SPECS[operation.kind].makes_points
    )


def tailed(rules: Rules | None, flow: str, dataset: str) -> frozenset[DatasetId]:
    """The followed datasets of a flow here, or that one (label or id). Raises `UnknownName`, and `UsageError` where none is followed."""
    part = next((each for each in rules.flows if each.name == flow), None) if rules is not None else None
    if rules is None or part is None:
        raise UnknownName(f"no flow {flow!r} is active here", hint="`holdfast status` shows what there is")
    chosen = [rule for rule in rules.datasets if rule.id in part.datasets and dataset in ("", rule.id, rule.label)]
    if not chosen and dataset:
        raise UnknownName(f"flow {flow!r} captures no dataset {dataset!r} here", hint="`holdfast status` lists them")
    followed = frozenset(each.rule.id for each in followed_by(rules)).intersection(rule.id for rule in chosen)
    if not followed:
        raise UsageError(f"nothing of {flow!r} is continuous here", hint=NOT_CONTINUOUS)
    return followed


def needs_scan(rule: DatasetRule, due: Iterable[str], deliveries: Iterable[Delivery]) -> bool:
    """Whether a run for these operations has to look at everything, though the dataset is followed: the operations of a batch are the
    proof that nothing was missed, and what goes as a batch is brought by no small run."""
    asked = set(due)
    if any(each.mode == "batch" and not asked.isdisjoint(each.operations) for each in deliveries if each.dataset == rule.id):
        return True
    return any(
        operation.name in asked and not SPECS[operation.kind].continuous and has_schedule(operation) for operation in rule.operations
    )


def common_cuts(followed: Iterable[Followed]) -> tuple[bytes, ...]:
    """Paths that every one of them leaves out: what happens there need not even be told."""
    found = [set(normal_roots(each.rule.exclude_paths)) for each in followed]
    return tuple(sorted(set.intersection(*found))) if found else ()


def concerns(each: Followed, places: Iterable[Place]) -> bool:
    """Whether one of the places lies in the dataset, or holds a root of it."""
    return any(touches(place, root) for place in places for root in each.roots)


def part_for(roots: Iterable[bytes], work: Work) -> Work:
    """The work that lies in, or above, these roots. Where the other names of files are only the state knows."""
    roots = tuple(roots)
    return Work(
        places=tuple(place for place in work.places if any(touches(place, root) for root in roots)),
        moves=tuple(move for move in work.moves if any(is_below(path, root) for path in (move.path, move.moved_from) for root in roots)),
        gaps=tuple(gap for gap in work.gaps if any(touches(Place(gap.path, True), root) for root in roots)),
        inodes=work.inodes,
        since_s=work.since_s,
        closed=work.closed,
        due_ns=work.due_ns,
    )


def gaps_by_dataset(followed: Iterable[Followed], gaps: Iterable[Gap]) -> Mapping[DatasetId, tuple[Gap, ...]]:
    """As commits carry them. A gap above a root is one of the root."""
    found: dict[DatasetId, list[Gap]] = {}
    for each in followed:
        for gap in gaps:
            for root in each.roots:
                if touches(Place(gap.path, True), root):
                    path = gap.path if is_below(gap.path, root) else root
                    found.setdefault(each.rule.id, []).append(msgspec.structs.replace(gap, path=path))
    return {dataset: tuple(told) for dataset, told in found.items()}


def without_large(work: Work, put_off: Iterable[bytes]) -> Work:
    """The work without these names."""
    left = set(put_off)
    return replace(work, places=tuple(place for place in work.places if place.below or place.path not in left))


def small_of(datasets: Sequence[Followed], work: Work, links: Iterable[bytes], closed: frozenset[str] = frozenset()) -> SmallRun:
    """The run of this work. `links`: further names of its files. `closed`: deliveries that take no part."""
    places = joined([work, Work(places=tuple(Place(path) for path in links))]).places
    due = {} if work.due_ns is None else dict.fromkeys((each.rule.id for each in datasets), utc(work.due_ns))
    return SmallRun(places=places, moves=work.moves, gaps=gaps_by_dataset(datasets, work.gaps), closed=closed, due=due)


def joined(works: Sequence[Work]) -> Work:
    """All of it as one; places that several name are named once."""
    if len(works) == 1:
        return works[0]
    places: dict[bytes, bool] = {}
    for work in works:
        for place in work.places:
            places[place.path] = place.below or places.get(place.path, False)
    return Work(
        places=tuple(Place(path, below) for path, below in sorted(places.items())),
        moves=tuple(dict.fromkeys(move for work in works for move in work.moves)),
        gaps=tuple(dict.fromkeys(gap for work in works for gap in work.gaps)),
        inodes=frozenset().union(*(work.inodes for work in works)),
        since_s=min((work.since_s for work in works), default=0.0),
        closed=frozenset().union(*(work.closed for work in works)),
        due_ns=min((work.due_ns for work in works if work.due_ns is not None), default=None),
    )


def real_roots(followed: Iterable[Followed]) -> tuple[tuple[bytes, ...], tuple[Followed, ...]]:
    """The roots that can be watched, and the datasets with one that cannot, because it lies behind a symbolic link."""
    roots: set[bytes] = set()
    behind = []
    for each in followed:
        if any(_folder(root) != os.path.realpath(_folder(root)) for root in each.roots):
            behind.append(each)
        else:
            roots.update(each.roots)
    return tuple(sorted(roots)), tuple(behind)


def touches(place: Place, root: bytes) -> bool:
    """Whether looking there sees something of the root's tree."""
    return is_below(place.path, root) or (place.below and is_below(root, place.path))


def _folder(path: bytes) -> bytes:
    return path[: path.rfind(b"/")] or b"/"

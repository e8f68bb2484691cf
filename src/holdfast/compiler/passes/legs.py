"""Pass `legs`: follow every carried operation from its source through relays to where it is kept, and on from repositories."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from holdfast.compiler.drawing import Carried, Drawing, DrawnMover, Key, Leg
from holdfast.compiler.report import Report
from holdfast.model.document import OperationUse, RepositoryEntry
from holdfast.model.subsets import part_of, paths_in, takes


@dataclass
class _Trip:
    """What is on its way: an operation of a policy, for some source nodes, about to take the last of `movers`."""

    carried: Carried
    travels: OperationUse
    sources: tuple[str, ...]
    origin: RepositoryEntry | None
    movers: tuple[DrawnMover, ...]
    paths: tuple[str, ...]


@dataclass
class _Journal:
    """`fired`: (mover, carried) that something took. `arrived`: nodes by (repository, policy, operation). `relayed`: what passed which
    relay, by where it began: passing it twice is no second way but one too many, and following each would never end. `emptied`: of what
    `only` left nothing, by (mover, carried); `taken`: of what it left something, for other sources perhaps.
    """

    fired: set[tuple[str, int, int]] = field(default_factory=set)
    arrived: dict[tuple[str, str, str], set[str]] = field(default_factory=dict)
    relayed: set[tuple[Key, Key, str, str]] = field(default_factory=set)
    emptied: dict[tuple[str, int, int], tuple[DrawnMover, Carried]] = field(default_factory=dict)
    taken: set[tuple[str, int, int]] = field(default_factory=set)


def find_legs(drawing: Drawing, report: Report) -> tuple[Leg, ...]:
    journal, legs = _Journal(), []
    waiting = deque(_from_sources(drawing))
    while waiting:
        whole = waiting.popleft()
        trip, mover = _narrowed(whole), whole.movers[-1]
        place = (mover.flow, mover.index, trip.carried.index)
        journal.fired.add(place)
        if (whole.sources and not trip.sources) or not trip.paths:
            journal.emptied[place] = (mover, trip.carried)
            continue
        journal.taken.add(place)
        if mover.target.kind == "relay":
            if _is_first(trip, journal, report):
                waiting.extend(_through_relay(trip, drawing, report))
            continue
        leg = Leg(trip.carried, trip.travels, trip.sources, trip.origin, trip.movers, trip.paths)
        legs.append(leg)
        if mover.target.repository is not None:
            waiting.extend(_from_repository(leg, mover.target.repository, drawing, journal))
    _report_unfired(drawing, journal, report)
    _report_emptied(journal, report)
    _check_after(legs, journal, report)
    return tuple(legs)


def _narrowed(trip: _Trip) -> _Trip:
    """What `only` of the mover it is about to take leaves of it."""
    only = trip.movers[-1].mover.only
    if not only:
        return trip
    sources = tuple(node for node in trip.sources if takes(only, node, trip.carried.policy.name))
    return replace(trip, sources=sources, paths=part_of(trip.paths, paths_in(only)))


def _from_sources(drawing: Drawing) -> Iterator[_Trip]:
    for mover in drawing.movers:
        if mover.source.is_source:
            names = {policy.name for policy in mover.source.policies}
            for carried in mover.carries:
                if carried.policy.name in names:
                    yield _Trip(carried, carried.operation, mover.source.nodes, None, (mover,), carried.policy.classification.paths)


def _is_first(trip: _Trip, journal: _Journal, report: Report) -> bool:
    mover = trip.movers[-1]
    passed = (trip.movers[0].source.key, mover.target.key, trip.carried.label, trip.travels.name)
    if passed not in journal.relayed:
        journal.relayed.add(passed)
        return True
    message = f"`{trip.carried.label}` reaches relay `{mover.target.vertex.name}` along two ways"
    report.add("two-ways-in", mover.where_carried(trip.carried), message, "keep one of the ways")
    return False


def _through_relay(trip: _Trip, drawing: Drawing, report: Report) -> list[_Trip]:
    relay, found = trip.movers[-1].target, []
    for mover in drawing.leaving.get(relay.key, ()):
        onward = next((each for each in mover.carries if each.label == trip.carried.label), None)
        if onward is not None:
            found.append(replace(trip, carried=onward, movers=(*trip.movers, mover)))
    if not found:
        where = trip.movers[-1].where_carried(trip.carried)
        hint = f"draw a mover from `{relay.vertex.name}` that carries it on"
        report.add("dead-end", where, f"`{trip.carried.label}` ends at relay `{relay.vertex.name}`, which stores nothing", hint)
    return found


def _from_repository(leg: Leg, repository: RepositoryEntry, drawing: Drawing, journal: _Journal) -> list[_Trip]:
    """Movers from a repository carry what arrived in it; to a mirror they carry a `replicate` of the same policy."""
    here = journal.arrived.setdefault((repository.name, leg.policy.name, leg.carried.operation.name), set())
    new = tuple(source for source in leg.sources if source not in here)
    here.update(new)
    found = []
    if new or not leg.sources:
        for mover in drawing.leaving.get(leg.sink.key, ()):
            for carried in mover.carries:
                same = carried.label == leg.carried.label
                if same or (carried.policy.name == leg.policy.name and carried.spec.receiver == "mirror"):
                    trip = _Trip(carried, leg.carried.operation, new, repository, (mover,), leg.paths)
                    if new or (mover.flow, mover.index, carried.index) not in journal.fired:
                        found.append(trip)
    return found


def _check_after(legs: list[Leg], journal: _Journal, report: Report) -> None:
    """An `after` that waits for what never arrives would wait for ever."""
    for leg in legs:
        mover = leg.movers[0]
        policy, _, operation = mover.mover.after.partition("/")
        if leg.origin is None or policy != leg.policy.name or (leg.origin.name, policy, operation) in journal.arrived:
            continue
        hint = f"name an operation that a mover brings to `{mover.source.vertex.name}`"
        report.add("not-upstream", mover.where("after"), f"`{mover.mover.after}` never arrives there", hint)


def _report_emptied(journal: _Journal, report: Report) -> None:
    for place, (mover, carried) in journal.emptied.items():
        if place not in journal.taken:
            message = f"`only` leaves nothing of `{carried.label}` that arrives at `{mover.source.vertex.name}`"
            hint = "name paths inside its classification, or sources that it comes from; or let the mover not carry it"
            report.add("only-nothing", mover.where("only"), message, hint)


def _report_unfired(drawing: Drawing, journal: _Journal, report: Report) -> None:
    for mover in drawing.movers:
        for carried in mover.carries:
            if (mover.flow, mover.index, carried.index) in journal.fired:
                continue
            name = mover.source.vertex.name
            if mover.source.is_source:
                hint = f"add `{carried.policy.name}` to the policies of `{name}`"
            elif carried.spec.receiver == "mirror" and mover.source.kind == "repository":
                hint = f"nothing of policy `{carried.policy.name}` is stored in `{name}`; draw a mover that brings it there"
            else:
                hint = f"let a mover into `{name}` carry it too"
            report.add("not-upstream", mover.where_carried(carried), f"`{carried.label}` never arrives at `{name}`", hint)

"""What rules would do in some days to come: runs, points, what retention would leave of them, and the RPOs that cannot be met.

All of it is said for groups of datasets that have the same to do, so that a thousand machines with one policy cost as one. Runs are taken
to take no time and receivers to be there; jitter is left out, and said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise, takewhile
from typing import Literal

import msgspec

from holdfast.core.ids import DatasetId, NodeId, RepositoryId
from holdfast.model.courses import CourseRun, CourseStart, runs_of
from holdfast.model.operations import SPECS
from holdfast.model.points import Point, imagined
from holdfast.model.promises import last_part
from holdfast.model.rate_table import Tables, opens_at
from holdfast.model.retention import kept
from holdfast.model.rules import Cascade, DatasetRule, Delivery, ForwardAction, OperationRule, Rules, StoreAction, StoredOperation, title_of
from holdfast.model.schedule import is_open

MOST_RUNS = 20_000
"""Of one group of datasets; one that runs more often is cut short there."""
_TOLERANCE_S = 60.0

Reason = Literal["window", "exclusion", "mover", "never"]


class SimulatedLine(msgspec.Struct, frozen=True, kw_only=True):
    """One operation at one receiver, of `datasets` datasets that have the same to do; `dataset` is one of them. `runs`, `points` and `kept`
    are of each. `oldest`: of the points that are kept at the end."""

    policy: str
    operation: str
    kind: str
    receiver: str
    dataset: str
    datasets: int
    runs: int
    points: int
    kept: int
    oldest: datetime | None
    newest: datetime | None


class UnmetRpo(msgspec.Struct, frozen=True, kw_only=True):
    """`times` spans between captures were longer than the RPO; the longest is from `begin` to `end`. `reason`: why nothing began when one
    was due there: no window was open, an exclusion forbade it, the mover was closed, or it never runs at all."""

    policy: str
    operation: str
    receiver: str
    dataset: str
    every_s: float
    longest_s: float
    begin: datetime
    end: datetime
    times: int
    reason: Reason


class SimulatedRun(msgspec.Struct, frozen=True, kw_only=True):
    """`jitter_s`: each of the datasets begins so much later at most."""

    at: datetime
    policy: str
    operations: tuple[str, ...]
    dataset: str
    datasets: int
    jitter_s: float


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """`upcoming`: the first runs, of `runs_total` groups of runs. `truncated`: something runs so often that it was cut short."""

    since: datetime
    until: datetime
    lines: tuple[SimulatedLine, ...]
    unmet: tuple[UnmetRpo, ...]
    upcoming: tuple[SimulatedRun, ...]
    runs_total: int
    truncated: bool = False


def simulate(rules: Mapping[NodeId, Rules], since: datetime, until: datetime, most_upcoming: int = 100) -> Simulation:
    """As if the rules came in force at `since`."""
    world = _World(rules, since, until)
    for group in _groups(world):
        world.play(group)
    upcoming = sorted(world.runs, key=lambda run: (run.at, run.policy, run.dataset))
    return Simulation(
        since=since,
        until=until,
        lines=tuple(world.lines),
        unmet=tuple(world.unmet),
        upcoming=tuple(upcoming[:most_upcoming]),
        runs_total=len(upcoming),
        truncated=world.truncated,
    )


@dataclass(kw_only=True)
class _Group:
    """Datasets with the same to do; the first stands for all."""

    node: Rules
    dataset: DatasetRule
    deliveries: tuple[Delivery, ...]
    count: int = 0


@dataclass(frozen=True, kw_only=True)
class _Arrivals:
    """One operation as it reaches one receiver. `captured`: what was captured when, and is there from when on. `points`: of these, those it
    makes points of."""

    receiver: str
    captured: tuple[tuple[datetime, datetime], ...]
    points: tuple[datetime, ...]
    stored: StoredOperation | None
    tables: Tables = ()
    is_promised: bool = True


@dataclass
class _World:
    rules: Mapping[NodeId, Rules]
    since: datetime
    until: datetime
    lines: list[SimulatedLine] = field(default_factory=list)
    unmet: list[UnmetRpo] = field(default_factory=list)
    runs: list[SimulatedRun] = field(default_factory=list)
    truncated: bool = False

    def __post_init__(self) -> None:
        self._courses: dict[object, tuple[CourseRun, ...]] = {}
        self._left: dict[object, tuple[int, datetime | None, datetime | None]] = {}
        self.cascades: dict[tuple[NodeId, DatasetId], list[Cascade]] = {}
        for node, rules in self.rules.items():
            for cascade in rules.cascades:
                self.cascades.setdefault((node, cascade.delivery.dataset), []).append(cascade)

    def play(self, group: _Group) -> None:
        runs = self._course(group)
        known = {operation.name: operation for operation in group.dataset.operations}
        for run in runs:
            jitter_s = max((known[name].jitter_s for name in run.operations), default=0)
            self.runs.append(
                SimulatedRun(
                    at=run.at,
                    policy=group.dataset.policy,
                    operations=run.operations,
                    dataset=group.dataset.label,
                    datasets=group.count,
                    jitter_s=jitter_s,
                )
            )
        for delivery in group.deliveries:
            for action, operations in delivery.action_operations or tuple((each, delivery.operations) for each in delivery.actions):
                for name in operations:
                    if name in known:
                        marked = tuple(run.at for run in runs if name in run.operations)
                        self._arrive(group, known[name], delivery, action, marked)

    def _course(self, group: _Group) -> tuple[CourseRun, ...]:
        key = (group.dataset.operations, tuple((each.operations, each.windows, each.mode) for each in group.deliveries))
        if key not in self._courses:
            found: list[CourseRun] = []
            for run in takewhile(lambda run: run.at < self.until, runs_of(group.node, group.dataset, CourseStart(since=self.since))):
                if len(found) == MOST_RUNS:
                    self.truncated = True
                    break
                found.append(run)
            self._courses[key] = tuple(found)
        return self._courses[key]

    def _arrive(self, group: _Group, rule: OperationRule, delivery: Delivery, action: str, marked: tuple[datetime, ...]) -> None:
        """At what a delivery leads to, and at what cascades lead to from there."""
        captured = tuple((at, opened) for at in marked if (opened := _opened(delivery.windows, at)) is not None and opened < self.until)
        # What a receiver missed while its mover was closed it gets as part of something newer; points are never made up.
        points = tuple(at for at, opened in captured if opened == at)
        node, repository, stored = self._stored(delivery, action, rule.name)
        title = next((title for each, title in delivery.action_titles if each == action), title_of(delivery, delivery.actions[0]))
        arrivals = _Arrivals(
            receiver=f"{title} on {delivery.receiver_name}",
            captured=captured,
            points=points if SPECS[rule.kind].makes_points and stored is not None else (),
            stored=stored,
            tables=delivery.windows,
        )
        self._report(group, rule, len(marked), arrivals)
        if repository is not None and arrivals.points:
            self._cascade(group, rule, (node, repository), arrivals.points, frozenset())

    def _cascade(
        self,
        group: _Group,
        rule: OperationRule,
        place: tuple[NodeId, RepositoryId],
        points: tuple[datetime, ...],
        passed: frozenset[str],
    ) -> None:
        """Points as they are, when the mover is open; all that wait go together."""
        for cascade in self.cascades.get((place[0], group.dataset.id), ()):
            delivery = cascade.delivery
            if cascade.repository != place[1] or rule.name not in delivery.operations or cascade.id in passed:
                continue
            sent = self._sent(group, cascade, points)
            for action, operations in delivery.action_operations or tuple((each, delivery.operations) for each in delivery.actions):
                if rule.name not in operations:
                    continue
                node, repository, stored = self._stored(delivery, action, rule.name)
                title = next((title for each, title in delivery.action_titles if each == action), delivery.receiver_name)
                there = tuple(at for at, _ in sent)
                arrivals = _Arrivals(
                    receiver=f"{title} on {delivery.receiver_name}",
                    captured=sent,
                    points=there if stored is not None else (),
                    stored=stored,
                    tables=delivery.windows,
                    is_promised=False,
                )
                self._report(group, rule, len({opened for _, opened in sent}), arrivals)
                if repository is not None:
                    self._cascade(group, rule, (node, repository), arrivals.points, passed | {cascade.id})

    def _sent(self, group: _Group, cascade: Cascade, points: tuple[datetime, ...]) -> tuple[tuple[datetime, datetime], ...]:
        """With `after`, points wait for the next one of that operation."""
        waits_for = last_part(cascade.after)
        starts = [run.at for run in self._course(group) if waits_for in run.operations] if waits_for else list(points)
        found: list[tuple[datetime, datetime]] = []
        number = 0
        for at in points:
            while number < len(starts) and starts[number] < at:
                number += 1
            opened = _opened(cascade.delivery.windows, starts[number]) if number < len(starts) else None
            if opened is not None and opened < self.until:
                found.append((at, opened))
        return tuple(found)

    def _stored(self, delivery: Delivery, action: str, operation: str) -> tuple[NodeId, RepositoryId | None, StoredOperation | None]:
        """Where an action keeps the operation; through relays."""
        receiver = self.rules.get(delivery.receiver)
        for receive in receiver.receives if receiver is not None else ():
            found = next((each for each in receive.actions if each.id == action and receive.dataset == delivery.dataset), None)
            if isinstance(found, StoreAction):
                stored = next((each for each in found.operations if each.name == operation), None)
                return delivery.receiver, found.repository, stored
            if isinstance(found, ForwardAction) and receiver is not None:
                onward = next((each for each in receiver.deliveries if each.id == found.delivery), None)
                if onward is not None:
                    stores = tuple(self._stored(onward, further, operation) for further in onward.actions)
                    return next((store for store in stores if store[2] is not None), (delivery.receiver, None, None))
        return delivery.receiver, None, None

    def _report(self, group: _Group, rule: OperationRule, runs: int, arrivals: _Arrivals) -> None:
        left, oldest, newest = self._kept(rule, arrivals)
        self.lines.append(
            SimulatedLine(
                policy=group.dataset.policy,
                operation=rule.name,
                kind=rule.kind,
                receiver=arrivals.receiver,
                dataset=group.dataset.label,
                datasets=group.count,
                runs=runs,
                points=len(arrivals.points),
                kept=left,
                oldest=oldest,
                newest=newest,
            )
        )
        if rule.every_s is not None and arrivals.is_promised:
            unmet = _unmet(rule, arrivals.captured, arrivals.tables, self.since, self.until)
            if unmet is not None:
                self.unmet.append(
                    UnmetRpo(
                        policy=group.dataset.policy,
                        operation=rule.name,
                        receiver=arrivals.receiver,
                        dataset=group.dataset.label,
                        every_s=rule.every_s,
                        longest_s=(unmet.end - unmet.begin).total_seconds(),
                        begin=unmet.begin,
                        end=unmet.end,
                        times=unmet.times,
                        reason=unmet.reason,
                    )
                )

    def _kept(self, rule: OperationRule, arrivals: _Arrivals) -> tuple[int, datetime | None, datetime | None]:
        stored = arrivals.stored
        if stored is None or not arrivals.points:
            return 0, None, None
        key = (arrivals.points, stored.keep, stored.lock_s, rule.zone)
        if key not in self._left:
            points = [_point(at, rule.zone, stored.lock_s) for at in arrivals.points]
            stay = [point.time for point, _ in kept(points, stored.keep, self.until).keep]
            self._left[key] = (len(stay), stay[-1] if stay else None, stay[0] if stay else None)
        return self._left[key]


@dataclass(frozen=True)
class _Unmet:
    """The longest span, and how many there are."""

    begin: datetime
    end: datetime
    times: int
    reason: Reason


def _unmet(
    rule: OperationRule, captured: Sequence[tuple[datetime, datetime]], tables: Tables, since: datetime, until: datetime
) -> _Unmet | None:
    """The spans in which what arrives last is older than the RPO allows when something newer does; None = there are none."""
    every = timedelta(seconds=rule.every_s or 0)
    # What came late is as old as it is: the span ends when it is there.
    spans = [(since, captured[0][1] if captured else until)]
    spans += [(earlier[0], later[1]) for earlier, later in pairwise(captured)]
    if captured:
        spans.append((captured[-1][0], until))
    long = [(begin, end) for begin, end in spans if end - begin > every + timedelta(seconds=_TOLERANCE_S)]
    if not long:
        return None
    begin, end = max(long, key=lambda span: span[1] - span[0])
    reason = _why(rule, tables, begin + every) if captured else "never"
    return _Unmet(begin, end, len(long), reason)


def _why(rule: OperationRule, tables: Tables, due: datetime) -> Reason:
    if rule.windows and not is_open(rule.windows, (), rule.zone, due):
        return "window"
    if not is_open((), rule.exclude, rule.zone, due):
        return "exclusion"
    return "mover" if tables else "window"


def _groups(world: _World) -> Iterable[_Group]:
    found: dict[object, _Group] = {}
    for rules in sorted(world.rules.values(), key=lambda rules: rules.node_name):
        deliveries: dict[DatasetId, list[Delivery]] = {}
        for delivery in rules.deliveries:
            deliveries.setdefault(delivery.dataset, []).append(delivery)
        for dataset in rules.datasets:
            mine = tuple(deliveries.get(dataset.id, ()))
            cascades = [each for delivery in mine for each in world.cascades.get((delivery.receiver, dataset.id), ())]
            onward = tuple((_shape(cascade.delivery), cascade.after, cascade.only) for cascade in cascades)
            key = (dataset.policy, dataset.operations, tuple(map(_shape, mine)), onward)
            group = found.setdefault(key, _Group(node=rules, dataset=dataset, deliveries=mine))
            group.count += 1
    return found.values()


def _shape(delivery: Delivery) -> object:
    """What of a delivery is the same for all datasets that have the same to do."""
    titles = tuple(title for _, title in delivery.action_titles)
    marked = tuple(names for _, names in delivery.action_operations)
    return delivery.receiver, delivery.operations, marked, titles, delivery.windows, delivery.mode


def _opened(tables: Tables, at: datetime) -> datetime | None:
    return at if not tables else opens_at(tables, at)


def _point(moment: datetime, zone: str, lock_s: float | None) -> Point:
    return imagined(moment, zone, None if lock_s is None else moment + timedelta(seconds=lock_s))

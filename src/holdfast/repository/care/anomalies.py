"""The owner's look at what changed: each new state of a dataset is measured against the one before; what looks like destruction is an
anomaly.

What was measured and found is in the owner's home (`anomalies.json`). What matters later is a fact of the last clean point, too: since when
states are suspect, and until when it and those before it are held; so it outlasts the home, as locks do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from holdfast.core.clock import ns_of
from holdfast.core.errors import HoldfastError, StoreError, UnknownName
from holdfast.core.ids import DatasetId
from holdfast.host.home_records import load_record, save_record
from holdfast.model.anomalies import (
    KEPT_WINDOWS,
    Anomaly,
    AnomalyPlan,
    AnomalyState,
    Signal,
    Suspicion,
    Window,
    joined,
    judge,
)
from holdfast.model.points import Point
from holdfast.repository.care.measuring import Measured, measure
from holdfast.repository.catalog.commit_table import CommitRow
from holdfast.repository.facts import moment_of
from holdfast.repository.interior import Interior
from holdfast.repository.moment_holds import MomentHold
from holdfast.repository.points.bases import followed_of, kept_s
from holdfast.repository.points.sealing import points_of
from holdfast.repository.points.suspecting import newest_clean, record_suspicion

_FILE = "anomalies.json"
_KEPT = 100
"""So many anomalies of a repository are remembered; open ones always."""


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Of one dataset: the state that was measured last, and the windows before it, oldest first. `times`: of the states between them."""

    ordinal: int
    tree: str
    at: datetime
    files: int
    windows: tuple[Window, ...] = ()
    times: tuple[datetime, ...] = ()


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    repository: str
    seen: dict[DatasetId, _Seen] = {}
    anomalies: tuple[Anomaly, ...] = ()


@dataclass(frozen=True)
class _State:
    """A whole state of a dataset that is in the store."""

    row: CommitRow
    at: datetime
    files: int


@dataclass(frozen=True)
class _Look:
    """At a new state of a dataset; `measured` None = there is nothing to compare it with."""

    dataset: DatasetId
    state: _State
    measured: Measured | None
    plan: AnomalyPlan
    now: datetime


class Anomalies:
    """Of one open repository; for any thread. `seal` has what is held put into the store."""

    def __init__(self, interior: Interior, home: Path, config_id: str, seal: Callable[[], object]) -> None:
        self._interior = interior
        self._path = home / _FILE
        self._repository = config_id
        self._seal = seal
        self._guard = threading.RLock()
        kept = _load(self._path, config_id)
        self._seen, self._anomalies = dict(kept.seen), list(kept.anomalies)
        self._hold_moments()

    def all(self) -> tuple[Anomaly, ...]:
        """Newest first; of a home that was lost, those that points tell of."""
        with self._guard:
            known = {each.id for each in self._anomalies}
            points = points_of(self._interior.commits.listed(), self._interior.name)
            told = [_told_by(point, point.suspicion) for point in points if point.suspicion is not None]
            self._anomalies += {each.id: each for each in told if each.id not in known}.values()
            return tuple(sorted(self._anomalies, key=lambda each: (each.found_at, each.id), reverse=True))

    def look(self, plans: Mapping[DatasetId, AnomalyPlan], now: datetime) -> tuple[Anomaly, ...]:
        """Measure what is new of these datasets; gives the anomalies that begin with it. Raises what reading the repository raises."""
        begun: list[Anomaly] = []
        for number, name in self._interior.commits.datasets():
            dataset = DatasetId(name)
            state = self._newest(number) if dataset in plans else None
            if state is None:
                continue
            with self._guard:
                seen = self._seen.get(dataset)
            if seen is not None and (seen.ordinal, seen.tree) == (state.row.ordinal, state.row.tree.hex()):
                continue
            # It may take its time; who asks for what is known does not wait for it.
            measured = self._measured(seen, state)
            with self._guard:
                begun += self._take(number, seen, _Look(dataset, state, measured, plans[dataset], now))
        return tuple(begun)

    def decide(self, prefix: str, *, confirmed: bool, by: str, now: datetime) -> Anomaly:
        """What a person says of one. Raises `UnknownName`, `RepositoryLocked`."""
        with self._guard:
            found = [each for each in self.all() if each.id.startswith(prefix)] if prefix else []
            if len(found) != 1:
                raise UnknownName(f"no anomaly {prefix!r} in {self._interior.name}", hint="`holdfast anomalies` lists them")
            state = AnomalyState.CONFIRMED if confirmed else AnomalyState.DISMISSED
            hold_until = found[0].hold_until if confirmed else None
            judged = msgspec.structs.replace(found[0], state=state, until=found[0].until or now, hold_until=hold_until, by=by)
            self._mark(judged)
            self._put(judged)
            return judged

    def _newest(self, number: int) -> _State | None:
        """The newest state whose tree is in packs."""
        commits = self._interior.commits
        row = commits.at_ordinal(number, commits.last_reached(number))
        if row is None:
            return None
        points = [listed.brief.point for listed in commits.listed_of_commit(row)]
        files = row.files or max((point.files for point in points if point is not None), default=0)
        return _State(row, moment_of(row.captured_ns), files)

    def _take(self, number: int, seen: _Seen | None, look: _Look) -> list[Anomaly]:
        state, measured = look.state, look.measured
        fresh = _Seen(ordinal=state.row.ordinal, tree=state.row.tree.hex(), at=state.at, files=state.files)
        if seen is None or measured is None:
            # The first of all, or nothing to compare it with: from here on.
            self._seen[look.dataset] = fresh
            self._write()
            return []
        windows = (*seen.windows, measured.window)[-KEPT_WINDOWS:]
        times = (*seen.times, seen.at)[-KEPT_WINDOWS:]
        self._seen[look.dataset] = msgspec.structs.replace(fresh, windows=windows, times=times)
        signals = judge(windows)
        begun = self._found(number, measured, signals, look) if signals else None
        self._write()
        return [begun] if begun is not None else []

    def _measured(self, seen: _Seen | None, state: _State) -> Measured | None:
        if seen is None or state.row.ordinal <= seen.ordinal:
            return None
        try:
            old = bytes.fromhex(seen.tree)
            files = seen.files or state.files
            return measure(self._interior, old, state.row.tree, at=state.at, files=files)
        except (StoreError, ValueError):
            # The older state is gone: it was forgotten and pruned.
            return None

    def _found(self, number: int, measured: Measured, signals: Sequence[Signal], look: _Look) -> Anomaly | None:
        """None where it is one that is known already, going on."""
        dataset, plan, now = look.dataset, look.plan, look.now
        seen = self._seen[dataset]
        back = max(signal.windows for signal in signals)
        clean_at = seen.times[-back]
        since = seen.windows[-back].at
        anomaly = Anomaly(
            id=self._interior.storage.draw_ivs(0).hex(),
            dataset=self._interior.commits.label(number) or dataset,
            dataset_id=dataset,
            repository=self._interior.name,
            found_at=now,
            clean_at=clean_at,
            since=since,
            signals=tuple(signals),
            files=measured.window.files,
            changed=measured.window.changed,
            paths=measured.paths,
            hold_until=now + timedelta(seconds=plan.hold_s) if plan.hold_s else None,
            moments_from=self._oldest_moment(number, now) if plan.hold_s else None,
        )
        known = next((each for each in self._anomalies if each.dataset_id == dataset and each.state is AnomalyState.OPEN), None)
        if known is not None:
            self._put(joined(known, anomaly))
            return None
        clean = newest_clean(self._interior, dataset, since)
        anomaly = msgspec.structs.replace(anomaly, clean_point=clean.id) if clean is not None else anomaly
        # A store that cannot be written now does not keep anybody from being told.
        with suppress(HoldfastError):
            self._mark(anomaly)
        self._put(anomaly)
        return anomaly

    def _mark(self, anomaly: Anomaly) -> None:
        if anomaly.clean_point:
            self._seal()
            record_suspicion(self._interior, anomaly.dataset_id, anomaly.clean_point, anomaly.suspicion)

    def _put(self, anomaly: Anomaly) -> None:
        others = [each for each in self._anomalies if each.id != anomaly.id]
        kept = sorted((*others, anomaly), key=lambda each: (each.state is AnomalyState.OPEN, each.found_at))
        self._anomalies = kept[-_KEPT:]
        self._hold_moments()
        self._write()

    def _oldest_moment(self, number: int, now: datetime) -> datetime | None:
        """Since when every moment of a dataset is kept as things are now; None where none are."""
        followed = followed_of(self._interior, number)
        if followed is None or not followed.is_logged:
            return None
        return now - timedelta(seconds=kept_s(self._interior, number, followed))

    def _hold_moments(self) -> None:
        holds: dict[DatasetId, MomentHold] = {}
        for each in self._anomalies:
            if each.hold_until is not None and each.moments_from is not None:
                hold = MomentHold(ns_of(each.moments_from), ns_of(each.hold_until))
                other = holds.get(each.dataset_id, hold)
                holds[each.dataset_id] = MomentHold(min(hold.from_ns, other.from_ns), max(hold.until_ns, other.until_ns))
        self._interior.moment_holds.set(holds)

    def _write(self) -> None:
        kept = _Kept(repository=self._repository, seen=self._seen, anomalies=tuple(self._anomalies))
        with suppress(OSError):
            # What was found is on the point, too; what was measured is measured again.
            save_record(self._path, kept)


def _told_by(point: Point, suspicion: Suspicion) -> Anomaly:
    return Anomaly(
        id=suspicion.id,
        dataset=point.dataset,
        dataset_id=point.dataset_id,
        repository=point.repository,
        found_at=suspicion.since,
        clean_at=point.time,
        since=suspicion.since,
        state=suspicion.state,
        clean_point=point.id,
        until=suspicion.until,
        hold_until=suspicion.hold_until,
    )


def _load(path: Path, repository: str) -> _Kept:
    kept = load_record(path, _Kept)
    return kept if kept is not None and kept.repository == repository else _Kept(repository=repository)

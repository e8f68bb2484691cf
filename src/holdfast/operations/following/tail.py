"""The newest changes of followed datasets, kept in memory for whoever wants to see what is changing now.

A change counts when it was delivered to somebody: what was captured while every receiver was away is told by the run that delivers it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import msgspec

from holdfast.core.clock import Clock, now
from holdfast.core.entropy import Entropy
from holdfast.core.ids import DatasetId, new_id
from holdfast.host.metadata import Names
from holdfast.host.watch import Batch, Who
from holdfast.model.entry import display_path, raw_of
from holdfast.model.following import Following, FollowState
from holdfast.model.tail import Doer, Tailed, TailEvent, TailKind
from holdfast.operations.following.run_notes import Noted, RunNotes, Seen
from holdfast.operations.running import Delivered

MOST_KEPT = 500
_MOST_DOERS = 5_000
_LIFE_LENGTH = 8


@dataclass
class _Ring:
    """The newest events of one dataset. `dropped`: the highest number of those that are not kept."""

    events: deque[TailEvent] = field(default_factory=deque)
    dropped: int = 0

    def add(self, event: TailEvent) -> None:
        self.events.append(event)
        if len(self.events) > MOST_KEPT:
            self.dropped = max(self.dropped, self.events.popleft().number)


class Tail:
    """Any thread. `life`: numbers are of this process."""

    def __init__(self, clock: Clock, entropy: Entropy) -> None:
        self.life = new_id(entropy)[:_LIFE_LENGTH]
        self._clock = clock
        self._lock = threading.Lock()
        self._number = 0
        self._rings: dict[DatasetId, _Ring] = {}
        self._told_until: dict[DatasetId, int] = {}
        self._doers: OrderedDict[bytes, Who] = OrderedDict()
        self._known: dict[DatasetId, Following] = {}
        self._names = Names()
        self._behind: set[tuple[DatasetId, str, str]] = set()

    def heard(self, batch: Batch) -> None:
        """Who did what the watch tells."""
        with self._lock:
            for fact in (*batch.moves, *batch.names):
                if fact.who is not None:
                    self._doers[fact.path] = fact.who
                    self._doers.move_to_end(fact.path)
            while len(self._doers) > _MOST_DOERS:
                self._doers.popitem(last=False)

    def followed(self, following: Iterable[Following]) -> None:
        """How datasets are followed now: gaps begin and end."""
        with self._lock:
            for each in following:
                before = self._known.get(each.dataset_id)
                self._known[each.dataset_id] = each
                known = before.gaps if before is not None else ()
                for gap in reversed([gap for gap in each.gaps if gap not in known]):
                    at = self._event(each.dataset, each.dataset_id, TailKind.GAP_ENDED, gap.path)
                    self._put(msgspec.structs.replace(at, since=gap.since, until=gap.until, reason=gap.reason))
                self._turned(each, before)
                if each.open_gap_since is not None and (before is None or before.open_gap_since is None):
                    at = self._event(each.dataset, each.dataset_id, TailKind.GAP_BEGAN)
                    self._put(msgspec.structs.replace(at, since=each.open_gap_since))

    def _turned(self, each: Following, before: Following | None) -> None:
        """Delivering stopped, or goes on."""
        state, was = each.state, before.state if before is not None else None
        if state is not was and state is FollowState.WAITING:
            event = self._event(each.dataset, each.dataset_id, TailKind.WAITING)
            self._put(msgspec.structs.replace(event, error=each.error, until=each.waits_until if each.error is None else None))
        elif state is FollowState.FOLLOWING and was not in (None, state):
            self._put(self._event(each.dataset, each.dataset_id, TailKind.FOLLOWING))

    def is_told(self, dataset: DatasetId, run: int, newest: int) -> bool:
        """Whether what this run changed was told already. `newest`: the run that asks."""
        with self._lock:
            return run <= self._told_until.get(dataset, newest - 1)

    def ended(self, notes: RunNotes) -> None:
        """A run is over: what came to somebody is told, and who is behind, or not any more."""
        with self._lock:
            for told in notes.outcomes:
                self._stands(told, *notes.titles(told))
            for noted in notes.noted.values():
                if to := notes.receivers(noted.dataset):
                    self._delivered(noted, notes.label(noted.dataset), to)

    def since(self, datasets: Collection[DatasetId], after: int | None, life: str, limit: int) -> Tailed:
        """As `AskTail`."""
        with self._lock:
            rings = [self._rings[each] for each in datasets if each in self._rings]
            events = sorted((event for ring in rings for event in ring.events), key=_number)
            if after is None:
                return Tailed(events=tuple(events[-limit:]), life=self.life, last=self._number)
            is_other_life = life != self.life
            found = [event for event in events if is_other_life or event.number > after]
            return Tailed(
                events=tuple(found[:limit]),
                life=self.life,
                last=found[limit - 1].number if len(found) > limit else self._number,
                skipped=is_other_life or any(ring.dropped > after for ring in rings),
                more=len(found) > limit,
            )

    def _delivered(self, noted: Noted, label: str, to: tuple[str, ...]) -> None:
        self._told_until[noted.dataset] = max(noted.run, self._told_until.get(noted.dataset, 0))
        if skipped := noted.count - len(noted.seen):
            self._number += skipped
            self._rings.setdefault(noted.dataset, _Ring()).dropped = self._number
        for seen in noted.seen:
            event = self._event(label, noted.dataset, _kind_of(seen), seen.path)
            self._put(
                msgspec.structs.replace(
                    event,
                    was=display_path(seen.was or b""),
                    was_raw=raw_of(seen.was or b""),
                    file_kind=seen.file_kind,
                    size_bytes=seen.size_bytes,
                    below=noted.below.get(seen.path, 0),
                    to=to,
                    who=self._doer(seen.path),
                )
            )

    def _doer(self, path: bytes) -> Doer | None:
        who = self._doers.get(path)
        if who is None:
            return None
        return Doer(pid=who.pid, program=who.program or "", uid=who.uid, user=self._names.user(who.uid) if who.uid is not None else "")

    def _stands(self, told: Delivered, label: str, title: str) -> None:
        key = (told.dataset, told.delivery, told.action)
        if (told.error is not None) is (key in self._behind):
            return
        self._behind ^= {key}
        event = self._event(label, told.dataset, TailKind.CAUGHT_UP if told.error is None else TailKind.BEHIND)
        self._put(msgspec.structs.replace(event, to=(title,), error=told.error))

    def _event(self, label: str, dataset: DatasetId, kind: TailKind, path: bytes = b"") -> TailEvent:
        self._number += 1
        moment = now(self._clock)
        return TailEvent(
            number=self._number, time=moment, dataset=label, dataset_id=dataset, kind=kind, path=display_path(path), path_raw=raw_of(path)
        )

    def _put(self, event: TailEvent) -> None:
        self._rings.setdefault(event.dataset_id, _Ring()).add(event)


def _number(event: TailEvent) -> int:
    return event.number


def _kind_of(seen: Seen) -> TailKind:
    if not seen.file_kind:
        return TailKind.REMOVED
    return TailKind.PUT if seen.was is None else TailKind.MOVED

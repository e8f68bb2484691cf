"""The spools in one run: for the fan-out each is one more receiver, beside the one that is away or in its place.

What goes to another machine in a small run goes into the spool as well, and stays until the receiver has sealed it: its disk may be lost,
and then what was between two states is nowhere else. What is stored on this machine goes into the spool only while it cannot be stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import msgspec

from holdfast.capture.ports import Place
from holdfast.capture.recorded import RowsBefore
from holdfast.capture.state import CaptureState
from holdfast.core.clock import now
from holdfast.core.errors import Cancelled, ErrorFacts, HoldfastError
from holdfast.core.ids import ActionId, DatasetId, Epoch
from holdfast.delivery.fanout import DeliveryResult, FanOutSession
from holdfast.delivery.spool.writing import SpoolSession
from holdfast.model.change import Begin, Commit, Cursor, Move
from holdfast.operations.following.plan import touches
from holdfast.operations.run_lanes import Lane
from holdfast.operations.spooling.keeper import Keeper
from holdfast.operations.spooling.keepers import Keepers
from holdfast.operations.spooling.standing import after, standing
from holdfast.wire.data_messages import ActionState

PATIENCE_S = 5.0
"""So long a receiver may be silent at the end of a run that the spool has, too."""

_SUFFIX = "/spool"
MovesOf = Callable[[DatasetId, int | None], tuple[Move, ...]]


@dataclass
class _Spooled:
    """The spool's part of one lane. `base_seq`: the run it builds on; `since`: what is captured is of this time, or later."""

    keeper: Keeper
    lane: Lane
    base_seq: int
    recorded: RowsBefore
    since: datetime
    begin: Begin | None = None


class RunSpools:
    """Of one run; without `keepers` there is nothing to it. `is_small`: see `RunOrder`. Used by the run's own thread; `close` it."""

    def __init__(self, keepers: Keepers | None, state: CaptureState, *, is_small: bool, is_catch_up: bool) -> None:
        self._keepers = keepers
        self._state = state
        self._is_small = is_small
        self._is_catch_up = is_catch_up
        self._spooled: dict[str, _Spooled] = {}

    def waiting(self, delivery: str) -> ErrorFacts | None:
        """Why this delivery must not be connected now."""
        return None if self._keepers is None else self._keepers.waiting(delivery)

    def join(self, lane: Lane) -> None:
        """The lane is connected, or could not be: whether the spool takes what it would get."""
        keeper = self._keeper(lane.delivery.id)
        if keeper is None:
            return
        is_there = lane.session is not None and lane.error is None
        if is_there:
            is_there = keeper.heard(lane.states).error is None
            if keeper.spool.is_astray:
                self._state.renew_epoch()
                keeper.spool.set_right()
            if is_there and (waiting := keeper.waiting) is not None:
                # It has lost what it only held, and gets that again first.
                lane.close()
                lane.session, lane.error, is_there = None, waiting, False
        elif (newest := self._state.newest_commit(lane.dataset)) is not None:
            keeper.spool.presume(newest, self._state.given_seq)
        if self._is_catch_up or keeper.spool.is_closed or (is_there and (keeper.is_local or not self._is_small)):
            return
        base = self._state.base_for(lane.dataset, keeper.spool.cursor)
        if base is not None:
            self._spooled[lane.delivery.id] = _Spooled(keeper, lane, base, RowsBefore(self._state, base), now(keeper.clock))
            keeper.spool.tee(on=is_there)

    def left_out(self, lanes: Iterable[Lane], places: Iterable[Place]) -> None:
        """Something changed there, and neither these receivers nor their spools can take it: nothing is captured, and whatever changes
        again meanwhile is known to nobody."""
        places = tuple(places)
        for lane in lanes:
            keeper = self._keeper(lane.delivery.id)
            is_concerned = any(touches(place, root) for place in places for root in lane.roots)
            if keeper is not None and is_concerned and keeper.spool.cursor is not None:
                keeper.spool.missed(now(keeper.clock))
            elif keeper is None and is_concerned and self._keepers is not None:
                self._keepers.left_out(lane.delivery.id)

    @property
    def is_any(self) -> bool:
        """Whether a spool takes part."""
        return bool(self._spooled)

    def keeps(self, delivery: str) -> bool:
        return delivery in self._spooled

    def may_keep(self, delivery: str) -> bool:
        """Whether there is a spool for it, though it may take no part."""
        return self._keeper(delivery) is not None

    def takes(self, dataset: DatasetId) -> bool:
        return any(each.lane.dataset == dataset for each in self._spooled.values())

    def bases(self) -> Iterable[tuple[DatasetId, int]]:
        return [(each.lane.dataset, each.base_seq) for each in self._spooled.values()]

    def begin(self, epoch: Epoch, seq: int, hostname: str, moves_of: MovesOf) -> Mapping[str, FanOutSession]:
        """One more session for each. A spool that cannot begin is left out."""
        sessions = {}
        for id_, each in self._spooled.items():
            lane = each.lane
            begin = lane.begin_on(each.base_seq, epoch, seq, hostname, moves_of(lane.dataset, each.base_seq))
            with suppress(HoldfastError):
                session = SpoolSession(each.keeper.spool, begin, each.recorded, lane.delivery.compression, lane.delivery.receiver)
                each.begin = begin
                sessions[id_ + _SUFFIX] = FanOutSession(lane.dataset, session)
        return sessions

    def patience_s(self, delivery: str) -> float | None:
        each = self._spooled.get(delivery)
        return PATIENCE_S if each is not None and each.begin is not None else None

    def own_commits(self, lanes: Iterable[Lane], commits: Mapping[DatasetId, Commit]) -> dict[str, Commit]:
        """The commits of receivers that have missed states before: for them there is a gap."""
        found: dict[str, Commit] = {}
        for lane in lanes:
            keeper, commit = self._keeper(lane.delivery.id), commits.get(lane.dataset)
            if keeper is not None and commit is not None and (gaps := keeper.spool.gaps(lane.roots, commit.captured_at)):
                told = msgspec.structs.replace(commit, gaps=(*commit.gaps, *gaps))
                found |= {lane.delivery.id: told, lane.delivery.id + _SUFFIX: told}
        return found

    def ended(self, lanes: Iterable[Lane], results: Mapping[str, DeliveryResult], commits: Mapping[DatasetId, Commit]) -> None:
        """What became of the commits, here and there."""
        for lane in lanes:
            keeper, commit = self._keeper(lane.delivery.id), commits.get(lane.dataset)
            if keeper is None:
                continue
            if commit is None:
                self._gave_up(lane, results.get(lane.delivery.id + _SUFFIX))
                continue
            lane.is_spooled = self._is_kept(lane, results.get(lane.delivery.id + _SUFFIX), keeper)
            if self._is_there(lane, keeper, commit):
                lane.is_spooled = False
                if self._keepers is not None:
                    self._keepers.missed(lane.dataset, keeper.spool.gaps(lane.roots, commit.captured_at))
                keeper.spool.healed()
                keeper.heard(_states_after(lane))
            elif not lane.is_spooled and not self._is_catch_up and keeper.spool.cursor is not None:
                keeper.spool.missed(commit.captured_at, commit.gaps)

    def close(self) -> None:
        for each in self._spooled.values():
            each.recorded.close()
            each.keeper.spool.tee(on=False)
        self._spooled.clear()

    def _keeper(self, delivery: str) -> Keeper | None:
        return None if self._keepers is None else self._keepers.of(delivery)

    def _is_kept(self, lane: Lane, result: DeliveryResult | None, keeper: Keeper) -> bool:
        if lane.delivery.id not in self._spooled:
            return False
        if result is None or result.error is not None:
            # It is full, or its disk fails: the receiver gets what is there, and then the state.
            keeper.spool.is_closed = True
            return False
        return True

    def _gave_up(self, lane: Lane, result: DeliveryResult | None) -> None:
        """The capture came to no end. Where that is since the spool could not take it and nobody else was there, it is not tried again;
        whatever changes until the receiver has the next state is known to nobody."""
        each = self._spooled.get(lane.delivery.id)
        if each is not None and result is not None and result.error is not None and not Cancelled.says(result.error):
            each.keeper.spool.is_closed = True
            each.keeper.spool.missed(each.since)

    def _is_there(self, lane: Lane, keeper: Keeper, commit: Commit) -> bool:
        """Whether all that keep moments have the commit."""
        if lane.session is None or lane.error is not None:
            return False
        found = standing(_states_after(lane), keeper.keeping, is_local=keeper.is_local)
        return found.error is None and found.cursor == Cursor(commit.epoch, commit.seq)


def _states_after(lane: Lane) -> dict[ActionId, ActionState]:
    said = lane.acknowledgements
    return {action: after(state, said[action]) if action in said else state for action, state in lane.states.items()}

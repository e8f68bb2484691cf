"""Connecting the deliveries of a run: taking a session that is open, or opening one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from holdfast.core.clock import Clock
from holdfast.core.errors import ErrorFacts, HoldfastError, error_from, facts_of
from holdfast.core.ids import NodeId
from holdfast.delivery.limit import Limit, Timetable
from holdfast.delivery.session import DeliverySession
from holdfast.model.rules import Delivery
from holdfast.operations.following.session_pool import Kept, SessionPool
from holdfast.operations.run_lanes import Lane
from holdfast.operations.running import Cancellation
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import Open

Dial = Callable[[NodeId], Channel]

_CONNECT_THREADS = 8


def connect_all(lanes: Sequence[Lane], connector: Connector, cancellation: Cancellation) -> None:
    """Opens a session for each lane. A receiver that cannot be reached, or refuses, is recorded in its lane; the others go on."""

    def connect(lane: Lane) -> None:
        try:
            cancellation.check()
            connector.connect(lane, cancellation)
        except (HoldfastError, OSError) as error:
            lane.error = facts_of(error)

    if lanes:
        with ThreadPoolExecutor(max_workers=min(_CONNECT_THREADS, len(lanes)), thread_name_prefix="connect") as pool:
            list(pool.map(connect, lanes))
    cancellation.check()


@dataclass(frozen=True)
class Connector:
    """How sessions come about. `generation` is that of the rules in force here; `pool` may have one open; `adopt`: see `Open`. `by_hand`: a
    person asked for it, so that closed windows do not count. `waiting`: why a delivery is not to be connected now. `is_hasty`: of which
    nobody is to be kept waiting for a connection, see `SessionPool.connected`."""

    dial: Dial
    generation: int
    clock: Clock
    pool: SessionPool | None = None
    adopt: bool = False
    by_hand: bool = False
    is_hasty: Callable[[str], bool] = lambda _: False
    waiting: Callable[[str], ErrorFacts | None] = lambda _: None

    def connect(self, lane: Lane, cancellation: Cancellation) -> None:
        """Raises `WindowClosed` where the mover may send nothing now, `ReceiverBusy`, and what keeps the receiver from being reached."""
        timetable = timetable_of(lane.delivery, self.clock, by_hand=self.by_hand)
        timetable.check()
        if self.pool is not None and (busy := self.pool.busy(lane.delivery.id)) is not None:
            raise busy
        if (error := self.waiting(lane.delivery.id)) is not None:
            raise error_from(error)
        kept = self.pool.take(lane.delivery.id) if self.pool is not None else None
        if kept is not None and (self.adopt or (self.by_hand and lane.delivery.windows)):
            # It would say nothing of adopting, and heed windows that a person does not.
            kept.session.close()
        elif kept is not None:
            cancellation.on_cancel(kept.session.close)
            lane.session, lane.states, lane.opened_s = kept.session, kept.states, kept.opened_s
            return
        if self.pool is not None and self.is_hasty(lane.delivery.id):
            opened = self.pool.connected(lane.delivery.id, partial(self._open, lane.delivery, timetable), cancellation)
        else:
            opened = self._open(lane.delivery, timetable, cancellation)
        lane.session, lane.states, lane.opened_s = opened.session, opened.states, opened.opened_s

    def _open(self, delivery: Delivery, timetable: Timetable, cancellation: Cancellation) -> Kept:
        opening = Open(dataset=delivery.dataset, actions=delivery.actions, generation=self.generation, adopt=self.adopt)
        return opened(opening, open_session(self.dial, delivery, timetable, self.clock, cancellation), self.clock)


def opened(opening: Open, session: DeliverySession, clock: Clock) -> Kept:
    """The session, once the receiver has said where each action stands; closed when it does not."""
    opened_s = clock.monotonic_s()
    try:
        return Kept(session, {state.action: state for state in session.open(opening)}, opened_s, opened_s)
    except BaseException:
        session.close()
        raise


def timetable_of(delivery: Delivery, clock: Clock, *, by_hand: bool = False) -> Timetable:
    return Timetable(delivery.windows, delivery.limit_bytes_s, clock, by_hand=by_hand)


def open_session(dial: Dial, delivery: Delivery, timetable: Timetable, clock: Clock, cancellation: Cancellation) -> DeliverySession:
    """Dials and wraps; nothing is said yet. Cancelling closes the channel, which wakes whoever waits for it."""
    channel = dial(delivery.receiver)
    cancellation.on_cancel(channel.close)

    def wait(seconds: float) -> None:
        """A cancelled run sends no more: without the limit the rest would go in an instant, and be committed before the channel closes."""
        cancellation.wait(seconds)
        cancellation.check()

    limit = Limit(timetable, clock=clock, wait=wait) if timetable.is_limiting else None
    return DeliverySession(channel, compression=delivery.compression, limit=limit)

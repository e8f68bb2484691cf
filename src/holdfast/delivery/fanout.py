"""All deliveries of one run, each in its own thread behind its own bounded queue, none waiting for a stalled one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType

import msgspec

from holdfast.core.clock import Clock
from holdfast.core.errors import Cancelled, ErrorFacts, HoldfastError, NotReachable, facts_of
from holdfast.core.ids import DatasetId
from holdfast.delivery.overflow import Overflow, Overflowed
from holdfast.delivery.sending import Sending
from holdfast.delivery.time_sheet import TimeSheet
from holdfast.model.bottleneck import NOTHING_SPENT, LaneTimes
from holdfast.model.change import Acknowledgement, Commit
from holdfast.model.jobs import Counters
from holdfast.model.stream import Outgoing
from holdfast.wire.pipe import Pipe

# One segment waits, one is being sent: the session has a window of its own.
QUEUE_BYTES = 4 * 1024 * 1024
PATIENCE_S = 10.0
FINISH_PATIENCE_S = 1800.0
OVERFLOW_AFTER_S = 1.0
"""So long a run waits for a receiver altogether before what it does not take goes to its overflow."""

# Of what was offered less than one part in so many was asked for: the receiver has the rest.
_LITTLE = 20
_CHANGE_BYTES = 512
_ABORT_GRACE_S = 2.0
_STEP_S = 0.25
logger = logging.getLogger(__name__)


def _nothing() -> None:
    return


@dataclass(frozen=True)
class FanOutSession:
    """A session that is open and has begun its commit, and the dataset it delivers. `patience_s`: how long it may be silent at the end,
    where that is less than usual because the run is kept elsewhere, too. `sheet`: that of the session, where it keeps one."""

    dataset: DatasetId
    session: Sending
    patience_s: float | None = None
    sheet: TimeSheet | None = None
    overflow: Overflow | None = None


@dataclass(frozen=True)
class DeliveryResult:
    """How one delivery ended. `error` is the session's own; an acknowledgement may carry that of a single action.

    `behind`: it stalled and was left behind, so that the others could go on; it needs a catch-up. `times`: of this run alone.
    """

    acknowledgements: tuple[Acknowledgement, ...] = ()
    error: ErrorFacts | None = None
    counters: Counters = field(default_factory=Counters)
    behind: bool = False
    duration_s: float = 0.0
    times: LaneTimes = NOTHING_SPENT


@dataclass(frozen=True)
class LaneFigures:
    """Live figures of one delivery. `given_bytes`: offered to it by the capture so far; `done_bytes`: of that, what the receiver has got or
    had; `sent_bytes`: chunk payload that really went; `times`: how its sender spent its time."""

    given_bytes: int
    done_bytes: int
    sent_bytes: int
    is_live: bool
    times: LaneTimes = NOTHING_SPENT


class _Poke:
    """Put into a queue to say: look what the receiver has answered."""


_POKE = _Poke()
Turn = Callable[[], None]
"""What a lane's thread does between what came before and what comes after: one commit ends, the next begins."""


@dataclass(frozen=True)
class _Turned:
    turn: Turn


class _Lane:
    """One session with its queue and thread."""

    def __init__(self, work: FanOutSession, queue_bytes: int, clock: Clock) -> None:
        self.dataset = work.dataset
        self.patience_s = work.patience_s
        self.session = work.session
        self.queue: Pipe[tuple[Outgoing | Overflowed, int] | _Poke | _Turned] = Pipe(queue_bytes)
        self.waited_s = 0.0
        # Each counted by the one thread that does it.
        self._turns_put = self._turns_done = 0
        self._overflow = work.overflow
        self.given_bytes = self._taken_bytes = 0
        self.commit: Commit | None = None
        self._clock = clock
        self._started_s = clock.monotonic_s()
        self._seen = (-1, False, self._started_s)
        self.others_s = 0.0
        self._sheet = work.sheet or TimeSheet(clock)
        # A session that was used before has told of other runs.
        self._times_before = self._sheet.of_sender()
        self.result: DeliveryResult | None = None
        self.done = threading.Event()
        self.session.tell_arrivals(self._poke)
        self._thread = threading.Thread(target=self._run, name=f"delivery-{work.session.peer[:8]}", daemon=True)
        self._thread.start()

    @property
    def is_live(self) -> bool:
        return not self.done.is_set()

    @property
    def has_earlier(self) -> bool:
        return self._turns_done < self._turns_put or self.session.is_committing

    def figures(self) -> LaneFigures:
        done_bytes = max(0, self._taken_bytes - self.session.pending_bytes)
        times = self._times() if self.result is None else self.result.times
        return LaneFigures(self.given_bytes, done_bytes, self.session.counters.sent_bytes, self.is_live, times)

    def _times(self) -> LaneTimes:
        return msgspec.structs.replace(self._sheet.of_sender().since(self._times_before), others_s=self.others_s)

    def put(self, item: Outgoing, size_bytes: int, timeout_s: float) -> bool:
        """False when the queue had no room for so long."""
        if not self.queue.put((item, size_bytes), size_bytes + _CHANGE_BYTES * (1 + len(item.segment.changes)), timeout_s):
            return False
        self.given_bytes += size_bytes
        return True

    @property
    def overflows(self) -> bool:
        return self._overflow is not None and self._overflow.is_used

    def put_aside(self, item: Outgoing, size_bytes: int) -> bool:
        """Behind all that is queued, on disk. False when it has no overflow, or that has no room."""
        if self._overflow is None:
            return False
        try:
            done = self.session.counters
            kept = self._overflow.put(item, is_known=done.sent_bytes * _LITTLE < done.offered_bytes)
        except HoldfastError as error:
            # Without this step what comes after it is not the whole.
            self.cancel(error)
            raise
        if kept is None:
            return False
        self.queue.put((kept, size_bytes), 0)
        self.given_bytes += size_bytes
        return True

    def turn(self, turn: Turn) -> None:
        self._turns_put += 1
        with suppress(HoldfastError):
            # It costs nothing to keep. A lane that has ended says itself why.
            self.queue.put(_Turned(turn), 0)

    def silent_s(self) -> float:
        """How long nothing has gone either way, waiting for the own limit not counted. Call it now and again."""
        now_s = self._clock.monotonic_s()
        progress, limited = self.session.progress, self.session.is_limited
        if limited or (progress, limited) != self._seen[:2]:
            self._seen = (progress, limited, now_s)
        return now_s - self._seen[2]

    def watch(self) -> None:
        """Silence counts from now on: before, nobody waited."""
        self._seen = (self._seen[0], self._seen[1], self._clock.monotonic_s())

    def detach(self) -> None:
        """Leave it behind. Its channel is closed by another thread, since a close waits a little for the peer."""
        error = NotReachable("the receiver stalled and was left behind", hint="it is caught up by the next run; see the receiver's log")
        self._end(DeliveryResult(error=error.facts(), behind=True))
        self.queue.fail(error, drop=True)
        threading.Thread(target=self.session.close, name="delivery-detach", daemon=True).start()

    def cancel(self, error: HoldfastError) -> None:
        self._end(DeliveryResult(error=error.facts()))
        self.queue.fail(error, drop=True)

    def join(self, timeout_s: float) -> None:
        """Give the thread time to tell the receiver; if it hangs in a send, close the channel under it."""
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            self.session.close()

    def _run(self) -> None:
        try:
            for item in self._items():
                if isinstance(item, _Poke):
                    self.session.answer()
                elif isinstance(item, _Turned):
                    item.turn()
                    self._turns_done += 1
                else:
                    outgoing, size_bytes = item
                    self.session.send(self._at_hand(outgoing))
                    self._taken_bytes += size_bytes
            if self.commit is None:
                raise Cancelled("no commit was made for this delivery", hint="the run that began it failed")
            self._end(DeliveryResult(acknowledgements=self.session.commit(self.commit)))
        except HoldfastError as error:
            self._failed(error)
        except Exception as error:
            logger.exception("a delivery failed", extra={"facts": {"peer": self.session.peer}})
            self._failed(error)
        finally:
            if self._overflow is not None:
                self._overflow.close()

    def _at_hand(self, item: Outgoing | Overflowed) -> Outgoing:
        if isinstance(item, Outgoing):
            return item
        assert self._overflow is not None
        return self._overflow.take(item)

    def _items(self) -> Iterator[tuple[Outgoing | Overflowed, int] | _Poke | _Turned]:
        return self._sheet.until_end(self.queue.get)

    def _failed(self, error: Exception) -> None:
        facts = facts_of(error)
        self._end(DeliveryResult(error=facts))
        own = error if isinstance(error, HoldfastError) else Cancelled(facts.message)
        self.queue.fail(own, drop=True)
        self.session.abort(own)

    def _end(self, result: DeliveryResult) -> None:
        """The first word counts: what a detached session says afterwards is its death rattle."""
        if self.result is None:
            duration_s = self._clock.monotonic_s() - self._started_s
            counters, times = self.session.counters, self._times()
            self.result = DeliveryResult(result.acknowledgements, result.error, counters, result.behind, duration_s, times)
        self.done.set()

    def _poke(self) -> None:
        try:
            self.queue.put(_POKE, 0)
        except HoldfastError:
            # Nothing more is queued: the thread is in `commit` and listens itself, or is done.
            return


class FanOut:
    """Feed it a capture's segments, then `finish`. Used by one thread; nothing a receiver does makes it raise.

    `patience_s`: how long a delivery that takes nothing may hold up the others. A delivery slowed by its own limit is never detached.
    `on_wait` is called on the same thread, several times a second, while a receiver is waited for.
    Sessions that ended well stay open (for another commit, or for the caller to close); the others are closed here.
    """

    def __init__(
        self,
        sessions: Mapping[str, FanOutSession],
        *,
        clock: Clock,
        patience_s: float = PATIENCE_S,
        queue_bytes: int = QUEUE_BYTES,
        on_wait: Callable[[], None] = _nothing,
    ) -> None:
        self._patience_s = patience_s
        self._on_wait = on_wait
        self._clock = clock
        self._lanes = {delivery: _Lane(work, queue_bytes, clock) for delivery, work in sessions.items()}

    @property
    def is_live(self) -> bool:
        """False when no delivery is left that takes anything: the run may stop producing."""
        return any(lane.is_live for lane in self._lanes.values())

    def has_earlier(self, timeout_s: float) -> bool:
        """Whether every delivery that is left has a commit before the open one to answer for, so that nobody waits for the end of that.
        Takes so long, if it is so: to be asked again and again."""
        live = [lane for lane in self._lanes.values() if lane.is_live]
        if not live or not all(lane.has_earlier for lane in live):
            return False
        live[0].done.wait(timeout_s)
        return True

    def figures(self) -> dict[str, LaneFigures]:
        """How far each delivery has got, for progress."""
        return {delivery: lane.figures() for delivery, lane in self._lanes.items()}

    def send(self, outgoing: Mapping[DatasetId, Outgoing]) -> None:
        """Hand one step of the capture to every delivery of its dataset; waits for the slowest, as far as patience goes."""
        for lane in self._lanes.values():
            item = outgoing.get(lane.dataset)
            if item is not None and lane.is_live:
                self._put(lane, item)

    def turn(self, turns: Mapping[str, Turn]) -> None:
        """Between two commits of one run: what was sent until now belongs to the one, what is sent from now on to the other."""
        for delivery, turn in turns.items():
            if self._lanes[delivery].is_live:
                self._lanes[delivery].turn(turn)

    def finish(self, commits: Mapping[DatasetId, Commit], own: Mapping[str, Commit] = MappingProxyType({})) -> dict[str, DeliveryResult]:
        """Close every delivery with its dataset's commit, or with one of its `own` (without any it is aborted), and tell how each ended."""
        self.close(commits, own)
        return self.wait(self._lanes)

    def close(self, commits: Mapping[DatasetId, Commit], own: Mapping[str, Commit] = MappingProxyType({})) -> None:
        """The first half of `finish`: nothing more comes."""
        for delivery, lane in self._lanes.items():
            lane.commit = own.get(delivery, commits.get(lane.dataset))
            lane.queue.end()
            lane.watch()

    def wait(self, deliveries: Iterable[str]) -> dict[str, DeliveryResult]:
        """The second half of `finish`, for these of them."""
        chosen = {delivery: self._lanes[delivery] for delivery in deliveries if delivery in self._lanes}
        for lane in chosen.values():
            patience_s = FINISH_PATIENCE_S if lane.patience_s is None else lane.patience_s
            while not lane.done.wait(min(_STEP_S, patience_s)):
                self._on_wait()
                if lane.silent_s() >= patience_s:
                    lane.detach()
        return {delivery: lane.result or DeliveryResult() for delivery, lane in chosen.items()}

    def wait_a_while(self, deliveries: Iterable[str], most_s: float) -> None:
        """Until all of these have ended, and no longer than that."""
        until_s = self._clock.monotonic_s() + most_s
        for lane in [self._lanes[delivery] for delivery in deliveries if delivery in self._lanes]:
            while lane.is_live and (left_s := until_s - self._clock.monotonic_s()) > 0:
                lane.done.wait(min(_STEP_S, left_s))
                self._on_wait()

    def abort(self, error: HoldfastError) -> dict[str, DeliveryResult]:
        """The run failed: every receiver forgets its open commit."""
        for lane in self._lanes.values():
            if lane.is_live:
                lane.cancel(error)
        for lane in self._lanes.values():
            lane.join(_ABORT_GRACE_S)
        return {delivery: lane.result or DeliveryResult() for delivery, lane in self._lanes.items()}

    def _put(self, lane: _Lane, item: Outgoing) -> None:
        size_bytes = sum(ref.size_bytes for ref in item.segment.offered)
        step_s = min(_STEP_S, self._patience_s / 4)
        lane.watch()
        try:
            if lane.overflows and lane.put_aside(item, size_bytes):
                return
            while not self._puts(lane, item, size_bytes, step_s):
                self._on_wait()
                if lane.waited_s >= OVERFLOW_AFTER_S and lane.put_aside(item, size_bytes):
                    return
                others_wait = any(other.is_live for other in self._lanes.values() if other is not lane)
                patience_s = FINISH_PATIENCE_S if lane.session.is_committing else self._patience_s
                if lane.silent_s() >= patience_s and others_wait:
                    lane.detach()
        except HoldfastError:
            # The lane ended while we waited; its result says why.
            return

    def _puts(self, lane: _Lane, item: Outgoing, size_bytes: int, timeout_s: float) -> bool:
        """As `_Lane.put`. While this waits, the others get nothing either."""
        started_s = self._clock.monotonic_s()
        is_put = lane.put(item, size_bytes, timeout_s)
        waited_s = self._clock.monotonic_s() - started_s
        lane.waited_s += waited_s
        for other in self._lanes.values():
            if other is not lane:
                other.others_s += waited_s
        return is_put

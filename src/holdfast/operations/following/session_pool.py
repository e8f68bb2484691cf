"""Sessions to receivers that stay open from one small run to the next.

A session costs a connection, a handshake and a question; at several small runs a second that would be most of the work. One is given up
when nothing was sent for a while, so that a receiver is not kept from its own maintenance, and after some minutes in any case.

Small runs do not wait for a connection to its end: where a line drops what is sent that takes ten seconds, and meanwhile nobody would look
at what changes. It goes on in a thread of its own, and who asks again finds it. Nor do they wait for a receiver that takes its time with
what it was sent: its session stays with the run that began it, and there is no other one meanwhile.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from holdfast.core.clock import Clock
from holdfast.core.errors import HoldfastError, NotReachable, ReceiverBusy
from holdfast.core.ids import ActionId
from holdfast.delivery.session import DeliverySession
from holdfast.model.change import Acknowledgement
from holdfast.operations.running import Cancellation
from holdfast.operations.spooling.standing import after
from holdfast.wire.data_messages import ActionState

logger = logging.getLogger(__name__)

_IDLE_S, _LIFE_S = 5.0, 120.0
PATIENCE_S, SHORT_PATIENCE_S = 3.0, 0.3
"""So long a small run waits for a connection that it begins; the short one is where the one before took longer."""

LINGER_S = 3.0
"""So long a small run waits at its end for receivers that nothing is kept for."""


@dataclass(frozen=True)
class Kept:
    """An open session, and where its actions stand."""

    session: DeliverySession
    states: dict[ActionId, ActionState]
    opened_s: float
    used_s: float


Connect = Callable[[Cancellation], Kept]
"""Opens a session, and closes it when it is cancelled, also later."""


class _Attempt:
    """A connection on its way, and its end: `kept`, since `ended_s`, or `error`."""

    def __init__(self, connect: Connect, clock: Clock) -> None:
        self.cancellation = Cancellation()
        self.done = threading.Event()
        self.kept: Kept | None = None
        self.error: Exception | None = None
        self.began_s, self.ended_s = clock.monotonic_s(), 0.0
        self._connect, self._clock = connect, clock
        threading.Thread(target=self._run, name="connect", daemon=True).start()

    def _run(self) -> None:
        try:
            self.kept = self._connect(self.cancellation)
        except Exception as error:
            if not isinstance(error, HoldfastError | OSError):
                logger.exception("a connection failed")
            self.error = error
        self.ended_s = self._clock.monotonic_s()
        self.done.set()

    def is_of_use(self, now_s: float) -> bool:
        return not self.done.is_set() or (self.kept is not None and now_s - self.ended_s < _IDLE_S)


class SessionPool:
    """By delivery id. Any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, Kept] = {}
        self._attempts: dict[str, _Attempt] = {}
        # Deliveries whose last connection kept somebody waiting in vain.
        self._slow: set[str] = set()
        # Deliveries whose session a run keeps that nobody waits for any more, and since when.
        self._lingering: dict[str, float] = {}

    def lingers(self, delivery: str) -> ReceiverBusy:
        """A run goes on with its session for this delivery, and nobody else is to have one before it `has_ended`: what they are told."""
        with self._lock:
            since_s = self._lingering[delivery] = self._clock.monotonic_s()
        return self._told(since_s)

    def has_ended(self, delivery: str) -> None:
        with self._lock:
            self._lingering.pop(delivery, None)

    def busy(self, delivery: str) -> ReceiverBusy | None:
        """Why there is no session to be had now, nor to be opened."""
        with self._lock:
            since_s = self._lingering.get(delivery)
        return None if since_s is None else self._told(since_s)

    def _told(self, since_s: float) -> ReceiverBusy:
        return ReceiverBusy(f"it has not taken yet what it was sent {self._clock.monotonic_s() - since_s + LINGER_S:.0f} s ago")

    def take(self, delivery: str) -> Kept | None:
        """The caller's until it is kept again or closed."""
        self.close_idle()
        with self._lock:
            return self._kept.pop(delivery, None)

    def connected(self, delivery: str, connect: Connect, cancellation: Cancellation) -> Kept:
        """A new session, the caller's. Raises what `connect` raises, and `NotReachable` when it takes longer than one waits for it: then
        the connection goes on, for who asks again. `cancellation` ends it."""
        with self._lock:
            attempt, patience_s = self._attempts.get(delivery), 0.0
            if attempt is None or not attempt.is_of_use(self._clock.monotonic_s()):
                attempt = self._attempts[delivery] = _Attempt(connect, self._clock)
                patience_s = SHORT_PATIENCE_S if delivery in self._slow else PATIENCE_S
        cancellation.on_cancel(attempt.cancellation.cancel)
        is_over = attempt.done.wait(patience_s)
        with self._lock:
            (self._slow.discard if is_over else self._slow.add)(delivery)
            if attempt.kept is not None and self._attempts.get(delivery) is attempt:
                del self._attempts[delivery]
                return attempt.kept
        if attempt.error is not None:
            raise attempt.error
        waited_s = self._clock.monotonic_s() - attempt.began_s
        hint = "check the network, and whether the other machine is busy with other deliveries"
        raise NotReachable(f"no session was taken within {waited_s:.1f} s; it is tried on", hint=hint)

    def keep(self, delivery: str, kept: Kept, acknowledgements: dict[ActionId, Acknowledgement]) -> None:
        """After a commit that every action has acknowledged; with any trouble the session is closed, and the next one asks anew."""
        states = dict(kept.states)
        for action, said in acknowledgements.items():
            states[action] = after(states[action], said)
        if any(state.error is not None or state.cursor is None for state in states.values()):
            _close(kept.session)
            return
        with self._lock:
            before = self._kept.get(delivery)
            self._kept[delivery] = Kept(kept.session, states, kept.opened_s, self._clock.monotonic_s())
            # What was answered there is older.
            attempt = self._attempts.pop(delivery, None)
            self._slow.discard(delivery)
        if before is not None:
            _close(before.session)
        if attempt is not None:
            attempt.cancellation.cancel()

    def close_idle(self) -> None:
        now_s = self._clock.monotonic_s()
        with self._lock:
            useless = [delivery for delivery, attempt in self._attempts.items() if not attempt.is_of_use(now_s)]
            attempts = [self._attempts.pop(delivery) for delivery in useless]
            over = [delivery for delivery, kept in self._kept.items() if now_s - kept.used_s >= _IDLE_S or now_s - kept.opened_s >= _LIFE_S]
            sessions = [self._kept.pop(delivery).session for delivery in over]
        for attempt in attempts:
            attempt.cancellation.cancel()
        for session in sessions:
            _close(session)

    def next_s(self) -> float | None:
        """When one is to be given up."""
        with self._lock:
            return min((min(kept.used_s + _IDLE_S, kept.opened_s + _LIFE_S) for kept in self._kept.values()), default=None)

    def close(self) -> None:
        with self._lock:
            sessions, attempts = [kept.session for kept in self._kept.values()], list(self._attempts.values())
            self._kept.clear()
            self._attempts.clear()
        for attempt in attempts:
            attempt.cancellation.cancel()
        for session in sessions:
            _close(session)


def _close(session: DeliverySession) -> None:
    try:
        session.close()
    except HoldfastError:
        # It was broken already.
        return

"""Sessions to receivers that stay open from one small run to the next.

A session costs a connection, a handshake and a question; at several small runs a second that would be most of the work. One is given up
when nothing was sent for a while, so that a receiver is not kept from its own maintenance, and after some minutes in any case.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from holdfast.core.clock import Clock
from holdfast.core.errors import HoldfastError
from holdfast.core.ids import ActionId
from holdfast.delivery.session import DeliverySession
from holdfast.model.change import Acknowledgement
from holdfast.operations.spooling.standing import after
from holdfast.wire.data_messages import ActionState

_IDLE_S, _LIFE_S = 5.0, 120.0


@dataclass(frozen=True)
class Kept:
    """An open session, and where its actions stand."""

    session: DeliverySession
    states: dict[ActionId, ActionState]
    opened_s: float
    used_s: float


class SessionPool:
    """By delivery id. Any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, Kept] = {}

    def take(self, delivery: str) -> Kept | None:
        """The caller's until it is kept again or closed."""
        self.close_idle()
        with self._lock:
            return self._kept.pop(delivery, None)

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
        if before is not None:
            _close(before.session)

    def close_idle(self) -> None:
        now_s = self._clock.monotonic_s()
        with self._lock:
            over = [delivery for delivery, kept in self._kept.items() if now_s - kept.used_s >= _IDLE_S or now_s - kept.opened_s >= _LIFE_S]
            sessions = [self._kept.pop(delivery).session for delivery in over]
        for session in sessions:
            _close(session)

    def next_s(self) -> float | None:
        """When one is to be given up."""
        with self._lock:
            return min((min(kept.used_s + _IDLE_S, kept.opened_s + _LIFE_S) for kept in self._kept.values()), default=None)

    def close(self) -> None:
        with self._lock:
            sessions = [kept.session for kept in self._kept.values()]
            self._kept.clear()
        for session in sessions:
            _close(session)


def _close(session: DeliverySession) -> None:
    try:
        session.close()
    except HoldfastError:
        # It was broken already.
        return

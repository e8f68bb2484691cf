"""Connections that small runs do not wait for to their end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.errors import NotReachable, ReceiverBusy, Refused
from holdfast.core.ids import ActionId, Epoch
from holdfast.delivery.session import DeliverySession
from holdfast.model.change import Cursor
from holdfast.operations.following import session_pool
from holdfast.operations.following.session_pool import Kept, SessionPool
from holdfast.operations.running import Cancellation
from holdfast.testing.waiting import wait_for
from holdfast.wire.data_messages import ActionState
from holdfast.wire.pipe import Pipe
from holdfast.wire.queue_channel import QueueChannel

VAULT = "files1/documents->vault"
STATE = ActionState(action=ActionId("store"), cursor=Cursor(Epoch("e"), 1))


class Line:
    """It opens when it is told to."""

    def __init__(self) -> None:
        self.opens = threading.Event()
        self.calls = 0
        self.is_refused = False
        self.cancelled = threading.Event()

    def connect(self, cancellation: Cancellation) -> Kept:
        self.calls += 1
        cancellation.on_cancel(self.cancelled.set)
        assert self.opens.wait(60)
        if self.is_refused:
            raise Refused("you are not known here")
        channel = QueueChannel("vault", outbox=Pipe(1000), inbox=Pipe(1000))  # type: ignore[arg-type]
        now_s = time.monotonic()
        return Kept(DeliverySession(channel), {STATE.action: STATE}, now_s, now_s)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    monkeypatch.setattr(session_pool, "PATIENCE_S", 0.1)
    monkeypatch.setattr(session_pool, "SHORT_PATIENCE_S", 0.01)
    found = Line()
    yield found
    found.opens.set()


@pytest.fixture
def pool() -> Iterator[SessionPool]:
    found = SessionPool(SystemClock())
    yield found
    found.close()


def test_one_that_takes_long_is_for_who_asks_again(pool: SessionPool, line: Line) -> None:
    for _ in range(2):
        with pytest.raises(NotReachable, match="no session was taken within"):
            pool.connected(VAULT, line.connect, Cancellation())
    line.opens.set()
    kept = wait_for(lambda: _connected(pool, line))
    assert (line.calls, kept.states) == (1, {STATE.action: STATE})
    assert not line.cancelled.is_set()
    kept.session.close()


def test_what_it_raises_is_raised_to_who_waits_and_the_next_tries_anew(pool: SessionPool, line: Line) -> None:
    line.is_refused = True
    line.opens.set()
    for calls in (1, 2):
        with pytest.raises(Refused):
            pool.connected(VAULT, line.connect, Cancellation())
        assert line.calls == calls


def test_what_came_of_it_is_closed_when_somebody_else_was_there_first(pool: SessionPool, line: Line) -> None:
    with pytest.raises(NotReachable):
        pool.connected(VAULT, line.connect, Cancellation())
    other = Line()
    other.opens.set()
    pool.keep(VAULT, other.connect(Cancellation()), {})
    assert line.cancelled.wait(60)
    assert pool.take(VAULT) is not None


def test_a_run_that_is_cancelled_ends_it(pool: SessionPool, line: Line) -> None:
    cancellation = Cancellation()
    with pytest.raises(NotReachable):
        pool.connected(VAULT, line.connect, cancellation)
    cancellation.cancel()
    assert line.cancelled.is_set()


def test_what_nobody_comes_for_is_closed(pool: SessionPool, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotReachable):
        pool.connected(VAULT, line.connect, Cancellation())
    monkeypatch.setattr(session_pool, "_IDLE_S", 0.0)
    pool.close_idle()
    assert not line.cancelled.is_set()
    line.opens.set()
    assert wait_for(lambda: pool.close_idle() or line.cancelled.is_set())


def _connected(pool: SessionPool, line: Line) -> Kept | None:
    try:
        return pool.connected(VAULT, line.connect, Cancellation())
    except NotReachable:
        return None


def test_a_delivery_whose_run_goes_on_is_busy_until_that_has_ended(pool: SessionPool) -> None:
    assert pool.busy(VAULT) is None
    pool.lingers(VAULT)
    assert isinstance(pool.busy(VAULT), ReceiverBusy)
    assert pool.busy("another") is None
    pool.has_ended(VAULT)
    assert pool.busy(VAULT) is None

"""Sessions that a peer has dialled for us to use: where a mover says `dial: to` the receiver dials, and the sender speaks first.

A line is an ordinary session of the data server, of the method `Line`. It is parked until somebody here takes it; from then on it is as if
we had dialled. The peer keeps one line waiting and dials the next when one is taken.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Protocol

from holdfast.core.errors import HoldfastError, NotReachable, ProtocolError, error_from
from holdfast.core.ids import NodeId
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import DataMessage, LineTaken, OpenLine, Stopped

TAKE_S = 10.0
_LOOK_S = 1.0
_ASK_S = 30.0


class Parkable(Channel, Protocol):
    """A channel of which one can see whether the peer is still there."""

    @property
    def is_open(self) -> bool: ...


class ThroughLine:
    """A channel that is another in all that who derives from it does not say."""

    def __init__(self, inner: Channel) -> None:
        self._inner = inner

    @property
    def peer(self) -> NodeId:
        return self._inner.peer

    @property
    def trusted(self) -> bool:
        return self._inner.trusted

    def send(self, message: DataMessage) -> None:
        self._inner.send(message)

    def receive(self, timeout_s: float | None = None) -> DataMessage | None:
        return self._inner.receive(timeout_s)

    def close(self) -> None:
        self._inner.close()


class TakenLine(ThroughLine):
    """`peer` is the node at the far end, also where the line leads through another process. `ended` is set by `close`."""

    def __init__(self, inner: Channel, peer: NodeId, ended: threading.Event | None = None) -> None:
        super().__init__(inner)
        self._peer = peer
        self._ended = ended

    @property
    def peer(self) -> NodeId:
        return self._peer

    @property
    def trusted(self) -> bool:
        return False

    def close(self) -> None:
        super().close()
        if self._ended is not None:
            self._ended.set()


class BegunLine(ThroughLine):
    """Its first message was taken already: the next `receive` gives it once more."""

    def __init__(self, inner: Channel, first: DataMessage) -> None:
        super().__init__(inner)
        self._first: DataMessage | None = first

    def receive(self, timeout_s: float | None = None) -> DataMessage | None:
        first, self._first = self._first, None
        return first if first is not None else super().receive(timeout_s)


class Lines:
    """The lines that wait here, by who dialled them."""

    def __init__(self) -> None:
        self.take_s = TAKE_S
        self._changed = threading.Condition()
        self._waiting: dict[NodeId, deque[tuple[Parkable, threading.Event]]] = {}
        self._closed = False

    def park(self, channel: Parkable) -> None:
        """Until whoever takes the line has closed it, or the peer is gone, or `close`. The caller closes the channel then."""
        ended = threading.Event()
        line = (channel, ended)
        with self._changed:
            if self._closed:
                return
            self._waiting.setdefault(channel.peer, deque()).append(line)
            self._changed.notify_all()
        while not ended.wait(_LOOK_S):
            if not channel.is_open:
                break
        with self._changed:
            waiting = self._waiting.get(channel.peer, deque())
            if line in waiting:
                waiting.remove(line)

    def take(self, peer: NodeId, name: str = "") -> Channel:
        """Raises `NotReachable` when the peer has no line here within `take_s`: it may be dialling the next one."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._has_open(peer), self.take_s)
            while not self._closed and (waiting := self._waiting.get(peer)):
                channel, ended = waiting.pop()
                if channel.is_open:
                    return TakenLine(channel, peer, ended)
        raise NotReachable(
            f"{name or peer} has not dialled this machine",
            hint="its mover says `dial: to`: see that its agent runs, its window is open, and it reaches this machine's data port",
        )

    def close(self) -> None:
        """Lines that wait end; those that were taken end with their sessions."""
        with self._changed:
            self._closed = True
            waiting = [line for lines in self._waiting.values() for line in lines]
            self._changed.notify_all()
        for _, ended in waiting:
            ended.set()

    def _has_open(self, peer: NodeId) -> bool:
        return any(channel.is_open for channel, _ in self._waiting.get(peer, ()))


def ask_for_line(local: Channel, peer: NodeId) -> Channel:
    """For another process of this machine: a line of `peer`, through the process that has the data server. Raises `NotReachable`."""
    try:
        local.send(OpenLine(peer=peer))
        answer = local.receive(_ASK_S)
    except HoldfastError:
        local.close()
        raise
    if isinstance(answer, LineTaken):
        return TakenLine(local, peer)
    local.close()
    if isinstance(answer, Stopped):
        raise error_from(answer.error)
    raise NotReachable("the store worker gave no line", hint="see the node's log")


def hand_on_line(local: Channel, lines: Lines, name_of: dict[NodeId, str]) -> None:
    """The other side of `ask_for_line`: what comes from one goes to the other, until either ends."""
    asked = local.receive(_ASK_S)
    if not isinstance(asked, OpenLine):
        raise ProtocolError("a session for a line does not begin with OpenLine")
    line = lines.take(asked.peer, name_of.get(asked.peer, ""))
    back = threading.Thread(target=_pump, args=(line, local), name="line-back", daemon=True)
    try:
        local.send(LineTaken())
        back.start()
        _pump(local, line)
    finally:
        line.close()
        if back.ident is not None:
            back.join()


def _pump(giver: Channel, taker: Channel) -> None:
    """Whatever ends one side ends the other: both ends of the session notice by themselves how far they had got."""
    try:
        while (message := giver.receive()) is not None:
            taker.send(message)
    except HoldfastError:
        return
    finally:
        taker.close()

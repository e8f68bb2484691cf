"""Keeps a line at each node that sends here by `dial: to`: dials it, waits for what it says first, serves that, and dials the next.

Nothing listens here for it. While all movers from a node are closed by their windows there is no connection to it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from holdfast.core.clock import Clock, now
from holdfast.core.errors import HoldfastError, NotReachable, error_from
from holdfast.core.ids import NodeId
from holdfast.model.rate_table import rate_at
from holdfast.model.rules import Pull
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import DataMessage, Stopped
from holdfast.wire.lines import BegunLine, Parkable

LOOK_S = 5.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_MOST_SESSIONS = 16
_REDIAL_S = 3600.0

DialLine = Callable[[NodeId], Parkable]
Serve = Callable[[Channel, DataMessage], None]
"""Serves a session whose first message has come, to its end."""


class Pulling:
    """`configure` with each new rules; `stop` once. `down` is told once when a node cannot be dialled, with why."""

    def __init__(self, serve: Serve, down: Callable[[NodeId, HoldfastError], None], *, clock: Clock) -> None:
        self._serve = serve
        self._down = down
        self._clock = clock
        self._guard = threading.Lock()
        self._pullers: dict[NodeId, _Puller] = {}

    def configure(self, pulls: tuple[Pull, ...], dial: DialLine) -> None:
        """Those that stay keep their line; a node that dials no more is hung up on."""
        with self._guard:
            wanted = {pull.sender: pull for pull in pulls}
            gone = [self._pullers.pop(sender) for sender in list(self._pullers) if sender not in wanted]
            for sender, pull in wanted.items():
                puller = self._pullers.get(sender)
                if puller is None:
                    puller = self._pullers[sender] = _Puller(pull, dial, self._serve, self._down, self._clock)
                    puller.start()
                puller.configure(pull, dial)
        for puller in gone:
            puller.stop()

    def stop(self, timeout_s: float = 1.0) -> None:
        with self._guard:
            pullers, self._pullers = list(self._pullers.values()), {}
        for puller in pullers:
            puller.stop()
        for puller in pullers:
            puller.join(timeout_s)


class _Puller:
    def __init__(self, pull: Pull, dial: DialLine, serve: Serve, down: Callable[[NodeId, HoldfastError], None], clock: Clock) -> None:
        self._sender = pull.sender
        self._pull, self._dial = pull, dial
        self._serve, self._down, self._clock = serve, down, clock
        self._stopped = threading.Event()
        self._places = threading.BoundedSemaphore(_MOST_SESSIONS)
        self._guard = threading.Lock()
        self._open: set[Channel] = set()
        self._thread = threading.Thread(target=self._run, name="pull", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def configure(self, pull: Pull, dial: DialLine) -> None:
        self._pull, self._dial = pull, dial

    def stop(self) -> None:
        """Also ends what is under way; the sender goes on where it was."""
        self._stopped.set()
        with self._guard:
            channels = list(self._open)
        for channel in channels:
            channel.close()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def _run(self) -> None:
        pause_s, is_down = _FIRST_PAUSE_S, False
        while not self._stopped.is_set():
            if not self._is_window_open():
                self._stopped.wait(LOOK_S)
                continue
            try:
                self._one_line()
            except HoldfastError as error:
                if not is_down and not self._stopped.is_set():
                    self._down(self._sender, error)
                is_down = True
                self._stopped.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                pause_s, is_down = _FIRST_PAUSE_S, False

    def _one_line(self) -> None:
        """Returns when the line is used, or is not needed now. Raises why there is none."""
        self._places.acquire()
        is_used = False
        channel = self._dial(self._sender)
        try:
            with self._guard:
                self._open.add(channel)
            first = self._first(channel)
            if isinstance(first, Stopped):
                raise error_from(first.error)
            if first is not None:
                is_used = True
                threading.Thread(target=self._session, args=(channel, first), name="pulled", daemon=True).start()
        finally:
            if not is_used:
                self._let_go(channel)

    def _first(self, channel: Parkable) -> DataMessage | None:
        """What the sender says first; None = nothing, and the line is not needed now. Raises `NotReachable` when it broke."""
        until_s = self._clock.monotonic_s() + _REDIAL_S
        while not self._stopped.is_set() and self._is_window_open() and self._clock.monotonic_s() < until_s:
            try:
                return channel.receive(LOOK_S)
            except NotReachable:
                if not channel.is_open and not self._stopped.is_set():
                    raise
        return None

    def _session(self, channel: Channel, first: DataMessage) -> None:
        try:
            self._serve(BegunLine(channel, first), first)
        finally:
            self._let_go(channel)

    def _let_go(self, channel: Channel) -> None:
        channel.close()
        with self._guard:
            self._open.discard(channel)
        self._places.release()

    def _is_window_open(self) -> bool:
        moment = now(self._clock)
        return any(not rate_at(windows, moment).is_closed for windows in self._pull.windows or ((),))

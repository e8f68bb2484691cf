"""The sender's half of the delivery protocol, message by message, without any policy. `session` and `forward` build on it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from holdfast.core.errors import ErrorFacts, HoldfastError, NotReachable, ProtocolError, error_from, facts_of
from holdfast.core.ids import ActionId
from holdfast.delivery.abridging import Abridger, digest_of
from holdfast.delivery.acknowledging import joined
from holdfast.delivery.batches import Batch
from holdfast.delivery.time_sheet import Spent, TimeSheet
from holdfast.model.change import Acknowledgement, Begin, Commit, Segment
from holdfast.model.entry import ChunkRef
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import (
    ActionState,
    Carried,
    Closed,
    Closing,
    DataMessage,
    Needed,
    Open,
    Opened,
    Recall,
    Recalled,
    Spending,
    Started,
    Stopped,
)
from holdfast.wire.pipe import Pipe

_REASON_WAIT_S = 1.0
M = TypeVar("M", Opened, Needed, Recalled, Closed)


class DeliveryLink:
    """A thread of its own takes what the receiver says, so that the receiver never waits for us while we wait for it.

    `on_arrival` is called from that thread at each message. Every method raises what ended the session: the receiver's own reason where it
    gave one, else `NotReachable` or `ProtocolError`. `sheet`: on what the thread that sends spends its time.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.on_arrival: Callable[[], None] = lambda: None
        # Bounded by the window: at most one answer per segment in flight.
        self._arrived: Pipe[DataMessage] = Pipe(4_096)
        self._over = threading.Event()
        self._abridger = Abridger()
        self.sheet = TimeSheet()
        # Commits that were closed and not waited for, and what was said of them.
        self._unanswered = 0
        self._passed: list[Acknowledgement] = []
        self.progress = 0
        threading.Thread(target=self._listen, name="delivery-listen", daemon=True).start()

    def open(self, opening: Open) -> tuple[ActionState, ...]:
        self.send(msgspec.structs.replace(opening, reports=True))
        opened = self._next(Opened)
        if {state.action for state in opened.actions} != set(opening.actions):
            raise self._broken("Opened names other actions than Open")
        return opened.actions

    def start(self, begin: Begin, actions: Sequence[ActionId]) -> None:
        self._abridger.begin()
        self.send(Started(begin=begin, actions=tuple(actions)))

    def recall(self, path: bytes, refs: Sequence[ChunkRef]) -> None:
        """Ask whether the receiver has this version of a file; if so, what is offered of the file next travels as the difference. To be
        called while no answer is awaited."""
        self.send(Recall(path=path, digest=digest_of(refs)))
        if self._next(Recalled).is_known:
            self._abridger.know(path, refs)

    def offer(self, segment: Segment) -> None:
        self.send(self._abridger.abridge(segment))

    def needed(self, timeout_s: float | None = None) -> Needed:
        """The next answer to an offer. Raises `TimeoutError` when none came within `timeout_s`."""
        needed = self._next(Needed, timeout_s)
        self.sheet.told = needed.spent or self.sheet.told
        return needed

    def carry(self, number: int, batch: Batch, *, last: bool) -> None:
        self.send(Carried(number=number, payloads=batch.payloads, withdrawn=batch.withdrawn, last=last))

    @property
    def is_unanswered(self) -> bool:
        """Whether the receiver still has a commit to answer for that was passed over."""
        return self._unanswered > 0

    def pass_over(self, commit: Commit) -> None:
        """Close a commit and do not wait: what builds on it is refused by who does not take it."""
        self._unanswered += 1
        self.send(Closing(commit=commit))

    def finish(self, commit: Commit) -> tuple[Acknowledgement, ...]:
        """Returns when every action has answered; that may take as long as its storage does. What they said of commits that were passed
        over is part of it."""
        self.send(Closing(commit=commit))
        closed = self._next(Closed)
        self.sheet.told = closed.spent or self.sheet.told
        passed, self._passed = self._passed, []
        return joined(passed, closed.acknowledgements)

    def send(self, message: DataMessage) -> None:
        try:
            with self.sheet.on(Spent.SENDING):
                self._channel.send(message)
        except NotReachable:
            self._raise_reason()
            raise
        self.progress += 1

    def stop(self, error: HoldfastError, wait_s: float = 0.0) -> None:
        """End the session because of `error`, telling the receiver if it still listens. `wait_s`: so long it may take to end, too."""
        try:
            self._channel.send(Stopped(error=facts_of(error)))
            self._over.wait(wait_s)
        except HoldfastError:
            # It is gone already: nobody to tell.
            return
        finally:
            self.close()

    def close(self) -> None:
        self._channel.close()

    def _listen(self) -> None:
        try:
            while (message := self._channel.receive()) is not None:
                self.progress += 1
                if isinstance(message, Spending):
                    self.sheet.told = message.spent
                    continue
                if isinstance(message, Stopped):
                    self._arrived.fail(_raised_by(self._channel.peer, message.error))
                    return
                self._arrived.put(message)
                self.on_arrival()
            self._arrived.fail(NotReachable("the receiver ended the session", hint="see its log"))
        except HoldfastError as error:
            self._arrived.fail(error)
        finally:
            self._over.set()
            self.on_arrival()

    def _next(self, kind: type[M], timeout_s: float | None = None) -> M:
        with self.sheet.on(Spent.AWAITING):
            message = self._arrived.get(timeout_s)
            while self._unanswered and isinstance(message, Closed):
                self._unanswered -= 1
                self._passed += message.acknowledgements
                message = self._arrived.get(timeout_s)
        if not isinstance(message, kind):
            raise self._broken(f"{type(message).__name__} came where {kind.__name__} was due")
        return message

    def _raise_reason(self) -> None:
        """A send failed because the session is over: the receiver may have said why."""
        if self._over.wait(_REASON_WAIT_S):
            while True:
                self._arrived.get(0)

    def _broken(self, what: str) -> ProtocolError:
        return ProtocolError(f"{self._channel.peer}: {what}", hint="both machines must run versions that understand each other")


def _raised_by(peer: str, facts: ErrorFacts) -> HoldfastError:
    error = error_from(facts)
    error.context.setdefault("peer", peer)
    return error

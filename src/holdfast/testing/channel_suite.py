"""The conformance suite of `wire.channel.Channel`: subclass it, provide `pair`, and every implementation answers for the same promises."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from functools import partial
from typing import TypeVar

import pytest

from holdfast.core.errors import Cancelled, NotReachable
from holdfast.core.ids import ActionId, DatasetId
from holdfast.model.change import Payload
from holdfast.testing.memory_action import payload_of
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import AskMore, Carried, DataMessage, Needed, Open, Stopped

WAIT_S = 10.0
T = TypeVar("T")
OPEN = Open(dataset=DatasetId("d" * 32), actions=(ActionId("a" * 32),), generation=7)


def in_thread(call: Callable[[], T]) -> Future[T]:
    """Run it beside the test; `.result(WAIT_S)` gives or raises what it did."""
    future: Future[T] = Future()

    def body() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - handed over to whoever asks for the result
            future.set_exception(error)

    threading.Thread(target=body, daemon=True).start()
    return future


def send_all(channel: Channel, messages: Iterable[DataMessage]) -> None:
    for message in messages:
        channel.send(message)


class ChannelSuite(ABC):
    """`pair` opens a connected pair: (the dialling end, the serving end), and closes both at the end."""

    @abstractmethod
    def pair(self) -> AbstractContextManager[tuple[Channel, Channel]]: ...

    @pytest.fixture
    def ends(self) -> Iterator[tuple[Channel, Channel]]:
        with self.pair() as ends:
            yield ends

    def test_messages_arrive_whole_and_in_order_both_ways(self, ends: tuple[Channel, Channel]) -> None:
        here, there = ends
        sent: list[DataMessage] = [OPEN, *(Needed(number=n, ids=(bytes([n]) * 32,)) for n in range(50)), AskMore()]
        for sender, receiver in ((here, there), (there, here)):
            sending = in_thread(partial(send_all, sender, sent))
            assert [receiver.receive(WAIT_S) for _ in sent] == sent
            sending.result(WAIT_S)

    def test_chunks_of_all_sizes_arrive_unchanged(self, ends: tuple[Channel, Channel]) -> None:
        here, there = ends
        sizes = [0, 1, 4095, 65_536, 1_048_576, 8 * 1_048_576, 3_000_000, 1_500_000, 5]
        batches = [tuple(payload_of(bytes([n]) * size) for n in range(2)) for size in sizes]
        messages = [Carried(number=n, payloads=payloads, last=True) for n, payloads in enumerate(batches)]
        sending = in_thread(partial(send_all, here, messages))
        for message in messages:
            assert there.receive(WAIT_S) == message
        sending.result(WAIT_S)

    def test_a_slow_receiver_holds_the_sender(self, ends: tuple[Channel, Channel]) -> None:
        here, there = ends
        message = Carried(number=1, payloads=(payload_of(bytes(1_000_000)),))
        passed = 0

        def flood() -> int:
            nonlocal passed
            for _ in range(200):
                here.send(message)
                passed += 1
            return passed

        sending = in_thread(flood)
        assert there.receive(WAIT_S) == message
        assert passed < 100, "the channel took 100 MB that nobody received"
        for _ in range(199):
            assert there.receive(WAIT_S) == message
        assert sending.result(WAIT_S) == 200

    def test_an_orderly_close_delivers_what_was_sent_then_none(self, ends: tuple[Channel, Channel]) -> None:
        here, there = ends
        here.send(OPEN)
        here.send(Stopped(error=Cancelled("enough").facts()))
        closing = in_thread(here.close)
        assert there.receive(WAIT_S) == OPEN
        assert isinstance(there.receive(WAIT_S), Stopped)
        assert there.receive(WAIT_S) is None
        there.close()
        closing.result(WAIT_S)

    def test_the_serving_end_can_close_too(self, ends: tuple[Channel, Channel]) -> None:
        here, there = ends
        there.send(OPEN)
        there.close()
        assert here.receive(WAIT_S) == OPEN
        assert here.receive(WAIT_S) is None

    def test_close_wakes_a_receiver_and_may_be_repeated(self, ends: tuple[Channel, Channel]) -> None:
        here, _ = ends
        receiving = in_thread(here.receive)
        in_thread(here.close)
        with pytest.raises(NotReachable):
            receiving.result(WAIT_S)
        here.close()
        with pytest.raises(NotReachable):
            here.send(OPEN)
        with pytest.raises(NotReachable):
            here.receive(WAIT_S)

    def test_close_wakes_a_sender_that_waits_for_a_slow_peer(self, ends: tuple[Channel, Channel]) -> None:
        here, there = ends
        payload: Payload = payload_of(bytes(1_000_000))

        def flood() -> None:
            while True:
                here.send(Carried(number=1, payloads=(payload,)))

        sending = in_thread(flood)
        assert there.receive(WAIT_S) is not None
        in_thread(here.close)
        with pytest.raises(NotReachable):
            sending.result(WAIT_S)

    def test_receive_gives_up_after_its_timeout(self, ends: tuple[Channel, Channel]) -> None:
        here, _ = ends
        with pytest.raises(NotReachable, match="within"):
            here.receive(0.01)

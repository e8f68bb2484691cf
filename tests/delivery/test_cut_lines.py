"""A delivery, straight and through a relay, cut before every one of its messages: nothing acknowledged is lost, and the next goes on."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.errors import HoldfastError
from holdfast.core.ids import ActionId, NodeId
from holdfast.delivery.fanout import FanOut, FanOutSession
from holdfast.delivery.forward import ForwardAction
from holdfast.delivery.session import DeliverySession
from holdfast.model.change import Cursor
from holdfast.testing.deliveries import DATASET, EPOCH, RECEIVER, SOURCE, ServedDelivery, begin_of, commit_of, opening_of
from holdfast.testing.faulty_line import Knife
from holdfast.testing.memory_action import MemoryAction
from holdfast.wire.channel import Channel
from tests.delivery.test_delivery_model import Edit, Source

RELAY = NodeId("4" * 32)
FIRST: list[Edit] = [("put", b"/data/a/x", (b"one", b"two", b"three", b"four")), ("put", b"/data/b", (b"five",)), ("put", b"/data/c", ())]
SECOND: list[Edit] = [("put", b"/data/a-b", (b"six", b"two")), ("remove", b"/data/b", ()), ("put", b"/data/a/x", (b"one", b"seven") * 2)]


@dataclass
class Chain:
    """source -> relay -> last, and an action of its own beside it on the relay."""

    source: Source = field(default_factory=Source)
    last: MemoryAction = field(default_factory=lambda: MemoryAction("last"))
    beside: MemoryAction = field(default_factory=lambda: MemoryAction("beside"))

    def deliver(self, near: Knife, far: Knife) -> dict[str, Cursor]:
        """One run's delivery; the cursors that the source was told, by action."""
        served: list[ServedDelivery] = []

        def dial() -> Channel:
            here, there = far.line(RELAY, RECEIVER)
            served.append(ServedDelivery(there, [self.last]))
            return here

        forward = ForwardAction(ActionId("forward"), opening_of("last"), dial)
        here, there = near.line(SOURCE, RELAY)
        at_relay = ServedDelivery(there, [forward, self.beside])
        session = DeliverySession(here, window_bytes=60)
        try:
            states = [state for state in session.open(opening_of("forward", "beside")) if state.error is None]
            if not states:
                return {}
            cursors = [state.cursor.seq if state.cursor else None for state in states]
            base = None if None in cursors else min(seq for seq in cursors if seq is not None)
            session.begin(begin_of(self.source.run, base), [state.action for state in states])
            fan = FanOut({"lane": FanOutSession(DATASET, session)}, clock=SystemClock(), queue_bytes=600)
            for outgoing in self.source.segments(2):
                fan.send({DATASET: outgoing})
            result = fan.finish({DATASET: commit_of(self.source.run)})["lane"]
            return {part.action: part.cursor for part in result.acknowledgements if part.error is None and part.cursor is not None}
        except HoldfastError as error:
            session.abort(error)
            return {}
        finally:
            session.close()
            at_relay.wait()
            for each in served:
                each.wait()

    def assert_equal(self) -> None:
        for action in (self.last, self.beside):
            assert action.entries == self.source.files()
            assert action.position == Cursor(EPOCH, self.source.run)
            for path, entry in self.source.files().items():
                assert action.content(path) == b"".join(self.source.plain[ref.id] for ref in entry.chunks)


@pytest.mark.parametrize("where", ["near", "far", "relay"])
@pytest.mark.parametrize("loses", [True, False])
def test_a_line_cut_before_any_message(where: str, loses: bool) -> None:
    number, cuts = 0, 0
    while True:
        number += 1
        chain = Chain()
        chain.source.edit(FIRST)
        chain.deliver(Knife(), Knife())
        chain.assert_equal()
        chain.source.edit(SECOND)
        knife = Knife(number, loses=loses)
        told = chain.deliver(Knife() if where == "far" else knife, Knife() if where == "near" else knife)
        for name, action in (("forward", chain.last), ("beside", chain.beside)):
            assert action.position is not None
            if name in told:
                assert action.position.seq >= told[name].seq
        if not knife.fired:
            break
        cuts += 1
        chain.source.edit([("put", b"/data/late", (b"late",)), *SECOND])
        chain.deliver(Knife(), Knife())
        chain.assert_equal()
    assert cuts >= 8
    assert told["forward"] == told["beside"] == Cursor(EPOCH, 2)

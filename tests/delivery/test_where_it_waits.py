"""Real throttles, one at a time: a slow source, a limit, a narrow line, a slow store. Each is found."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import pytest

from holdfast.core.clock import SystemClock
from holdfast.delivery.fanout import FanOut, FanOutSession
from holdfast.delivery.limit import Limit
from holdfast.delivery.ports import VerifiedChunk
from holdfast.delivery.session import DeliverySession
from holdfast.model.bottleneck import Ends, Place, judge
from holdfast.model.change import Segment
from holdfast.testing.deliveries import DATASET, RECEIVER, SOURCE, ServedDelivery, begin_of, commit_of, opening_of, puts_of
from holdfast.testing.memory_action import MemoryAction
from holdfast.testing.memory_channel import MemoryChannel, memory_pair
from holdfast.wire.pipe import Pipe

CLOCK = SystemClock()
STEPS, PAUSE_S, SIZE_BYTES = 12, 0.15, 60_000
_pause = threading.Event().wait


class SlowStore(MemoryAction):
    def apply(self, segment: Segment, chunks: Mapping[bytes, VerifiedChunk], withdrawn: frozenset[bytes]) -> None:
        _pause(PAUSE_S)
        super().apply(segment, chunks, withdrawn)


def narrow_pair() -> tuple[MemoryChannel, MemoryChannel]:
    """A line that carries `SIZE_BYTES` in `PAUSE_S`."""
    entry, leaving, back = Pipe[bytes](SIZE_BYTES), Pipe[bytes](SIZE_BYTES), Pipe[bytes](SIZE_BYTES)

    def carry() -> None:
        while (data := entry.get()) is not None:
            _pause(PAUSE_S * len(data) / SIZE_BYTES)
            leaving.put(data, len(data))
        leaving.end()

    threading.Thread(target=carry, daemon=True).start()
    return MemoryChannel(RECEIVER, outbox=entry, inbox=back), MemoryChannel(SOURCE, outbox=back, inbox=leaving)


@pytest.mark.parametrize("slow", [Place.SOURCE, Place.LIMIT, Place.NETWORK, Place.STORE])
def test_the_slow_place_is_found(slow: Place) -> None:
    action = SlowStore("store") if slow is Place.STORE else MemoryAction("store")
    here, there = narrow_pair() if slow is Place.NETWORK else memory_pair(SOURCE, RECEIVER, queue_bytes=SIZE_BYTES)
    served = ServedDelivery(there, [action])
    limit = Limit(int(SIZE_BYTES / PAUSE_S), clock=CLOCK, wait=_pause) if slow is Place.LIMIT else None
    session = DeliverySession(here, compression="off", window_bytes=2 * SIZE_BYTES, limit=limit)
    session.open(opening_of(action.id))
    session.begin(begin_of(9), [action.id])
    fan = FanOut({"lane": FanOutSession(DATASET, session, sheet=session.sheet)}, clock=CLOCK, queue_bytes=SIZE_BYTES)
    for number in range(STEPS):
        if slow is Place.SOURCE:
            _pause(PAUSE_S)
        fan.send({DATASET: puts_of(number, {b"/data/%03d" % number: bytes([number]) * SIZE_BYTES}, run=9, first=number == 0)})
    result = fan.finish({DATASET: commit_of(9)})["lane"]
    assert result.error is None
    found = judge(result.times, Ends("files1/documents", "vault"))
    assert found.place is slow, (found, result.times)
    session.close()
    assert served.wait() == []


def test_a_quick_mover_waits_for_a_slow_one() -> None:
    works, closing = {}, []
    for action in (SlowStore("slow"), MemoryAction("quick")):
        here, there = memory_pair(SOURCE, RECEIVER, queue_bytes=SIZE_BYTES)
        served = ServedDelivery(there, [action])
        session = DeliverySession(here, compression="off", window_bytes=2 * SIZE_BYTES)
        session.open(opening_of(action.id))
        session.begin(begin_of(9), [action.id])
        works[str(action.id)] = FanOutSession(DATASET, session, sheet=session.sheet)
        closing.append((session, served))
    fan = FanOut(works, clock=CLOCK, queue_bytes=SIZE_BYTES)
    for number in range(STEPS):
        fan.send({DATASET: puts_of(number, {b"/data/%03d" % number: bytes([number]) * SIZE_BYTES}, run=9, first=number == 0)})
    results = fan.finish({DATASET: commit_of(9)})
    ends = Ends("files1/documents", "vault")
    assert {name: judge(result.times, ends).place for name, result in results.items()} == {"slow": Place.STORE, "quick": Place.MOVER}
    for session, served in closing:
        session.close()
        assert served.wait() == []

"""Whatever changes, in however many runs, to receivers at whatever positions: in the end each holds what a dict would hold."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.clock import SystemClock
from holdfast.delivery.fanout import FanOut, FanOutSession
from holdfast.delivery.session import DeliverySession
from holdfast.model.change import Cursor
from holdfast.testing.deliveries import (
    DATASET,
    EPOCH,
    RECEIVER,
    SOURCE,
    ServedDelivery,
    begin_of,
    commit_of,
    opening_of,
)
from holdfast.testing.memory_action import MemoryAction
from holdfast.testing.memory_channel import memory_pair
from tests.delivery.row_source import Edit, Source, edits


def deliver(source: Source, actions: list[MemoryAction], per_segment: int) -> None:
    lanes = []
    for action in actions:
        here, there = memory_pair(SOURCE, RECEIVER)
        served = ServedDelivery(there, [action])
        session = DeliverySession(here, window_bytes=60)
        (state,) = session.open(opening_of(action.id))
        session.begin(begin_of(source.run, state.cursor.seq if state.cursor else None), [action.id])
        lanes.append((session, served))
    fanout = FanOut({str(n): FanOutSession(DATASET, session) for n, (session, _) in enumerate(lanes)}, clock=SystemClock(), queue_bytes=600)
    for outgoing in source.segments(per_segment):
        fanout.send({DATASET: outgoing})
    results = fanout.finish({DATASET: commit_of(source.run)})
    for result in results.values():
        assert result.error is None
        assert [acknowledgement.error for acknowledgement in result.acknowledgements] == [None]
    for session, served in lanes:
        session.close()
        assert served.wait() == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(edits, st.sets(st.integers(0, 2))), min_size=1, max_size=5), st.integers(1, 4))
def test_every_receiver_ends_equal_to_the_source(runs: list[tuple[list[Edit], set[int]]], per_segment: int) -> None:
    source, actions = Source(), [MemoryAction(str(index)) for index in range(3)]
    for changes, present in runs:
        source.edit(changes)
        deliver(source, [actions[index] for index in sorted(present)], per_segment)
    deliver(source, actions, per_segment)
    for action in actions:
        assert action.entries == source.files()
        assert action.position == Cursor(EPOCH, source.run)
        for path, entry in source.files().items():
            assert action.content(path) == b"".join(source.plain[ref.id] for ref in entry.chunks)

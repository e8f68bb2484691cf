"""The verdict on what holds a delivery up, from how its threads spent their time."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.bottleneck import Ends, LaneTimes, Place, ReceiverTimes, judge

ENDS = Ends("files1/documents", "vault")
STORING = ReceiverTimes(10_000, 1_000, 1_000, 8_000, 2_000)

CASES: dict[str, tuple[Place, LaneTimes]] = {
    "too short": (Place.NONE, LaneTimes(starved_s=0.9)),
    "spread": (Place.NONE, LaneTimes(starved_s=3, limited_s=2.5, working_s=2, sending_s=1, awaiting_s=2)),
    "a slow disk": (Place.SOURCE, LaneTimes(starved_s=9, working_s=1, busy_s=2)),
    "a slow processor": (Place.CPU, LaneTimes(starved_s=9, working_s=1, busy_s=11)),
    "another mover": (Place.MOVER, LaneTimes(starved_s=9, others_s=8, working_s=1, busy_s=2)),
    "its limit": (Place.LIMIT, LaneTimes(limited_s=9, working_s=1, busy_s=9)),
    "compressing": (Place.CPU, LaneTimes(starved_s=1, working_s=9, busy_s=9)),
    "reading once more": (Place.SOURCE, LaneTimes(starved_s=1, working_s=9, busy_s=1)),
    "the line": (Place.NETWORK, LaneTimes(sending_s=5, awaiting_s=4, working_s=1, receiver=ReceiverTimes(10_000, 9_000, 0, 1_000, 900))),
    "a line that nobody answers on": (Place.NETWORK, LaneTimes(sending_s=9, awaiting_s=1)),
    "a receiver that says nothing": (Place.STORE, LaneTimes(awaiting_s=9, sending_s=1)),
    "a slow store": (Place.STORE, LaneTimes(awaiting_s=9, working_s=1, receiver=STORING)),
    "a store without processor": (Place.CPU, LaneTimes(awaiting_s=9, receiver=ReceiverTimes(10_000, 1_000, 1_000, 8_000, 9_500))),
    "verifying": (Place.CPU, LaneTimes(awaiting_s=9, receiver=ReceiverTimes(10_000, 1_000, 7_000, 2_000, 4_000))),
}


@pytest.mark.parametrize("name", CASES)
def test_the_place_is_where_the_others_wait_for(name: str) -> None:
    place, times = CASES[name]
    found = judge(times, ENDS)
    assert found.place is place, found
    assert found.message
    assert 0 <= found.share <= 1
    if place is not Place.NONE:
        assert "files1/documents" in found.message or "vault" in found.message


seconds = st.floats(0, 1e6)
receivers = st.builds(ReceiverTimes, *[st.integers(0, 10**9)] * 5)
times = st.builds(LaneTimes, receiver=receivers, **{name: seconds for name in LaneTimes.__struct_fields__ if name != "receiver"})


@given(times)
def test_there_is_one_verdict_for_whatever_was_measured(measured: LaneTimes) -> None:
    found = judge(measured, ENDS)
    assert 0 <= found.share <= 1
    assert (found.place is Place.NONE) or found.share >= 0.4
    # It does not depend on how long it took, once it took long enough.
    if found.place is not Place.NONE:
        twice: dict[str, Any] = {name: getattr(measured, name) * 2 for name in LaneTimes.__struct_fields__ if name != "receiver"}
        assert judge(msgspec.structs.replace(measured, **twice), ENDS).place is found.place


def test_what_came_since_counts_alone_and_a_silent_receiver_as_it_was() -> None:
    before = LaneTimes(starved_s=100, receiver=STORING)
    after = LaneTimes(starved_s=100, awaiting_s=9, receiver=STORING)
    since = after.since(before)
    assert (since.wall_s, since.receiver) == (9, STORING)
    assert judge(since, ENDS).place is Place.STORE
    told = ReceiverTimes(20_000, 10_900, 1_000, 8_100, 2_100)
    assert judge(msgspec.structs.replace(after, receiver=told).since(before), ENDS).place is Place.NETWORK

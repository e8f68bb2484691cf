"""The two small things channels are made of."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import NotReachable, ProtocolError
from holdfast.testing.channel_suite import WAIT_S, in_thread
from holdfast.wire.arena import Arena, Region
from holdfast.wire.pipe import Pipe


def test_a_pipe_is_bounded_by_weight_but_takes_any_single_item() -> None:
    pipe: Pipe[str] = Pipe(10)
    assert pipe.put("huge", 1000)
    assert not pipe.put("more", 1, timeout_s=0)
    assert pipe.put("note", 0)
    assert [pipe.get(), pipe.get()] == ["huge", "note"]
    assert pipe.put("more", 1, timeout_s=0)
    with pytest.raises(TimeoutError):
        Pipe[str](1).get(0)


def test_a_pipe_that_ends_gives_what_it_holds() -> None:
    pipe: Pipe[str] = Pipe(10)
    pipe.put("a")
    pipe.end()
    assert [pipe.get(), pipe.get(), pipe.get()] == ["a", None, None]
    with pytest.raises(NotReachable):
        pipe.put("b")


def test_a_pipe_that_fails_gives_what_it_holds_unless_dropped() -> None:
    for drop in (False, True):
        pipe: Pipe[str] = Pipe(10)
        pipe.put("a")
        pipe.fail(NotReachable("gone"), drop=drop)
        if not drop:
            assert pipe.get() == "a"
        with pytest.raises(NotReachable, match="gone"):
            pipe.get()
        with pytest.raises(NotReachable, match="gone"):
            pipe.put("b")


def test_a_pipe_wakes_those_who_wait() -> None:
    pipe: Pipe[str] = Pipe(1)
    getting = in_thread(pipe.get)
    pipe.put("a")
    assert getting.result(WAIT_S) == "a"
    pipe.put("b")
    putting = in_thread(lambda: pipe.put("c"))
    pipe.fail(NotReachable("gone"))
    with pytest.raises(NotReachable):
        putting.result(WAIT_S)


@settings(max_examples=60)
@given(st.lists(st.binary(min_size=1, max_size=2048), max_size=40), st.data())
def test_what_goes_through_the_arena_comes_out(pieces: list[bytes], data: st.DataObject) -> None:
    writer = Arena.create(4096)
    reader = Arena(*(os.dup(descriptor) for descriptor in writer.descriptors))
    waiting: list[tuple[Region, bytes]] = []
    try:
        for piece in pieces:
            assert writer.fits(len(piece))
            while (region := writer.place([piece], len(piece))) is None:
                placed, expected = waiting.pop(0)
                assert reader.take(placed, [len(expected)]) == [expected]
            waiting.append((region, piece))
            if data.draw(st.booleans()):
                placed, expected = waiting.pop(0)
                assert reader.take(placed, [len(expected)]) == [expected]
        for placed, expected in waiting:
            assert reader.take(placed, [len(expected)]) == [expected]
    finally:
        writer.close()
        reader.close()


def test_the_arena_believes_no_region_outside_itself() -> None:
    arena = Arena.create(4096)
    for region, lengths in ((Region(4000, 200), [200]), (Region(0, 10), [20]), (Region(0, 10_000), [20])):
        with pytest.raises(ProtocolError):
            arena.take(region, lengths)
    arena.close()
    assert not arena.fits(2049)
    unsealed = os.memfd_create("unsealed", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with pytest.raises(ProtocolError):
        Arena(unsealed, -1)
    os.close(unsealed)

"""Many receivers, one stream: one dead, one slow, one limited, several bases; nobody pays for another."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.errors import Cancelled, NoSpace
from holdfast.core.ids import DatasetId
from holdfast.delivery.fanout import FanOut, FanOutSession
from holdfast.delivery.limit import Limit
from holdfast.delivery.ports import VerifiedChunk
from holdfast.delivery.session import DeliverySession
from holdfast.model.change import Cursor, Put, Remove, Segment
from holdfast.testing.deliveries import (
    DATASET,
    EPOCH,
    RECEIVER,
    SOURCE,
    ServedDelivery,
    begin_of,
    chunk_ref,
    commit_of,
    file_of,
    opening_of,
    outgoing_of,
    puts_of,
)
from holdfast.testing.memory_action import MemoryAction, MemoryChunks
from holdfast.testing.memory_channel import MemoryChannel, memory_pair

CLOCK = SystemClock()
OTHER = DatasetId("f" * 32)


class Lane:
    """A session with a real receiver over memory, its commit begun."""

    def __init__(self, action: MemoryAction, *, base: int | None = None, dataset: DatasetId = DATASET, limit: Limit | None = None) -> None:
        self.action = action
        self.here, self.there = memory_pair(SOURCE, RECEIVER, queue_bytes=200_000)
        self.served = ServedDelivery(self.there, [action])
        self.session = DeliverySession(self.here, compression="off", window_bytes=300_000, limit=limit)
        self.session.open(opening_of(action.id, dataset=dataset))
        self.session.begin(begin_of(9, base, dataset), [action.id])
        self.work = FanOutSession(dataset, self.session)

    def end(self) -> None:
        self.session.close()
        assert self.served.wait() == []


FILES = {b"/data/%03d" % n: bytes([n]) * 20_000 for n in range(60)}


def send_all(fanout: FanOut, dataset: DatasetId = DATASET) -> None:
    names = sorted(FILES)
    for number in range(20):
        slice_ = {name: FILES[name] for name in names[number * 3 : number * 3 + 3]}
        fanout.send({dataset: puts_of(number, slice_, run=9, first=number == 0)})


def arrived(action: MemoryAction) -> Mapping[bytes, bytes]:
    return {path: action.content(path) for path in FILES if path in action.entries}


class Gated(MemoryAction):
    """Takes nothing until the gate opens."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.gate = threading.Event()

    def apply(self, segment: Segment, chunks: Mapping[bytes, VerifiedChunk], withdrawn: frozenset[bytes]) -> None:
        assert self.gate.wait(60)
        super().apply(segment, chunks, withdrawn)


def test_all_deliveries_get_everything_and_sessions_stay_open_for_another_commit() -> None:
    lanes = {name: Lane(MemoryAction(name)) for name in ("one", "two", "three")}
    fanout = FanOut({name: lane.work for name, lane in lanes.items()}, clock=CLOCK)
    send_all(fanout)
    results = fanout.finish({DATASET: commit_of(9)})
    for name, lane in lanes.items():
        assert arrived(lane.action) == FILES
        assert results[name].error is None
        assert results[name].acknowledgements[0].cursor == Cursor(EPOCH, 9)
        assert results[name].counters.sent_bytes == sum(map(len, FILES.values()))
        assert not results[name].behind
        lane.session.begin(begin_of(10, 9), [lane.action.id])
        assert lane.session.commit(commit_of(10))[0].error is None
        lane.end()


def test_one_dead_and_one_stalled_receiver_hold_nobody_up() -> None:
    good, dead, stalled = Lane(MemoryAction("good")), Lane(MemoryAction("dead")), Lane(Gated("stalled"))
    dead.there.kill()
    works = {"good": good.work, "dead": dead.work, "stalled": stalled.work}
    fanout = FanOut(works, clock=CLOCK, patience_s=0.15, queue_bytes=200_000)
    send_all(fanout)
    stalled.action.gate.set()  # type: ignore[attr-defined]
    results = fanout.finish({DATASET: commit_of(9)})
    assert arrived(good.action) == FILES
    assert results["good"].error is None
    assert results["dead"].error is not None
    assert (results["dead"].error.code, results["dead"].behind) == ("not-reachable", False)
    assert results["stalled"].error is not None
    assert (results["stalled"].error.code, results["stalled"].behind) == ("not-reachable", True)
    assert stalled.served.wait() == []
    assert (stalled.action.commits, stalled.action.entries) == ([], {})
    good.end()


def test_a_lone_slow_receiver_is_waited_for() -> None:
    lane = Lane(Gated("slow"))
    fanout = FanOut({"slow": lane.work}, clock=CLOCK, patience_s=0.02, queue_bytes=100_000)
    opening = threading.Timer(0.3, lane.action.gate.set)  # type: ignore[attr-defined]
    opening.start()
    send_all(fanout)
    assert fanout.finish({DATASET: commit_of(9)})["slow"].error is None
    assert arrived(lane.action) == FILES
    opening.join()
    lane.end()


def test_figures_tell_what_was_offered_and_what_was_taken() -> None:
    gated, free = Lane(Gated("gated")), Lane(MemoryAction("free"))
    waits = []

    def on_wait() -> None:
        waits.append(fanout.figures()["gated"])
        gated.action.gate.set()  # type: ignore[attr-defined]

    fanout = FanOut({"gated": gated.work, "free": free.work}, clock=CLOCK, on_wait=on_wait)
    send_all(fanout)
    fanout.finish({DATASET: commit_of(9)})
    size = sum(map(len, FILES.values()))
    assert waits
    assert waits[0].is_live
    assert waits[0].given_bytes == size
    for figures in fanout.figures().values():
        assert (figures.given_bytes, figures.done_bytes, figures.sent_bytes, figures.is_live) == (size, size, size, False)
    gated.end()
    free.end()


def test_a_limited_delivery_is_slow_but_not_stalled() -> None:
    limit = Limit(6_000_000, clock=CLOCK, wait=threading.Event().wait)
    limited, free = Lane(MemoryAction("limited"), limit=limit), Lane(MemoryAction("free"))
    fanout = FanOut({"limited": limited.work, "free": free.work}, clock=CLOCK, patience_s=0.05, queue_bytes=100_000)
    limit.take(1_500_000)
    send_all(fanout)
    results = fanout.finish({DATASET: commit_of(9)})
    assert [result.error for result in results.values()] == [None, None]
    assert arrived(limited.action) == arrived(free.action) == FILES
    limited.end()
    free.end()


def test_each_receiver_gets_what_its_base_lacks() -> None:
    full, ahead, behind = Lane(MemoryAction("full")), MemoryAction("ahead"), MemoryAction("behind")
    rows = [(b"/data/a", b"old", 1), (b"/data/b", b"mid", 5), (b"/data/c", b"new", 9)]
    for action, seq in ((ahead, 5), (behind, 1)):
        action.position = Cursor(EPOCH, seq)
        for path, plain, run in rows:
            if run <= seq:
                action.entries[path] = file_of(path, plain)
                action.chunks[chunk_ref(plain).id] = plain
    lanes = {"full": full, "ahead": Lane(ahead, base=5), "behind": Lane(behind, base=1)}
    chunks = MemoryChunks({chunk_ref(plain).id: plain for _, plain, _ in rows})
    fanout = FanOut({name: lane.work for name, lane in lanes.items()}, clock=CLOCK)
    for number, (path, plain, run) in enumerate(rows):
        fanout.send({DATASET: outgoing_of(number, [Put(file_of(path, plain))], chunks, run=run)})
    fanout.send({DATASET: outgoing_of(3, [Remove(b"/data/gone")], chunks, run=3)})
    results = fanout.finish({DATASET: commit_of(9)})
    assert {name: (r.counters.changed, r.counters.removed) for name, r in results.items()} == {
        "full": (3, 1),
        "ahead": (1, 0),
        "behind": (2, 1),
    }
    for lane in lanes.values():
        assert {path: lane.action.content(path) for path in lane.action.entries} == {path: plain for path, plain, _ in rows}
        lane.end()


def test_datasets_go_to_their_own_deliveries_and_one_without_a_commit_is_aborted() -> None:
    mine, other = Lane(MemoryAction("mine")), Lane(MemoryAction("other"), dataset=OTHER)
    fanout = FanOut({"mine": mine.work, "other": other.work}, clock=CLOCK)
    send_all(fanout)
    fanout.send({OTHER: puts_of(0, {b"/data/x": b"X"}, run=9, first=True)})
    results = fanout.finish({DATASET: commit_of(9)})
    assert results["mine"].error is None
    assert results["other"].error is not None
    assert results["other"].error.code == "cancelled"
    assert other.served.wait() == []
    assert other.action.commits == []
    mine.end()


def test_an_action_that_fails_is_in_its_acknowledgement_not_the_sessions_error() -> None:
    lane = Lane(MemoryAction("full", fail_at="apply", failure=NoSpace("full")))
    fanout = FanOut({"full": lane.work}, clock=CLOCK)
    send_all(fanout)
    result = fanout.finish({DATASET: commit_of(9)})["full"]
    assert result.error is None
    assert result.acknowledgements[0].error is not None
    assert result.acknowledgements[0].error.code == "no-space"
    lane.end()


def test_a_run_that_fails_is_forgotten_by_every_receiver() -> None:
    lanes = {name: Lane(MemoryAction(name)) for name in ("one", "two")}
    fanout = FanOut({name: lane.work for name, lane in lanes.items()}, clock=CLOCK)
    fanout.send({DATASET: puts_of(0, {b"/data/a": b"A"}, run=9, first=True)})
    results = fanout.abort(Cancelled("somebody asked us to stop"))
    assert {result.error and result.error.code for result in results.values()} == {"cancelled"}
    for lane in lanes.values():
        assert lane.served.wait() == []
        assert (lane.action.commits, lane.action.aborted) == ([], 1)
    assert not fanout.is_live


def test_a_source_that_fails_to_read_ends_its_delivery_only_as_an_error() -> None:
    lane = Lane(MemoryAction("one"))
    fanout = FanOut({"one": lane.work}, clock=CLOCK)
    fanout.send({DATASET: outgoing_of(0, [Put(file_of(b"/data/a", b"A"))], MemoryChunks({}), run=9)})
    result = fanout.finish({DATASET: commit_of(9)})["one"]
    assert result.error is not None
    assert result.error.code == "internal"
    assert lane.served.wait() == []
    assert lane.action.commits == []


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_changed_is_a_commit_too(count: int) -> None:
    lanes = {str(n): Lane(MemoryAction(str(n))) for n in range(count)}
    fanout = FanOut({name: lane.work for name, lane in lanes.items()}, clock=CLOCK)
    results = fanout.finish({DATASET: commit_of(9)})
    assert all(result.error is None for result in results.values())
    for lane in lanes.values():
        lane.end()


def test_the_channel_type_is_shared() -> None:
    here, _ = memory_pair(SOURCE, RECEIVER)
    assert isinstance(here, MemoryChannel)

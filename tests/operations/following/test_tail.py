"""What is told of runs: each change once, by who has it, the newest kept; and where to go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import ActionId, DatasetId, NodeId
from holdfast.host.watch import Batch, Dirty, Who
from holdfast.model.change import Change, Move, Payload, Put, Remove, Segment
from holdfast.model.entry import Entry, Kind
from holdfast.model.following import Following, FollowState
from holdfast.model.gaps import Gap, GapReason
from holdfast.model.jobs import Job, Progress
from holdfast.model.rules import Delivery
from holdfast.model.stream import Compression, Outgoing, Withdrawn
from holdfast.model.tail import Tailed, TailEvent, TailKind
from holdfast.operations.following.run_notes import RunNotes
from holdfast.operations.following.tail import MOST_KEPT, Tail
from holdfast.operations.running import Delivered
from holdfast.testing.virtual_clock import SeededEntropy, VirtualClock

ONE = DatasetId("one")
START = datetime(2026, 1, 1, tzinfo=UTC)
AWAY = ErrorFacts("not-reachable", "nobody is there", "", True)
STORE, COPY = (
    Delivery(
        id=name,
        dataset=ONE,
        label="files1/one",
        receiver=NodeId("v" * 32),
        receiver_name="vault",
        actions=(ActionId(name),),
        operations=(),
        action_titles=((ActionId(name), name),),
        mode="continuous",
    )
    for name in ("store main", "mirror copy")
)


class Quiet:
    def job(self, job: Job) -> None: ...

    def progress(self, progress: Progress) -> None: ...

    def delivered(self, delivered: Delivered) -> None: ...


class Captured(NamedTuple):
    run: int
    moves: Mapping[DatasetId, tuple[Move, ...]]


class NoChunks:
    def payloads(self, ids: Sequence[bytes], compression: Compression) -> Iterator[Payload | Withdrawn]:
        return iter(())


def put(path: bytes, size_bytes: int = 1) -> Put:
    return Put(Entry(path=path, kind=Kind.FILE, mode=0o644, size_bytes=size_bytes))


def run(
    tail: Tail, number: int, changes: list[tuple[Change, int]], *, moves: tuple[Move, ...] = (), away: tuple[Delivery, ...] = ()
) -> None:
    """One run with these changes, each with the run that it is of; the receivers `away` do not get it."""
    notes = RunNotes(Quiet(), (STORE, COPY), tail.is_told)
    segment = Segment(number=0, changes=tuple(change for change, _ in changes))
    outgoing = Outgoing(segment, tuple(each for _, each in changes), (), NoChunks())
    steps = notes.steps(Captured(number, {ONE: moves}), iter([{ONE: outgoing}]))
    assert list(steps) == [{ONE: outgoing}]
    for delivery in (STORE, COPY):
        error = AWAY if delivery in away else None
        notes.delivered(Delivered(dataset=ONE, delivery=delivery.id, action=delivery.id, operations=(), captured_at_ns=1, error=error))
    tail.ended(notes)


def new_tail() -> Tail:
    return Tail(VirtualClock(START), SeededEntropy("tail"))


def newest(tail: Tail, limit: int = 500) -> tuple[TailEvent, ...]:
    return tail.since([ONE], None, "", limit).events


def test_a_change_is_told_once_and_who_has_it() -> None:
    tail = new_tail()
    run(tail, 4, [(put(b"/data/a", 5), 4), (Remove(b"/data/b"), 4)])
    assert [(e.kind, e.path, e.size_bytes, e.to) for e in newest(tail)] == [
        (TailKind.PUT, "/data/a", 5, ("store main on vault", "mirror copy on vault")),
        (TailKind.REMOVED, "/data/b", 0, ("store main on vault", "mirror copy on vault")),
    ]
    run(tail, 5, [(put(b"/data/\xff"), 5)], away=(COPY,))
    run(tail, 6, [(put(b"/data/\xff"), 5), (put(b"/data/c"), 6)])
    assert [(e.kind, e.path, e.path_raw, e.to) for e in newest(tail)[2:]] == [
        (TailKind.BEHIND, "", b"", ("mirror copy on vault",)),
        (TailKind.PUT, "/data/\\xff", b"/data/\xff", ("store main on vault",)),
        (TailKind.CAUGHT_UP, "", b"", ("mirror copy on vault",)),
        (TailKind.PUT, "/data/c", b"", ("store main on vault", "mirror copy on vault")),
    ]


def test_what_nobody_got_is_told_by_the_run_that_delivers_it() -> None:
    tail = new_tail()
    run(tail, 1, [(put(b"/data/a"), 1)])
    run(tail, 2, [(put(b"/data/b"), 2)], away=(STORE, COPY))
    assert [e.kind for e in newest(tail)] == [TailKind.PUT, TailKind.BEHIND, TailKind.BEHIND]
    run(tail, 3, [(put(b"/data/a"), 1), (put(b"/data/b"), 2)])
    assert [(e.kind, e.path) for e in newest(tail)[3:]] == [(TailKind.CAUGHT_UP, ""), (TailKind.CAUGHT_UP, ""), (TailKind.PUT, "/data/b")]


def test_a_folder_that_moved_is_one_change_with_all_below_it() -> None:
    tail = new_tail()
    tail.heard(Batch(moves=(Dirty(b"/data/new", moved_from=b"/data/old", inode=7, who=Who(12, "mv", 0)),)))
    changes: list[tuple[Change, int]] = [(put(path), 1) for path in (b"/data/new", b"/data/new/a", b"/data/new/b/c", b"/data/other")]
    changes += [(Remove(path), 1) for path in (b"/data/old", b"/data/old/a", b"/data/older")]
    run(tail, 1, changes, moves=(Move(b"/data/old", b"/data/new"),))
    told = {(e.kind, e.path, e.was, e.below) for e in newest(tail)}
    assert told == {
        (TailKind.MOVED, "/data/new", "/data/old", 2),
        (TailKind.PUT, "/data/other", "", 0),
        (TailKind.REMOVED, "/data/older", "", 0),
    }
    moved = next(e for e in newest(tail) if e.kind is TailKind.MOVED)
    assert moved.who is not None
    assert (moved.who.pid, moved.who.program, moved.who.user) == (12, "mv", "root")


def test_gaps_and_waiting_are_told_as_they_begin_and_end() -> None:
    tail = new_tail()
    gap = Gap(path=b"/data", since=START, until=START, reason=GapReason.OVERFLOW)
    first = Following(dataset="files1/one", dataset_id=ONE, state=FollowState.FOLLOWING)
    for each in (
        first,
        Following(dataset="files1/one", dataset_id=ONE, state=FollowState.RECONCILING, open_gap_since=START),
        Following(dataset="files1/one", dataset_id=ONE, state=FollowState.WAITING, gaps=(gap,), error=AWAY),
        Following(dataset="files1/one", dataset_id=ONE, state=FollowState.WAITING, gaps=(gap,), error=AWAY, pending=3),
        Following(dataset="files1/one", dataset_id=ONE, state=FollowState.FOLLOWING, gaps=(gap,)),
    ):
        tail.followed((each,))
    told = newest(tail)
    assert [e.kind for e in told] == [TailKind.GAP_BEGAN, TailKind.GAP_ENDED, TailKind.WAITING, TailKind.FOLLOWING]
    assert (told[1].path, told[1].reason, told[2].error) == ("/data", GapReason.OVERFLOW, AWAY)


@settings(max_examples=25)
@given(sizes=st.lists(st.integers(1, 700), min_size=1, max_size=5), limit=st.integers(20, 500), reads=st.sets(st.integers(0, 5)))
def test_whoever_goes_on_misses_nothing_or_is_told_so(sizes: list[int], limit: int, reads: set[int]) -> None:
    tail = new_tail()
    after, life, seen, skipped = 0, tail.life, list[str](), False
    expected = []

    def read() -> None:
        nonlocal after, skipped
        while True:
            page: Tailed = tail.since([ONE], after, life, limit)
            seen.extend(event.path for event in page.events)
            skipped |= page.skipped
            after = page.last
            if not page.more:
                return

    for number, size in enumerate(sizes, 1):
        paths = [f"/data/{number}/{each}" for each in range(size)]
        expected += paths
        run(tail, number, [(put(path.encode()), number) for path in paths])
        if number in reads:
            read()
    read()
    assert skipped is (seen != expected)
    assert len(seen) == len(set(seen))
    assert set(seen) <= set(expected)
    assert seen[-min(MOST_KEPT, len(seen)) :] == expected[-min(MOST_KEPT, len(seen)) :]
    assert tail.since([ONE], after, "another", 1).skipped
